import pg from "pg";
import { readTimestamp } from "./instant.js";
import { Pipelines } from "./pipelines.js";

/** What answers statements. */
interface Asking {
  query(statement: pg.QueryConfig): Promise<pg.QueryResult>;
}

/** The one pool that Prisma and SQL by hand share. */
export interface DatabasePool {
  readonly pool: pg.Pool;
  /** For reading what is quick, whatever is asked for. */
  readonly quick: Asking;
  /** For reading what is asked for often, and is quick as a rule. */
  readonly often: Asking;
  /** One session, in this process: no other process can be at work in it. */
  readonly embedded: boolean;
  close(): Promise<void>;
}

/** Long enough for a burst to drain on the embedded database's one session. */
export const CONNECTION_TIMEOUT_MS = 15_000;

/** Those of the pool. */
const MOST_SESSIONS = 10;

const QUERY_TIMEOUT_MS = 10_000;

const { types, Pool } = pg;
const { builtins } = types;

function safeInteger(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new RangeError("A bigint of the database is no safe integer.");
  return value;
}

/**
 * A machine that vanished without a word holds its locks, and shows its presence, until the server notices: left to
 * itself after two hours, so after 25 s.
 */
const NOTICED_WHEN_GONE = "-c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3";

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

/** A PostgreSQL server. Sessions run in UTC, which Prisma's adapter takes for granted. */
export function serverPool(url: string, onError: (error: Error) => void): DatabasePool {
  const config: pg.ClientConfig = {
    connectionString: url,
    connectionTimeoutMillis: CONNECTION_TIMEOUT_MS,
    types: decoding,
    // A server that vanished without a word is noticed, rather than waited for by every request.
    keepAlive: true,
    query_timeout: QUERY_TIMEOUT_MS,
    options: `-c TimeZone=UTC ${NOTICED_WHEN_GONE}`,
    application_name: "invite-links",
  };
  const pool = new Pool({ ...config, max: MOST_SESSIONS });
  pool.on("error", onError);
  // Apart, so that what is always quick waits for nothing that is not.
  const pipelined = { ...config, application_name: "invite-links pipeline" };
  const quick = new Pipelines(pool, pipelined, onError);
  const often = new Pipelines(pool, pipelined, onError);
  return {
    pool,
    quick,
    often,
    embedded: false,
    async close() {
      await Promise.all([quick.end(), often.end()]);
      await pool.end();
    },
  };
}
