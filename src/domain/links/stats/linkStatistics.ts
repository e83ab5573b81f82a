import DataLoader from "dataloader";
import sql from "sql-template-tag";
import type { Database } from "../../../database/database.js";
import { statement } from "../../../database/statement.js";
import { type Membership, membershipColumns } from "../../activity/membership.js";
import { type PageArguments, readPageArguments } from "../../paging/arguments.js";
import { batchUse, inKeyOrder, isOneOf, UUID } from "../../paging/batchLoading.js";
import { type CountedPage, emptyList } from "../../paging/list.js";
import type { Ordering } from "../../paging/ordering.js";
import { anyOf, limitOf, readPage } from "../../paging/page.js";
import { type ListsOfKeys, SharedPages } from "../../paging/sharedPages.js";
import { bucketsOf, type SeriesArguments } from "../../time/buckets.js";
import type { SeriesBucket } from "../../time/series.js";
import type { InviteLink } from "../inviteLink.js";
import type { Loaders } from "../linkLoaders.js";
import { readSeries } from "./linkSeries.js";
import { eachLink } from "./linkSource.js";
import {
  hasCounts,
  type LinkWithCounts,
  type MemberCounts,
  memberCountColumns,
  NO_COUNTS,
} from "./memberCounts.js";
import { NO_RETENTION, type Retention, readRetention } from "./retention.js";

const LATEST_FIRST: Ordering<Membership> = [
  {
    key: {
      name: "joined",
      column: sql`m.joined_at`,
      type: "timestamptz",
      valueOf: ({ joinedAt }) => joinedAt,
    },
    direction: "DESC",
  },
  { key: { name: "id", column: sql`m.id`, type: "uuid", valueOf: ({ id }) => id }, direction: "DESC" },
];

/** A loader whose keys are links; links with the same id are the same key. */
const loaderByLink = <Value>(load: (links: readonly InviteLink[]) => Promise<Value[]>) =>
  new DataLoader<InviteLink, Value, string>(load, { cacheKeyFn: ({ id }) => id });

/** The members of links, with a condition on `membership m`. */
function membersOfLinks(database: Database, condition = sql`true`): ListsOfKeys<InviteLink, Membership> {
  const givenLinks = (links: readonly InviteLink[]) => sql`
    unnest(${links.map(({ id }) => id)}::uuid[], ${links.map(({ channelId }) => channelId)}::uuid[])
      with ordinality as batch (link_id, channel_id, place)`;
  const ofLink = sql`m.channel_id = batch.channel_id and m.link_id = batch.link_id and ${condition}`;
  return {
    idOf: ({ id }) => id,
    async rows(links, slice) {
      const rows = await database.query<Membership>(statement("link_members_page")`
        select ${membershipColumns} from ${givenLinks(links)}
        cross join lateral (
          select m.* from membership m where ${ofLink} and ${anyOf(slice.ranges)}
          order by ${slice.orderBy} ${limitOf(slice)}
        ) m
        join channel c on c.id = m.channel_id
        order by batch.place, ${slice.orderBy}`);
      const members = new Map<string | null, Membership[]>(links.map(({ id }) => [id, []]));
      for (const row of rows) members.get(row.linkId)?.push(row);
      return links.map(({ id }) => members.get(id) ?? []);
    },
    async exists(links, range) {
      const rows = await database.query<{ linkId: string }>(statement("link_members_beyond")`
        select batch.link_id as "linkId" from ${givenLinks(links)}
        where exists (select from membership m where ${ofLink} and ${range})`);
      const found = new Set(rows.map(({ linkId }) => linkId));
      return links.map(({ id }) => found.has(id));
    },
  };
}

/** Which members of a link are listed: all, those who are still in the channel, or those who left. */
type Presence = "all" | "active" | "left";
const presenceOf = (isActive: boolean | null): Presence =>
  isActive === null ? "all" : isActive ? "active" : "left";

/**
 * What member updates have counted of single links, for one request. Each method reads the links of a whole page in one
 * statement. The caller must be allowed to see the links.
 */
export class LinkStatistics {
  readonly #loaders: Loaders;
  readonly #counts: DataLoader<InviteLink, LinkWithCounts, string>;
  readonly #retention: DataLoader<InviteLink, readonly Retention[], string>;
  readonly #series = new Map<string, DataLoader<InviteLink, SeriesBucket[], string>>();
  readonly #members: Readonly<Record<Presence, SharedPages<InviteLink, Membership>>>;
  readonly #database: Database;

  constructor(database: Database, loaders: Loaders) {
    this.#database = database;
    this.#loaders = loaders;
    this.#counts = loaderByLink(async (links) => {
      const ids = links.map(({ id }) => id);
      const rows = await database.query<MemberCounts & { linkId: string }>(
        statement("link_activity_by_id")`
          select a.link_id as "linkId", ${memberCountColumns} from link_activity a
          where ${isOneOf(sql`a.link_id`, ids, UUID)}`,
        batchUse(ids),
      );
      const found = inKeyOrder(ids, rows, ({ linkId }) => linkId);
      return links.map((link, index) => ({ ...link, ...(found[index] ?? NO_COUNTS) }));
    });
    this.#retention = loaderByLink(async (links) => {
      const found = await readRetention(database, eachLink(links), new Date());
      return links.map(({ id }) => found.get(id) ?? NO_RETENTION);
    });
    this.#members = {
      all: new SharedPages(membersOfLinks(database)),
      active: new SharedPages(membersOfLinks(database, sql`m.left_at is null`)),
      left: new SharedPages(membersOfLinks(database, sql`m.left_at is not null`)),
    };
  }

  /** The link with its counters. Those that came with the link are given at once: promises take time, 50 for a page. */
  withCounts(link: InviteLink): LinkWithCounts | Promise<LinkWithCounts> {
    return hasCounts(link) ? link : this.#counts.load(link);
  }

  retention(link: InviteLink): Promise<readonly Retention[]> {
    return this.#retention.load(link);
  }

  /** @throws ValidationError */
  async series(link: InviteLink, args: SeriesArguments): Promise<SeriesBucket[]> {
    const buckets = bucketsOf(args, args.timeZone ?? (await this.#timeZoneOf(link)));
    const key = JSON.stringify(buckets.borders);
    const loader =
      this.#series.get(key) ??
      loaderByLink((links) =>
        readSeries(
          this.#database,
          eachLink(links),
          buckets,
          links.map(({ id }) => id),
        ),
      );
    this.#series.set(key, loader);
    return loader.load(link);
  }

  /**
   * A page of the members who came by a link, the latest first.
   * @param isActive true: who is still in the channel; false: who left; null: both.
   * @throws ValidationError
   */
  async members(
    link: InviteLink,
    isActive: boolean | null,
    args: PageArguments,
  ): Promise<CountedPage<Membership>> {
    const presence = presenceOf(isActive);
    // The members refer to the link, which is here already.
    this.#loaders.inviteLink.prime(link.id, link);
    const request = readPageArguments(args);
    const totalCount = async (): Promise<number> => {
      const { joinCount, activeCount, leaveCount } = await this.withCounts(link);
      return { all: joinCount, active: activeCount, left: leaveCount }[presence];
    };
    // Without this, all members of the link would be read to find nobody.
    if (presence !== "all" && (await totalCount()) === 0) return emptyList(LATEST_FIRST, request);
    const page = await readPage(LATEST_FIRST, request, this.#members[presence].source(link));
    return { totalCount, ...page };
  }

  async #timeZoneOf({ channelId }: InviteLink): Promise<string> {
    return (await this.#loaders.channel.load(channelId))?.timeZone ?? "UTC";
  }
}
