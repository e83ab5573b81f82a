import type { MemberEvent } from "../activity/memberEvent.js";

/** A place in the sequence of a channel's events: after the event with this id. */
export interface Place {
  readonly sequence: number;
  /** Null before the first event. */
  readonly eventId: string | null;
}

export const placeOf = ({ sequence, id }: MemberEvent): Place => ({ sequence, eventId: id });

/** Events of a channel that are kept at most. */
const MAX_KEPT = 500;

/** The latest member events of one channel, which its subscribers on this server share. */
export class ChannelFeed {
  /** Whether the channel does not exist any more, or its events have other sequences: two channels of one chat were merged. */
  isGone = false;
  subscribers = 0;
  /** The channel's events after `#from`, in their order and without a gap. */
  #events: readonly MemberEvent[] = [];
  #from: Place;
  /** The last event when old events were last dropped. */
  #old: Place;
  readonly #waiting = new Set<() => void>();

  /** @param from the place after which the feed begins: the channel's last event */
  constructor(from: Place) {
    this.#from = from;
    this.#old = from;
  }

  /** The last event that is known here. */
  get last(): Place {
    const event = this.#events.at(-1);
    return event ? placeOf(event) : this.#from;
  }

  /** @param events the next events of the channel */
  add(events: readonly MemberEvent[]): void {
    this.#events = [...this.#events, ...events];
    this.#drop(this.#events.length - MAX_KEPT);
    this.wake();
  }

  /**
   * Drops the events that were known at the last call. To be called regularly: an event is kept for moments only, because the
   * stored event can change, above all when a person is erased.
   */
  dropOld(): void {
    const { sequence } = this.#old;
    this.#drop(this.#events.filter((event) => event.sequence <= sequence).length);
    this.#old = this.last;
  }

  /** The kept events after a place; null if not all of them are kept. */
  after({ sequence }: Place): readonly MemberEvent[] | null {
    if (sequence < this.#from.sequence) return null;
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

  #drop(count: number): void {
    const last = this.#events[count - 1];
    if (!last) return;
    this.#from = placeOf(last);
    this.#events = this.#events.slice(count);
  }
}
