import type { PoolClient } from "pg";
import sql, { raw, type Sql } from "sql-template-tag";
import type { DatabasePool } from "./pools.js";
import { liftTimeLimit } from "./session.js";

/** Rows that are read bit by bit, all as they were at one moment. */
export interface Reading<Row> {
  /** The next rows; none at the end. */
  next(): Promise<Row[]>;
  /** Gives back what the reading has of the database; called again, or at any time, it does no harm. */
  close(): Promise<unknown>;
}

/** What of a list is read, and what is counted of it in the same snapshot. */
export interface ReadingStatements {
  /** Selects one row, with `count`. */
  readonly count: Sql;
  readonly rows: Sql;
}

/** At once at the most. */
const MOST_READINGS = 4;
/** However slowly it is taken, in milliseconds: until then a session, or what it keeps on the disk, is lent. */
const LONGEST_MS = 600_000;

type Run = (statement: Sql) => Promise<unknown[]>;
/** In one session, or, of the pool, in any. */
type RunIn = (session: Pick<PoolClient, "query">, statement: Sql) => Promise<unknown[]>;

/**
 * Reads long lists through cursors, with constant memory. A server lends a session, with its transaction, for as long
 * as a reading lasts, and keeps at least one for everybody else. Where there is but one session, as on the embedded
 * database, the cursor is held (WITH HOLD): the database sets the rows aside at once, on its disk, and is free again
 * while they are fetched, at whatever pace.
 */
export class Readings {
  readonly #pool: DatabasePool;
  readonly #run: RunIn;
  readonly #longestMs: number;
  readonly #most: number;
  #open = 0;
  #opened = 0;

  /** @param run runs every statement of the readings. */
  constructor(pool: DatabasePool, run: RunIn, longestMs = LONGEST_MS) {
    this.#pool = pool;
    this.#run = run;
    this.#longestMs = longestMs;
    this.#most = pool.size === 1 ? MOST_READINGS : Math.min(MOST_READINGS, pool.size - 1);
  }

  /**
   * @param size of each bit, in rows.
   * @returns null where too many are being read already.
   */
  async begin<Row>(
    statements: ReadingStatements,
    size: number,
  ): Promise<{ readonly count: number; readonly reading: Reading<Row> } | null> {
    if (this.#open >= this.#most) return null;
    this.#open += 1;
    try {
      return await this.#begin<Row>(statements, size);
    } catch (error) {
      this.#open -= 1;
      throw error;
    }
  }

  async #begin<Row>({ count, rows }: ReadingStatements, size: number) {
    const { pool, size: sessions } = this.#pool;
    const isHeld = sessions === 1;
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
      reading: this.#reading<Row>(() => run(sql`fetch ${raw(String(size))} from ${cursor}`), end),
    };
  }

  #reading<Row>(fetch: () => Promise<unknown[]>, end: () => Promise<unknown>): Reading<Row> {
    let ended: Promise<unknown> | undefined;
    let fetching: Promise<unknown> = Promise.resolve();
    const close = () => {
      // A session takes one statement after another.
      ended ??= fetching
        .catch(() => {})
        .then(end)
        .finally(() => {
          clearTimeout(limit);
          this.#open -= 1;
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
