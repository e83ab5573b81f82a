import { type Hold, Holds, type HoldTarget } from "./holds.js";

/** Turns at once, where nobody asked for less. */
const AT_ONCE = 10;
/** Of the latest turns that tell how long one takes. */
const REMEMBERED = 10;

/** Who asks for a turn, and how long it is of use. The calls about one chat wait in one lane. */
export interface SlotRequest extends HoldTarget {
  /** Whether it goes before all that is not urgent. */
  readonly isUrgent?: boolean | undefined;
  /** From now on until what is done in the turn must have ended. */
  readonly milliseconds: number;
  /** Aborted when the turn is of no use any more. */
  readonly signal?: AbortSignal | undefined;
}

export interface Slot {
  /** Its place in the order of asking. */
  readonly number: number;
  /** Whether there was a hold since it began, after which fewer may be under way at once. */
  readonly isOutdated: boolean;
  /** @param succeeded whether it went as it should, so that as much again can be borne. */
  end(succeeded: boolean): void;
}

/** The turn does not come in time. */
export class SlotTimeoutError extends Error {
  override readonly name = "SlotTimeoutError";
  /** 1 or more; the turn would have come after about that long. */
  readonly retryAfterSeconds: number;

  constructor(milliseconds: number) {
    const seconds = Math.max(1, Math.ceil(milliseconds / 1000));
    super(`The turn comes in ${seconds} s.`);
    this.retryAfterSeconds = seconds;
  }
}

/** Whoever asked for the turn has gone. */
export class ClientAbortedError extends Error {
  override readonly name = "ClientAbortedError";
}

interface Waiting extends HoldTarget {
  readonly isUrgent: boolean;
  readonly number: number;
  /** When it must have ended, as of performance.now(). */
  readonly until: number;
  readonly begin: (turn: Slot) => void;
  readonly giveUp: (reason: Error) => void;
}

/**
 * How many turns may be under way at once: ten, until a hold. After it one, and one more with each that succeeds, since
 * all who waited together would bring the next hold about.
 */
class Allowance {
  #allowed = AT_ONCE;
  #underWay = 0;
  #holds = 0;

  get allowed(): number {
    return this.#allowed;
  }

  get isFree(): boolean {
    return this.#underWay < this.#allowed;
  }

  held(): void {
    this.#allowed = 1;
    this.#holds += 1;
  }

  begin(): Omit<Slot, "number"> {
    this.#underWay += 1;
    const holds = this.#holds;
    const isOutdated = () => holds !== this.#holds;
    return {
      get isOutdated() {
        return isOutdated();
      },
      end: (succeeded) => {
        this.#underWay -= 1;
        // A turn that began before the latest hold says nothing of what is borne after it.
        if (succeeded && !isOutdated()) this.#allowed = Math.min(this.#allowed + 1, AT_ONCE);
      },
    };
  }
}

/** Those that wait, by lane; the lane whose turn is next stands first. */
type Lanes = Map<string, Set<Waiting>>;

const laneOf = ({ method, chat }: HoldTarget): string => chat ?? method;

/**
 * The queue of a bot's calls. It gives turns: what is urgent first, then fair between lanes, some at once, and none to
 * what is held. What is held lets others of its lane pass.
 */
export class CallQueue {
  readonly #holds = new Holds();
  readonly #urgent: Lanes = new Map();
  readonly #usual: Lanes = new Map();
  #waiting = 0;
  /** Of all calls. */
  readonly #all = new Allowance();
  readonly #methods = new Map<string, Allowance>();
  #lastNumber = 0;
  #holdEnds: NodeJS.Timeout | undefined;
  /** The mean length of the latest turns that succeeded, in milliseconds. */
  #length = 0;
  #succeeded = 0;

  /** How many wait. */
  get waiting(): number {
    return this.#waiting;
  }

  /** The holds that have not ended. */
  get holds(): readonly Hold[] {
    return this.#holds.live;
  }

  isHeld(target: HoldTarget): boolean {
    return this.#holds.left(target) > 0;
  }

