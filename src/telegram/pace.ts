/** Turns at once, where nobody asked for less. */
const AT_ONCE = 10;
/** Of the latest turns that tell how long one takes. */
const REMEMBERED = 10;

/** Who asks for a turn, and how long it is of use. */
export interface Asking {
  /** Within a lane those that came first go first; the lanes take turns. */
  readonly lane: string;
  /** From now on until what is done in the turn must have ended. */
  readonly milliseconds: number;
  /** Aborted when the turn is of no use any more. */
  readonly gone?: AbortSignal | undefined;
}

export interface Turn {
  /** Its place in the order of asking. */
  readonly number: number;
  /** @param succeeded whether it went as it should, so that as much again can be borne. */
  end(succeeded: boolean): void;
}

/** The turn does not come in time. */
export class GaveUpError extends Error {
  override readonly name = "GaveUpError";
  /** 1 or more; the turn would have come after about that long. */
  readonly retryAfterSeconds: number;

  constructor(milliseconds: number) {
    const seconds = Math.max(1, Math.ceil(milliseconds / 1000));
    super(`The turn comes in ${seconds} s.`);
    this.retryAfterSeconds = seconds;
  }
}

/** Whoever asked for the turn has gone. */
export class GoneError extends Error {
  override readonly name = "GoneError";
}

interface Waiting {
  readonly lane: string;
  readonly number: number;
  /** When it must have ended, as of performance.now(). */
  readonly until: number;
  readonly begin: (turn: Turn) => void;
  readonly giveUp: (reason: Error) => void;
}

/**
 * Gives turns: some at once, fair between lanes, none while they are held. After a hold they begin one by one, and one
 * more at once with each that succeeds, since all who waited together would bring the next hold about.
 */
export class Pace {
  /** Those that wait, by lane; the lane whose turn is next stands first. */
  readonly #lanes = new Map<string, Set<Waiting>>();
  #waiting = 0;
  #underWay = 0;
  #allowed = AT_ONCE;
  #lastNumber = 0;
  /** As of performance.now(). */
  #heldUntil = 0;
  #holds = 0;
  #holdEnds: NodeJS.Timeout | undefined;
  /** The mean length of the latest turns that succeeded, in milliseconds. */
  #length = 0;
  #succeeded = 0;

  /** How many wait. */
  get waiting(): number {
    return this.#waiting;
  }

  get isHeld(): boolean {
    return this.#heldMs() > 0;
  }

  /**
   * Resolves when its turn has come; whoever has it ends it.
   * @param again a turn that was ended for nothing: before those of its lane that came later.
   * @throws GaveUpError as soon as the turn cannot come in time, GoneError.
   */
  async turn({ lane, milliseconds, gone }: Asking, again?: Turn): Promise<Turn> {
    const until = performance.now() + milliseconds;
    if (gone?.aborted) throw new GoneError();
    if (!this.#canCome(until)) throw this.#gaveUp(lane);
    this.#lastNumber += 1;
    const number = again?.number ?? this.#lastNumber;
    const isFree = this.#waiting === 0 && this.#underWay < this.#allowed && !this.isHeld;
    if (isFree) return this.#begin(number);
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        clearTimeout(timer);
        gone?.removeEventListener("abort", onGone);
        this.#remove(waiting);
      };
      const waiting: Waiting = {
        lane,
        number,
        until,
        begin(turn) {
          leave();
          resolve(turn);
        },
        giveUp(reason) {
          leave();
          reject(reason);
        },
      };
      const onGone = () => waiting.giveUp(new GoneError());
      const timer = setTimeout(() => waiting.giveUp(this.#gaveUp(lane)), milliseconds);
      gone?.addEventListener("abort", onGone);
      this.#add(waiting, again !== undefined);
      this.#serve();
    });
  }

  /** No turn comes for so long; where several ask for that, the longest counts. */
  hold(milliseconds: number): void {
    this.#heldUntil = Math.max(this.#heldUntil, performance.now() + milliseconds);
    this.#holds += 1;
    this.#allowed = 1;
    for (const lane of this.#lanes.values()) {
      for (const waiting of lane) {
        if (!this.#canCome(waiting.until)) waiting.giveUp(this.#gaveUp(waiting.lane));
      }
    }
    this.#serve();
  }

  /** Whether the hold, if there is one, leaves time for a turn that must have ended so many milliseconds from now. */
  leavesTime(milliseconds: number): boolean {
    return this.#canCome(performance.now() + milliseconds);
  }

  #canCome(until: number): boolean {
    return !this.isHeld || this.#heldUntil + this.#length < until;
  }

  #heldMs(): number {
    return Math.max(0, this.#heldUntil - performance.now());
  }

  /** What is left of the hold; without one, how long those take that would go before a newcomer of the lane. */
  #gaveUp(lane: string): GaveUpError {
    const before = Math.min(this.#waiting, (this.#lanes.get(lane)?.size ?? 0) * this.#lanes.size);
    return new GaveUpError(this.#heldMs() || (before * this.#length) / this.#allowed);
  }

  #add(waiting: Waiting, again: boolean): void {
    const lane = this.#lanes.get(waiting.lane) ?? new Set();
    lane.add(waiting);
    this.#lanes.set(waiting.lane, again ? new Set([...lane].sort((a, b) => a.number - b.number)) : lane);
    this.#waiting += 1;
  }

  #remove(waiting: Waiting): void {
    const lane = this.#lanes.get(waiting.lane);
    lane?.delete(waiting);
    if (lane?.size === 0) this.#lanes.delete(waiting.lane);
    this.#waiting -= 1;
    if (this.#waiting === 0) clearTimeout(this.#holdEnds);
  }

  /** Gives the turns that can be given now. */
  #serve(): void {
    clearTimeout(this.#holdEnds);
    if (this.isHeld) {
      if (this.#waiting > 0) this.#holdEnds = setTimeout(() => this.#serve(), Math.ceil(this.#heldMs()));
      return;
    }
    while (this.#waiting > 0 && this.#underWay < this.#allowed) {
      const next = this.#next();
      // Begun so late, it would hardly end in time, and nobody would know what came of it.
      if (performance.now() + this.#length > next.until) next.giveUp(this.#gaveUp(next.lane));
      else next.begin(this.#begin(next.number));
    }
  }

  /** The first of the lane whose turn is next; the lane goes behind the others. */
  #next(): Waiting {
    const [[name, lane] = []] = this.#lanes;
    const [first] = lane ?? [];
    if (name === undefined || lane === undefined || first === undefined) throw new TypeError("Nobody waits.");
    this.#lanes.delete(name);
    this.#lanes.set(name, lane);
    return first;
  }

  #begin(number: number): Turn {
    this.#underWay += 1;
    const began = performance.now();
    const holds = this.#holds;
    return {
      number,
      end: (succeeded) => {
        this.#underWay -= 1;
        if (succeeded) this.#learn(performance.now() - began, holds === this.#holds);
        this.#serve();
      },
    };
  }

  /** @param sinceHold whether the turn began after the latest hold: those before it say nothing of what is borne. */
  #learn(milliseconds: number, sinceHold: boolean): void {
    this.#succeeded += 1;
    this.#length += (milliseconds - this.#length) / Math.min(this.#succeeded, REMEMBERED);
    if (sinceHold) this.#allowed = Math.min(this.#allowed + 1, AT_ONCE);
  }
}
