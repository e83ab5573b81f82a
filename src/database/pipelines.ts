import pg from "pg";

/** Two keep each other's answers from waiting; more would have the database's processes woken for each statement. */
const SESSIONS = 2;

/** How long a statement may keep those behind it waiting, in milliseconds. */
const PATIENCE_MS = 25;

/** Has a statement that was sent and not answered asked of the pool as well, once: whoever answers first is heard. */
type AskElsewhere = () => void;

interface Session {
  readonly client: pg.Client;
  /** In the order in which they will be answered. */
  readonly underWay: AskElsewhere[];
  /** When the first of them became the first, by performance.now(). */
  since: number;
  isGathering: boolean;
  watch: NodeJS.Timeout | undefined;
}

/** Whether it says something of the session rather than of the statement. */
function isOfSession(error: unknown): boolean {
  if (error instanceof pg.DatabaseError) return error.code?.startsWith("57P") === true;
  return !(error as Error).message.startsWith("Query read timeout");
}

const isHeldUp = ({ underWay, since }: Session): boolean =>
  underWay.length > 0 && performance.now() - since > PATIENCE_MS;

/**
 * A few sessions on which statements are sent one behind the other, without waiting for the answers to those before: the
 * database goes on from one to the next, where a session of a pool sleeps in between and has to be woken. For reading
 * alone, since what waits behind a slow statement is asked elsewhere as well.
 */
export class Pipelines {
  readonly #pool: pg.Pool;
  readonly #config: pg.ClientConfig;
  readonly #onError: (error: Error) => void;
  #sessions: Session[] = [];

  /** @param pool takes over for a session that broke, or is held up. */
  constructor(pool: pg.Pool, config: pg.ClientConfig, onError: (error: Error) => void) {
    this.#pool = pool;
    this.#config = { ...config, pipeline: true };
    this.#onError = onError;
  }

  query(statement: pg.QueryConfig): Promise<pg.QueryResult> {
    const session = this.#freest();
    if (!session) return this.#pool.query(statement);
    return new Promise((resolve, reject) => {
      let asking = 1;
      let isAskedElsewhere = false;
      // That a session broke decides nothing while the statement is asked on another one.
      const fail = (error: unknown): void => {
        asking -= 1;
        if (asking === 0 || !isOfSession(error)) reject(error);
      };
      const askElsewhere = (): void => {
        if (isAskedElsewhere) return;
        isAskedElsewhere = true;
        asking += 1;
        this.#pool.query(statement).then(resolve, fail);
      };
      this.#begin(session, askElsewhere);
      this.#gather(session);
      session.client.query(statement).then(
        (result) => {
          this.#end(session, askElsewhere);
          resolve(result);
        },
        (error: unknown) => {
          this.#end(session, askElsewhere);
          if (isOfSession(error)) {
            this.#drop(session);
            askElsewhere();
          }
          fail(error);
        },
      );
    });
  }

  async end(): Promise<void> {
    await Promise.all(this.#sessions.splice(0).map(({ client }) => client.end()));
  }

  /** The session with the least to do; none where all are held up. */
  #freest(): Session | undefined {
    if (this.#sessions.length < SESSIONS) return this.#open();
    let freest: Session | undefined;
    for (const session of this.#sessions) {
      if (!isHeldUp(session) && session.underWay.length < (freest?.underWay.length ?? Infinity))
        freest = session;
    }
    return freest;
  }

  #begin(session: Session, asked: AskElsewhere): void {
    if (session.underWay.push(asked) === 1) session.since = performance.now();
    this.#watch(session);
  }

  /** What is asked in one turn of the event loop is sent together: each call of the system wakes the database. */
  #gather(session: Session): void {
    if (session.isGathering) return;
    session.isGathering = true;
    const { stream } = session.client.connection;
    stream.cork();
    setImmediate(() => {
      session.isGathering = false;
      stream.uncork();
    });
  }

  #end(session: Session, asked: AskElsewhere): void {
    session.underWay.splice(session.underWay.indexOf(asked), 1);
    session.since = performance.now();
  }

  /** Has those that wait for too long behind another one asked elsewhere. */
  #watch(session: Session): void {
    const look = (): void => {
      session.watch = undefined;
      if (session.underWay.length === 0) return;
      if (isHeldUp(session)) for (const askElsewhere of session.underWay.slice(1)) askElsewhere();
      this.#watch(session);
    };
    // Where this process was busy, the answers that came meanwhile are read before anybody looks.
    session.watch ??= setTimeout(() => setImmediate(look), PATIENCE_MS).unref();
  }

  #open(): Session {
    const client = new pg.Client(this.#config);
    const session: Session = { client, underWay: [], since: 0, isGathering: false, watch: undefined };
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
