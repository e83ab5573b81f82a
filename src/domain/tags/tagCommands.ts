import type { Database, UnitOfWork } from "../../database/database.js";
import type { Tag as TagRow } from "../../database/generated/prisma/client.js";
import { statement } from "../../database/statement.js";
import { audit, differences } from "../shared/audit.js";
import { type Caller, mayUseChannel, requireChannel, requireRole } from "../shared/caller.js";
import { NotFoundError, Problems } from "../shared/errors.js";
import { idBeginning, newId, parseId } from "../shared/ids.js";
import { foldName } from "../shared/text.js";
import { readName, refuseTakenName } from "./names.js";
import type { Tag, TagType } from "./tag.js";

const TAKEN = "There is a tag of this name and type in the channel already.";

export interface CreateTagInput {
  readonly chatId: number;
  readonly name: string;
  readonly color: string;
  readonly tagTypeId: string;
}

/** A field left out keeps its value; null is refused. */
export interface UpdateTagInput {
  readonly id: string;
  /** The chat in which the tag must be; left out for any chat. */
  readonly chatId?: number;
  readonly name?: string | null | undefined;
  readonly color?: string | null | undefined;
  readonly tagTypeId?: string | null | undefined;
}

const CHANGEABLE = ["name", "color", "tagTypeId"] as const satisfies (keyof UpdateTagInput)[];

