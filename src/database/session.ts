import pg from "pg";
import { failureOf } from "./failures.js";
import { statement } from "./statement.js";

/** The settings that differ between sessions. */
export interface SessionNeeds {
  /** The only schema on the search path. */
  readonly schema: string;
  /** The name in pg_stat_activity. */
  readonly applicationName: string;
  /** Milliseconds; 0 for no limit, neither of statements nor of pauses in a transaction. */
  readonly statementTimeoutMs: number;
}

/**
 * The session settings that the code relies on: with other values, statements give wrong results or fail. Planner
 * settings (`enable_*`, `plan_cache_mode`, `jit`, `work_mem`) are left to the administrator, because unusual values make
 * statements slow, not wrong.
 */
const SETTINGS = {
  client_encoding: "UTF8",
  // readTimestamp takes a timestamp apart by character positions.
  timezone: "UTC",
  datestyle: "ISO, MDY",
  intervalstyle: "postgres",
  timezone_abbreviations: "Default",
  // The decoders expect this form of numbers and bytes.
  extra_float_digits: "1",
  bytea_output: "hex",
  // The syntax of statements.
  standard_conforming_strings: "on",
  escape_string_warning: "off",
  backslash_quote: "safe_encoding",
  transform_null_equals: "off",
  array_nulls: "on",
  xmloption: "content",
  quote_all_identifiers: "off",
  check_function_bodies: "on",
  "plpgsql.extra_errors": "none",
  // The rows that statements see and may write.
  default_transaction_isolation: "read committed",
  default_transaction_read_only: "off",
  default_transaction_deferrable: "off",
  row_security: "on",
  gin_fuzzy_search_limit: "0",
  // Time limits.
  exit_on_error: "off",
  lock_timeout: "0",
  idle_session_timeout: "0",
  client_min_messages: "notice",
  // A machine that vanished keeps its locks and its presence until PostgreSQL notices: after 25 s with these values,
  // after two hours with an operating system's usual defaults.
  tcp_keepalives_idle: "10",
  tcp_keepalives_interval: "5",
  tcp_keepalives_count: "3",
  // Where something that was sent to it waits for an answer, keepalives do not count.
  tcp_user_timeout: "25000",
} as const;

/**
 * How long PostgreSQL waits for the next statement of a transaction, in milliseconds, before it ends the session. A server
 * that freezes in a transaction would hold up everybody who waits for its locks.
 */
const IDLE_IN_TRANSACTION_MS = 5000;

/** Settings that are changed only if necessary: the role may lack the right, or the version the setting. */
const CONDITIONAL = [
  // A stronger guarantee than `on`, such as for replicas, is kept.
  "select set_config('synchronous_commit', 'on', false) where current_setting('synchronous_commit') = 'off'",
  // Triggers maintain the counters. Only a superuser may set this.
  "select set_config('session_replication_role', 'origin', false) where current_setting('session_replication_role') <> 'origin'",
  // Since PostgreSQL 17.
  "select set_config('transaction_timeout', '0', false) where current_setting('transaction_timeout', true) <> '0'",
];

/** Clears what an earlier client left behind in a session that a pooler passed on without a reset. */
const LEFTOVERS = ["close all", "unlisten *", "deallocate all", "select pg_advisory_unlock_all()"];

/**
 * One text of several statements, which PostgreSQL executes all or not at all. The time limit comes first, because until
 * then the role's default limit, which may be a millisecond, applies to each statement.
 */
const settingsOf = ({ schema, applicationName, statementTimeoutMs }: SessionNeeds): string =>
  [
    `set statement_timeout = ${statementTimeoutMs}`,
    ...LEFTOVERS,
    `set idle_in_transaction_session_timeout = ${statementTimeoutMs === 0 ? 0 : IDLE_IN_TRANSACTION_MS}`,
    ...Object.entries(SETTINGS).map(([name, value]) => `set ${name} = '${value}'`),
    `set search_path = ${pg.escapeIdentifier(schema)}`,
    `set application_name = '${applicationName}'`,
    ...CONDITIONAL,
    statement("session_is_standby")`select pg_is_in_recovery() as standby`.text,
  ].join("; ");

export interface SessionConfig extends pg.ClientConfig {
  readonly session: SessionNeeds;
  /** Looks at the server that the address led to. The session is not used if this throws. Default: refuses a standby. */
  readonly accept?: ((client: pg.ClientBase, isStandby: boolean) => Promise<void>) | undefined;
}

/** Milliseconds for the settings, including the wait for a session of a pooler. */
const SETTINGS_ANSWERED_MS = 3000;

/** A pooler took the connection and did not provide a session in time. */
export class NoPoolerSessionError extends Error {
  override readonly name = "NoPoolerSessionError";

  constructor() {
    super("The database took a connection and did not answer on it.");
  }
}

/**
 * The address led to a standby, as for a moment after a failover. A session there would outlast the moment: it could read
 * old data, and its locks would mean nothing.
 */
export class StandbyError extends Error {
  override readonly name = "StandbyError";

