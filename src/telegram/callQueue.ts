import { ConcurrencyLimit, type LimitedUse } from "./concurrencyLimit.js";
import { type Hold, Holds, type HoldTarget } from "./holds.js";

/** The number of recent slots over which the mean duration is taken. */
const AVERAGED = 10;

/** A request for a slot. Requests about one chat share one key; a call about no chat has its method as its key. */
export interface SlotRequest extends HoldTarget {
  /** Whether the request goes before all requests that are not urgent. */
  readonly isUrgent?: boolean | undefined;
  /** Whether the request goes after all requests that are not patient. */
  readonly isPatient?: boolean | undefined;
  /** The time, from now on, within which the call must have ended. */
  readonly milliseconds: number;
  /** Aborted when the client leaves, so that the slot is not needed any more. */
  readonly signal?: AbortSignal | undefined;
}

/** A call must not be sent in an outdated slot. */
export interface Slot extends LimitedUse {
  /** Numbers follow the order of requests. */
  readonly number: number;
}

/** No slot can be given in time. */
export class SlotTimeoutError extends Error {
  override readonly name = "SlotTimeoutError";
  /** The estimated wait for a slot in seconds, 1 or more. */
  readonly retryAfterSeconds: number;

  constructor(milliseconds: number) {
    const seconds = Math.max(1, Math.ceil(milliseconds / 1000));
    super(`The next slot is free in ${seconds} s.`);
    this.retryAfterSeconds = seconds;
  }
}

/** The client left before the slot was given. */
export class ClientAbortedError extends Error {
  override readonly name = "ClientAbortedError";
}

/** The order in which requests get slots. */
const PRIORITIES = ["urgent", "normal", "patient"] as const;
type Priority = (typeof PRIORITIES)[number];

interface Waiting extends HoldTarget {
  readonly priority: Priority;
  readonly number: number;
  /** When the call must have ended, by performance.now(). */
  readonly until: number;
  readonly begin: (slot: Slot) => void;
  readonly reject: (reason: Error) => void;
}

/** Waiting requests by key. The key that is next comes first. */
type WaitingByKey = Map<string, Set<Waiting>>;

const keyOf = ({ method, chat }: HoldTarget): string => chat ?? method;

/**
 * The queue of a bot's calls. Urgent requests get slots first and patient ones last; among the others keys take turns (round
 * robin). A request that is held back gets no slot, and other requests with its key may overtake it.
 */
