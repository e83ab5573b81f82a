import { randomInt } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import pg from "pg";
import { readDatabaseAddress } from "../databaseAddress.js";
import { sessionConfig } from "./pools.js";
import { connectionRefusal, DatabaseUnreachableError, DatabaseUnusableError } from "./refusals.js";
import { liftingTimeLimit, SessionClient } from "./session.js";
import { isSessionLimit, SESSION_WAIT_MS } from "./waitingPool.js";

/** PostgreSQL 14, by server_version_num. */
const OLDEST_VERSION = 140_000;
/** How often two sessions are compared. */
const ROUNDS = 10;
const RETRY_MS = 250;
/** How often what an address leads to is found out, where sessions are lost meanwhile. */
const MOST_TRIES = 5;

const ignore = (): void => {};

const refuse = (variable: string, reason: string): DatabaseUnusableError =>
  new DatabaseUnusableError(`${variable}: ${reason}`);

/**
 * Opens a session to which nothing was set: what is found there may be shared with others.
 * Where no connection is left, this waits for one, as when other servers are just ending.
 */
async function plainSession(url: string, variable: string, waitMs = SESSION_WAIT_MS): Promise<pg.Client> {
  const { session: _needs, ...config } = sessionConfig(url, "invite-links check");
  const until = performance.now() + waitMs;
  for (;;) {
    const client = new pg.Client(config);
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

/**
 * Asks for one row in a session to which nothing may be set: only for as long as this takes is the time limit lifted that
 * the role has by default.
 */
async function askPlainly<Row>(session: pg.Client, select: string): Promise<Row | undefined> {
  const text = `set local statement_timeout = 0; ${select}`;
  // Of a text of two statements `pg` gives two results, which its types do not say.
  const results = (await liftingTimeLimit(() => session.query(text))) as unknown as pg.QueryResult[];
  return results[1]?.rows[0];
}

const processId = async (session: pg.Client): Promise<unknown> =>
  (await askPlainly<{ pid: number }>(session, "select pg_backend_pid() as pid"))?.pid;

/**
 * Whether what two clients ask meets in the same session of PostgreSQL, as behind a pooler in transaction or statement
 * mode. A session of one's own has one process of PostgreSQL for as long as it lasts.
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
  const found = await askPlainly<{ version: number; shown: string; encoding: string }>(
    session,
    `select current_setting('server_version_num')::int as version, current_setting('server_version') as shown,
       current_setting('server_encoding') as encoding`,
  );
  if (!found) return;
  if (found.version < OLDEST_VERSION)
    throw refuse(variable, `found PostgreSQL ${found.shown.split(" ")[0]}, not version 14 or newer`);
  if (found.encoding !== "UTF8")
    throw refuse(
      variable,
      `found a database with the encoding ${found.encoding}, not UTF8; the encoding is chosen when a database is made: create database … encoding 'UTF8' template template0`,
    );
}

/** Refuses a pooler that hands a session to another client between two transactions, before anything is set there. */
async function checkSessionsAreOwn(session: pg.Client, url: string, variable: string): Promise<void> {
  const other = await plainSession(url, variable, 0).catch((error: unknown) => {
    // With one connection there is nobody to share it with.
    if (error instanceof DatabaseUnusableError) return null;
    throw error;
  });
  if (other === null) return;
  try {
    if (await isShared(session, other))
      throw refuse(
        variable,
        "found a pooler that shares sessions between clients (transaction or statement mode), not one in session mode; set pool_mode = session for this database, or name PostgreSQL itself",
      );
  } finally {
    await other.end().catch(ignore);
  }
}

/** Where a setting may not be set, such as session_replication_role, an error that names it. */
function settingRefusal(error: unknown, variable: string): unknown {
  const setting = error instanceof pg.DatabaseError ? /"([a-z_.]+)"/.exec(error.message)?.[1] : undefined;
  if (!(error instanceof pg.DatabaseError) || setting === undefined) return error;
  return refuse(
    variable,
    `found a role with an unusual default of ${setting} that it may not change (${error.code}), not one whose sessions the server can set up; reset that default of the role or the database`,
  );
}

/**
 * What one address leads to: a session of it, in which all settings hold. A session that was lost meanwhile, as by a
 * default of the role that ends idle ones, says little, and is opened anew.
 */
async function checkedSession(url: string, variable: string): Promise<pg.Client> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await checkedSessionOnce(url, variable);
    } catch (error) {
      if (error instanceof DatabaseUnusableError || error instanceof DatabaseUnreachableError) throw error;
      if (tries === MOST_TRIES) throw connectionRefusal(error, variable);
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
    const { rows } = await session.query<{ readOnly: string; standby: boolean }>(
      "select current_setting('transaction_read_only') as \"readOnly\", pg_is_in_recovery() as standby",
    );
    if (rows[0]?.readOnly !== "off")
      throw refuse(
        variable,
        `found a ${rows[0]?.standby === true ? "standby server, which is read-only" : "read-only database"}, not one that can be written to`,
      );
    return session;
  } catch (error) {
    await session.end().catch(ignore);
    throw error instanceof DatabaseUnusableError ? error : settingRefusal(error, variable);
  }
}

