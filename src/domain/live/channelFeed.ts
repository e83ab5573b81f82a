import type { MemberEvent } from "../activity/memberEvent.js";

/** Events of a channel that are kept for subscribers who are slightly behind. */
const MAX_KEPT = 500;

/** The latest member events of one channel, which its subscribers on this server share. */
export class ChannelFeed {
  /** Whether the channel was merged into another one: its chat got another id. */
  isGone = false;
  subscribers = 0;
  /** The channel's events after `#from`, in their order and without a gap. */
  #events: readonly MemberEvent[] = [];
  #from: number;
  readonly #waiting = new Set<() => void>();

  /** @param from the sequence after which the feed begins */
  constructor(from: number) {
    this.#from = from;
  }

  /** The sequence of the last event that is known here. */
  get last(): number {
    return this.#events.at(-1)?.sequence ?? this.#from;
  }

  /** @param events the next events of the channel; those that are known already are left out */
  add(events: readonly MemberEvent[]): void {
    const { last } = this;
    const all = [...this.#events, ...events.filter(({ sequence }) => sequence > last)];
    const surplus = Math.max(0, all.length - MAX_KEPT);
    this.#from = all[surplus - 1]?.sequence ?? this.#from;
    this.#events = all.slice(surplus);
    this.wake();
  }

  /** The kept events after a sequence; null if not all of them are kept. */
  after(sequence: number): readonly MemberEvent[] | null {
    if (sequence < this.#from) return null;
    const index = this.#events.findIndex((event) => event.sequence > sequence);
    return index < 0 ? [] : this.#events.slice(index);
  }

  /** Calls `resume` once when something has changed. @returns takes the call back. */
  onChange(resume: () => void): () => void {
    this.#waiting.add(resume);
    return () => this.#waiting.delete(resume);
  }

  wake(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const resume of waiting) resume();
  }
}
