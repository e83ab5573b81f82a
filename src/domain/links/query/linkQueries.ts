import DataLoader from "dataloader";
import sql, { type Sql } from "sql-template-tag";
import type { Database, StatementUse } from "../../../database/database.js";
import { type PageArguments, readPageArguments } from "../../paging/arguments.js";
import {
  bounds,
  type CountedPage,
  emptyList,
  type NumberedPage,
  type NumberedPageArguments,
  readList,
  readNumberedList,
  type SqlList,
} from "../../paging/list.js";
import type { Ordering } from "../../paging/ordering.js";
import { anyOf, type PageSource, readPage, type Slice } from "../../paging/page.js";
import { type Caller, requireChannel } from "../../shared/caller.js";
import { Problems } from "../../shared/errors.js";
import { parseId } from "../../shared/ids.js";
import { lazy } from "../../shared/lazy.js";
import type { Tag } from "../../tags/tag.js";
import { countInBlocks } from "../counts/bitmaps.js";
import { countsOf, countsOfTags, type FacetCounts, type TagTypeFacet, toFacets } from "../counts/facets.js";
import { type LinkTotals, NO_TOTALS, totalsOf, totalsOfTags } from "../counts/totals.js";
import {
  type InviteLink,
  inviteLinkColumns,
  linkColumnsOfChat,
  type TaggedLink,
  tagsOfLinkColumn,
} from "../inviteLink.js";
import type { Loaders } from "../linkLoaders.js";
import { type LinkSelection, selected } from "../selection.js";
import { skipWholeDays } from "./dayOffsets.js";
import { checkGroups, type InviteLinkFilter, provenAsOf, type ReadFilter, readFilter } from "./filter.js";
import { type InviteLinkOrder, linkOrdering } from "./order.js";
import { tagMergeScan } from "./tagMergeScan.js";

interface LinksAsked {
  readonly chatId: number;
  readonly filter?: InviteLinkFilter | null | undefined;
  readonly orderBy?: readonly InviteLinkOrder[] | null | undefined;
}

export interface LinkPageArguments extends PageArguments, LinksAsked {}

export interface NumberedLinkPageArguments extends NumberedPageArguments, LinksAsked {}

/** Of links with their tags. */
const MOST_AT_ONCE = 500;

/** A page of links, and what is computed over all that match, on every page: each only when asked for, and once. */
export interface LinkPage extends CountedPage<InviteLink> {
  totals(): Promise<LinkTotals>;
  /** One for each type that has a tag in the channel, by name. */
  facets(): Promise<readonly TagTypeFacet[]>;
}

/** Each property by its name: what spreads a page would leave V8 a shape for each. */
const withSums = (
  { edges, hasNextPage, hasPreviousPage, totalCount }: CountedPage<InviteLink>,
  totals: LinkPage["totals"],
  facets: LinkPage["facets"],
): LinkPage => ({
  edges,
  hasNextPage,
  hasPreviousPage,
  totalCount,
  totals: lazy(totals),
  facets: lazy(facets),
});

type TagLinksSource = (tag: Tag) => PageSource<InviteLink>;

/** Of the order that a caller asks for, before the id makes it total. */
const MOST_INDEXED_KEYS = 1;

/**
 * Under tag groups of which few links match many are read. No index is in an order by several things: all links are
 * sorted, or as many as share the first.
 */
function batchUse(
  { conditions, groups }: LinkSelection,
  ordering: Ordering<InviteLink>,
): StatementUse | undefined {
  if (conditions.length > 0 || ordering.length - 1 > MOST_INDEXED_KEYS) return undefined;
  return groups.length === 0 ? "frequent and quick" : "frequent";
}

function listOf(selection: LinkSelection, chatId: number, ordering: Ordering<InviteLink>): SqlList {
  const { channelId, conditions, groups } = selection;
  const { with: prefix, where } = selected(selection);
  // Other conditions than tags are asked of each link; where there is none at all, whole days can be passed by.
  const [isCounted, isWhole] = [conditions.length === 0, conditions.length === 0 && groups.length === 0];
  return {
    with: prefix,
    where,
    columns: linkColumnsOfChat(chatId),
    table: sql`invite_link l`,
    alias: sql`l`,
    slice: tagMergeScan(selection, ordering),
    use: batchUse(selection, ordering),
    count: isCounted ? () => countInBlocks(selection) : undefined,
    leap: isWhole ? (order, offset) => skipWholeDays(channelId, order, offset) : undefined,
  };
}

