import type pg from "pg";
import { failureOf } from "./failures.js";
import type { DatabasePool } from "./pools.js";
import { UnconfirmedCommitError } from "./session.js";
import type { NamedStatement } from "./statement.js";
import { type OnStatement, runReported } from "./statementEvents.js";

/** Thrown for a statement on a session that was given up. */
export class NoAnswerError extends Error {
  override readonly name = "NoAnswerError";
  readonly code = "ETIMEDOUT";
}

interface OpenedSession {
  readonly client: Promise<pg.Client>;
  /** Ends the session without waiting for the server. */
  readonly destroy: () => void;
  /** Whether a statement got no answer in time. All other statements on the session then fail in the same way. */
  hadNoAnswer: boolean;
}

/** One session beside the pool that is opened on demand and reopened after a failure. */
export class DedicatedSession {
  readonly #make: () => pg.Client;
  #session: OpenedSession | undefined;

  /** @param make gives a client that is not connected yet. */
  constructor(make: () => pg.Client) {
    this.#make = make;
  }

  async query(statement: string | pg.QueryConfig): Promise<unknown[]> {
    const isNew = this.#session === undefined;
    this.#session ??= this.#open();
    const session = this.#session;
    try {
      return (await (await session.client).query(statement)).rows;
    } catch (error) {
      if (session.hadNoAnswer) throw new NoAnswerError("the database did not answer in time");
      const { kind } = failureOf(error);
      // After any other failure the session can still be used.
      if (kind === "unreachable" || kind === "busy" || kind === "timeout") this.#close(session);
      // The loss of an idle session says nothing about the server now; an administrator may have ended it.
      if (!isNew && kind === "unreachable" && !(error instanceof UnconfirmedCommitError))
        return this.query(statement);
      throw error;
    }
  }

  /** Must be called when the server does not answer in time. */
  abandon(): void {
    if (this.#session) this.#session.hadNoAnswer = true;
    this.close();
  }

  close(): void {
    if (this.#session) this.#close(this.#session);
  }

  #close(session: OpenedSession): void {
    session.destroy();
    // A concurrent statement may have opened another session already.
    if (this.#session === session) this.#session = undefined;
  }

  #open(): OpenedSession {
    const client = this.#make();
    return {
      client: client.connect().then(() => client),
      destroy: () => client.connection.stream.destroy(),
      hadNoAnswer: false,
    };
  }
}

/** Makes a queue. A client runs one statement at a time, so each statement of a session waits for the one before it. */
export function turns(): <T>(work: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const turn = last.then(work);
    last = turn.catch(() => {});
    return turn;
  };
}

/** Runs the statements of background work, which therefore never waits for requests, nor a request for it. */
export interface BackgroundSession {
  /** Values come as from Database.query. */
  query<Row>(statement: NamedStatement): Promise<Row[]>;
  close(): void;
}

/** Opens the session at its first statement. On the embedded database its only session is used. */
export function backgroundSession(
  database: DatabasePool,
  onStatement: OnStatement = () => {},
): BackgroundSession {
  const { dedicatedSession } = database;
  const reporting =
    (run: (config: pg.QueryConfig) => Promise<unknown[]>): BackgroundSession["query"] =>
    async <Row>(statement: NamedStatement) => {
      const { text, values } = statement;
      return (await runReported(onStatement, { name: statement.statementName, text }, () =>
        run({ text, values }),
      )) as Row[];
    };
  const onPool = async (config: pg.QueryConfig): Promise<unknown[]> =>
    (await database.pool.query(config)).rows;
  if (dedicatedSession === null) return { query: reporting(onPool), close: () => {} };
  const session = new DedicatedSession(() => dedicatedSession("invite-links background"));
  const inTurn = turns();
  return {
    query: reporting(async (config) => {
      try {
        return await inTurn(() => session.query(config));
      } catch (error) {
        // The role has no session left, so a session of the pool is used.
        if (failureOf(error).kind !== "busy") throw error;
        return onPool(config);
      }
    }),
    close: () => session.close(),
  };
}