function readColor(text: string, problems: Problems): string {
  if (!/^#[0-9a-f]{6}$/i.test(text)) problems.add("color", "Must be a color as #RRGGBB.");
  return text.toUpperCase();
}

/**
 * Reads a tag type and keeps it from being deleted before the transaction ends.
 * @returns null if there is no such type, which is added to `problems`.
 */
async function lockType(unit: UnitOfWork, id: string, problems: Problems): Promise<TagType | null> {
  await unit.execute(statement("tag_lock_type")`select from tag_type where id = ${id}::uuid for key share`);
  const type = await unit.prisma.tagType.findUnique({ where: { id } });
  if (!type) problems.add("tagTypeId", "There is no such tag type.");
  return type;
}

/**
 * Reads the channel of a chat and keeps it from being deleted before the transaction ends.
 * @returns null if the chat has no channel, which is added to `problems`.
 */
async function lockChannel(unit: UnitOfWork, chatId: number, problems: Problems) {
  await unit.execute(
    statement("tag_lock_channel")`select from channel where chat_id = ${chatId}::bigint for key share`,
  );
  const channel = await unit.prisma.channel.findUnique({ where: { chatId: BigInt(chatId) } });
  if (!channel)
    problems.add("channelId", "This channel is not known yet; connect it first, with connectChannel.");
  return channel;
}

const toTag = ({ createdAt, updatedAt, ...tag }: TagRow, chatId: number, typeName: string): Tag => ({
  ...tag,
  chatId,
  typeName,
  createdAt: createdAt.toISOString(),
  updatedAt: updatedAt?.toISOString() ?? null,
});

/**
 * Takes a tag from every link that carries it, with an audit entry for each link. One statement for all, so that who is told of
 * an entry sees the link without the tag.
 */
async function untagLinks(unit: UnitOfWork, caller: Caller, tagId: string): Promise<void> {
  // The statement makes the ids, because a tag can have very many links.
  const beginning = idBeginning(Date.now());
  const change = JSON.stringify({ addTagIds: [], removeTagIds: [tagId] });
  await unit.execute(statement("tag_untag_links")`
    with untagged as (
      delete from invite_link_tag where tag_id = ${tagId}::uuid returning link_id, channel_id
    )
    insert into audit_entry (id, at, caller, action, subject_id, channel_id, change)
    select (${beginning}::text || substr(gen_random_uuid()::text, 16))::uuid, now(), ${caller.key}::text, 'inviteLink.setTags',
      link_id, channel_id, ${change}::jsonb
    from untagged`);
}

/** Creates, updates and deletes tags, for one request. */
export class TagCommands {
  readonly #database: Database;
  readonly #caller: Caller;

  constructor(database: Database, caller: Caller) {
    this.#database = database;
    this.#caller = caller;
  }

  /** @throws ForbiddenError; ValidationError, also if the chat has no channel or the name is taken in channel and type. */
  async create(input: CreateTagInput): Promise<Tag> {
    requireRole(this.#caller, "EDITOR");
    requireChannel(this.#caller, input.chatId);
    const problems = new Problems();
    const name = readName(input.name, problems);
    const color = readColor(input.color, problems);
    const typeId = parseId("TagType", input.tagTypeId, "tagTypeId", problems);
    const stored = this.#database.transaction(async (unit) => {
      const channel = await lockChannel(unit, input.chatId, problems);
      const type = typeId && (await lockType(unit, typeId, problems));
      problems.check();
      if (!channel || !type)
        throw new TypeError("A channel or type that does not exist was not added to the problems.");
      const tag = await unit.prisma.tag.create({
        data: {
          id: newId(),
          channelId: channel.id,
          typeId: type.id,
          name,
          nameKey: foldName(name),
          color,
          createdAt: new Date(),
        },
      });
      await audit(unit, this.#caller, {
        action: "tag.create",
        subjectId: tag.id,
        channelId: channel.id,
        change: { name, color, typeId: type.id },
      });
      return toTag(tag, input.chatId, type.name);
    });
    return refuseTakenName(stored, TAKEN);
  }

  /**
   * Changes the name, the color and the type of a tag. Where nothing differs, nothing is stored.
   * @throws ForbiddenError, NotFoundError; ValidationError, also if the name is taken within channel and type.
   */
  async update(input: UpdateTagInput): Promise<Tag> {
    requireRole(this.#caller, "EDITOR");
    const problems = new Problems();
    const id = parseId("Tag", input.id, "id", problems);
    for (const field of CHANGEABLE) {
      if (input[field] === null) problems.add(field, "Must not be null; leave it out to keep it.");
    }
    const name = input.name == null ? null : readName(input.name, problems);
    const color = input.color == null ? null : readColor(input.color, problems);
    const typeId =
      input.tagTypeId == null ? null : parseId("TagType", input.tagTypeId, "tagTypeId", problems);
    const stored = this.#database.transaction(async (unit) => {
      const type = typeId && (await lockType(unit, typeId, problems));
      problems.check();
      const tag = await this.#lock(unit, id, input.chatId);
      const became = { name: name ?? tag.name, color: color ?? tag.color, typeId: typeId ?? tag.typeId };
      const change = differences(tag, became);
      if (Object.keys(change).length === 0) return tag;
      const updated = await unit.prisma.tag.update({
        where: { id: tag.id },
        data: { ...became, nameKey: foldName(became.name), updatedAt: new Date() },
      });
      await audit(unit, this.#caller, {
        action: "tag.update",
        subjectId: tag.id,
        channelId: tag.channelId,
        change,
      });
      return toTag(updated, tag.chatId, type ? type.name : tag.typeName);
    });
    return refuseTakenName(stored, TAKEN, name === null ? "tagTypeId" : "name");
  }

  /**
   * Deletes a tag, and removes it from every link that carries it.
   * @returns the tag's id.
   * @throws ForbiddenError, ValidationError, NotFoundError
   */
  async delete(input: { readonly id: string }): Promise<string> {
    requireRole(this.#caller, "EDITOR");
    const problems = new Problems();
    const id = parseId("Tag", input.id, "id", problems);
    problems.check();
    return this.#database.transaction(async (unit) => {
      const { name, color, typeId, ...tag } = await this.#lock(unit, id);
      await untagLinks(unit, this.#caller, tag.id);
      await unit.prisma.tag.delete({ where: { id: tag.id } });
      await audit(unit, this.#caller, {
        action: "tag.delete",
        subjectId: tag.id,
        channelId: tag.channelId,
        change: { name, color, typeId },
      });
      return tag.id;
    });
  }

  /**
   * Reads a tag and locks it until the transaction ends.
   * @param chatId the chat in which the tag must be; undefined for any chat.
   * @throws NotFoundError if there is no such tag or the caller may not see it.
   */
  async #lock(unit: UnitOfWork, id: string | null, chatId?: number): Promise<Tag> {
    await unit.execute(statement("tag_lock")`select from tag where id = ${id}::uuid for update`);
    const found =
      id &&
      (await unit.prisma.tag.findUnique({
        where: { id },
        include: { channel: { select: { chatId: true } }, type: { select: { name: true } } },
      }));
    const foundIn = Number(found ? found.channel.chatId : Number.NaN);
    if (!found || !mayUseChannel(this.#caller, foundIn) || (chatId ?? foundIn) !== foundIn)
      throw new NotFoundError("tag");
    const { channel, type, ...tag } = found;
    return toTag(tag, foundIn, type.name);
  }
}
