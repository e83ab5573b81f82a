import sql, { join } from "sql-template-tag";
import { type Database, isUniqueViolation } from "../../database/database.js";
import { type Caller, requireChannel, requireEveryChannel, requireRole } from "../access/caller.js";
import { audit } from "../audit.js";
import { Problems, ValidationError } from "../errors.js";
import { newId, parseId } from "../ids.js";
import type { Loaders } from "../loaders.js";
import { type PageArguments, readPageArguments } from "../paging/arguments.js";
import { type CountedPage, emptyList, readList } from "../paging/list.js";
import type { Ordering } from "../paging/ordering.js";
import { foldName, isStorable, tidyName } from "../text.js";
import { type Tag, type TagType, tagColumns, tagTypeColumns } from "./tag.js";

const MAX_NAME_CODE_POINTS = 64;

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

export interface CreateTagInput {
  readonly channelId: number;
  readonly name: string;
  readonly color: string;
  readonly tagTypeId: string;
}

function readColor(text: string, problems: Problems): string {
  if (!/^#[0-9a-f]{6}$/i.test(text)) problems.add("color", "Must be a color as #RRGGBB.");
  return text.toUpperCase();
}

/** Runs what may find a name taken, and says so. */
async function refusingTwins<T>(work: Promise<T>, message: string): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw isUniqueViolation(error) ? new ValidationError([{ field: "name", message }]) : error;
  }
}

/** Tags and their types, for one request. */
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
      joins: sql`join channel c on c.id = t.channel_id`,
      where: join(conditions, " and "),
    };
    return readList(this.#database, list, BY_NAME, request);
  }

  /** All tag types, by name. */
  types(): Promise<TagType[]> {
    return this.#database.query<TagType>(
      sql`select ${tagTypeColumns} from tag_type y order by y.name_key, y.id`,
    );
  }

  /** @throws ForbiddenError, ValidationError where the name is not acceptable or taken (case folded). */
  async createType(input: { readonly name: string }): Promise<TagType> {
    requireRole(this.#caller, "EDITOR");
    requireEveryChannel(this.#caller);
    const problems = new Problems();
    const name = tidyName(input.name, MAX_NAME_CODE_POINTS, "name", problems);
    problems.check();
    const type = { id: newId(), name };
    const stored = this.#database.transaction(async (unit) => {
      await unit.prisma.tagType.create({ data: { ...type, nameKey: foldName(name), createdAt: new Date() } });
      await audit(unit, this.#caller, { action: "tagType.create", subjectId: type.id, change: { name } });
    });
    await refusingTwins(stored, "There is a tag type of this name already.");
    return type;
  }

  /** @throws ForbiddenError, ValidationError where the channel is not known, or the name taken within channel and type. */
  async create(input: CreateTagInput): Promise<Tag> {
    requireRole(this.#caller, "EDITOR");
    requireChannel(this.#caller, input.channelId);
    const problems = new Problems();
    const name = tidyName(input.name, MAX_NAME_CODE_POINTS, "name", problems);
    const color = readColor(input.color, problems);
    const typeId = parseId("TagType", input.tagTypeId, "tagTypeId", problems);
    const [channel, type] = await Promise.all([
      this.#loaders.channelByChatId.load(input.channelId),
      typeId && this.#loaders.tagType.load(typeId),
    ]);
    if (channel === null)
      problems.add("channelId", "This channel is not known yet; connect it first, with connectChannel.");
    if (typeId !== null && !type) problems.add("tagTypeId", "There is no such tag type.");
    problems.check();
    if (!channel || !type) throw new TypeError("A problem was not said.");

    const data = {
      id: newId(),
      channelId: channel.id,
      typeId: type.id,
      name,
      nameKey: foldName(name),
      color,
      createdAt: new Date(),
    };
    const stored = this.#database.transaction(async (unit) => {
      await unit.prisma.tag.create({ data });
      const change = { name, color, typeId: type.id };
      await audit(unit, this.#caller, {
        action: "tag.create",
        subjectId: data.id,
        channelId: channel.id,
        change,
      });
    });
    await refusingTwins(stored, "There is a tag of this name and type in the channel already.");
    return { ...data, chatId: channel.chatId, updatedAt: null };
  }
}
