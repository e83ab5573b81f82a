import type { Database } from "../../database/database.js";
import { statement } from "../../database/statement.js";
import type { BatchFeed } from "../links/batches/batchFollower.js";
import { type Caller, mayUseChannel, moveChat, requireChannel } from "../shared/caller.js";
import { Problems } from "../shared/errors.js";
import { parseId } from "../shared/ids.js";
import type { EventFeed } from "./eventFeed.js";
import { EventFollower } from "./eventFollower.js";
import { type FollowedChannel, findFollowedChannel } from "./followedChannel.js";
import type { LinkFeed } from "./linkFeed.js";
import { LinkFollower } from "./linkFollower.js";

/** What subscriptions of all requests of a server share. */
export interface Live {
  readonly events: EventFeed;
  readonly links: LinkFeed;
  readonly batches: BatchFeed;
}

export interface FollowArguments {
  readonly chatId: number;
  /** A global id or a bare UUID; null for all links. */
  readonly inviteLinkId?: string | null | undefined;
  /** The id of the last event that the client has seen; null to begin with the next event. */
  readonly after?: string | null | undefined;
}

/** Subscriptions, for one request. */
export class LiveMembers {
  readonly #database: Database;
  readonly #caller: Caller;
  readonly #live: Live;

  constructor(database: Database, caller: Caller, live: Live) {
    this.#database = database;
    this.#caller = caller;
    this.#live = live;
  }

  /**
   * The member events of a chat, in the order in which they are stored.
   * @throws ForbiddenError for a chat that the caller may not use, ValidationError for an `after` that is no event of the
   * channel and a link that is not in it.
   */
  async memberEvents({ chatId, inviteLinkId, after: afterText }: FollowArguments): Promise<EventFollower> {
    const problems = new Problems();
    const linkId =
      inviteLinkId == null ? null : parseId("InviteLink", inviteLinkId, "inviteLinkId", problems);
    const afterId = afterText == null ? null : parseId("MemberEvent", afterText, "after", problems);
    const channel = await this.#channel(chatId, afterId);
    problems.check();
    if (linkId !== null && !(await this.#hasLink(channel, linkId)))
      problems.add("inviteLinkId", "There is no such link in this channel.");
    if (afterId !== null && channel?.nearest.eventId !== afterId)
      problems.add("after", "This is no member event of the channel.");
    problems.check();
    const after = afterId === null ? null : (channel?.nearest ?? null);
    const onChatId = this.#followerOf(chatId);
    return new EventFollower(this.#live.events, { chatId, channel, after, linkId, onChatId });
  }

  /**
   * The links of a chat that change, each with its last state.
   * @throws ForbiddenError for a chat that the caller may not use.
   */
  async inviteLinks(chatId: number): Promise<LinkFollower> {
    await this.#channel(chatId, null);
    return new LinkFollower(this.#live.links, chatId, this.#followerOf(chatId)).start();
  }

  /** The grants of a chat have moved to its new id with the chat; RightsWatch tells it later. */
  #followerOf(chatId: number): (newChatId: number) => void {
    return (newChatId) => moveChat(this.#caller, chatId, newChatId);
  }

  /**
   * The channel of a chat, which may be named by its id before a chat migration.
   * @throws ForbiddenError for a chat that the caller may not use.
   */
  async #channel(chatId: number, afterId: string | null): Promise<FollowedChannel | null> {
    const channel = await findFollowedChannel(this.#database, chatId, afterId);
    const isAllowed = mayUseChannel(this.#caller, channel?.chatId ?? chatId);
    if (!isAllowed) requireChannel(this.#caller, chatId);
    return channel;
  }

  async #hasLink(channel: FollowedChannel | null, linkId: string): Promise<boolean> {
    const rows = await this.#database.query(statement("live_members_has_link")`
      select from invite_link where id = ${linkId}::uuid and channel_id = ${channel?.channelId ?? null}::uuid`);
    return rows.length > 0;
  }
}
