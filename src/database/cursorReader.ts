import type { PoolClient } from "pg";
import sql, { raw, type Sql } from "sql-template-tag";
import { readingShareOf, type ShareSize } from "./fairShare.js";
import type { DatabasePool } from "./pools.js";
import { liftTimeLimit } from "./session.js";

/** Rows that are read bit by bit, all as they were at one moment. */
export interface RowStream<Row> {
  /** The next rows; none at the end. */
  next(): Promise<Row[]>;
  /** Gives back what the reading has of the database; called again, or at any time, it does no harm. */
  close(): Promise<unknown>;
}

/** What of a list is read, and what is counted of it in the same snapshot. */
export interface CursorStatements {
  /** Selects one row, with `count`. */
  readonly count: Sql;
  readonly rows: Sql;
}

/** The embedded database lends no session for a reading: there only what is kept on the disk is bounded. */
const EMBEDDED_SHARE: ShareSize = { all: 4, ofOne: 2 };
/** However slowly it is taken, in milliseconds: until then a session, or what it keeps on the disk, is lent. */
const LONGEST_MS = 600_000;

type Run = (statement: Sql) => Promise<unknown[]>;
/** In one session, or, of the pool, in any. */
type RunIn = (session: Pick<PoolClient, "query">, statement: Sql) => Promise<unknown[]>;

/**
 * Reads long lists through cursors, with constant memory. A server lends a session, with its transaction, for as long
 * as a reading lasts. The embedded database has but one session, and so has a pool of one: there the cursor is held
 * (WITH HOLD), so that the database sets the rows aside at once, on its disk, and is free again while they are fetched,
 * at whatever pace.
 */
export class CursorReader {
  readonly #pool: DatabasePool;
  readonly #run: RunIn;
  readonly #longestMs: number;
  /** How many last at once: few, so that whoever takes everything leaves sessions for the others. */
  readonly #share: ShareSize;
  /** Whether the rows are set aside, rather than a session lent. */
  readonly #holds: boolean;
  /** By the reader's key. */
  readonly #openOf = new Map<string, number>();
  #open = 0;
  #opened = 0;

  /** @param run runs every statement of the readings. */
  constructor(pool: DatabasePool, run: RunIn, longestMs = LONGEST_MS) {
    this.#pool = pool;
    this.#run = run;
    this.#longestMs = longestMs;
    this.#share = pool.embedded ? EMBEDDED_SHARE : readingShareOf(pool.size);
    this.#holds = pool.size === 1;
  }

  /** The sessions that readings hold. */
  get lent(): number {
    return this.#holds ? 0 : this.#open;
  }

  /**
   * @param size of each bit, in rows.
   * @param reader the key of whoever reads; all readings without one are one reader's.
   * @returns null where too many are being read already, by this reader or by all together.
   */
  async begin<Row>(
    statements: CursorStatements,
    size: number,
    reader = "",
  ): Promise<{ readonly count: number; readonly reading: RowStream<Row> } | null> {
    const { all, ofOne } = this.#share;
    if (this.#open >= all || (this.#openOf.get(reader) ?? 0) >= ofOne) return null;
    this.#note(reader, 1);
    try {
      return await this.#begin<Row>(statements, size, reader);
    } catch (error) {
      this.#note(reader, -1);
      throw error;
    }
  }

  #note(reader: string, change: 1 | -1): void {
    const open = (this.#openOf.get(reader) ?? 0) + change;
    this.#open += change;
    if (open === 0) this.#openOf.delete(reader);
    else this.#openOf.set(reader, open);
  }

  async #begin<Row>({ count, rows }: CursorStatements, size: number, reader: string) {
    const { pool } = this.#pool;
    const isHeld = this.#holds;
    this.#opened += 1;
    const cursor = raw(`reading_${this.#opened}`);
    const session = await pool.connect();
    const inSession: Run = (statement) => this.#run(session, statement);
    const giveBack = () =>
      inSession(sql`rollback`).then(
        () => session.release(),
        (error: Error) => session.release(error),
      );
    let counted: number;
    try {
      await inSession(sql`begin isolation level repeatable read, read only`);
      await liftTimeLimit(session);
      const [row] = (await inSession(count)) as { count: number }[];
      counted = row?.count ?? 0;
      const hold = isHeld ? sql`with hold` : sql`without hold`;
      await inSession(sql`declare ${cursor} no scroll cursor ${hold} for ${rows}`);
      if (isHeld) await inSession(sql`commit`);
    } catch (error) {
      await giveBack();
      throw error;
    }
    if (isHeld) session.release();
    const run: Run = isHeld ? (statement) => this.#run(pool, statement) : inSession;
    const end = isHeld ? () => run(sql`close ${cursor}`) : giveBack;
    return {
      count: counted,
      reading: this.#reading<Row>(() => run(sql`fetch ${raw(String(size))} from ${cursor}`), end, reader),
    };
  }

  #reading<Row>(
    fetch: () => Promise<unknown[]>,
    end: () => Promise<unknown>,
    reader: string,
  ): RowStream<Row> {
    let ended: Promise<unknown> | undefined;
    let fetching: Promise<unknown> = Promise.resolve();
    const close = () => {
      // A session takes one statement after another.
      ended ??= fetching
        .catch(() => {})
        .then(end)
        .finally(() => {
          clearTimeout(limit);
          this.#note(reader, -1);
        });
      return ended;
    };
    const limit = setTimeout(() => close().catch(() => {}), this.#longestMs);
    limit.unref();
    return {
      async next() {
        if (ended) throw new Error("The reading has ended.");
        const fetched = fetch();
        fetching = fetched;
        return (await fetched) as Row[];
      },
      close,
    };
  }
}
