import sql, { join } from "sql-template-tag";
import type { Database } from "../../database/database.js";
import { statement } from "../../database/statement.js";
import type { ChannelLoaders } from "../channels/channelLoaders.js";
import { type PageArguments, readPageArguments } from "../paging/arguments.js";
import {
  type CountedPage,
  emptyList,
  type ListStatements,
  type NumberedPage,
  type NumberedPageArguments,
  readList,
  readNumberedList,
  type SqlList,
} from "../paging/list.js";
import { type Order, type Ordering, type OrderKey, totalOrdering } from "../paging/ordering.js";
import { type Caller, requireChannel } from "../shared/caller.js";
import { Problems } from "../shared/errors.js";
import { parseId } from "../shared/ids.js";
import { foldName, isStorable } from "../shared/text.js";
import { linksOfTagColumn, type Tag, type TagWithLinks, tagColumns, tagJoins } from "./tag.js";
import type { TagLoaders } from "./tagLoaders.js";

type Key = OrderKey<Tag>;

const ORDER_KEYS = {
  NAME: { name: "name", column: sql`t.name_key`, type: "text", valueOf: ({ nameKey }) => nameKey },
  CREATED_AT: {
    name: "created",
    column: sql`t.created_at`,
    type: "timestamptz",
    valueOf: ({ createdAt }) => createdAt,
  },
} satisfies Record<string, Key>;

const ID: Key = { name: "id", column: sql`t.id`, type: "uuid", valueOf: ({ id }) => id };

export type TagOrder = Order<keyof typeof ORDER_KEYS>;

const BY_NAME: TagOrder = { field: "NAME", direction: "ASC" };

const tagOrdering = (orders?: readonly TagOrder[]): Ordering<Tag> =>
  totalOrdering<Tag, TagOrder["field"]>(ORDER_KEYS, ID, BY_NAME, orders);

/** The largest number of tags that are read with their links at a time. Each tag can have 1,000 links. */
const MAX_AT_ONCE = 10;

interface TagSelection {
  readonly chatId: number;
  readonly name?: string | null | undefined;
  readonly typeId?: string | null | undefined;
}

export interface TagPageArguments extends PageArguments, TagSelection {}

export interface NumberedTagPageArguments extends NumberedPageArguments, TagSelection {
  /** Empty for an order by name. */
  readonly orderBy: readonly TagOrder[];
}

const STATEMENTS: ListStatements = {
  page: statement("tags_page"),
  exists: statement("tags_beyond"),
  count: statement("tags_count"),
};

/** Reads tags, for one request. */
export class Tags {
  readonly #database: Database;
  readonly #caller: Caller;
  readonly #loaders: ChannelLoaders & TagLoaders;

  constructor(database: Database, caller: Caller, loaders: ChannelLoaders & TagLoaders) {
    this.#database = database;
    this.#caller = caller;
    this.#loaders = loaders;
  }

  /**
   * @returns null if there is no such tag or the caller may not see it.
   * @throws ValidationError if `id` is not the id of a tag.
   */
  async find(id: string): Promise<Tag | null> {
    const problems = new Problems();
    const tagId = parseId("Tag", id, "id", problems);
    problems.check();
    return tagId === null ? null : this.#loaders.tag.load(tagId);
  }

  /** As `find`, with the links that carry the tag. */
  async findWithLinks(id: string): Promise<TagWithLinks | null> {
    const tag = await this.find(id);
    if (tag === null) return null;
    const [found] = await this.#database.query<TagWithLinks>(statement("tag_with_links")`
      select ${tagColumns}, ${linksOfTagColumn} from tag t ${tagJoins} where t.id = ${tag.id}::uuid`);
    return found ?? null;
  }

  /**
   * A page of a channel's tags by cursor, sorted by name; empty if the chat has no channel.
   * @throws ValidationError; ForbiddenError if the caller may not use the chat.
   */
  async page(args: TagPageArguments): Promise<CountedPage<Tag>> {
    requireChannel(this.#caller, args.chatId);
    const request = readPageArguments(args);
    const list = await this.#list(args);
    if (list === null) return emptyList(tagOrdering(), request);
    return readList(this.#database, list, tagOrdering(), request);
  }

  /**
   * A page of a channel's tags by number, with the links that carry each tag.
   * @throws ForbiddenError, ValidationError; RateLimitedError while too many long pages are being read.
   */
  async numberedPage(args: NumberedTagPageArguments): Promise<NumberedPage<TagWithLinks>> {
    requireChannel(this.#caller, args.chatId);
    const list = await this.#list(args);
    if (list === null) return { total: 0, rows: [] };
    const withLinks = { ...list, columns: sql`${tagColumns}, ${linksOfTagColumn}` };
    const ordering = tagOrdering(args.orderBy);
    return readNumberedList<TagWithLinks>(this.#database, withLinks, ordering, args, MAX_AT_ONCE);
  }

  /** The list of the selected tags; null if the chat has no channel. @throws ValidationError */
  async #list({ chatId, name, typeId }: TagSelection): Promise<SqlList | null> {
    const problems = new Problems();
    const type = typeId == null ? null : parseId("TagType", typeId, "typeId", problems);
    if (name && !isStorable(name)) problems.add("name", "Must be well-formed Unicode without NUL.");
    problems.check();
    const channel = await this.#loaders.channelByChatId.load(chatId);
    if (channel === null) return null;
    const conditions = [sql`t.channel_id = ${channel.id}::uuid`];
    if (type !== null) conditions.push(sql`t.type_id = ${type}::uuid`);
    if (name) conditions.push(sql`strpos(t.name_key, ${foldName(name)}) > 0`);
    return {
      statements: STATEMENTS,
      columns: tagColumns,
      table: sql`tag t`,
      alias: sql`t`,
      joins: tagJoins,
      where: join(conditions, " and "),
    };
  }
}
