/** A caller of costly reads. */
export interface Reader {
  /** Reads with one key count as one reader's. */
  readonly key: string;
  /** Null if no client can leave. */
  readonly client: { readonly hasLeft: boolean } | null;
  /**
   * Makes the error of a read that waited too long behind the same reader's others. A read whose client has left fails
   * with this error as well, and nobody receives it.
   */
  readonly refusal: () => Error;
}

/** How long a read may wait for its turn, in milliseconds. */
const MAX_WAIT_MS = 10_000;
/** How often the waiting reads are looked through, in parts of that time. */
const LOOKS = 10;

interface Waiting {
  readonly reader: Reader;
  /** By performance.now(). */
  readonly since: number;
  readonly begin: () => void;
  readonly refuse: (error: Error) => void;
}

/** One reader's queue. */
interface ReaderQueue {
  running: number;
  /** The number of the last turn; 0 before the first. */
  lastTurn: number;
  readonly waiting: Set<Waiting>;
}

const hasLeft = ({ reader }: Waiting): boolean => reader.client?.hasLeft === true;

function refuse(waiting: Waiting, queue: ReaderQueue): void {
  queue.waiting.delete(waiting);
  waiting.refuse(waiting.reader.refusal());
}

/** Sessions of a pool that costly work may occupy: by all readers together and by one of them. */
export interface ShareSize {
  readonly all: number;
  readonly ofOne: number;
}

const share = (all: number): ShareSize => {
  const most = Math.max(1, Math.floor(all));
  return { all: most, ofOne: Math.ceil(most / 2) };
};

/**
 * The share of costly reads: half of the sessions for all readers together, and half of that for one reader, so that
 * another reader's statement can begin at once. The share is at least one session.
 */
export const shareOf = (sessions: number): ShareSize => share(sessions / 2);

/** Long lists that may be open at once, in a pool of any size. */
const MAX_OPEN_LISTS = 4;

/**
 * The share of long lists that are being read. A pool of three or more sessions keeps one session for a costly read and
 * one for writes and quick reads.
 */
export const listShareOf = (sessions: number): ShareSize => share(Math.min(MAX_OPEN_LISTS, sessions - 2));

/**
 * Limits how many costly reads run at once: round robin between readers, first in, first out within one reader. A read
 * must not occupy a session while it waits here, because two such reads could wait for each other.
 */
export class FairShare {
  readonly #size: () => ShareSize;
  readonly #maxWaitMs: number;
  readonly #queues = new Map<string, ReaderQueue>();
  #running = 0;
  #turns = 0;
  /** One timer for all waiting reads, because a timer and a listener for each cost more than a quick read. */
  #looking: NodeJS.Timeout | undefined;

  /** @param size is called whenever a read could begin. */
  constructor(size: () => ShareSize, maxWaitMs = MAX_WAIT_MS) {
    this.#size = size;
    this.#maxWaitMs = maxWaitMs;
  }

  /** The number of waiting reads. */
  get waiting(): number {
    let sum = 0;
    for (const { waiting } of this.#queues.values()) sum += waiting.size;
    return sum;
  }

  /**
   * Runs a read when its turn comes.
   * @throws the reader's refusal when the turn does not come in time or the client leaves.
   */
  async run<T>(reader: Reader, read: () => Promise<T>): Promise<T> {
    const queue = this.#queues.get(reader.key) ?? { running: 0, lastTurn: 0, waiting: new Set() };
    this.#queues.set(reader.key, queue);
    if (queue.waiting.size === 0 && this.#mayBegin(queue)) this.#begin(queue);
    else await this.#turn(reader, queue);
    try {
      return await read();
    } finally {
      queue.running -= 1;
      this.#running -= 1;
      while (this.#next());
      this.#forget(reader.key, queue);
    }
  }

  #mayBegin({ running }: ReaderQueue): boolean {
    const { all, ofOne } = this.#size();
    return this.#running < all && running < ofOne;
  }

  #begin(queue: ReaderQueue): void {
    queue.running += 1;
    this.#running += 1;
    this.#turns += 1;
    queue.lastTurn = this.#turns;
  }

  #turn(reader: Reader, queue: ReaderQueue): Promise<void> {
    return new Promise((resolve, reject) => {
      queue.waiting.add({ reader, since: performance.now(), begin: resolve, refuse: reject });
      this.#looking ??= setInterval(() => this.#look(), this.#maxWaitMs / LOOKS).unref();
    });
  }

  /**
   * Refuses the reads that have waited too long and those of clients that have left. Starts those that may begin although no
   * read has ended, because the share has grown.
   */
  #look(): void {
    while (this.#next());
    const before = performance.now() - this.#maxWaitMs;
    for (const [key, queue] of this.#queues) {
      for (const waiting of queue.waiting)
        if (waiting.since < before || hasLeft(waiting)) refuse(waiting, queue);
      this.#forget(key, queue);
    }
    if (this.waiting > 0) return;
    clearInterval(this.#looking);
    this.#looking = undefined;
  }

  /**
   * Starts the first waiting read of the reader whose last turn is longest ago, unless its client has left.
   * @returns whether there may be another one to start.
   */
  #next(): boolean {
    let next: ReaderQueue | undefined;
    for (const queue of this.#queues.values()) {
      if (queue.waiting.size === 0 || !this.#mayBegin(queue)) continue;
      if (next === undefined || queue.lastTurn < next.lastTurn) next = queue;
    }
    if (next === undefined) return false;
    const [first] = next.waiting;
    if (first === undefined) return false;
    if (hasLeft(first)) refuse(first, next);
    else {
      next.waiting.delete(first);
      this.#begin(next);
      first.begin();
    }
    return true;
  }

  #forget(key: string, queue: ReaderQueue): void {
    if (queue.running === 0 && queue.waiting.size === 0) this.#queues.delete(key);
  }
}
