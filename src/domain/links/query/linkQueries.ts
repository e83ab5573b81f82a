import { join } from "sql-template-tag";
import type { Database } from "../../../database/database.js";
import { type PageArguments, readPageArguments } from "../../paging/arguments.js";
import {
  type CountedPage,
  emptyList,
  type NumberedPage,
  type NumberedPageArguments,
  readList,
  readNumberedList,
} from "../../paging/list.js";
import { readPage } from "../../paging/page.js";
import { type Caller, requireChannel } from "../../shared/caller.js";
import { Problems } from "../../shared/errors.js";
import { parseId } from "../../shared/ids.js";
import type { Tag } from "../../tags/tag.js";
import { type InviteLink, tagsOfLinkColumn } from "../inviteLink.js";
import type { Loaders } from "../linkLoaders.js";
import { type CountedLink, statsOfLinkColumn } from "../stats/memberCounts.js";
import { type InviteLinkFilter, parseFilter } from "./filter.js";
import { checkGroups, readWhenChecked } from "./groupCheck.js";
import { readWithProof } from "./groupProof.js";
import { linkList } from "./linkList.js";
import { type LinkSums, sumsOfNothing, sumsOfSelection, sumsOfTag } from "./linkSums.js";
import { type InviteLinkOrder, linkOrdering } from "./order.js";
import { TagLinkLoaders } from "./tagLinkLoaders.js";

interface LinkListArguments {
  readonly chatId: number;
  readonly filter?: InviteLinkFilter | null | undefined;
  /** Null or empty: the newest links come first. */
  readonly orderBy?: readonly InviteLinkOrder[] | null | undefined;
}

export interface LinkPageArguments extends PageArguments, LinkListArguments {
  /** Whether the links have the counters of their members; see hasCounts. */
  readonly withCounts?: boolean;
}

export interface NumberedLinkPageArguments extends NumberedPageArguments, LinkListArguments {
  /** Whether each link has `stats`. */
  readonly withStats?: boolean;
}

/** The largest page of links with their tags that is held in memory; a longer page is read in portions. */
const MAX_LINKS_IN_MEMORY = 500;

/** A page of links, with what is computed over all links that match, on every page. */
export interface LinkPage extends CountedPage<InviteLink>, LinkSums {}

/** Names each property: spreading the page would give V8 a shape for each kind of page. */
const withSums = (
  { edges, hasNextPage, hasPreviousPage, totalCount }: CountedPage<InviteLink>,
  { totals, members, removedCount, retention, facets, groups, series }: LinkSums,
): LinkPage => ({
  edges,
  hasNextPage,
  hasPreviousPage,
  totalCount,
  totals,
  members,
  removedCount,
  retention,
  facets,
  groups,
  series,
});

/** Queries of links, for one request. */
export class Links {
  readonly #database: Database;
  readonly #caller: Caller;
  readonly #loaders: Loaders;
  #tagLinkLoaders: TagLinkLoaders | undefined;

  constructor(database: Database, caller: Caller, loaders: Loaders) {
    this.#database = database;
    this.#caller = caller;
    this.#loaders = loaders;
  }

  /**
   * A link by its id. Null if there is no such link, if it is in another chat than the one given, and if the caller may
   * not see it.
   * @throws ValidationError for a malformed id.
   */
  async find(id: string, chatId?: number | null): Promise<InviteLink | null> {
    const problems = new Problems();
    const linkId = parseId("InviteLink", id, "id", problems);
    problems.check();
    const link = linkId === null ? null : await this.#loaders.inviteLink.load(linkId);
    return link && (chatId == null || link.chatId === chatId) ? link : null;
  }

  /**
   * A page of a chat's links.
   * @throws ForbiddenError for a chat that the caller may not use, ValidationError for unacceptable arguments.
   */
  async page(args: LinkPageArguments): Promise<LinkPage> {
    const { chatId, filter, orderBy, withCounts = false } = args;
    requireChannel(this.#caller, chatId);
    const request = readPageArguments(args);
    const ordering = linkOrdering(orderBy);
    const { selection, groups } = parseFilter(chatId, filter ?? {}, new Date());
    const read = async (): Promise<LinkPage> =>
      withSums(
        await readList(this.#database, linkList(selection, chatId, ordering, withCounts), ordering, request),
        sumsOfSelection(this.#sumServices(chatId), selection),
      );
    const { tagCache } = this.#loaders;
    // Only the links of a page prove that the groups are right.
    const readUnderGroups = tagCache && request.withRows ? readWithProof(tagCache) : readWhenChecked;
    const page = await readUnderGroups({ chatId, groups }, this.#loaders, read);
    if (page) return page;
    return withSums(await emptyList(ordering, request), sumsOfNothing({ loaders: this.#loaders }));
  }

  /**
   * A page of a chat's links with their tags, by number.
   * @throws ForbiddenError, ValidationError, and RateLimitedError while too many long pages are being read.
   */
  async numberedPage(args: NumberedLinkPageArguments): Promise<NumberedPage<CountedLink>> {
    const { chatId, filter, orderBy, size, withStats = false } = args;
    requireChannel(this.#caller, chatId);
    const { selection, groups } = parseFilter(chatId, filter ?? {}, new Date());
    if (!(await checkGroups({ chatId, groups }, this.#loaders))) return { total: 0, rows: [] };
    const ordering = linkOrdering(orderBy);
    const list = linkList(selection, chatId, ordering, false);
    // The loaders give the tags of a page that is held in memory; the tags of a long page are read with the links.
    const isShort = size !== null && size <= MAX_LINKS_IN_MEMORY;
    const further = [...(isShort ? [] : [tagsOfLinkColumn]), ...(withStats ? [statsOfLinkColumn] : [])];
    const columns = join([list.columns, ...further]);
    const page = await readNumberedList<CountedLink>(
      this.#database,
      { ...list, columns },
      ordering,
      args,
      MAX_LINKS_IN_MEMORY,
    );
    if (!("rows" in page)) return page;
    const tags = await Promise.all(page.rows.map((link) => this.#loaders.tagsOf(link)));
    return {
      total: page.total,
      rows: page.rows.map((link, index) => ({ ...link, tags: tags[index] ?? [] })),
    };
  }

  /** A page of the links that carry a tag, the newest first. The pages of many tags are read in one statement. */
  async pageOfTag(tag: Tag, args: PageArguments): Promise<LinkPage> {
    const request = readPageArguments(args);
    const loaders = this.#linksOfTags;
    const { edges, hasNextPage, hasPreviousPage } = await readPage(
      linkOrdering(null),
      request,
      loaders.pageSource(tag),
    );
    return withSums(
      { edges, hasNextPage, hasPreviousPage, totalCount: () => loaders.count.load(tag) },
      sumsOfTag(this.#sumServices(tag.chatId), tag, loaders),
    );
  }

  get #linksOfTags(): TagLinkLoaders {
    this.#tagLinkLoaders ??= new TagLinkLoaders(this.#database);
    return this.#tagLinkLoaders;
  }

  #sumServices(chatId: number) {
    return { database: this.#database, loaders: this.#loaders, chatId };
  }
}
