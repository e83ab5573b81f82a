import pg from "pg";

/** What differs from one session to another. */
export interface SessionNeeds {
  /** The only schema on the search path. */
  readonly schema: string;
  /** Under which pg_stat_activity shows the session. */
  readonly applicationName: string;
  /** How long PostgreSQL lets one statement run; 0: without a limit. */
  readonly statementTimeoutMs: number;
}

/**
 * The session settings that the code relies on: with another value of one of these, statements are wrong or fail.
 * Settings of the planner (`enable_*`, `plan_cache_mode`, `jit`, `work_mem`) are not among them: unusual ones make
 * statements slow, not wrong, and an administrator may have a reason.
 */
const SETTINGS = {
  client_encoding: "UTF8",
  // Times are read by their places in the text that these make.
  timezone: "UTC",
  datestyle: "ISO, MDY",
  intervalstyle: "postgres",
  timezone_abbreviations: "Default",
  // Numbers and bytes as the decoders expect them.
  extra_float_digits: "1",
  bytea_output: "hex",
  // How statements are read.
  standard_conforming_strings: "on",
  escape_string_warning: "off",
  backslash_quote: "safe_encoding",
  transform_null_equals: "off",
  array_nulls: "on",
  xmloption: "content",
  quote_all_identifiers: "off",
  check_function_bodies: "on",
  "plpgsql.extra_errors": "none",
  // Which rows statements see and may write.
  default_transaction_isolation: "read committed",
  default_transaction_read_only: "off",
  default_transaction_deferrable: "off",
  row_security: "on",
  gin_fuzzy_search_limit: "0",
  // What ends a session or a statement. A session may wait in a transaction, as for the reader of a long list.
  exit_on_error: "off",
  lock_timeout: "0",
  idle_in_transaction_session_timeout: "0",
  idle_session_timeout: "0",
  client_min_messages: "notice",
  // A machine that vanished without a word holds its locks, and shows its presence, until the server notices: by the
  // operating system's own defaults after two hours, by these after 25 s.
  tcp_keepalives_idle: "10",
  tcp_keepalives_interval: "5",
  tcp_keepalives_count: "3",
} as const;

/** Settings of which only some values are wrong, or that not every version has; the rest need a right to be set. */
const CONDITIONAL = [
  // A stronger guarantee than `on`, as for replicas, is kept.
  "select set_config('synchronous_commit', 'on', false) where current_setting('synchronous_commit') = 'off'",
  // Triggers keep the counts. Only a superuser may set this, so it is set only where it must be.
  "select set_config('session_replication_role', 'origin', false) where current_setting('session_replication_role') <> 'origin'",
  // Since PostgreSQL 17.
  "select set_config('transaction_timeout', '0', false) where current_setting('transaction_timeout', true) <> '0'",
];

/** What an earlier client may have left in a session that a pooler hands on without resetting it. */
const LEFTOVERS = ["close all", "unlisten *", "deallocate all", "select pg_advisory_unlock_all()"];

/**
 * One text of several statements, which PostgreSQL carries out together or not at all. The time limit comes first: until
 * then the role's own, which may be a millisecond, applies to each statement.
 */
const settingsOf = ({ schema, applicationName, statementTimeoutMs }: SessionNeeds): string =>
  [
    `set statement_timeout = ${statementTimeoutMs}`,
    ...LEFTOVERS,
    ...Object.entries(SETTINGS).map(([name, value]) => `set ${name} = '${value}'`),
    `set search_path = ${pg.escapeIdentifier(schema)}`,
    `set application_name = '${applicationName}'`,
    ...CONDITIONAL,
  ].join("; ");

export interface SessionConfig extends pg.ClientConfig {
  readonly session: SessionNeeds;
}

/** How long the settings may take: a pooler without a free session lets them wait. */
const SETTINGS_ANSWERED_MS = 3000;

/** The session was opened, and was not given by the pooler in time. */
export class NoPoolerSessionError extends Error {
  override readonly name = "NoPoolerSessionError";

  constructor() {
    super("The database took a connection and did not answer on it.");
  }
}

const ignore = (): void => {};

const QUERY_CANCELED = "57014";
const MOST_TRIES_TO_SET = 50;

/**
 * Has a text carried out whose first statement lifts the session's time limit. That statement alone is still subject to
 * the limit that the role has by default, and is tried again where it was too slow for it.
 */
export async function liftingTimeLimit<T>(ask: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await ask();
    } catch (error) {
      const isTooSlow = (error as { code?: unknown }).code === QUERY_CANCELED;
      if (!isTooSlow || tries === MOST_TRIES_TO_SET) throw error;
    }
  }
}

/**
 * Whether a session was ended for being idle. Its settings forbid that, so it was before they held: the role has a short
 * idle_session_timeout by default, and this process was busy for longer.
 */
export const isIdleTimeout = (error: unknown): boolean => (error as { code?: unknown }).code === "57P05";

/**
 * A session of the database. It counts as connected once PostgreSQL has confirmed all settings. They are set by SET
 * after connecting: this outranks the defaults of the role and of the database and the address' own `options`, and
 * works through poolers that refuse startup parameters.
 */
export class SessionClient extends pg.Client {
  readonly #settings: string;

  constructor(config: SessionConfig) {
    super(config);
    this.#settings = settingsOf(config.session);
    // An error event that nobody listens to would end the process. What breaks a session reaches the statement that is
    // waited for, or the next one.
    this.on("error", ignore);
  }

  override connect(): Promise<pg.Client>;
  override connect(callback: ((error: Error) => void) | ((error: null, client: pg.Client) => void)): void;
  override connect(callback?: (error: never, client: pg.Client) => void): Promise<pg.Client> | undefined {
    const connected = this.#connect();
    if (callback === undefined) return connected;
    // The types of pg give an error and its absence two callbacks.
    const settled = callback as (error: Error | null, client: pg.Client) => void;
    connected.then(
      (client) => settled(null, client),
      (error: Error) => settled(error, this),
    );
    return undefined;
  }

  async #connect(): Promise<pg.Client> {
    await super.connect();
    // Why the connection ended, where that was before anything was asked: the statement below is told only that it did.
    let lost: Error | undefined;
    const noteLoss = (error: Error): void => {
      lost ??= error;
    };
    this.on("error", noteLoss);
    const settings = { text: this.#settings, query_timeout: SETTINGS_ANSWERED_MS };
    try {
      await liftingTimeLimit(() => this.query(settings));
    } catch (error) {
      this.end().catch(ignore);
      throw (error as Error).message === "Query read timeout" ? new NoPoolerSessionError() : (lost ?? error);
    }
    this.removeListener("error", noteLoss);
    return this;
  }
}

const UNLIMITED_MS = 2 ** 31 - 1;

/** Sets how long this process waits for the answer to one statement; until now only a pool's whole config could. */
export function setAnswerTimeout(client: pg.ClientBase, milliseconds: number): void {
  const { connectionParameters } = client as unknown as { connectionParameters: { query_timeout: number } };
  connectionParameters.query_timeout = milliseconds;
}

/**
 * Lets the statements of the current transaction run without a limit: for what is long by nature, such as an export.
 * This process waits for their answers until the session is given back to the pool.
 */
export async function liftTimeLimit(client: pg.PoolClient): Promise<void> {
  setAnswerTimeout(client, UNLIMITED_MS);
  await client.query("set local statement_timeout = 0");
}
