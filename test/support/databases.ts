import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { describe, inject, it } from "vitest";
import { createDatabase, type Database, type StatementEvent } from "../../src/database/database.js";
import { embeddedPool } from "../../src/database/embedded.js";
import { type DatabasePool, serverPool } from "../../src/database/pools.js";
import { guardTransactions } from "../../src/database/transactionGuard.js";
import type { ServerAnswer } from "./global-setup.js";

export type DatabaseForm = "embedded" | "server";

const onlyServer = process.env["TEST_DATABASE"] === "server";

/** Where a suite runs that needs some database: TEST_DATABASE=server takes it to the server. */
export const USUAL_FORMS: readonly DatabaseForm[] = onlyServer ? ["server"] : ["embedded"];

/** Where a suite runs that has to hold on every form. */
export const ALL_FORMS: readonly DatabaseForm[] = onlyServer ? ["server"] : ["embedded", "server"];

const raise = (error: Error): never => {
  throw error;
};

let asked: Promise<ServerAnswer> | undefined;

function askForServer(): Promise<ServerAnswer> {
  asked ??= fetch(inject("serverAddress")).then((response) => response.json() as Promise<ServerAnswer>);
  return asked;
}

/** Why a form cannot be had here, in one line; null where it can. Starts the server the first time it is asked for. */
export async function missingForm(form: DatabaseForm): Promise<string | null> {
  if (form === "embedded") return null;
  const answer = await askForServer();
  if (!("reason" in answer)) return null;
  if (onlyServer) throw new Error(`TEST_DATABASE=server: ${answer.reason}`);
  return answer.reason;
}

/** Registers a suite for each form; to be awaited at a test file's top. One that cannot be had is a skipped test. */
export async function describeOnForms(
  title: string,
  forms: readonly DatabaseForm[],
  suite: (form: DatabaseForm) => void,
): Promise<void> {
  for (const form of forms) {
    const reason = await missingForm(form);
    describe(`${title}, ${form}`, () => {
      if (reason === null) suite(form);
      else it.skip(`is left out: ${reason}`);
    });
  }
}

/** A migrated database of a test's own, not yet opened. */
export interface PreparedDatabase {
  /** For DATABASE_URL; null for an embedded one. */
  readonly url: string | null;
  /** For embeddedPool: holds the database in `postgres/`; null on the server. */
  readonly dataDir: string | null;
  /** Removes it; all that have it open must be closed. */
  remove(): Promise<void>;
}

async function onServer<T>(work: (client: pg.Client) => Promise<T>): Promise<T> {
  const answer = await askForServer();
  if ("reason" in answer) throw new Error(answer.reason);
  const client = new pg.Client(answer.url);
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** @param migrated false for an empty database. */
export async function prepareTestDatabase(form: DatabaseForm, migrated = true): Promise<PreparedDatabase> {
  if (form === "embedded") {
    const dataDir = await mkdtemp(join(tmpdir(), "invite-links-embedded-"));
    if (migrated) await cp(inject("embeddedTemplate"), dataDir, { recursive: true });
    return { url: null, dataDir, remove: () => rm(dataDir, { recursive: true, force: true }) };
  }
  const answer = await askForServer();
  if ("reason" in answer) throw new Error(answer.reason);
  const name = `test_${crypto.randomUUID().replaceAll("-", "")}`;
  await onServer((client) =>
    client.query(`create database ${name} template ${migrated ? answer.template : "template1"}`),
  );
  const url = new URL(answer.url);
  url.pathname = name;
  return {
    url: url.href,
    dataDir: null,
    async remove() {
      // Sessions that are just ending are waited for: one that is ended by force says so, to a pool that is gone.
      await onServer((client) =>
        client
          .query(`drop database if exists ${name}`)
          .catch(() => client.query(`drop database if exists ${name} with (force)`)),
      );
    },
  };
}

/** A prepared database's pool. */
export function openPool({ url, dataDir }: Pick<PreparedDatabase, "url" | "dataDir">): Promise<DatabasePool> {
  if (url !== null) return Promise.resolve(serverPool(url, raise));
  if (dataDir === null) throw new TypeError("A database has an address or a folder.");
  return embeddedPool(dataDir, raise);
}

export interface TestDatabase {
  readonly form: DatabaseForm;
  readonly database: Database;
  /** Through which it asks, the pool among them. */
  readonly sessions: DatabasePool;
  readonly pool: pg.Pool;
  readonly url: string | null;
  readonly dataDir: string | null;
  /** Every statement that ran through `database` so far; set its length to 0 to count from there. */
  readonly statements: StatementEvent[];
  /** Closes and removes it. */
  close(): Promise<void>;
}

/** A fresh, migrated database. */
export async function openTestDatabase(form: DatabaseForm): Promise<TestDatabase> {
  const prepared = await prepareTestDatabase(form);
  const opened = await openPool(prepared);
  const statements: StatementEvent[] = [];
  const database = guardTransactions(createDatabase(opened, (event) => statements.push(event)));
  return {
    form,
    database,
    sessions: opened,
    pool: opened.pool,
    url: prepared.url,
    dataDir: prepared.dataDir,
    statements,
    async close() {
      await database.close();
      await prepared.remove();
    },
  };
}
