import sql from "sql-template-tag";
import type { Database } from "../../database/database.js";
import { type MemberEvent, memberEventColumns } from "../activity/memberEvent.js";
import { ChannelFeed } from "./channelFeed.js";

/** How often the database is asked although nothing was notified, in milliseconds. A notification can be lost. */
const POLL_MS = 1000;
/** The time between two reads, in milliseconds: batches of updates that are stored together are read together. */
const PAUSE_MS = 5;
/** Events of a channel that one read gives at most. */
const MAX_READ = 500;

/** A place in the sequence of a channel's events. */
export interface Position {
  readonly channelId: string;
  readonly sequence: number;
}

/**
 * The member events of all channels that have subscribers on this server. One statement reads the new events of all of
 * them when a server has stored events, and once a second. A subscriber has only its position in the sequence of its
 * channel, so a slow one holds no memory: it reads from the database what is not kept any more.
 */
export class EventFeed {
  readonly #database: Pick<Database, "query">;
  readonly #onError: (error: unknown) => void;
  /** By channel id. */
  readonly #channels = new Map<string, ChannelFeed>();
  #timer: NodeJS.Timeout | undefined;
  #reading: Promise<void> | null = null;
  #isDirty = false;

  /** @param onError is called for each read that fails. The next one is tried a second later. */
  constructor(database: Pick<Database, "query">, onError: (error: unknown) => void) {
    this.#database = database;
    this.#onError = onError;
  }

  /** Must be called when a server may have stored events. */
  readonly wake = (): void => {
    if (this.#channels.size === 0) return;
    this.#isDirty = true;
    this.#reading ??= this.#readAll().finally(() => {
      this.#reading = null;
    });
  };

  /** Joins the subscribers of a channel. */
  join({ channelId, sequence }: Position): ChannelFeed {
    const feed = this.#channels.get(channelId) ?? new ChannelFeed(sequence);
    this.#channels.set(channelId, feed);
    feed.subscribers += 1;
    if (this.#timer === undefined) {
      this.#timer = setInterval(() => {
        void this.#markMerged();
        this.wake();
      }, POLL_MS);
      this.#timer.unref();
    }
    this.wake();
    return feed;
  }

  leave({ channelId }: Position, feed: ChannelFeed): void {
    feed.subscribers -= 1;
    if (feed.subscribers === 0 && this.#channels.get(channelId) === feed) this.#channels.delete(channelId);
    if (this.#channels.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** The next events after a position that the feed does not keep any more. */
  read({ channelId, sequence }: Position): Promise<MemberEvent[]> {
    return this.#database.query<MemberEvent>(
      sql`
      select ${memberEventColumns} from member_event e join channel c on c.id = e.channel_id
      where e.channel_id = ${channelId}::uuid and e.sequence > ${sequence}::bigint
      order by e.sequence limit ${MAX_READ}::int`,
      "frequent",
    );
  }

  /**
   * The position of a subscription whose channel does not exist any more, because a chat migration has merged it into
   * another one, or does not exist yet.
   * @param eventId the last event that was delivered; null if none was
   * @returns null if there is no channel yet
   */
  async findPosition(chatId: number, eventId: string | null): Promise<Position | null> {
    const [position] = await this.#database.query<Position>(sql`
      select c.id as "channelId",
        coalesce(e.sequence, case when c.chat_id = ${chatId}::bigint then 0 else a.last_sequence end) as sequence
      from channel c join channel_activity a on a.channel_id = c.id
      left join member_event e on e.channel_id = c.id and e.id = ${eventId}::uuid
      where c.chat_id = ${chatId}::bigint or c.id in (
        select m.channel_id from audit_entry m
        where m.action = 'channel.migrate' and m.change->>'from' = ${String(chatId)})
      order by c.chat_id = ${chatId}::bigint desc limit 1`);
    return position ?? null;
  }

  async #readAll(): Promise<void> {
    while (this.#isDirty && this.#channels.size > 0) {
      this.#isDirty = false;
      const feeds = [...this.#channels];
      try {
        const events = await this.#database.query<MemberEvent>(
          sql`
          select ${memberEventColumns}
          from unnest(${feeds.map(([id]) => id)}::uuid[], ${feeds.map(([, { last }]) => last)}::bigint[])
              as feed (channel_id, last)
            join channel c on c.id = feed.channel_id
            cross join lateral (
              select * from member_event e where e.channel_id = feed.channel_id and e.sequence > feed.last
              order by e.sequence limit ${MAX_READ}::int
            ) e
          order by e.channel_id, e.sequence`,
          "frequent",
        );
        this.#deliver(events);
      } catch (error) {
        this.#onError(error);
      }
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }

  #deliver(events: readonly MemberEvent[]): void {
    const byChannel = new Map<string, MemberEvent[]>();
    for (const event of events) {
      const known = byChannel.get(event.channelId);
      if (known) known.push(event);
      else byChannel.set(event.channelId, [event]);
    }
    for (const [channelId, ofChannel] of byChannel) {
      this.#channels.get(channelId)?.add(ofChannel);
      if (ofChannel.length === MAX_READ) this.#isDirty = true;
    }
  }

  async #markMerged(): Promise<void> {
    const ids = [...this.#channels.keys()];
    try {
      const rows = await this.#database.query<{ id: string }>(
        sql`select id from channel where id = any(${ids}::uuid[])`,
        "frequent and quick",
      );
      const existing = new Set(rows.map(({ id }) => id));
      for (const id of ids) {
        const feed = existing.has(id) ? undefined : this.#channels.get(id);
        if (!feed) continue;
        feed.isGone = true;
        feed.wake();
      }
    } catch (error) {
      this.#onError(error);
    }
  }
}
