import type { MemberEvent } from "../activity/memberEvent.js";
import { globalId } from "../shared/ids.js";
import { type ChannelFeed, type Place, placeOf } from "./channelFeed.js";
import { type EventFeed, POLL_MS } from "./eventFeed.js";
import type { FollowedChannel } from "./followedChannel.js";

/** Where a subscription to a chat's member events begins. */
export interface FollowedEvents {
  /** The Telegram chat id with which the subscription was opened. */
  readonly chatId: number;
  /** Null for a chat that is not known here yet. */
  readonly channel: FollowedChannel | null;
  /** The place after which the subscription begins; null for the channel's last event. */
  readonly after: Place | null;
  /** Only events of this link; null for all. */
  readonly linkId: string | null;
  /** Called when the chat has got another id, before the first event under that id. */
  readonly onChatId: (chatId: number) => void;
}

const DONE: IteratorReturnResult<undefined> = { done: true, value: undefined };

/**
 * The member events of one subscription. The class implements the iterator by hand, so that `return` ends it also while it
 * waits for an event.
 */
export class EventFollower implements AsyncIterableIterator<MemberEvent> {
  /** Whether all events from before the subscription were delivered. */
  isLive = false;
  readonly #feeds: EventFeed;
  readonly #linkId: string | null;
  readonly #chatId: number;
  readonly #onChatId: (chatId: number) => void;
  /** The chat's id at the last event. */
  #chatIdNow: number;
  #channel: FollowedChannel | null;
  #place: Place;
  #feed: ChannelFeed | null = null;
  /** The events that were read and not delivered yet. */
  #read: readonly MemberEvent[] = [];
  #delivered = 0;
  #resume: (() => void) | null = null;
  #hasEnded = false;

  constructor(feeds: EventFeed, { chatId, channel, after, linkId, onChatId }: FollowedEvents) {
    this.#feeds = feeds;
    this.#chatId = chatId;
    this.#chatIdNow = chatId;
    this.#channel = channel;
    this.#place = after ?? channel?.last ?? { sequence: 0, eventId: null };
    this.#linkId = linkId;
    this.#onChatId = onChatId;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<MemberEvent>> {
    while (!this.#hasEnded) {
      const [event] = this.takeReady(1);
      if (event) return { done: false, value: event };
      await this.#fill();
    }
    return DONE;
  }

  /** The next events that need not be waited for. */
  takeReady(most: number): MemberEvent[] {
    const ready: MemberEvent[] = [];
    while (ready.length < most && !this.#hasEnded) {
      const event = this.#read[this.#delivered];
      if (!event) break;
      this.#delivered += 1;
      this.#place = placeOf(event);
      if (event.chatId !== this.#chatIdNow) this.#onChatId(event.chatId);
      this.#chatIdNow = event.chatId;
      if (this.#linkId === null || event.linkId === this.#linkId) ready.push(event);
    }
    return ready;
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
    if (!this.#channel) return this.#waitForChannel();
    const { channelId, last } = this.#channel;
    this.#feed ??= this.#feeds.join(channelId, last);
    const feed = this.#feed;
    const events = feed.isGone
      ? null
      : (feed.after(this.#place) ?? (await this.#feeds.read(channelId, this.#place)));
    if (this.#hasEnded) return;
    if (events === null) return this.#findChannel();
    if (events.length > 0 && this.#place.eventId === null && !(await this.#isFirst())) return;
    this.#read = events;
    this.#delivered = 0;
    if (events.length > 0) return;
    // A read from the database finds what the feed does not know yet.
    if (feed.after(this.#place) === null) return;
    this.isLive = true;
    await this.#wait((resume) => feed.onChange(resume));
  }

  async #waitForChannel(): Promise<void> {
    this.isLive = true;
    await this.#findChannel();
    if (this.#channel) return;
    await this.#wait((resume) => {
      const timer = setTimeout(resume, POLL_MS);
      return () => clearTimeout(timer);
    });
  }

  /** Finds the place again after a chat migration, or when a chat that was not known has its first channel. */
  async #findChannel(): Promise<void> {
    this.#leave();
    const { eventId } = this.#place;
    const channel = await this.#feeds.findChannel(this.#chatId, eventId);
    this.#channel = channel;
    // The chat was not known, or its channel had no event: all events under its id have come since.
    if (channel) this.#place = eventId === null ? channel.beginning : channel.nearest;
  }

  /**
   * Whether the channel's first event is the first under the chat's id. Otherwise a merge has put the events of the chat's
   * former id before, and the place becomes the one behind them.
   */
  async #isFirst(): Promise<boolean> {
    const channel = await this.#feeds.findChannel(this.#chatId, null);
    if (!channel || channel.beginning.eventId === null) return true;
    this.#place = channel.beginning;
    return false;
  }

  /** @param onChange calls back once, and returns how to take that back. */
  async #wait(onChange: (resume: () => void) => () => void): Promise<void> {
    await new Promise<void>((resolve) => {
      const forget = onChange(resolve);
      this.#resume = () => {
        forget();
        resolve();
      };
      if (this.#hasEnded) this.#resume();
    });
    this.#resume = null;
  }

  #leave(): void {
    if (this.#feed && this.#channel) this.#feeds.leave(this.#channel.channelId, this.#feed);
    this.#feed = null;
  }
}