/** Whether two sessions are in the same database of the same server: the one sees a lock that the other holds. */
async function isSameDatabase(one: pg.Client, other: pg.Client): Promise<boolean> {
  const key = randomInt(2 ** 31);
  await one.query("select pg_advisory_lock($1, $1)", [key]);
  const { rowCount } = await other.query(
    `select from pg_locks where locktype = 'advisory' and granted and objsubid = 2 and classid = $1 and objid = $1
       and database = (select oid from pg_database where datname = current_database())`,
    [key],
  );
  await one.query("select pg_advisory_unlock($1, $1)", [key]);
  return rowCount === 1;
}

/**
 * Checks, before anything is changed, that the server can be used: what can be reached, what it is, and that sessions
 * are a client's own.
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
          "found an address of another database or schema than that of DATABASE_URL, not of the same one without the pooler",
        );
    } finally {
      await direct.end().catch(ignore);
    }
  } finally {
    await session.end().catch(ignore);
  }
}

interface Rights {
  readonly schemaExists: boolean;
  readonly mayMakeSchema: boolean;
  readonly mayMakeTables: boolean;
  readonly ownsTables: boolean;
}

/**
 * Makes the schema where it is missing, and checks what migrations take.
 * @throws DatabaseUnusableError where the role lacks a right.
 */
export async function prepareSchema(pool: pg.Pool, schema: string): Promise<void> {
  const { rows } = await pool.query<Rights>(
    `select n.oid is not null as "schemaExists",
       has_database_privilege(current_database(), 'CREATE') as "mayMakeSchema",
       coalesce(has_schema_privilege(n.oid, 'CREATE') and has_schema_privilege(n.oid, 'USAGE'), false) as "mayMakeTables",
       not exists (
         select from pg_class c join pg_class books on books.relname = '_prisma_migrations'
         where c.relnamespace = n.oid and books.relnamespace = n.oid and c.relkind = 'r'
           and not pg_has_role(c.relowner, 'USAGE')
       ) as "ownsTables"
     from (select $1::text as name) wanted left join pg_namespace n on n.nspname = wanted.name`,
    [schema],
  );
  const [rights] = rows;
  const named = JSON.stringify(schema);
  if (rights?.schemaExists === false) {
    if (!rights.mayMakeSchema)
      throw refuse(
        "DATABASE_URL",
        `found no schema ${named} and a role that may not make it, not one with the right CREATE on the database; make the schema, or grant create on database`,
      );
    try {
      // Replicas that start together may all find it missing.
      await pool.query(`create schema if not exists ${pg.escapeIdentifier(schema)}`);
    } catch (error) {
      const { code } = error as { code?: string };
      if (code === "23505" || code === "42P06") return;
      throw refuse(
        "DATABASE_URL",
        `found the name ${named} for a schema, which PostgreSQL does not take (${code})`,
      );
    }
  } else if (rights?.mayMakeTables === false) {
    throw refuse(
      "DATABASE_URL",
      `found a role that may not make tables in the schema ${named}, not one with the right CREATE on it; grant create on schema, or apply the migrations as another role`,
    );
  } else if (rights?.ownsTables === false) {
    throw refuse(
      "DATABASE_URL",
      `found tables in the schema ${named} that belong to another role, and migrations that are to be applied; apply them as that role (invite-links migrate)`,
    );
  }
}
