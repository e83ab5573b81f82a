import DataLoader from "dataloader";
import sql from "sql-template-tag";
import type { Database } from "../../database/database.js";
import { statement } from "../../database/statement.js";
import { type InviteLink, inviteLinkColumns } from "../links/inviteLink.js";
import { inKeyOrder } from "../paging/batchLoading.js";
import { firstIdOf } from "../shared/ids.js";
import { type FollowedChannel, findFollowedChannel } from "./followedChannel.js";

/** How often the changes are read while there are subscribers, in milliseconds. */
const POLL_MS = 1000;
/** The time between two reads after notifications, in milliseconds. */
const PAUSE_MS = 100;

/** Events whose ids are so much older than a read may have been stored after it, in milliseconds. */
const MARGIN_MS = 15_000;

/** When a read began. */
export interface ReadBeginning {
  /** The oldest transaction that had not ended; null before the first read and without subscribers. */
  readonly transaction: number | null;
  /** By Date.now(). */
  readonly at: number;
}

/** What a subscriber of a channel's links is told. */
export interface LinkWatcher {
  onChanged(linkIds: readonly string[]): void;
  /**
   * The channel was merged into another one: its chat got another id.
   * @param since the beginning of the last read before: what the other channel's links have changed since was not told
   */
  onGone(since: ReadBeginning): void;
}

interface WatchedChannel {
  /** The sequence of the last member event that was read; null before the first read. */
  sequence: number | null;
  readonly watchers: Set<LinkWatcher>;
  /** The number of subscribers that wait for the first read. */
  opening: number;
}

interface AuditRow {
  /** Null in a row that only tells `oldest`. */
  readonly id: string | null;
  readonly channelId: string;
  readonly linkId: string;
  /** The oldest transaction that has not ended. */
  readonly oldest: number;
}

interface ChannelRow {
  readonly channelId: string;
  readonly isGone: boolean;
  /** The sequence of the channel's last event. */
  readonly sequence: number;
  readonly linkIds: readonly string[];
}

const oldestTransaction = sql`pg_snapshot_xmin(pg_current_snapshot())::text::bigint`;

/** A person's event also changes the numbers of the links by which the person has asked to join. */
const linksOfEvent = sql`
  select e.link_id union all
  select r.link_id from join_request r where r.channel_id = e.channel_id and r.user_id = e.user_id`;

/**
 * The links that any server changed, for the channels that have subscribers on this server: links with an entry in the audit
 * log, and links whose numbers member events changed.
 *
 * Audit entries are read by the id of their transaction. The next read begins with the oldest transaction that had not ended
 * at the last read, so that no entry is missed, however long its transaction took. Entries that are read again are left out,
 * and the first read only finds out which ones those are.
 */
export class LinkFeed {
  readonly #database: Pick<Database, "query">;
  readonly #onError: (error: unknown) => void;
  readonly #channels = new Map<string, WatchedChannel>();
  /** Subscribers that ask for a link at the same time read it together. */
  readonly #links: DataLoader<string, InviteLink | null>;
  /** Transactions before this one had ended at the last read; null before the first read. */
  #transaction: number | null = null;
  /** The beginning of the last read that succeeded. */
  #beginning: ReadBeginning = { transaction: null, at: 0 };
  /** The audit entries that were read and may be read again. */
  #known: ReadonlySet<string> = new Set();
  #timer: NodeJS.Timeout | undefined;
  /** The last read, which the next one waits for. */
  #lastRead: Promise<void> = Promise.resolve();
  #isDirty = false;
  #isReading = false;

  constructor(database: Pick<Database, "query">, onError: (error: unknown) => void) {
    this.#database = database;
    this.#onError = onError;
    this.#links = new DataLoader((ids) => this.#readLinks(ids), { cache: false });
  }

  /** Must be called when a server may have changed something. */
  readonly wake = (): void => {
    this.#isDirty = true;
    if (!this.#isReading) void this.#readAll();
  };

  /** Tells of what changes from now on. @returns ends the subscription. */
  async watch(channelId: string, watcher: LinkWatcher): Promise<() => void> {
    const channel = this.#channels.get(channelId) ?? { sequence: null, watchers: new Set(), opening: 0 };
    this.#channels.set(channelId, channel);
    channel.opening += 1;
    this.#timer ??= setInterval(this.wake, POLL_MS).unref();
    try {
      // What changed before is told to the others only.
      await this.#read();
      channel.watchers.add(watcher);
    } finally {
      channel.opening -= 1;
      this.#forgetUnwatched(channelId);
    }
    return () => {
      channel.watchers.delete(watcher);
      this.#forgetUnwatched(channelId);
    };
  }

  /** The beginning of a read now. */
  async now(): Promise<ReadBeginning> {
    const at = Date.now();
    const [row] = await this.#database.query<{ oldest: number }>(
      statement("link_feed_now")`select ${oldestTransaction} as oldest`,
      "frequent",
    );
    return { transaction: row?.oldest ?? null, at };
  }

