import sql from "sql-template-tag";
import type { Database } from "../../database/database.js";
import { type InviteLink, inviteLinkColumns } from "../links/inviteLink.js";

/** How often the changes are read while there are subscribers, in milliseconds. */
const POLL_MS = 1000;
/** The time between two reads after notifications, in milliseconds. */
const PAUSE_MS = 100;

/** Called with the ids of the links of a channel that have changed. */
type OnChanged = (linkIds: readonly string[]) => void;

interface WatchedChannel {
  /** The sequence of the last member event that was read. */
  sequence: number;
  readonly subscribers: Set<OnChanged>;
}

interface ChangedLinks {
  readonly channelId: string;
  /** The sequence of the channel's last event. */
  readonly sequence: number;
  readonly linkIds: readonly string[];
}

/**
 * The links that any server changed, for the channels that have subscribers on this server: links with an entry in the audit
 * log, and links with member events.
 *
 * Audit entries are read by the id of their transaction. The next read begins with the oldest transaction that had not ended
 * at the last read, so that no entry is missed, however long its transaction took. Entries that are read again are left out.
 */
export class LinkFeed {
  readonly #database: Pick<Database, "query">;
  readonly #onError: (error: unknown) => void;
  readonly #channels = new Map<string, WatchedChannel>();
  /** Transactions before this one had ended at the last read; null before the first read. */
  #transaction: number | null = null;
  /** The audit entries that were read and may be read again. */
  #known: ReadonlySet<string> = new Set();
  #timer: NodeJS.Timeout | undefined;
  #reading: Promise<void> | null = null;
  #isDirty = false;

  constructor(database: Pick<Database, "query">, onError: (error: unknown) => void) {
    this.#database = database;
    this.#onError = onError;
  }

  /** Must be called when a server may have changed something. */
  readonly wake = (): void => {
    if (this.#channels.size === 0) return;
    this.#isDirty = true;
    this.#reading ??= this.#readAll().finally(() => {
      this.#reading = null;
    });
  };

  /** @returns ends the subscription. */
  async watch(channelId: string, onChanged: OnChanged): Promise<() => void> {
    const channel = this.#channels.get(channelId) ?? { sequence: 0, subscribers: new Set() };
    channel.subscribers.add(onChanged);
    if (!this.#channels.has(channelId)) {
      this.#channels.set(channelId, channel);
      channel.sequence = await this.#lastSequence(channelId);
    }
    this.#transaction ??= await this.#oldestTransaction();
    this.#timer ??= setInterval(this.wake, POLL_MS).unref();
    return () => {
      channel.subscribers.delete(onChanged);
      if (channel.subscribers.size === 0) this.#channels.delete(channelId);
      if (this.#channels.size > 0) return;
      clearInterval(this.#timer);
      this.#timer = undefined;
      this.#transaction = null;
    };
  }

  /** Null for a link that does not exist any more. */
  async readLink(linkId: string): Promise<InviteLink | null> {
    const [link] = await this.#database.query<InviteLink>(
      sql`select ${inviteLinkColumns} from invite_link l join channel c on c.id = l.channel_id
        where l.id = ${linkId}::uuid`,
      "frequent and quick",
    );
    return link ?? null;
  }

  async #lastSequence(channelId: string): Promise<number> {
    const [row] = await this.#database.query<{ sequence: number }>(
      sql`select last_sequence as sequence from channel_activity where channel_id = ${channelId}::uuid`,
      "frequent and quick",
    );
    return row?.sequence ?? 0;
  }

  async #oldestTransaction(): Promise<number> {
    const [row] = await this.#database.query<{ oldest: number }>(
      sql`select pg_snapshot_xmin(pg_current_snapshot())::text::bigint as oldest`,
      "frequent and quick",
    );
    return row?.oldest ?? 0;
  }

  async #readAll(): Promise<void> {
    while (this.#isDirty && this.#channels.size > 0) {
      this.#isDirty = false;
      try {
        await this.#readAudit();
        await this.#readEvents();
      } catch (error) {
        this.#onError(error);
      }
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }

  async #readAudit(): Promise<void> {
    const from = this.#transaction;
    if (from === null) return;
    const entries = await this.#database.query<{
      id: string;
      channelId: string;
      linkId: string;
      oldest: number;
    }>(
      sql`
      select a.id, a.channel_id as "channelId", a.subject_id as "linkId", s.oldest
      from (select pg_snapshot_xmin(pg_current_snapshot())::text::bigint as oldest) s
      left join audit_entry a on a.channel_id = any(${[...this.#channels.keys()]}::uuid[])
        and a.transaction_id >= ${from}::bigint and a.action like 'inviteLink.%'`,
      "frequent",
    );
    this.#transaction = entries[0]?.oldest ?? from;
    const changed = entries.filter(({ id }) => id !== null && !this.#known.has(id));
    this.#known = new Set(entries.map(({ id }) => id));
    for (const { channelId, linkId } of changed) this.#tell(channelId, [linkId]);
  }

  async #readEvents(): Promise<void> {
    const channels = [...this.#channels];
    const rows = await this.#database.query<ChangedLinks>(
      sql`
      select e.channel_id as "channelId", max(e.sequence) as sequence,
        coalesce(array_agg(distinct e.link_id) filter (where e.link_id is not null), '{}') as "linkIds"
      from unnest(${channels.map(([id]) => id)}::uuid[], ${channels.map(([, { sequence }]) => sequence)}::bigint[])
          as watched (channel_id, sequence)
        join member_event e on e.channel_id = watched.channel_id and e.sequence > watched.sequence
      group by e.channel_id`,
      "frequent",
    );
    for (const { channelId, sequence, linkIds } of rows) {
      const channel = this.#channels.get(channelId);
      if (channel) channel.sequence = sequence;
      this.#tell(channelId, linkIds);
    }
  }

  #tell(channelId: string, linkIds: readonly string[]): void {
    for (const onChanged of this.#channels.get(channelId)?.subscribers ?? []) onChanged(linkIds);
  }
}
