import type { Database } from "../../database/database.js";
import { statement } from "../../database/statement.js";
import { type MemberEvent, memberEventColumns } from "../activity/memberEvent.js";
import { ChannelFeed, type Place } from "./channelFeed.js";
import { type FollowedChannel, findFollowedChannel } from "./followedChannel.js";

/** How often the database is asked although nothing was notified, in milliseconds. A notification can be lost. */
export const POLL_MS = 1000;
/** The time between two reads, in milliseconds: batches of updates that are stored together are read together. */
const PAUSE_MS = 5;
/** Events of a channel that one read gives at most. */
const MAX_READ = 500;

/** A row for each event of a feed, and one without an event for a feed that has none. */
interface Row extends Omit<MemberEvent, "id"> {
  readonly id: string | null;
  readonly feedId: string;
  readonly isGone: boolean;
}

/**
 * The events after the one at a place. Null if that event is not where it was: its channel was merged with another one.
 * @param rows the events from that place on, in order
 */
function eventsAfter({ eventId }: Place, rows: readonly MemberEvent[]): readonly MemberEvent[] | null {
  if (eventId === null) return rows;
  return rows[0]?.id === eventId ? rows.slice(1) : null;
}

/**
 * The member events of all channels that have subscribers on this server. One statement reads the new events of all of
 * them when a server has stored events, and once a second. A subscriber has only its place in the sequence of its channel,
 * so a slow one holds no memory: it reads from the database what is not kept any more.
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

  /** Joins the subscribers of a channel. @param last the channel's last event */
  join(channelId: string, last: Place): ChannelFeed {
    const feed = this.#channels.get(channelId) ?? new ChannelFeed(last);
    this.#channels.set(channelId, feed);
    feed.subscribers += 1;
    this.#timer ??= setInterval(() => {
      for (const one of this.#channels.values()) one.dropOld();
      this.wake();
    }, POLL_MS).unref();
    this.wake();
    return feed;
  }

  leave(channelId: string, feed: ChannelFeed): void {
    feed.subscribers -= 1;
    if (feed.subscribers === 0) this.#forget(channelId, feed);
  }

  /** The next events after a place; null if the event at the place is not there any more. */
  async read(channelId: string, place: Place): Promise<readonly MemberEvent[] | null> {
    const rows = await this.#database.query<MemberEvent>(
      statement("event_feed_read")`
      select ${memberEventColumns} from member_event e join channel c on c.id = e.channel_id
      where e.channel_id = ${channelId}::uuid and e.sequence >= ${place.sequence}::bigint
      order by e.sequence limit ${MAX_READ}::int`,
      "frequent",
    );
    return eventsAfter(place, rows);
  }

  findChannel(chatId: number, eventId: string | null): Promise<FollowedChannel | null> {
    return findFollowedChannel(this.#database, chatId, eventId);
  }

  async #readAll(): Promise<void> {
    while (this.#isDirty && this.#channels.size > 0) {
      this.#isDirty = false;
      const feeds = [...this.#channels];
      try {
        const rows = await this.#database.query<Row>(
          statement("event_feed_read_all")`
          select feed.channel_id as "feedId", c.id is null as "isGone", ${memberEventColumns}
          from unnest(${feeds.map(([id]) => id)}::uuid[], ${feeds.map(([, { last }]) => last.sequence)}::bigint[])
              as feed (channel_id, last)
            left join channel c on c.id = feed.channel_id
            left join lateral (
              select * from member_event e where e.channel_id = feed.channel_id and e.sequence >= feed.last
              order by e.sequence limit ${MAX_READ}::int
            ) e on true
          order by feed.channel_id, e.sequence`,
          "frequent",
        );
        const rowsOf = new Map<string, Row[]>(feeds.map(([id]) => [id, []]));
        for (const row of rows) rowsOf.get(row.feedId)?.push(row);
        for (const [channelId, feed] of feeds) this.#deliver(channelId, feed, rowsOf.get(channelId) ?? []);
      } catch (error) {
        this.#onError(error);
      }
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }

  #deliver(channelId: string, feed: ChannelFeed, rows: readonly Row[]): void {
    const found = rows.filter((row): row is Row & { readonly id: string } => row.id !== null);
    const events = rows[0]?.isGone === false ? eventsAfter(feed.last, found) : null;
    if (events === null) {
      feed.isGone = true;
      this.#forget(channelId, feed);
      feed.wake();
    } else if (events.length > 0) {
      feed.add(events);
      if (found.length === MAX_READ) this.#isDirty = true;
    }
  }

  #forget(channelId: string, feed: ChannelFeed): void {
    if (this.#channels.get(channelId) === feed) this.#channels.delete(channelId);
    if (this.#channels.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
