import DataLoader from "dataloader";
import sql, { type Sql } from "sql-template-tag";
import type { Database } from "../database/database.js";
import { type Channel, channelColumns } from "./channels/channel.js";
import { type InviteLink, inviteLinkColumns } from "./links/inviteLink.js";
import { MAX_PAGE_SIZE } from "./paging/arguments.js";
import { type Caller, visible } from "./shared/caller.js";
import {
  type Tag,
  type TagType,
  type TypeWithTags,
  tagColumns,
  tagJoins,
  tagTypeColumns,
} from "./tags/tag.js";
import { TagCache, type VersionedTag } from "./tags/tagCache.js";

/** Puts rows into the order of the keys asked for; null where there is none. */
function inOrder<Row, Key>(
  keys: readonly Key[],
  rows: readonly Row[],
  keyOf: (row: Row) => Key,
): (Row | null)[] {
  const found = new Map(rows.map((row) => [keyOf(row), row]));
  return keys.map((key) => found.get(key) ?? null);
}

/**
 * The condition that a column has one of some values. How many there are is hidden from the planner: knowing it, it would
 * think a plan for each number worth its while, and plan a prepared statement anew each time it runs.
 */
const isOneOf = (column: Sql, values: readonly (string | number)[], type: Sql): Sql =>
  values.length === 1
    ? sql`${column} = ${values[0]}::${type}`
    : sql`${column} = any((select ${values}::${type}[])::${type}[])`;

/** Of as many as are on a page. */
const howOften = ({ length }: readonly unknown[]) => (length <= MAX_PAGE_SIZE ? "often and quick" : "often");

const UUID = sql`uuid`;
const BIGINT = sql`bigint`;

/**
 * What hangs on what, looked up for all askers of a moment in one statement. They live as long as a request, so that
 * nothing leaks from one caller to another, and find only what the request's caller may see.
 */
export function createLoaders(database: Database, caller: Caller, tagCache = new TagCache(false)) {
  const seen = () => visible(caller, sql`c.chat_id`);
  const channelsWhere = (condition: Sql, keys: readonly unknown[]) =>
    database.query<Channel>(
      sql`select ${channelColumns} from channel c where ${condition} and ${seen()}`,
      howOften(keys),
    );
  const channel = new DataLoader<string, Channel | null>(async (ids) =>
    inOrder(ids, await channelsWhere(isOneOf(sql`c.id`, ids, UUID), ids), ({ id }) => id),
  );
  const channelByChatId = new DataLoader<number, Channel | null>(async (chatIds) => {
    const channels = await channelsWhere(isOneOf(sql`c.chat_id`, chatIds, BIGINT), chatIds);
    // A page of links asks for its channel by chat id, each of its links by the channel's own.
    for (const found of channels) channel.prime(found.id, found);
    return inOrder(chatIds, channels, ({ chatId }) => chatId);
  });
  const tag = new DataLoader<string, Tag | null>(async (ids) => {
    const tags = await database.query<VersionedTag>(
      sql`
      select ${tagColumns}, c.tags_version as "tagsVersion" from tag t ${tagJoins}
      where ${isOneOf(sql`t.id`, ids, UUID)} and ${seen()}`,
      howOften(ids),
    );
    return inOrder(
      ids,
      tags.map((found) => tagCache.note(found)),
      ({ id }) => id,
    );
  });
  return {
    channel,
    channelByChatId,
    inviteLink: new DataLoader<string, InviteLink | null>(async (ids) =>
      inOrder(
        ids,
        await database.query<InviteLink>(
          sql`
          select ${inviteLinkColumns} from invite_link l join channel c on c.id = l.channel_id
          where ${isOneOf(sql`l.id`, ids, UUID)} and ${seen()}`,
          howOften(ids),
        ),
        ({ id }) => id,
      ),
    ),
    tag,
    rememberedTag: (id: string) => tagCache.remembered(id),
    /** The tags that a link carries, the oldest first: at once where they are known as they are by now. */
    tagsOf({ tagIds, tagsVersion }: InviteLink): readonly Tag[] | Promise<readonly Tag[]> {
      const known = tagIds.map((id) => tagCache.find(id, tagsVersion));
      if (!known.includes(undefined)) return known as Tag[];
      const tags = known.map((found, index) => found ?? tag.load(tagIds[index] as string));
      // One that is deleted by now is carried no more.
      return Promise.all(tags).then((found) => found.filter((one) => one !== null));
    },
    /** Tag types are everybody's. */
    tagType: new DataLoader<string, TagType | null>(async (ids) =>
      inOrder(
        ids,
        await database.query<TagType>(
          sql`select ${tagTypeColumns} from tag_type y where ${isOneOf(sql`y.id`, ids, UUID)}`,
          howOften(ids),
        ),
        ({ id }) => id,
      ),
    ),
    /** The tags of a chat by their types, both by name. */
    tagsOfChat: new DataLoader<number, readonly TypeWithTags[]>(async (chatIds) => {
      const rows = await database.query<Tag>(sql`
        select ${tagColumns} from tag t ${tagJoins}
        where ${isOneOf(sql`c.chat_id`, chatIds, BIGINT)} and ${seen()}
        order by y.name_key, y.id, t.name_key, t.id`);
      const chats = new Map(chatIds.map((id) => [id, new Map<string, { type: TagType; tags: Tag[] }>()]));
      for (const found of rows) {
        const types = chats.get(found.chatId);
        const known = types?.get(found.typeId) ?? {
          type: { id: found.typeId, name: found.typeName },
          tags: [],
        };
        known.tags.push(found);
        types?.set(found.typeId, known);
      }
      return chatIds.map((id) => [...(chats.get(id)?.values() ?? [])]);
    }),
  };
}

export type Loaders = ReturnType<typeof createLoaders>;
