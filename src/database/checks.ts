import { randomInt } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import pg from "pg";
import { readDatabaseAddress } from "../databaseAddress.js";
import { CONNECTION_TIMEOUT_MS, sessionConfig } from "./pools.js";
import { connectionRefusal, DatabaseUnreachableError, DatabaseUnusableError, refuse } from "./refusals.js";
import { retryUntilLimitIsLifted, SessionClient, StandbyError } from "./session.js";
import { type NamedStatement, statement } from "./statement.js";
import { isSessionLimit, SESSION_WAIT_MS } from "./waitingPool.js";

/** PostgreSQL 14, by server_version_num. */
const OLDEST_VERSION = 140_000;
/** How many times two sessions are compared. */
const ROUNDS = 10;
const RETRY_MS = 250;
/** How long a replica may take to connect, so that one that is away does not hold up the start; milliseconds. */
const REPLICA_CONNECTED_MS = 2000;
/** How many times an address is checked when sessions are lost meanwhile. */
const MAX_TRIES = 5;

const USE_WRITABLE = "Use a database that can be written to";

const ignore = (): void => {};

/**
 * Opens a session without changing its settings, because a pooler may share it with other clients. Waits for a free
 * connection, for example while other servers are stopping.
 */
async function plainSession(
  url: string,
  variable: string,
  waitMs = SESSION_WAIT_MS,
  connectionTimeoutMillis = CONNECTION_TIMEOUT_MS,
): Promise<pg.Client> {
  const { session: _needs, ...config } = sessionConfig(url, "invite-links check");
  const until = performance.now() + waitMs;
  for (;;) {
    const client = new pg.Client({ ...config, connectionTimeoutMillis });
    client.on("error", ignore);
    try {
      await client.connect();
      return client;
    } catch (error) {
      client.end().catch(ignore);
      if (!isSessionLimit(error) || performance.now() + RETRY_MS > until)
        throw connectionRefusal(error, variable);
      await delay(RETRY_MS);
    }
  }
}

/** Selects one row. Lifts the role's default time limit for this transaction only. */
async function selectRow<Row>(session: pg.Client, select: NamedStatement): Promise<Row | undefined> {
  const text = `set local statement_timeout = 0; ${select.text}`;
  // For a text of two statements `pg` gives two results, contrary to its types.
  const results = (await retryUntilLimitIsLifted(() => session.query(text))) as unknown as pg.QueryResult[];
  return results[1]?.rows[0];
}

const processId = async (session: pg.Client): Promise<unknown> =>
  (await selectRow<{ pid: number }>(session, statement("check_process")`select pg_backend_pid() as pid`))
    ?.pid;

/**
 * Whether the statements of two clients can run in one session of PostgreSQL, as behind a pooler in transaction or
 * statement mode. A session that is not shared stays in one PostgreSQL process, which no other session uses.
 */
async function isShared(one: pg.Client, other: pg.Client): Promise<boolean> {
  const [ofOne, ofOther] = [new Set<unknown>(), new Set<unknown>()];
  for (let round = 0; round < ROUNDS; round += 1) {
    ofOne.add(await processId(one));
    ofOther.add(await processId(other));
    if (ofOne.size > 1 || ofOther.size > 1 || ofOne.has([...ofOther][0])) return true;
  }
  return false;
}

async function checkVersionAndEncoding(session: pg.Client, variable: string): Promise<void> {
  const found = await selectRow<{ version: number; shown: string; encoding: string }>(
    session,
    statement(
      "check_version",
    )`select current_setting('server_version_num')::int as version, current_setting('server_version') as shown,
       current_setting('server_encoding') as encoding`,
  );
  if (!found) return;
  if (found.version < OLDEST_VERSION)
    throw refuse(
      variable,
      `the server is PostgreSQL ${found.shown.split(" ")[0]}. Version 14 or newer is required`,
    );
  if (found.encoding !== "UTF8")
    throw refuse(
      variable,
      `the database has the encoding ${found.encoding}, not UTF8. The encoding is chosen when a database is created: create database … encoding 'UTF8' template template0`,
    );
}

/** Refuses a pooler that shares sessions between clients, before any setting is changed in a shared session. */
async function checkSessionsAreOwn(session: pg.Client, url: string, variable: string): Promise<void> {
  const other = await plainSession(url, variable, 0).catch((error: unknown) => {
    // A second connection is not available, so no other client shares the first.
    if (error instanceof DatabaseUnusableError) return null;
    throw error;
  });
  if (other === null) return;
  try {
    if (await isShared(session, other))
      throw refuse(
        variable,
        "the pooler shares sessions between clients (transaction or statement mode). Set pool_mode = session for this database, or use the address of PostgreSQL itself",
      );
  } finally {
    await other.end().catch(ignore);
  }
}

