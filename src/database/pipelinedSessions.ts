import pg from "pg";
import { SessionClient, type SessionConfig } from "./session.js";
import { POOL_EXHAUSTED } from "./waitingPool.js";

/** After a session could not be opened, the pool answers alone for so long. */
const OPEN_AGAIN_MS = 5000;

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
export class PipelinedSessions {
  readonly #pool: pg.Pool;
  readonly #config: SessionConfig;
  readonly #most: number;
  readonly #onError: (error: Error) => void;
  /** Only such as have their settings. */
  #sessions: Session[] = [];
  readonly #opening = new Set<pg.Client>();
  /** By performance.now(). */
  #openAgainAt = 0;
  #ended = false;

  /**
   * @param pool takes over for a session that is not open yet, broke, or is held up.
   * @param most sessions. Two keep each other's answers from waiting; more would have the database's processes woken for
   *   each statement. With 0 the pool answers everything.
   */
  constructor(pool: pg.Pool, config: SessionConfig, most: number, onError: (error: Error) => void) {
    this.#pool = pool;
    this.#config = { ...config, pipeline: true };
    this.#most = most;
    this.#onError = onError;
    // The pool comes first: it answers what no session of these can.
    (pool as NodeJS.EventEmitter).on(POOL_EXHAUSTED, () => {
      this.#openAgainAt = performance.now() + OPEN_AGAIN_MS;
      const [session] = this.#sessions;
      if (session) this.#drop(session);
    });
  }

  /** @param elsewhere has what is held up answered by a session of the pool, at once where nothing else is said. */
  query(
    statement: pg.QueryConfig,
    elsewhere: () => Promise<pg.QueryResult> = () => this.#pool.query(statement),
  ): Promise<pg.QueryResult> {
    const session = this.#freest();
    if (!session) return elsewhere();
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
        elsewhere().then(resolve, fail);
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
    this.#ended = true;
    const clients = [...this.#sessions.splice(0).map(({ client }) => client), ...this.#opening];
    await Promise.all(clients.map((client) => client.end()));
  }

  /** The session with the least to do; none where none is open or all are held up. */
  #freest(): Session | undefined {
    const isComplete = this.#sessions.length + this.#opening.size >= this.#most;
    if (!isComplete && performance.now() >= this.#openAgainAt && this.#pool.idleCount > 0) this.#open();
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

  /** Opens a session beside what is asked meanwhile: it takes part once its settings are confirmed. */
  #open(): void {
    const client = new SessionClient(this.#config);
    const session: Session = { client, underWay: [], since: 0, isGathering: false, watch: undefined };
    client.on("error", (error) => {
      if (this.#opening.has(client)) return;
      this.#drop(session);
      this.#onError(error);
    });
    this.#opening.add(client);
    client.connect().then(
      () => {
        this.#opening.delete(client);
        if (!this.#ended) this.#sessions.push(session);
      },
      () => {
        this.#opening.delete(client);
        this.#openAgainAt = performance.now() + OPEN_AGAIN_MS;
      },
    );
  }

  #drop(session: Session): void {
    if (!this.#sessions.includes(session)) return;
    this.#sessions = this.#sessions.filter((one) => one !== session);
    session.client.end().catch(() => {});
  }
}
