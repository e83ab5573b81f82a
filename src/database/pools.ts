import pg from "pg";
import { readDatabaseAddress } from "../databaseAddress.js";
import { readTimestamp } from "./instant.js";
import { PipelinedSessions } from "./pipelinedSessions.js";
import { SessionClient, type SessionConfig } from "./session.js";
import { WaitingPool } from "./waitingPool.js";

/** What answers statements. */
interface StatementRunner {
  query(statement: pg.QueryConfig): Promise<pg.QueryResult>;
}

/** What answers statements that are quick as a rule. */
interface FrequentStatementRunner {
  /** @param elsewhere has a statement answered that is held up; without it the pool answers at once. Not for a pool. */
  query(statement: pg.QueryConfig, elsewhere?: () => Promise<pg.QueryResult>): Promise<pg.QueryResult>;
}

/** The one pool that Prisma and SQL by hand share. */
export interface DatabasePool {
  readonly pool: pg.Pool;
  /** For reading what is quick, whatever is asked for. */
  readonly quick: StatementRunner;
  /** For reading what is asked for often, and is quick as a rule. */
  readonly frequent: FrequentStatementRunner;
  /** One session, in this process: no other process can be at work in it. */
  readonly embedded: boolean;
  /** The schema that every session uses. */
  readonly schema: string;
  /** How many sessions `pool` has at the most. */
  readonly size: number;
  /** Whether statements and transactions may take as long as they need. */
  readonly unlimited: boolean;
  /** A session beside the pool, not connected yet, under its own application name; null on the embedded database. */
  readonly dedicatedSession: ((applicationName: string) => pg.Client) | null;
  /** Ends a session of the pool where it has several: for a session beside it that cannot be had otherwise. */
  closeOneSession(): Promise<void>;
  close(): Promise<void>;
}

/** Long enough for a burst to drain on the embedded database's one session. */
export const CONNECTION_TIMEOUT_MS = 15_000;

/** Sessions for requests, where nothing else is asked for. */
const SESSIONS = 10;

/** How long PostgreSQL lets a statement run. */
const STATEMENT_TIMEOUT_MS = 10_000;
/** How long this process waits for an answer; a little longer, so that PostgreSQL's own error comes first. */
const ANSWER_TIMEOUT_MS = 11_000;

const { types } = pg;
const { builtins } = types;

function safeInteger(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new RangeError("A bigint of the database is no safe integer.");
  return value;
}

/** PostgreSQL's name for uuid[], which `builtins` lacks. */
const UUID_ARRAY = 2951;

/** Without the quotes and nulls that other arrays may have. */
const uuids = (text: string): string[] => (text === "{}" ? [] : text.slice(1, -1).split(","));

const PARSERS: ReadonlyMap<number, (text: string) => unknown> = new Map<number, (text: string) => unknown>([
  [builtins.INT8, safeInteger],
  [builtins.TIMESTAMPTZ, readTimestamp],
  [UUID_ARRAY, uuids],
]);

/** bigint as a safe number (Telegram's ids), numeric as its exact text. */
export const decoding: pg.CustomTypesConfig = {
  getTypeParser: ((oid: number, format?: "text" | "binary") =>
    (format !== "binary" && PARSERS.get(oid)) ||
    types.getTypeParser(oid, format as "text")) as typeof types.getTypeParser,
};

export interface ServerOptions {
  /** Where sessions are opened that must not be shared with anybody: the server without its pooler. */
  readonly directUrl?: string | null;
  /** Sessions at the most, the pipelined ones included; 1 or more. */
  readonly sessions?: number;
  /** Whether statements may take as long as they need, as those of an export. */
  readonly unlimited?: boolean;
}

/** @throws TypeError where `pg` does not accept the address. */
export function sessionConfig(url: string, applicationName: string, unlimited = false): SessionConfig {
  const address = readDatabaseAddress(url);
  if (address === null) throw new TypeError("The address of the database is not acceptable.");
  return {
    ...address.connection,
    client_encoding: "utf8",
    connectionTimeoutMillis: CONNECTION_TIMEOUT_MS,
    types: decoding,
    // A server that vanished without a word is noticed, rather than waited for by every request.
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    ...(!unlimited && { query_timeout: ANSWER_TIMEOUT_MS }),
    session: {
      schema: address.schema,
      applicationName,
      statementTimeoutMs: unlimited ? 0 : STATEMENT_TIMEOUT_MS,
    },
  };
}

/** Pipelined sessions of each of the two kinds, so that at least half of all sessions are the pool's. */
function pipelinesOf(sessions: number): number {
  if (sessions < 4) return 0;
  return sessions < 8 ? 1 : 2;
}

/** A PostgreSQL server. */
export function serverPool(
  url: string,
  onError: (error: Error) => void,
  { directUrl = null, sessions = SESSIONS, unlimited = false }: ServerOptions = {},
): DatabasePool {
  const config = sessionConfig(url, "invite-links", unlimited);
  const pipelined = pipelinesOf(sessions);
  const size = sessions - 2 * pipelined;
  const pool = new WaitingPool({
    ...config,
    max: size,
    answerTimeoutMs: unlimited ? null : ANSWER_TIMEOUT_MS,
    // A single session may hold the cursors of long lists.
    ...(size === 1 && { idleTimeoutMillis: 0 }),
  });
  pool.on("error", onError);
  // Apart, so that what is always quick waits for nothing that is not.
  const pipelinedConfig = sessionConfig(url, "invite-links pipeline", unlimited);
  const quick = new PipelinedSessions(pool, pipelinedConfig, pipelined, onError);
  const frequent = new PipelinedSessions(pool, pipelinedConfig, pipelined, onError);
  return {
    pool,
    quick,
    frequent,
    embedded: false,
    schema: config.session.schema,
    size,
    unlimited,
    dedicatedSession: (applicationName) =>
      new SessionClient(sessionConfig(directUrl ?? url, applicationName)),
    closeOneSession: () => pool.closeOneSession(),
    async close() {
      await Promise.all([quick.end(), frequent.end()]);
      await pool.end();
    },
  };
}