/** Loaders take whole tags, and know them by their ids. */
const BY_ID = { cacheKeyFn: ({ id }: Tag) => id };

/** The tags whose links are asked for, each in its place. */
const askedTags = (tags: readonly Tag[]): Sql =>
  sql`unnest(${tags.map(({ id }) => id)}::uuid[]) with ordinality as asked(tag_id, place)`;

/** The links of a tag that is asked for: from the index alone, and in the order in which they were created. */
const linksOfAskedTag = sql`(select tag_id, link_id as id, created_at from invite_link_tag) l
  where l.tag_id = asked.tag_id`;

/** Reading links, for one request. */
export class Links {
  readonly #database: Database;
  readonly #caller: Caller;
  readonly #loaders: Loaders;
  /** One set of loaders for each way in which tags' links are asked for, so that all tags of a page share it. */
  readonly #tagLinks = new Map<string, TagLinksSource>();

  constructor(database: Database, caller: Caller, loaders: Loaders) {
    this.#database = database;
    this.#caller = caller;
    this.#loaders = loaders;
  }

  /**
   * A link by its id; null where there is none, where it is in another channel than the one given, and where the
   * caller may not see it.
   * @throws ValidationError for what is no id of a link.
   */
  async find(id: string, chatId?: number | null): Promise<InviteLink | null> {
    const problems = new Problems();
    const linkId = parseId("InviteLink", id, "id", problems);
    problems.check();
    const link = linkId === null ? null : await this.#loaders.inviteLink.load(linkId);
    return link && (chatId == null || link.chatId === chatId) ? link : null;
  }

