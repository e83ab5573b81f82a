// Databases for tests: openTestDatabase() gives a test a migrated database of its own, embedded or on a PostgreSQL server,
// and describeOnForms() runs a suite on each form.

import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { describe, inject, it } from "vitest";
import { createDatabase, type Database } from "../../src/database/database.js";
import { embeddedPool } from "../../src/database/embedded.js";
import { type DatabasePool, serverPool } from "../../src/database/pools.js";
import type { StatementEvent } from "../../src/database/statementEvents.js";
import { guardTransactions } from "../../src/database/transactionGuard.js";
import type { ServerAnswer } from "./globalSetup.js";

export type DatabaseForm = "embedded" | "server";

const onlyServer = process.env["TEST_DATABASE"] === "server";
const onlyEmbedded = process.env["TEST_DATABASE"] === "embedded";

/** The forms for a suite that needs any database: the embedded one or, with TEST_DATABASE=server, the server. */
export const USUAL_FORMS: readonly DatabaseForm[] = onlyServer ? ["server"] : ["embedded"];

/** The forms for a suite that must pass on every form, as far as TEST_DATABASE asks for them. */
export const ALL_FORMS: readonly DatabaseForm[] = ["embedded", "server"];

const raise = (error: Error): never => {
  throw error;
};

let serverAnswer: Promise<ServerAnswer> | undefined;

function askForServer(): Promise<ServerAnswer> {
  serverAnswer ??= fetch(inject("serverAddress")).then(
    (response) => response.json() as Promise<ServerAnswer>,
  );
  return serverAnswer;
}

/**
 * Starts the PostgreSQL server at the first call for it.
 * @returns in one line why this machine does not have the form; null if it has.
 * @throws Error if the form is missing and TEST_DATABASE demands it.
 */
export async function missingForm(form: DatabaseForm): Promise<string | null> {
  if (form === "embedded") return null;
  if (onlyEmbedded) return "TEST_DATABASE=embedded";
  const answer = await askForServer();
  if (!("reason" in answer)) return null;
  if (onlyServer) throw new Error(`TEST_DATABASE=server: ${answer.reason}`);
  return answer.reason;
}

/**
 * Registers a suite for each form. Await it at the top level of a test file. A missing form is one skipped test, and so is
 * the server with TEST_DATABASE=embedded. With TEST_DATABASE=server a suite for several forms runs on the server alone.
 */
export async function describeOnForms(
  title: string,
  forms: readonly DatabaseForm[],
  suite: (form: DatabaseForm) => void,
): Promise<void> {
  for (const form of onlyServer && forms.includes("server") ? ["server" as const] : forms) {
    const reason = await missingForm(form);
    describe(`${title}, ${form}`, () => {
      if (reason === null) suite(form);
      else it.skip(`skipped: ${reason}`);
    });
  }
}

/** A database of one test, not yet opened. */
export interface PreparedDatabase {
  /** The value for DATABASE_URL; null for an embedded database. */
  readonly url: string | null;
  /** The folder for embeddedPool(), with the database in `postgres/`; null on the server. */
  readonly dataDir: string | null;
  /** Deletes the database. Every pool and client must be closed before. */
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

/** Creates a database without opening it. @param migrated false for an empty database. */
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
      // PostgreSQL waits for sessions that are closing. FORCE would end them with an error to a pool that is closed already.
      await onServer((client) =>
        client
          .query(`drop database if exists ${name}`)
          .catch(() => client.query(`drop database if exists ${name} with (force)`)),
      );
    },
  };
}

/** Opens a pool on a prepared database. */
export function openPool({ url, dataDir }: Pick<PreparedDatabase, "url" | "dataDir">): Promise<DatabasePool> {
  if (url !== null) return Promise.resolve(serverPool(url, raise));
  if (dataDir === null) throw new TypeError("A database must have an address or a folder.");
  return embeddedPool(dataDir, raise);
}

export interface TestDatabase {
  readonly form: DatabaseForm;
  readonly database: Database;
  /** The pool and the pipelined sessions behind `database`. */
  readonly sessions: DatabasePool;
  readonly pool: pg.Pool;
  readonly url: string | null;
  readonly dataDir: string | null;
  /** Every statement that has run through `database`. Set its length to 0 to start counting. */
  readonly statements: StatementEvent[];
  /** Closes and deletes the database. */
  close(): Promise<void>;
}

/** Creates and opens a migrated database. */
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
