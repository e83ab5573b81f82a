import type { InviteLink } from "../links/inviteLink.js";
import type { FollowedChannel } from "./followedChannel.js";
import type { LinkFeed, ReadBeginning } from "./linkFeed.js";

/** The shortest time between two states of one link, in milliseconds. */
const EACH_LINK_MS = 1000;
/** How often a channel is looked for that is not known yet, in milliseconds. */
const SEARCH_MS = 1000;

/** Links that are read together at most. */
const MAX_READ = 50;

/** What a follower needs of LinkFeed. */
export type FollowedFeed = Pick<LinkFeed, "findChannel" | "watch" | "now" | "changedSince" | "readLink">;

const DONE: IteratorReturnResult<undefined> = { done: true, value: undefined };

/**
 * The changed links of one subscription. A link that changes often comes at most once a second, with its last state. A slow
 * reader holds no more than the ids of the channel's links.
 */
export class LinkFollower implements AsyncIterableIterator<InviteLink> {
  readonly #feed: FollowedFeed;
  readonly #chatId: number;
  readonly #onChatId: (chatId: number) => void;
  readonly #changed = new Set<string>();
  /** Links that were read and not delivered yet. */
  #ready: InviteLink[] = [];
  /** By performance.now(), for the links of the last second, in the order of time. */
  readonly #sentAt = new Map<string, number>();
  /** Null while no channel is watched: the chat is not known yet, or its channel was merged into another one. */
  #unwatch: (() => void) | null = null;
  /** From when on changes are still to be read: the chat was not known, or its channel was merged into another one. */
  #since: ReadBeginning | null = null;
  #resume: (() => void) | null = null;
  #hasEnded = false;

  /**
   * @param chatId the Telegram chat id with which the subscription was opened
   * @param onChatId called with the chat's id now before each link, since the chat can get another id
   */
  constructor(feed: FollowedFeed, chatId: number, onChatId: (chatId: number) => void) {
    this.#feed = feed;
    this.#chatId = chatId;
    this.#onChatId = onChatId;
  }

  /** Begins to collect changes. To be awaited before the first `next`. */
  async start(): Promise<this> {
    const channel = await this.#findChannel();
    if (!channel) return this;
    const unwatch = await this.#feed.watch(channel.channelId, {
      onChanged: (linkIds) => {
        for (const id of linkIds) this.#changed.add(id);
        this.#resume?.();
      },
      onGone: (since) => {
        this.#leave();
        this.#since = since;
        this.#resume?.();
      },
    });
    if (this.#hasEnded) unwatch();
    else this.#unwatch = unwatch;
    await this.#readMissed(channel.channelId);
    return this;
  }

  async #findChannel(): Promise<FollowedChannel | null> {
    const channel = await this.#feed.findChannel(this.#chatId);
    if (channel || this.#since) return channel;
    this.#since = await this.#feed.now();
    // The chat may have become known before, and its links may have changed.
    return this.#feed.findChannel(this.#chatId);
  }

  /** Reads what changed in the channel before it was watched. */
  async #readMissed(channelId: string): Promise<void> {
    const since = this.#since;
    this.#since = null;
    if (since === null) return;
    const linkIds = await this.#feed.changedSince(channelId, since);
    for (const id of linkIds) this.#changed.add(id);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<InviteLink>> {
    while (!this.#hasEnded) {
      const [link] = this.takeReady(1);
      if (link) return { done: false, value: link };
      if (!this.#unwatch) await this.start();
      const now = performance.now();
      const due = this.#takeDue(now);
      if (due.length === 0) await this.#wait(now);
      else
        this.#ready = (await Promise.all(due.map((id) => this.#feed.readLink(id)))).filter(
          (one) => one !== null,
        );
    }
    return DONE;
  }

  /** The next links that need not be waited for. */
  takeReady(most: number): InviteLink[] {
    if (this.#hasEnded) return [];
    const links = this.#ready.splice(0, most);
    for (const { id, chatId } of links) {
      this.#sentAt.set(id, performance.now());
      this.#onChatId(chatId);
    }
    return links;
  }

  /** Changed links that may be sent now. They are in the order of time, like those of the last second. */
  #takeDue(now: number): string[] {
    for (const [id, at] of this.#sentAt) {
      if (now - at < EACH_LINK_MS) break;
      this.#sentAt.delete(id);
    }
    const due: string[] = [];
    for (const id of this.#changed) {
      if (due.length === MAX_READ) break;
      if (!this.#sentAt.has(id)) due.push(id);
    }
    for (const id of due) this.#changed.delete(id);
    return due;
  }

  async return(): Promise<IteratorResult<InviteLink>> {
    this.#hasEnded = true;
    this.#leave();
    this.#resume?.();
    return DONE;
  }

  #leave(): void {
    this.#unwatch?.();
    this.#unwatch = null;
  }

  /** Waits for a change, or until the first changed link may be sent again, or until a channel may have come. */
  async #wait(now: number): Promise<void> {
    if (this.#hasEnded) return;
    const dueAt = [...this.#changed].map((id) => (this.#sentAt.get(id) ?? now) + EACH_LINK_MS);
    const soonest = Math.min(...dueAt, this.#unwatch ? Number.POSITIVE_INFINITY : now + SEARCH_MS);
    await new Promise<void>((resolve) => {
      const timer = Number.isFinite(soonest) ? setTimeout(resolve, soonest - now) : undefined;
      this.#resume = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#resume = null;
  }
}