export class CallQueue {
  readonly #holds = new Holds();
  readonly #waitingOf: Readonly<Record<Priority, WaitingByKey>> = {
    urgent: new Map(),
    normal: new Map(),
    patient: new Map(),
  };
  #waiting = 0;
  /** The limit for all calls together. */
  readonly #all = new ConcurrencyLimit();
  readonly #methods = new Map<string, ConcurrencyLimit>();
  #lastNumber = 0;
  #holdEnds: NodeJS.Timeout | undefined;
  /** The mean duration of recent calls that succeeded, in milliseconds. */
  #meanMs = 0;
  #succeeded = 0;

  /** The number of waiting requests. */
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

  /** Milliseconds until the holds allow a call; 0 for a call without a hold. */
  holdLeft(target: HoldTarget): number {
    return this.#holds.left(target);
  }

  /**
   * Waits for a slot. The caller must end the slot.
   * @param again an earlier slot in which the call could not be sent: the request keeps its place among those of its key.
   * @throws SlotTimeoutError as soon as no slot can come in time; ClientAbortedError.
   */
  async slot(request: SlotRequest, again?: Slot): Promise<Slot> {
    const { method, chat, isUrgent, isPatient, milliseconds, signal } = request;
    const until = performance.now() + milliseconds;
    if (signal?.aborted) throw new ClientAbortedError();
    const priority: Priority = isUrgent ? "urgent" : isPatient ? "patient" : "normal";
    const target = { method, chat, priority, until };
    if (!this.#canEndInTime(target)) throw this.#timeout(target);
    this.#lastNumber += 1;
    const number = again?.number ?? this.#lastNumber;
    // Waiting requests whose hold has just ended go first.
    if (this.#waiting > 0) this.#giveSlots();
    if (this.#mayBegin(request)) return this.#begin(request, number);
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", onClientLeft);
        this.#remove(waiting);
      };
      const waiting: Waiting = {
        ...target,
        number,
        begin(slot) {
          leave();
          resolve(slot);
        },
        reject(reason) {
          leave();
          reject(reason);
        },
      };
      const onClientLeft = () => waiting.reject(new ClientAbortedError());
      const timer = setTimeout(() => waiting.reject(this.#timeout(waiting)), milliseconds);
      signal?.addEventListener("abort", onClientLeft);
      this.#add(waiting, again !== undefined);
      this.#giveSlots();
    });
  }

  /** Adds holds. Calls that a hold concerns get no slot until it ends. Of several holds for a call, the longest counts. */
  hold(holds: readonly Hold[]): void {
    const added = holds.filter((hold) => this.#holds.add(hold));
    if (added.length === 0) return;
    for (const { method } of added) (method === null ? this.#all : this.#limitOf(method)).held();
    for (const waiting of this.#allWaiting()) {
      if (!this.#canEndInTime(waiting)) waiting.reject(this.#timeout(waiting));
    }
    this.#giveSlots();
  }

  /** Whether the holds leave time for a call that must have ended within `milliseconds`. */
  hasTimeLeft(target: HoldTarget, milliseconds: number): boolean {
    return this.#canEndInTime({ ...target, until: performance.now() + milliseconds });
  }

  #canEndInTime(target: HoldTarget & { readonly until: number }): boolean {
    const left = this.#holds.left(target);
    return left === 0 || performance.now() + left + this.#meanMs < target.until;
  }

  #mayBegin(target: HoldTarget): boolean {
    return this.#all.isFree && this.#limitOf(target.method).isFree && !this.isHeld(target);
  }

  #limitOf(method: string): ConcurrencyLimit {
    let limit = this.#methods.get(method);
    if (!limit) {
      limit = new ConcurrencyLimit();
      this.#methods.set(method, limit);
    }
    return limit;
  }

  /** The wait is the rest of the hold or, without a hold, the estimated duration of the calls that go before. */
  #timeout(target: HoldTarget & { readonly priority: Priority }): SlotTimeoutError {
    const byKey = this.#waitingOf[target.priority];
    const before = Math.min(this.#waiting, (byKey.get(keyOf(target))?.size ?? 0) * byKey.size);
    const allowed = Math.min(this.#all.allowed, this.#limitOf(target.method).allowed);
    return new SlotTimeoutError(this.#holds.left(target) || (before * this.#meanMs) / allowed);
  }

  #allWaiting(): Waiting[] {
    return PRIORITIES.flatMap((priority) =>
      [...this.#waitingOf[priority].values()].flatMap((queue) => [...queue]),
    );
  }

  #add(waiting: Waiting, again: boolean): void {
    const byKey = this.#waitingOf[waiting.priority];
    const queue = byKey.get(keyOf(waiting)) ?? new Set();
    queue.add(waiting);
    byKey.set(keyOf(waiting), again ? new Set([...queue].sort((a, b) => a.number - b.number)) : queue);
    this.#waiting += 1;
  }

  #remove(waiting: Waiting): void {
    const byKey = this.#waitingOf[waiting.priority];
    const queue = byKey.get(keyOf(waiting));
    queue?.delete(waiting);
    if (queue?.size === 0) byKey.delete(keyOf(waiting));
    this.#waiting -= 1;
    if (this.#waiting === 0) clearTimeout(this.#holdEnds);
  }

  /** Gives all slots that are free now. */
  #giveSlots(): void {
    clearTimeout(this.#holdEnds);
    // This is read first: a hold that still blocks a request below has not ended here either, so the queue looks again.
    const nextEnd = this.#waiting > 0 ? this.#holds.nextEnd : null;
    for (let next = this.#next(); next; next = this.#next()) {
      // The call would probably not end in time, and its outcome would be unknown.
      if (performance.now() + this.#meanMs > next.until) next.reject(this.#timeout(next));
      else next.begin(this.#begin(next, next.number));
    }
    if (nextEnd !== null && this.#waiting > 0)
      this.#holdEnds = setTimeout(() => this.#giveSlots(), Math.ceil(nextEnd));
  }

  /** The next request that may get a slot. Its key goes behind the other keys. */
  #next(): Waiting | undefined {
    if (!this.#all.isFree) return undefined;
    for (const priority of PRIORITIES) {
      const byKey = this.#waitingOf[priority];
      for (const [name, queue] of byKey) {
        const first = this.#firstOf(queue);
        if (!first) continue;
        byKey.delete(name);
        byKey.set(name, queue);
        return first;
      }
    }
    return undefined;
  }

  #firstOf(queue: Set<Waiting>): Waiting | undefined {
    // One method in one chat is either held or not, so one look at each method is enough.
    const blocked = new Set<string>();
    for (const waiting of queue) {
      if (blocked.has(waiting.method)) continue;
      if (this.#mayBegin(waiting)) return waiting;
      blocked.add(waiting.method);
    }
    return undefined;
  }

  #begin({ method }: HoldTarget, number: number): Slot {
    const parts = [this.#all.begin(), this.#limitOf(method).begin()];
    const began = performance.now();
    return {
      number,
      get isOutdated() {
        return parts.some((part) => part.isOutdated);
      },
      end: (succeeded) => {
        for (const part of parts) part.end(succeeded);
        if (succeeded) this.#recordDuration(performance.now() - began);
        this.#giveSlots();
      },
    };
  }

  #recordDuration(milliseconds: number): void {
    this.#succeeded += 1;
    this.#meanMs += (milliseconds - this.#meanMs) / Math.min(this.#succeeded, AVERAGED);
  }
}
