import type { PoolClient } from "pg";
import sql, { raw } from "sql-template-tag";
import { listShareOf, type ShareSize } from "./fairShare.js";
import type { DatabasePool } from "./pools.js";
import { liftTimeLimit } from "./session.js";
import { type NamedStatement, statement } from "./statement.js";

/** The rows of one snapshot, read in portions. */
export interface RowStream<Row> {
  /** The next portion; empty at the end, when the list is closed. */
  next(): Promise<Row[]>;
  /** Releases the session or the held cursor. May be called at any time and repeatedly. */
  close(): Promise<unknown>;
}

export interface CursorStatements {
  /** Selects one row with the column `count`, and with whatever else must be of the same moment. */
  readonly count: NamedStatement;
  readonly rows: NamedStatement;
}

/** The row of CursorStatements.count. */
export interface Counted {
  readonly count: number;
}

export interface OpenedList<Row, Head extends Counted> {
  readonly head: Head;
  readonly rows: RowStream<Row>;
}

/** On the embedded database the share bounds the disk space of held cursors. */
const EMBEDDED_SHARE: ShareSize = { all: 4, ofOne: 2 };
/** A slow client may occupy a session, or disk space, for this long; milliseconds. */
const TIME_LIMIT_MS = 600_000;

type Run = (statement: NamedStatement) => Promise<unknown[]>;
/** Runs a statement in one session or, given the pool, in any session. */
type RunIn = (session: Pick<PoolClient, "query">, statement: NamedStatement) => Promise<unknown[]>;

/**
 * Reads long lists through database cursors, with constant memory. On a server each list occupies a session and its
 * transaction until it is closed. The embedded database and a pool of one have only one session: there the cursor is
 * declared WITH HOLD, so that PostgreSQL copies the rows to its disk at once and the session is free between portions.
 */
export class CursorReader {
  readonly #pool: DatabasePool;
  readonly #run: RunIn;
  readonly #timeLimitMs: number;
  /** How many lists may be open at once. */
  readonly #share: ShareSize;
  /** Whether cursors are held (WITH HOLD), so that they occupy no session. */
  readonly #isHeld: boolean;
  /** Open lists by the reader's key. */
  readonly #openOf = new Map<string, number>();
  #open = 0;
  #opened = 0;

  constructor(pool: DatabasePool, run: RunIn, timeLimitMs = TIME_LIMIT_MS) {
    this.#pool = pool;
    this.#run = run;
    this.#timeLimitMs = timeLimitMs;
    this.#share = pool.embedded ? EMBEDDED_SHARE : listShareOf(pool.size);
    this.#isHeld = pool.size === 1;
  }

  /** The number of sessions that open lists occupy. */
  get occupied(): number {
    return this.#isHeld ? 0 : this.#open;
  }

  /**
   * @param size rows of each portion.
   * @param reader the reader's key; all lists without a key belong to one reader.
   * @returns null while this reader, or all readers together, have too many lists open.
   */
  async begin<Row, Head extends Counted = Counted>(
    statements: CursorStatements,
    size: number,
    reader = "",
  ): Promise<OpenedList<Row, Head> | null> {
    const { all, ofOne } = this.#share;
    if (this.#open >= all || (this.#openOf.get(reader) ?? 0) >= ofOne) return null;
    this.#count(reader, 1);
    try {
      return await this.#begin<Row, Head>(statements, size, reader);
    } catch (error) {
      this.#count(reader, -1);
      throw error;
    }
  }

  #count(reader: string, change: 1 | -1): void {
    const open = (this.#openOf.get(reader) ?? 0) + change;
    this.#open += change;
    if (open === 0) this.#openOf.delete(reader);
    else this.#openOf.set(reader, open);
  }

  async #begin<Row, Head extends Counted>(
    { count, rows }: CursorStatements,
    size: number,
    reader: string,
  ): Promise<OpenedList<Row, Head>> {
    const { pool } = this.#pool;
    const isHeld = this.#isHeld;
    this.#opened += 1;
    const cursor = raw(`reading_${this.#opened}`);
    // A cursor's statement and its portions share the name.
    const tag = statement(rows.statementName);
    const session = await pool.connect();
    const inSession: Run = (one) => this.#run(session, one);
    const release = () =>
      inSession(statement("cursor_rollback")`rollback`).then(
        () => session.release(),
        (error: Error) => session.release(error),
      );
    let head: Head;
    try {
      await inSession(statement("cursor_begin")`begin isolation level repeatable read, read only`);
      await liftTimeLimit(session);
      const [row] = (await inSession(count)) as Head[];
      if (!row) throw new TypeError("The statement that counts a list selects one row.");
      head = row;
      const hold = isHeld ? sql`with hold` : sql`without hold`;
      await inSession(tag`declare ${cursor} no scroll cursor ${hold} for ${rows}`);
      if (isHeld) await inSession(statement("cursor_commit")`commit`);
    } catch (error) {
      await release();
      throw error;
    }
    if (isHeld) session.release();
    const run: Run = isHeld ? (one) => this.#run(pool, one) : inSession;
    const end = isHeld ? () => run(statement("cursor_close")`close ${cursor}`) : release;
    return {
      head,
      rows: this.#rowStream<Row>(() => run(tag`fetch ${raw(String(size))} from ${cursor}`), end, reader),
    };
  }

  #rowStream<Row>(
    fetch: () => Promise<unknown[]>,
    end: () => Promise<unknown>,
    reader: string,
  ): RowStream<Row> {
    let ended: Promise<unknown> | undefined;
    let fetching: Promise<unknown> = Promise.resolve();
    const close = () => {
      // A session runs one statement after another.
      ended ??= fetching
        .catch(() => {})
        .then(end)
        .finally(() => {
          clearTimeout(limit);
          this.#count(reader, -1);
        });
      return ended;
    };
    const limit = setTimeout(() => close().catch(() => {}), this.#timeLimitMs);
    limit.unref();
    return {
      async next() {
        if (ended) throw new Error("The list is closed.");
        const fetched = fetch();
        fetching = fetched;
        const rows = (await fetched) as Row[];
        // A client that has got the end may ask for the next list at once. The caller's own close reports a failure.
        if (rows.length === 0) await close().catch(() => {});
        return rows;
      },
      close,
    };
  }
}
