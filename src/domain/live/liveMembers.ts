import sql from "sql-template-tag";
import type { Database } from "../../database/database.js";
import { type Caller, requireChannel } from "../shared/caller.js";
import { Problems } from "../shared/errors.js";
import { parseId } from "../shared/ids.js";
import type { EventFeed } from "./eventFeed.js";
import { EventFollower } from "./eventFollower.js";
import type { LinkFeed } from "./linkFeed.js";
import { LinkFollower } from "./linkFollower.js";

/** What subscriptions of all requests of a server share. */
export interface Live {
  readonly events: EventFeed;
  readonly links: LinkFeed;
}

export interface FollowArguments {
  readonly chatId: number;
  /** A global id or a bare UUID; null for all links. */
  readonly inviteLinkId?: string | null | undefined;
  /** The id of the last event that the client has seen; null to begin with the next event. */
  readonly after?: string | null | undefined;
}

/** Where a subscription begins. All is null for a chat that is not known here yet. */
interface Start {
  readonly channelId: string | null;
  readonly sequence: number | null;
  readonly eventId: string | null;
  readonly hasLink: boolean;
}

/** No channel has this id: the feed looks for the channel until there is one. */
const NO_CHANNEL = "00000000-0000-0000-0000-000000000000";

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
  async memberEvents({ chatId, inviteLinkId, after }: FollowArguments): Promise<EventFollower> {
    requireChannel(this.#caller, chatId);
    const problems = new Problems();
    const linkId =
      inviteLinkId == null ? null : parseId("InviteLink", inviteLinkId, "inviteLinkId", problems);
    const afterId = after == null ? null : parseId("MemberEvent", after, "after", problems);
    problems.check();
    const start = await this.#start(chatId, linkId, afterId);
    if (linkId !== null && !start?.hasLink)
      problems.add("inviteLinkId", "There is no such link in this channel.");
    if (afterId !== null && start?.sequence == null)
      problems.add("after", "This is no member event of the channel.");
    problems.check();
    return new EventFollower(this.#live.events, {
      chatId,
      channelId: start?.channelId ?? NO_CHANNEL,
      sequence: start?.sequence ?? 0,
      eventId: start?.eventId ?? null,
      linkId,
    });
  }

  /**
   * The links of a chat that change, each with its last state.
   * @throws ForbiddenError for a chat that the caller may not use.
   */
  async inviteLinks(chatId: number): Promise<LinkFollower> {
    requireChannel(this.#caller, chatId);
    const start = await this.#start(chatId, null, null);
    return new LinkFollower(this.#live.links, start?.channelId ?? NO_CHANNEL).start();
  }

  async #start(chatId: number, linkId: string | null, afterId: string | null): Promise<Start | null> {
    const [start] = await this.#database.query<Start>(sql`
      select c.id as "channelId", e.id as "eventId",
        case when ${afterId}::uuid is null then a.last_sequence else e.sequence end as sequence,
        exists (select from invite_link l where l.id = ${linkId}::uuid and l.channel_id = c.id) as "hasLink"
      from channel c join channel_activity a on a.channel_id = c.id
      left join member_event e on e.channel_id = c.id
        and case when ${afterId}::uuid is null then e.sequence = a.last_sequence else e.id = ${afterId}::uuid end
      where c.chat_id = ${chatId}::bigint`);
    return start ?? null;
  }
}
