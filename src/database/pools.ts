import pg from "pg";
import { readDatabaseAddress } from "../databaseAddress.js";
import { fastPaths } from "../fastPaths.js";
import { readTimestamp } from "./instant.js";
import { openPipelinedSessions } from "./pipelinedSessions.js";
import { type FrequentStatementRunner, openPoolOnly, type StatementRunner } from "./poolOnly.js";
import { SessionClient, type SessionConfig } from "./session.js";
import { WaitingPool } from "./waitingPool.js";

/** The one pool that Prisma and hand-written SQL share, and the other sessions of a database. */
export interface DatabasePool {
  readonly pool: pg.Pool;
  /** For frequent statements that always read little. */
  readonly quick: StatementRunner;
  /** For frequent statements that usually read little. */
  readonly frequent: FrequentStatementRunner;
  /** Whether the database is in this process: it has one session, and no other process can use it. */
  readonly embedded: boolean;
  /** The schema that every session uses. */
  readonly schema: string;
  /** The largest number of sessions of `pool`. */
  readonly size: number;
  /** Whether statements and transactions may take as long as they need. */
  readonly unlimited: boolean;
  /**
   * Makes a session beside the pool, under an application name of its own and not connected yet; null on the embedded
   * database.
   */
  readonly dedicatedSession: ((applicationName: string) => pg.Client) | null;
  /** Closes a session of the pool if the pool has several, so that a dedicated session can be opened in its place. */
  closeOneSession(): Promise<void>;
  close(): Promise<void>;
}

/**
 * How long a session may take to connect, in milliseconds. On the embedded database also how long a statement may wait for
 * the one session: a burst of requests must be able to drain in this time.
 */
export const CONNECTION_TIMEOUT_MS = 15_000;

/** The default number of sessions for requests. */
const SESSIONS = 10;

/** How long PostgreSQL lets a statement run. */
const STATEMENT_TIMEOUT_MS = 10_000;
/** How long this process waits for an answer. Longer than STATEMENT_TIMEOUT_MS, so that PostgreSQL's error comes first. */
const ANSWER_TIMEOUT_MS = 11_000;

const { types } = pg;
const { builtins } = types;

function safeInteger(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value))
    throw new RangeError("The database returned a bigint that is not a safe integer.");
  return value;
}

/** The OID of uuid[], which `builtins` lacks. */
const UUID_ARRAY = 2951;

/** An array of UUIDs contains no quotes and, in this schema, no nulls. */
const uuids = (text: string): string[] => (text === "{}" ? [] : text.slice(1, -1).split(","));

const PARSERS: ReadonlyMap<number, (text: string) => unknown> = new Map<number, (text: string) => unknown>([
  [builtins.INT8, safeInteger],
  [builtins.TIMESTAMPTZ, readTimestamp],
  [UUID_ARRAY, uuids],
]);

/** bigint is decoded to a safe number (Telegram's ids); numeric stays text, which is exact. */
export const decoding: pg.CustomTypesConfig = {
  getTypeParser: ((oid: number, format?: "text" | "binary") =>
    (format !== "binary" && PARSERS.get(oid)) ||
    types.getTypeParser(oid, format as "text")) as typeof types.getTypeParser,
};

export interface ServerOptions {
  /** The server without its pooler, for sessions that must not be shared between clients. Default: the same address. */
  readonly directUrl?: string | null;
  /** The largest number of sessions for requests, at least 1. */
  readonly sessions?: number;
  /** Whether statements have no time limit, as for an export. */
  readonly unlimited?: boolean;
  /** As SessionConfig.accept. */
  readonly accept?: SessionConfig["accept"];
}

/** The sessions of a PostgreSQL server. */
export interface ServerPool extends DatabasePool {
  /** As DatabasePool.dedicatedSession. @param accept replaces ServerOptions.accept */
  readonly dedicatedSession: (applicationName: string, accept?: SessionConfig["accept"]) => pg.Client;
  /** Ends the sessions of requests without waiting for the server. Until `resume`, every statement fails at once. */
  suspend(): void;
  resume(): void;
}

/** @throws TypeError for an address that `pg` does not accept. */
export function sessionConfig(url: string, applicationName: string, unlimited = false): SessionConfig {
  const address = readDatabaseAddress(url);
  if (address === null) throw new TypeError("The address of the database is not valid.");
  return {
    ...address.connection,
    client_encoding: "utf8",
    connectionTimeoutMillis: CONNECTION_TIMEOUT_MS,
    types: decoding,
    // Detects a server that has vanished without closing its connections.
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

const openSessions = fastPaths.pipelinedSessions ? openPipelinedSessions : openPoolOnly;

/** Opens the sessions of a PostgreSQL server. */
export function serverPool(
  url: string,
  onError: (error: Error) => void,
  { directUrl = null, sessions = SESSIONS, unlimited = false, accept }: ServerOptions = {},
): ServerPool {
  const configFor = (applicationName: string) => ({
    ...sessionConfig(url, applicationName, unlimited),
    accept,
  });
  const config = configFor("invite-links");
  const openPool = (size: number): WaitingPool => {
    const opened = new WaitingPool({
      ...config,
      max: size,
      answerTimeoutMs: unlimited ? null : ANSWER_TIMEOUT_MS,
      // An idle session that is the only one is kept: it may hold the cursors of long lists.
      ...(size === 1 && { idleTimeoutMillis: 0 }),
    });
    opened.on("error", onError);
    return opened;
  };
  const requestSessions = openSessions({ sessions, openPool, configFor, onError });
  return {
    ...requestSessions,
    embedded: false,
    schema: config.session.schema,
    unlimited,
    dedicatedSession: (applicationName, acceptSession = accept) =>
      new SessionClient({ ...sessionConfig(directUrl ?? url, applicationName), accept: acceptSession }),
    closeOneSession: () => requestSessions.pool.closeOneSession(),
    resume: () => requestSessions.pool.resume(),
  };
}