  /**
   * A page of a channel's links.
   * @throws ForbiddenError for a channel that the caller may not use, ValidationError for what makes no page.
   */
  async page(args: LinkPageArguments): Promise<LinkPage> {
    requireChannel(this.#caller, args.chatId);
    const request = readPageArguments(args);
    const ordering = linkOrdering(args.orderBy);
    const { selection, groups } = this.#read(args);
    const read = async (): Promise<LinkPage> =>
      withSums(
        await readList(this.#database, listOf(selection, args.chatId, ordering), ordering, request),
        () => totalsOf(this.#database, selection),
        () => this.#facets(args.chatId, countsOf(this.#database, selection)),
      );
    // Each link tells which version the channel's tags are of: where there is one, what is remembered of the groups'
    // tags is proven by the page itself.
    const version = provenAsOf(args.chatId, groups, this.#loaders);
    if (version !== null) {
      const page = await read();
      if (page.edges[0]?.node.tagsVersion === version) return page;
    }
    if (await checkGroups(args.chatId, groups, this.#loaders)) return read();
    return withSums(
      await emptyList(ordering, request),
      async () => NO_TOTALS,
      async () => [],
    );
  }

  /**
   * A page of a channel's links, by number, with their tags.
   * @throws ForbiddenError, ValidationError, and RateLimitedError where too many long pages are being read.
   */
  async numberedPage(args: NumberedLinkPageArguments): Promise<NumberedPage<TaggedLink>> {
    requireChannel(this.#caller, args.chatId);
    const { selection, groups } = this.#read(args);
    if (!(await checkGroups(args.chatId, groups, this.#loaders))) return { total: 0, rows: [] };
    const ordering = linkOrdering(args.orderBy);
    const list = listOf(selection, args.chatId, ordering);
    // Of a page that is held at once the tags are looked up; of a long one they are read with the links.
    const isShort = args.size !== null && args.size <= MOST_AT_ONCE;
    const columns = isShort ? list.columns : sql`${list.columns}, ${tagsOfLinkColumn}`;
    const page = await readNumberedList<TaggedLink>(
      this.#database,
      { ...list, columns },
      ordering,
      args,
      MOST_AT_ONCE,
    );
    if (!("rows" in page)) return page;
    const tags = await Promise.all(page.rows.map((link) => this.#loaders.tagsOf(link)));
    return {
      total: page.total,
      rows: page.rows.map((link, index) => ({ ...link, tags: tags[index] ?? [] })),
    };
  }

  #read({ chatId, filter }: LinksAsked): ReadFilter {
    return readFilter(chatId, filter ?? {}, new Date());
  }

  /** A page of the links that carry a tag, the newest first; the pages of many tags are read in one statement. */
  async pageOfTag(tag: Tag, args: PageArguments): Promise<LinkPage> {
    const request = readPageArguments(args);
    const source = this.#tagSource(JSON.stringify(request))(tag);
    const { edges, hasNextPage, hasPreviousPage } = await readPage(linkOrdering(null), request, source);
    return withSums(
      { edges, hasNextPage, hasPreviousPage, totalCount: () => this.#countOfTag.load(tag) },
      () => this.#totalsOfTag.load(tag),
      () => this.#facets(tag.chatId, this.#facetCountsOfTag.load(tag)),
    );
  }

  async #facets(chatId: number, counts: Promise<FacetCounts>): Promise<TagTypeFacet[]> {
    const [types, counted] = await Promise.all([this.#loaders.tagsOfChat.load(chatId), counts]);
    return toFacets(types, counted);
  }

  #tagSource(way: string): TagLinksSource {
    const known = this.#tagLinks.get(way);
    if (known) return known;
    // All tags asked in the same way share the slice and the condition: whichever came last is everybody's.
    let slice: Slice | undefined;
    const rows = new DataLoader<Tag, InviteLink[], string>(
      (tags) => this.#rowsOfTags(tags, slice as Slice),
      BY_ID,
    );
    const existence = new Map<string, DataLoader<Tag, boolean, string>>();
    const source: TagLinksSource = (tag) => ({
      rows: (asked) => {
        slice = asked;
        return rows.load(tag);
      },
      exists: (stretches) => {
        const condition = anyOf(stretches);
        const key = condition.text;
        let loader = existence.get(key);
        if (!loader) {
          loader = new DataLoader<Tag, boolean, string>((tags) => this.#existOfTags(tags, condition), BY_ID);
          existence.set(key, loader);
        }
        return loader.load(tag);
      },
    });
    this.#tagLinks.set(way, source);
    return source;
  }

  async #rowsOfTags(tags: readonly Tag[], slice: Slice): Promise<InviteLink[][]> {
    // OFFSET 0 has each link looked up by its id: the planner cannot know how short the slices are.
    const rows = await this.#database.query<InviteLink & { tagId: string }>(sql`
      select asked.tag_id as "tagId", ${inviteLinkColumns}
      from ${askedTags(tags)}
      cross join lateral (
        select l.id from ${linksOfAskedTag} and ${anyOf(slice.stretches)}
        order by ${slice.orderBy} ${bounds(slice)}
      ) found
      cross join lateral (select l.* from invite_link l where l.id = found.id offset 0) l
      join channel c on c.id = l.channel_id
      order by asked.place, ${slice.orderBy}`);
    const links = new Map<string, InviteLink[]>(tags.map(({ id }) => [id, []]));
    for (const { tagId, ...link } of rows) links.get(tagId)?.push(link);
    return tags.map(({ id }) => links.get(id) ?? []);
  }

  async #existOfTags(tags: readonly Tag[], condition: Sql): Promise<boolean[]> {
    const rows = await this.#database.query<{ tagId: string }>(sql`
      select asked.tag_id as "tagId" from ${askedTags(tags)}
      where exists (select from ${linksOfAskedTag} and ${condition})`);
    const found = new Set(rows.map(({ tagId }) => tagId));
    return tags.map(({ id }) => found.has(id));
  }

  readonly #countOfTag = new DataLoader<Tag, number, string>(async (tags) => {
    const rows = await this.#database.query<{ tagId: string; count: number }>(sql`
      select tag_id as "tagId", sum(bit_count(links))::bigint as count from block_tag
      where tag_id = any(${tags.map(({ id }) => id)}::uuid[]) group by tag_id`);
    const counts = new Map(rows.map(({ tagId, count }) => [tagId, count]));
    return tags.map(({ id }) => counts.get(id) ?? 0);
  }, BY_ID);

  readonly #totalsOfTag = new DataLoader<Tag, LinkTotals, string>(
    (tags) => totalsOfTags(this.#database, tags),
    BY_ID,
  );

  readonly #facetCountsOfTag = new DataLoader<Tag, FacetCounts, string>(
    (tags) => countsOfTags(this.#database, tags),
    BY_ID,
  );
}
