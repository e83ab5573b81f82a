import pg from "pg";

/** Two keep each other's answers from waiting; more would have the database's processes woken for each statement. */
const SESSIONS = 2;

interface Session {
  readonly client: pg.Client;
  /** Statements that were sent and not answered. */
  underWay: number;
}

/** Whether it says something of the session rather than of the statement. */
function isOfSession(error: unknown): boolean {
  if (error instanceof pg.DatabaseError) return error.code?.startsWith("57P") === true;
  return !(error as Error).message.startsWith("Query read timeout");
}

/**
 * A few sessions on which statements are sent one behind the other, without waiting for the answers to those before: the
 * database goes on from one to the next, where a session of a pool sleeps in between and has to be woken. For reading
 * alone, and only what is quick, since whatever comes behind it waits.
 */
export class Pipelines {
  readonly #pool: pg.Pool;
  readonly #config: pg.ClientConfig;
  readonly #onError: (error: Error) => void;
  #sessions: Session[] = [];

  /** @param pool takes over for a session that broke. */
  constructor(pool: pg.Pool, config: pg.ClientConfig, onError: (error: Error) => void) {
    this.#pool = pool;
    this.#config = { ...config, pipeline: true };
    this.#onError = onError;
  }

  async query(statement: pg.QueryConfig): Promise<pg.QueryResult> {
    const session = this.#least();
    session.underWay += 1;
    try {
      return await session.client.query(statement);
    } catch (error) {
      if (!isOfSession(error)) throw error;
      this.#drop(session);
      return await this.#pool.query(statement);
    } finally {
      session.underWay -= 1;
    }
  }

  async end(): Promise<void> {
    await Promise.all(this.#sessions.splice(0).map(({ client }) => client.end()));
  }

  /** The session with the least to do. */
  #least(): Session {
    if (this.#sessions.length < SESSIONS) return this.#open();
    return this.#sessions.reduce((least, session) => (session.underWay < least.underWay ? session : least));
  }

  #open(): Session {
    const client = new pg.Client(this.#config);
    const session = { client, underWay: 0 };
    client.on("error", (error) => {
      this.#drop(session);
      this.#onError(error);
    });
    // What was to be sent fails with it, and is asked elsewhere.
    client.connect().catch(() => this.#drop(session));
    this.#sessions.push(session);
    return session;
  }

  #drop(session: Session): void {
    if (!this.#sessions.includes(session)) return;
    this.#sessions = this.#sessions.filter((one) => one !== session);
    session.client.end().catch(() => {});
  }
}
