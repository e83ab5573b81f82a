import type { MemberEvent } from "../activity/memberEvent.js";
import { globalId } from "../shared/ids.js";
import type { ChannelFeed } from "./channelFeed.js";
import type { EventFeed, Position } from "./eventFeed.js";

/** Where a subscription to a chat's member events begins. */
export interface FollowedEvents extends Position {
  /** The Telegram chat id with which the subscription was opened. */
  readonly chatId: number;
  /** The event at the position; null before the first event. */
  readonly eventId: string | null;
  /** Only events of this link; null for all. */
  readonly linkId: string | null;
}

const DONE: IteratorReturnResult<undefined> = { done: true, value: undefined };

/**
 * The member events of one subscription. The class implements the iterator by hand, so that `return` ends it also while it
 * waits for an event.
 */
export class EventFollower implements AsyncIterableIterator<MemberEvent> {
  readonly #feeds: EventFeed;
  readonly #linkId: string | null;
  readonly #chatId: number;
  #position: Position;
  #eventId: string | null;
  #feed: ChannelFeed | null = null;
  /** The events that were read and not delivered yet. */
  #read: MemberEvent[] = [];
  #resume: (() => void) | null = null;
  #hasEnded = false;

  constructor(feeds: EventFeed, { chatId, channelId, sequence, eventId, linkId }: FollowedEvents) {
    this.#feeds = feeds;
    this.#chatId = chatId;
    this.#position = { channelId, sequence };
    this.#eventId = eventId;
    this.#linkId = linkId;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<MemberEvent>> {
    while (!this.#hasEnded) {
      const event = this.#read.shift();
      if (event) {
        this.#position = { ...this.#position, sequence: event.sequence };
        this.#eventId = event.id;
        if (this.#linkId === null || event.linkId === this.#linkId) return { done: false, value: event };
      } else await this.#fill();
    }
    return DONE;
  }

  /** The global id of an event, by which a client resumes. */
  idOf({ id }: MemberEvent): string {
    return globalId("MemberEvent", id);
  }

  async return(): Promise<IteratorResult<MemberEvent>> {
    this.#hasEnded = true;
    this.#leave();
    this.#resume?.();
    return DONE;
  }

  /** Reads the next events, or waits until there may be some. */
  async #fill(): Promise<void> {
    this.#feed ??= this.#feeds.join(this.#position);
    const feed = this.#feed;
    if (feed.isGone) return this.#findChannel();
    const events = feed.after(this.#position.sequence) ?? (await this.#feeds.read(this.#position));
    if (events.length > 0) {
      this.#read = [...events];
      return;
    }
    await new Promise<void>((resolve) => {
      const forget = feed.onChange(resolve);
      this.#resume = () => {
        forget();
        resolve();
      };
      if (this.#hasEnded) this.#resume();
    });
    this.#resume = null;
  }

  async #findChannel(): Promise<void> {
    this.#leave();
    this.#position = (await this.#feeds.findPosition(this.#chatId, this.#eventId)) ?? this.#position;
  }

  #leave(): void {
    if (this.#feed) this.#feeds.leave(this.#position, this.#feed);
    this.#feed = null;
  }
}
