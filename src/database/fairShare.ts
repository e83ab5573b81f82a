import { setMaxListeners } from "node:events";

/** Who asks for costly reads. */
export interface Reader {
  /** What is shared is shared between readers with different keys. */
  readonly key: string;
  /** A signal that is aborted when nobody waits for the answer any more; null where there is none. */
  readonly signal: (() => AbortSignal) | null;
  /**
   * The error for a read that has waited too long for its turn, because the reader has asked for too much at once. A
   * read whose reader has gone fails with it as well, which nobody hears.
   */
  readonly refusal: () => Error;
}

/** How long a read may wait for its turn, in milliseconds. */
const LONGEST_WAIT_MS = 10_000;

interface Waiting {
  readonly begin: () => void;
}

/** One reader's reads: those that run, and those that wait, the first come first. */
interface Line {
  running: number;
  /** The number of its last turn; 0 before the first. */
  lastTurn: number;
  readonly waiting: Set<Waiting>;
}

/** How many of a pool's sessions costly work may have, for all readers together and for one of them. */
export interface ShareSize {
  readonly all: number;
  readonly ofOne: number;
}

const share = (all: number): ShareSize => {
  const most = Math.max(1, Math.floor(all));
  return { all: most, ofOne: Math.ceil(most / 2) };
};

/**
 * The share of a pool's sessions that costly reads may have: half of the sessions for all readers together, and half of
 * that for one reader, so that another reader's statement begins at once. It is never less than one session.
 */
export const shareOf = (sessions: number): ShareSize => share(sessions / 2);

/** Long lists that may be read at once, however large the pool is. */
const MOST_READINGS = 4;

/**
 * The share of a pool's sessions that long lists may hold while they are read. It leaves one session for a costly read
 * and one for writes and quick reads in every pool of three sessions or more.
 */
export const readingShareOf = (sessions: number): ShareSize => share(Math.min(MOST_READINGS, sessions - 2));

/**
 * Lets costly reads begin, a few at a time: in turn between readers (round robin), first in first out within one.
 * Whatever takes part must not hold a session while it waits here, or two could wait for each other.
 */
export class FairShare {
  readonly #size: () => ShareSize;
  readonly #longestWaitMs: number;
  readonly #lines = new Map<string, Line>();
  #running = 0;
  #turns = 0;

  /** @param size is asked whenever a read may begin. */
  constructor(size: () => ShareSize, longestWaitMs = LONGEST_WAIT_MS) {
    this.#size = size;
    this.#longestWaitMs = longestWaitMs;
  }

  /** Reads that wait for their turn. */
  get waiting(): number {
    let sum = 0;
    for (const { waiting } of this.#lines.values()) sum += waiting.size;
    return sum;
  }

  /**
   * Runs a read when its turn has come.
   * @throws the reader's refusal where the turn does not come in time, or the reader has gone meanwhile.
   */
  async run<T>(reader: Reader, read: () => Promise<T>): Promise<T> {
    const line = this.#lines.get(reader.key) ?? { running: 0, lastTurn: 0, waiting: new Set() };
    this.#lines.set(reader.key, line);
    if (line.waiting.size === 0 && this.#mayBegin(line)) this.#begin(line);
    else await this.#turn(reader, line);
    try {
      return await read();
    } finally {
      line.running -= 1;
      this.#running -= 1;
      while (this.#next());
      this.#forget(reader.key, line);
    }
  }

  #mayBegin({ running }: Line): boolean {
    const { all, ofOne } = this.#size();
    return this.#running < all && running < ofOne;
  }

  #begin(line: Line): void {
    line.running += 1;
    this.#running += 1;
    this.#turns += 1;
    line.lastTurn = this.#turns;
  }

  #turn({ key, signal: signalOf, refusal }: Reader, line: Line): Promise<void> {
    const signal = signalOf?.();
    // A document can have hundreds of reads that wait, each of which listens.
    if (signal) setMaxListeners(0, signal);
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        line.waiting.delete(waiting);
        clearTimeout(timer);
        signal?.removeEventListener("abort", giveUp);
      };
      const giveUp = (): void => {
        leave();
        this.#forget(key, line);
        reject(refusal());
      };
      const timer = setTimeout(giveUp, this.#longestWaitMs);
      const waiting: Waiting = {
        begin: () => {
          leave();
          this.#begin(line);
          resolve();
        },
      };
      line.waiting.add(waiting);
      if (signal?.aborted) giveUp();
      else signal?.addEventListener("abort", giveUp);
    });
  }

  /**
   * Gives a free turn to whoever's last turn is longest ago.
   * @returns whether there was a free turn, and a read that waited for one.
   */
  #next(): boolean {
    let next: Line | undefined;
    for (const line of this.#lines.values()) {
      if (line.waiting.size === 0 || !this.#mayBegin(line)) continue;
      if (next === undefined || line.lastTurn < next.lastTurn) next = line;
    }
    const [first] = next?.waiting ?? [];
    first?.begin();
    return first !== undefined;
  }

  #forget(key: string, line: Line): void {
    if (line.running === 0 && line.waiting.size === 0) this.#lines.delete(key);
  }
}