  /** The links of a channel that changed since a read that did not include the channel, and perhaps some that changed before. */
  async changedSince(channelId: string, { transaction, at }: ReadBeginning): Promise<string[]> {
    const rows = await this.#database.query<{ linkId: string }>(statement("link_feed_changed_since")`
      select l.link_id as "linkId" from member_event e cross join lateral (${linksOfEvent}) l
      where e.channel_id = ${channelId}::uuid and e.id >= ${firstIdOf(at - MARGIN_MS)}::uuid and l.link_id is not null
      union
      select a.subject_id from audit_entry a
      where a.channel_id = ${channelId}::uuid and a.transaction_id >= ${transaction}::bigint
        and a.action like 'inviteLink.%'`);
    return rows.map(({ linkId }) => linkId);
  }

  /** The link as it is now; null for a link that does not exist any more. */
  readLink(linkId: string): Promise<InviteLink | null> {
    return this.#links.load(linkId);
  }

  findChannel(chatId: number): Promise<FollowedChannel | null> {
    return findFollowedChannel(this.#database, chatId, null);
  }

  #forgetUnwatched(channelId: string): void {
    const channel = this.#channels.get(channelId);
    if (channel && channel.watchers.size + channel.opening === 0) this.#channels.delete(channelId);
    if (this.#channels.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#transaction = null;
  }

  async #readLinks(ids: readonly string[]): Promise<(InviteLink | null)[]> {
    const links = await this.#database.query<InviteLink>(
      statement("link_feed_links")`
        select ${inviteLinkColumns} from invite_link l join channel c on c.id = l.channel_id
        where l.id = any(${[...new Set(ids)]}::uuid[])`,
      "frequent",
    );
    return inKeyOrder(ids, links, ({ id }) => id);
  }

  async #readAll(): Promise<void> {
    this.#isReading = true;
    while (this.#isDirty && this.#channels.size > 0) {
      this.#isDirty = false;
      await this.#read().catch(this.#onError);
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
    this.#isReading = false;
  }

  /** One read at a time: each begins where the last one ended. */
  #read(): Promise<void> {
    const read = this.#lastRead.then(async () => {
      const at = Date.now();
      await this.#readAudit();
      await this.#readChannels();
      this.#beginning = { transaction: this.#transaction, at };
    });
    this.#lastRead = read.catch(() => {});
    return read;
  }

  async #readAudit(): Promise<void> {
    const from = this.#transaction;
    const rows = await this.#database.query<AuditRow>(
      statement("link_feed_audit")`
      select a.id, a.channel_id as "channelId", a.subject_id as "linkId", s.oldest
      from (select ${oldestTransaction} as oldest) s
      left join audit_entry a on a.channel_id = any(${[...this.#channels.keys()]}::uuid[])
        and a.transaction_id >= coalesce(${from}::bigint, s.oldest) and a.action like 'inviteLink.%'`,
      "frequent",
    );
    // Without subscribers nothing is read, and the next read is a first one.
    this.#transaction = this.#channels.size > 0 ? (rows[0]?.oldest ?? from) : null;
    const entries = rows.filter((row): row is AuditRow & { readonly id: string } => row.id !== null);
    const news = entries.filter(({ id }) => !this.#known.has(id));
    this.#known = new Set(entries.map(({ id }) => id));
    for (const { channelId, linkId } of news) this.#tell(channelId, [linkId]);
  }

  async #readChannels(): Promise<void> {
    const channels = [...this.#channels];
    const rows = await this.#database.query<ChannelRow>(
      statement("link_feed_channels")`
      select watched.channel_id as "channelId", a.channel_id is null as "isGone", a.last_sequence as sequence,
        coalesce(changed.link_ids, '{}') as "linkIds"
      from unnest(${channels.map(([id]) => id)}::uuid[], ${channels.map(([, { sequence }]) => sequence)}::bigint[])
          as watched (channel_id, sequence)
        left join channel_activity a on a.channel_id = watched.channel_id
        left join lateral (
          select array_agg(distinct l.link_id) as link_ids
          from member_event e cross join lateral (${linksOfEvent}) l
          where e.channel_id = watched.channel_id and e.sequence > watched.sequence and l.link_id is not null
        ) changed on true`,
      "frequent",
    );
    for (const { channelId, isGone, sequence, linkIds } of rows) {
      const channel = this.#channels.get(channelId);
      if (channel) channel.sequence = sequence;
      if (isGone) for (const watcher of channel?.watchers ?? []) watcher.onGone(this.#beginning);
      else if (linkIds.length > 0) this.#tell(channelId, linkIds);
    }
  }

  #tell(channelId: string, linkIds: readonly string[]): void {
    for (const watcher of this.#channels.get(channelId)?.watchers ?? []) watcher.onChanged(linkIds);
  }
}