/** @returns an error that names the setting which the role may not change; any other error unchanged. */
function settingRefusal(error: unknown, variable: string): unknown {
  const setting = error instanceof pg.DatabaseError ? /"([a-z_.]+)"/.exec(error.message)?.[1] : undefined;
  if (!(error instanceof pg.DatabaseError) || setting === undefined) return error;
  return refuse(
    variable,
    `the role has an unusual default of ${setting} and may not change it (${error.code}). Reset this default of the role or the database`,
  );
}

/**
 * Checks the server at one address. A session that is lost meanwhile, for example because the role has a short limit for
 * idle sessions, is reopened.
 * @returns a session with all settings.
 */
async function checkedSession(url: string, variable: string): Promise<pg.Client> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await checkedSessionOnce(url, variable);
    } catch (error) {
      if (error instanceof DatabaseUnusableError || error instanceof DatabaseUnreachableError) throw error;
      if (tries === MAX_TRIES) throw connectionRefusal(error, variable);
    }
  }
}

async function checkedSessionOnce(url: string, variable: string): Promise<pg.Client> {
  const plain = await plainSession(url, variable);
  try {
    await checkVersionAndEncoding(plain, variable);
    await checkSessionsAreOwn(plain, url, variable);
  } finally {
    await plain.end().catch(ignore);
  }
  const session = new SessionClient(sessionConfig(url, "invite-links check"));
  session.on("error", ignore);
  try {
    await session.connect();
    const { rows } = await session.query<{ readOnly: string }>(
      statement("check_writable")`select current_setting('transaction_read_only') as "readOnly"`.text,
    );
    if (rows[0]?.readOnly !== "off") throw refuse(variable, `the database is read-only. ${USE_WRITABLE}`);
    return session;
  } catch (error) {
    await session.end().catch(ignore);
    if (error instanceof StandbyError)
      throw refuse(variable, `the server is a standby, which is read-only. ${USE_WRITABLE}`);
    throw error instanceof DatabaseUnusableError ? error : settingRefusal(error, variable);
  }
}

/** Whether two sessions use the same database of the same server: one session sees a lock that the other holds. */
async function isSameDatabase(one: pg.Client, other: pg.Client): Promise<boolean> {
  const key = randomInt(2 ** 31);
  const lock = statement("check_lock")`select pg_advisory_lock(${key}, ${key})`;
  const find = statement("check_find_lock")`
    select from pg_locks where locktype = 'advisory' and granted and objsubid = 2
      and classid = ${key} and objid = ${key}
      and database = (select oid from pg_database where datname = current_database())`;
  const unlock = statement("check_unlock")`select pg_advisory_unlock(${key}, ${key})`;
  await one.query(lock.text, lock.values);
  const { rowCount } = await other.query(find.text, find.values);
  await one.query(unlock.text, unlock.values);
  return rowCount === 1;
}

/**
 * Checks the server before anything is changed: whether it can be reached, its version and encoding, and whether a pooler
 * shares sessions between clients.
 * @throws DatabaseUnreachableError, DatabaseUnusableError
 */
export async function checkServer(url: string, directUrl: string | null): Promise<void> {
  const session = await checkedSession(url, "DATABASE_URL");
  try {
    if (directUrl === null) return;
    const direct = await checkedSession(directUrl, "DATABASE_DIRECT_URL");
    try {
      const isSame =
        readDatabaseAddress(url)?.schema === readDatabaseAddress(directUrl)?.schema &&
        (await isSameDatabase(direct, session));
      if (!isSame)
        throw refuse(
          "DATABASE_DIRECT_URL",
          "the address leads to another database or schema than DATABASE_URL. Use the address of the same database without the pooler",
        );
    } finally {
      await direct.end().catch(ignore);
    }
  } finally {
    await session.end().catch(ignore);
  }
}

/**
 * Refuses a pooler in front of the replica that shares sessions between clients. A replica that does not answer passes.
 * @throws DatabaseUnusableError
 */
export async function checkReplica(url: string): Promise<void> {
  const variable = "DATABASE_REPLICA_URL";
  const plain = await plainSession(url, variable, 0, REPLICA_CONNECTED_MS).catch(() => null);
  if (plain === null) return;
  try {
    await checkSessionsAreOwn(plain, url, variable);
  } catch (error) {
    if (error instanceof DatabaseUnusableError) throw error;
  } finally {
    await plain.end().catch(ignore);
  }
}