  constructor() {
    super("The server is a standby.");
  }
}

/** A commit whose wait for a standby was cancelled: a failover may undo it. */
export class UnconfirmedCommitError extends Error {
  override readonly name = "UnconfirmedCommitError";
  /** The standard's code for a transaction whose outcome is unknown. */
  readonly code = "08007";

  constructor() {
    super("No standby has confirmed the commit.");
  }
}

const ignore = (): void => {};

const QUERY_CANCELED = "57014";
const MAX_TRIES = 50;

/**
 * Runs a text whose first statement lifts the session's time limit. The first statement itself is still subject to the
 * role's default limit and is repeated after it exceeded that limit.
 */
export async function retryUntilLimitIsLifted<T>(run: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await run();
    } catch (error) {
      const isTooSlow = (error as { code?: unknown }).code === QUERY_CANCELED;
      if (!isTooSlow || tries === MAX_TRIES) throw error;
    }
  }
}

/**
 * Whether PostgreSQL ended a session because it was idle. This can happen only before the settings are confirmed, if the
 * role has a short idle_session_timeout by default and this process was busy for longer than that.
 */
export const isIdleTimeout = (error: unknown): boolean => (error as { code?: unknown }).code === "57P05";

/**
 * A session of the database. The session counts as connected once PostgreSQL has confirmed all settings. SET after
 * connecting outranks the defaults of the role and the database and the address' own `options`, and works through
 * poolers that refuse startup parameters.
 */
export class SessionClient extends pg.Client {
  readonly #settings: string;
  readonly #accept: SessionConfig["accept"];

  constructor(config: SessionConfig) {
    super(config);
    this.#settings = settingsOf(config.session);
    this.#accept = config.accept;
    // An error event without a listener would end the process. The current or next statement reports the error anyway.
    this.on("error", ignore);
    this.on("notice", ({ routine }) => {
      // PostgreSQL reports a commit as done when its wait for a standby was cancelled. A failover would undo it, so its
      // outcome counts as unknown.
      if (routine !== "SyncRepWaitForLSN") return;
      this.connection.emit("error", new UnconfirmedCommitError());
      this.connection.stream.destroy();
    });
  }

  override connect(): Promise<pg.Client>;
  override connect(callback: ((error: Error) => void) | ((error: null, client: pg.Client) => void)): void;
  override connect(callback?: (error: never, client: pg.Client) => void): Promise<pg.Client> | undefined {
    const connected = this.#connect();
    if (callback === undefined) return connected;
    // The types of pg declare two callbacks, one for an error and one for success.
    const settled = callback as (error: Error | null, client: pg.Client) => void;
    connected.then(
      (client) => settled(null, client),
      (error: Error) => settled(error, this),
    );
    return undefined;
  }

  async #connect(): Promise<pg.Client> {
    await super.connect();
    // Why the connection ended. The statement below would only report that it ended.
    let lost: Error | undefined;
    const recordLoss = (error: Error): void => {
      lost ??= error;
    };
    this.on("error", recordLoss);
    const settings = { text: this.#settings, query_timeout: SETTINGS_ANSWERED_MS };
    try {
      const results = await retryUntilLimitIsLifted(() => this.query(settings));
      // For a text of several statements `pg` gives several results, contrary to its types.
      const isStandby = (results as unknown as pg.QueryResult[]).at(-1)?.rows[0]?.standby === true;
      if (this.#accept) await this.#accept(this, isStandby);
      else if (isStandby) throw new StandbyError();
    } catch (error) {
      this.end().catch(ignore);
      throw (error as Error).message === "Query read timeout" ? new NoPoolerSessionError() : (lost ?? error);
    }
    this.removeListener("error", recordLoss);
    return this;
  }
}

const UNLIMITED_MS = 2 ** 31 - 1;

/** Sets how long this process waits for each answer. `pg` itself allows this only in a pool's configuration. */
export function setAnswerTimeout(client: pg.ClientBase, milliseconds: number): void {
  const { connectionParameters } = client as unknown as { connectionParameters: { query_timeout: number } };
  connectionParameters.query_timeout = milliseconds;
}

/**
 * Lifts the time limits of the current transaction, for long work such as an export. This process waits for answers
 * without a limit until the session is released to the pool.
 */
export async function liftTimeLimit(client: pg.PoolClient): Promise<void> {
  setAnswerTimeout(client, UNLIMITED_MS);
  // The client of an export may read slowly, so that the session is idle meanwhile.
  await client.query("set local statement_timeout = 0; set local idle_in_transaction_session_timeout = 0");
}

/**
 * Rolls a failed transaction back and returns its session to the pool. A session that does not answer is ended instead, which
 * ends the transaction as well: the rollback would wait for as long as the failed statement did.
 */
export async function rollBack(session: pg.PoolClient, error: unknown): Promise<void> {
  const { kind } = failureOf(error);
  const answers = kind !== "unreachable" && kind !== "timeout";
  const isRolledBack =
    answers &&
    (await session.query("rollback").then(
      () => true,
      () => false,
    ));
  session.release(!isRolledBack);
}
