import sql, { join } from "sql-template-tag";
import type { Database } from "../../database/database.js";
import { type Caller, requireChannel } from "../access/caller.js";
import { Problems } from "../errors.js";
import { parseId } from "../ids.js";
import type { Loaders } from "../loaders.js";
import { type PageArguments, readPageArguments } from "../paging/arguments.js";
import { type CountedPage, emptyList, readList } from "../paging/list.js";
import type { Ordering } from "../paging/ordering.js";
import { foldName, isStorable } from "../text.js";
import { type Tag, tagColumns, tagJoins } from "./tag.js";

const BY_NAME: Ordering<Tag> = [
  {
    key: { name: "name", column: sql`t.name_key`, type: "text", valueOf: ({ nameKey }) => nameKey },
    direction: "ASC",
  },
  { key: { name: "id", column: sql`t.id`, type: "uuid", valueOf: ({ id }) => id }, direction: "ASC" },
];

export interface TagPageArguments extends PageArguments {
  readonly channelId: number;
  readonly name?: string | null | undefined;
  readonly typeId?: string | null | undefined;
}

/** Reading tags, for one request. */
export class Tags {
  readonly #database: Database;
  readonly #caller: Caller;
  readonly #loaders: Loaders;

  constructor(database: Database, caller: Caller, loaders: Loaders) {
    this.#database = database;
    this.#caller = caller;
    this.#loaders = loaders;
  }

  /**
   * Null where there is no such tag, and where the caller may not see it.
   * @throws ValidationError for what is no id of a tag.
   */
  async find(id: string): Promise<Tag | null> {
    const problems = new Problems();
    const tagId = parseId("Tag", id, "id", problems);
    problems.check();
    return tagId === null ? null : this.#loaders.tag.load(tagId);
  }

  /** A page of a channel's tags, by name. */
  async page(args: TagPageArguments): Promise<CountedPage<Tag>> {
    requireChannel(this.#caller, args.channelId);
    const request = readPageArguments(args);
    const problems = new Problems();
    const typeId = args.typeId == null ? null : parseId("TagType", args.typeId, "typeId", problems);
    if (args.name && !isStorable(args.name)) problems.add("name", "Must be well-formed Unicode without NUL.");
    problems.check();
    const channel = await this.#loaders.channelByChatId.load(args.channelId);
    if (channel === null) return emptyList(BY_NAME, request);

    const conditions = [sql`t.channel_id = ${channel.id}::uuid`];
    if (typeId !== null) conditions.push(sql`t.type_id = ${typeId}::uuid`);
    if (args.name) conditions.push(sql`strpos(t.name_key, ${foldName(args.name)}) > 0`);
    const list = {
      columns: tagColumns,
      table: sql`tag t`,
      joins: tagJoins,
      where: join(conditions, " and "),
    };
    return readList(this.#database, list, BY_NAME, request);
  }
}