  /**
   * Resolves when its turn has come; whoever has it ends it.
   * @param again a turn that was ended for nothing: before those of its lane that came later.
   * @throws SlotTimeoutError as soon as the turn cannot come in time, ClientAbortedError.
   */
  async slot(asking: SlotRequest, again?: Slot): Promise<Slot> {
    const { method, chat, isUrgent = false, milliseconds, signal } = asking;
    const until = performance.now() + milliseconds;
    if (signal?.aborted) throw new ClientAbortedError();
    const asked = { method, chat, isUrgent, until };
    if (!this.#canCome(asked)) throw this.#gaveUp(asked);
    this.#lastNumber += 1;
    const number = again?.number ?? this.#lastNumber;
    // Those go first whose hold has just ended.
    if (this.#waiting > 0) this.#serve();
    if (this.#mayBegin(asking)) return this.#begin(asking, number);
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", onGone);
        this.#remove(waiting);
      };
      const waiting: Waiting = {
        ...asked,
        number,
        begin(turn) {
          leave();
          resolve(turn);
        },
        giveUp(reason) {
          leave();
          reject(reason);
        },
      };
      const onGone = () => waiting.giveUp(new ClientAbortedError());
      const timer = setTimeout(() => waiting.giveUp(this.#gaveUp(waiting)), milliseconds);
      signal?.addEventListener("abort", onGone);
      this.#add(waiting, again !== undefined);
      this.#serve();
    });
  }

  /** What the holds concern gets no turn until they end; of several for the same, the longest counts. */
  hold(holds: readonly Hold[]): void {
    const added = holds.filter((hold) => this.#holds.add(hold));
    if (added.length === 0) return;
    for (const { method } of added) (method === null ? this.#all : this.#ofMethod(method)).held();
    for (const waiting of this.#everybody()) {
      if (!this.#canCome(waiting)) waiting.giveUp(this.#gaveUp(waiting));
    }
    this.#serve();
  }

  /** Whether the holds leave time for a turn that must have ended so many milliseconds from now. */
  hasTimeLeft(target: HoldTarget, milliseconds: number): boolean {
    return this.#canCome({ ...target, until: performance.now() + milliseconds });
  }

  #canCome(asked: HoldTarget & { readonly until: number }): boolean {
    const left = this.#holds.left(asked);
    return left === 0 || performance.now() + left + this.#length < asked.until;
  }

  #mayBegin(target: HoldTarget): boolean {
    return this.#all.isFree && this.#ofMethod(target.method).isFree && !this.isHeld(target);
  }

  #ofMethod(method: string): Allowance {
    let allowance = this.#methods.get(method);
    if (!allowance) {
      allowance = new Allowance();
      this.#methods.set(method, allowance);
    }
    return allowance;
  }

  /** What is left of its hold; without one, how long those take that would go before a newcomer of its lane. */
  #gaveUp(asked: HoldTarget & { readonly isUrgent: boolean }): SlotTimeoutError {
    const lanes = this.#lanesOf(asked);
    const before = Math.min(this.#waiting, (lanes.get(laneOf(asked))?.size ?? 0) * lanes.size);
    const allowed = Math.min(this.#all.allowed, this.#ofMethod(asked.method).allowed);
    return new SlotTimeoutError(this.#holds.left(asked) || (before * this.#length) / allowed);
  }

  #lanesOf({ isUrgent }: { readonly isUrgent: boolean }): Lanes {
    return isUrgent ? this.#urgent : this.#usual;
  }

  #everybody(): Waiting[] {
    return [this.#urgent, this.#usual].flatMap((lanes) => [...lanes.values()].flatMap((lane) => [...lane]));
  }

  #add(waiting: Waiting, again: boolean): void {
    const lanes = this.#lanesOf(waiting);
    const lane = lanes.get(laneOf(waiting)) ?? new Set();
    lane.add(waiting);
    lanes.set(laneOf(waiting), again ? new Set([...lane].sort((a, b) => a.number - b.number)) : lane);
    this.#waiting += 1;
  }

  #remove(waiting: Waiting): void {
    const lanes = this.#lanesOf(waiting);
    const lane = lanes.get(laneOf(waiting));
    lane?.delete(waiting);
    if (lane?.size === 0) lanes.delete(laneOf(waiting));
    this.#waiting -= 1;
    if (this.#waiting === 0) clearTimeout(this.#holdEnds);
  }

  /** Gives the turns that can be given now. */
  #serve(): void {
    clearTimeout(this.#holdEnds);
    for (let next = this.#next(); next; next = this.#next()) {
      // Begun so late, it would hardly end in time, and nobody would know what came of it.
      if (performance.now() + this.#length > next.until) next.giveUp(this.#gaveUp(next));
      else next.begin(this.#begin(next, next.number));
    }
    const nextEnd = this.#waiting > 0 ? this.#holds.nextEnd : null;
    if (nextEnd !== null) this.#holdEnds = setTimeout(() => this.#serve(), Math.ceil(nextEnd));
  }

  /** Whoever is next of those that may begin; its lane goes behind the others. */
  #next(): Waiting | undefined {
    if (!this.#all.isFree) return undefined;
    for (const lanes of [this.#urgent, this.#usual]) {
      for (const [name, lane] of lanes) {
        const first = this.#firstOf(lane);
        if (!first) continue;
        lanes.delete(name);
        lanes.set(name, lane);
        return first;
      }
    }
    return undefined;
  }

  #firstOf(lane: Set<Waiting>): Waiting | undefined {
    // The calls of one method in one chat are all held, or none is.
    const cannot = new Set<string>();
    for (const waiting of lane) {
      if (cannot.has(waiting.method)) continue;
      if (this.#mayBegin(waiting)) return waiting;
      cannot.add(waiting.method);
    }
    return undefined;
  }

  #begin({ method }: HoldTarget, number: number): Slot {
    const parts = [this.#all.begin(), this.#ofMethod(method).begin()];
    const began = performance.now();
    return {
      number,
      get isOutdated() {
        return parts.some((part) => part.isOutdated);
      },
      end: (succeeded) => {
        for (const part of parts) part.end(succeeded);
        if (succeeded) this.#learn(performance.now() - began);
        this.#serve();
      },
    };
  }

  #learn(milliseconds: number): void {
    this.#succeeded += 1;
    this.#length += (milliseconds - this.#length) / Math.min(this.#succeeded, REMEMBERED);
  }
}
