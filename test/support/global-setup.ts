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

/** What asking for the real server gives; `reason` says in one line why there is none. */
export type ServerAnswer = { readonly url: string; readonly template: string } | { readonly reason: string };

declare module "vitest" {
  export interface ProvidedContext {
    /** A data folder of a closed, migrated embedded database, to be copied. */
    embeddedTemplate: string;
    /** Answers with a ServerAnswer, and starts the real server the first time. */
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

/** Making an embedded database takes seconds, copying one a tenth of a second. */
async function embeddedTemplate(): Promise<string> {
  // Its main file is dist/index.…, and its package.json is not exported.
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
    // Several runs may have made it at once: the first one's is everybody's.
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
      return { server, answer: { reason: "neither PATH nor npm has a PostgreSQL server that runs here" } };
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

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  project.provide("embeddedTemplate", await embeddedTemplate());

  let started: ReturnType<typeof startServer> | undefined;
  const door = createServer(async (_request, response) => {
    started ??= startServer();
    const { answer } = await started;
    response.setHeader("content-type", "application/json").end(JSON.stringify(answer));
  }).listen(0, "127.0.0.1");
  await once(door, "listening");
  const address = door.address();
  if (address === null || typeof address === "string") throw new TypeError("A TCP server has a port.");
  project.provide("serverAddress", `http://127.0.0.1:${address.port}/`);

  return async () => {
    door.closeAllConnections();
    door.close();
    const { server } = (await started) ?? { server: null };
    await server?.stop();
  };
}
