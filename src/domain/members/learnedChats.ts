import sql from "sql-template-tag";
import type { DirectTransaction } from "../../database/directTransaction.js";
import type { Instant } from "../../database/instant.js";
import { statement } from "../../database/statement.js";
import type { UpdateChat } from "../../telegram/updates.js";
import { ChannelGoneError } from "../channels/channelGoneError.js";
import { CHAT_KINDS } from "../channels/storeChannel.js";
import { type AuditEntry, auditMany, differences, SERVER } from "../shared/audit.js";
import { newId } from "../shared/ids.js";
import { compareMoments, type Moment } from "../stays/history.js";

/** A chat as an update shows it. */
export interface SeenChat extends Moment {
  readonly chat: UpdateChat;
}

interface ChannelRow {
  readonly id: string;
  readonly chatId: number;
  readonly title: string;
  readonly username: string | null;
}

interface LockedChannel {
  readonly id: string;
  readonly lastSequence: number;
}

type LockedRow = ChannelRow & LockedChannel;

/** The channels of a batch, locked until the transaction ends. */
export interface LockedChannels {
  /** Channel ids by chat id. */
  readonly ids: ReadonlyMap<number, string>;
  /** By channel id. */
  readonly lastSequences: Map<string, number>;
}

const readChannels = (transaction: DirectTransaction, chatIds: readonly number[]) =>
  transaction.query<ChannelRow>(statement("learned_chats_channels")`
    select id, chat_id as "chatId", title, username from channel
    where chat_id = any(${`{${chatIds.join(",")}}`}::bigint[])`);

/** The channels of groups whose chat ids a chat migration has replaced, by the former chat id. */
async function readMigrated(
  transaction: DirectTransaction,
  chatIds: readonly number[],
): Promise<Map<number, string>> {
  if (chatIds.length === 0) return new Map();
  const rows = await transaction.queryOnce<{ chatId: number; channelId: string }>(statement(
    "learned_chats_migrated",
  )`
    select (a.change->>'from')::bigint as "chatId", c.id as "channelId"
    from audit_entry a join channel c on c.id = a.channel_id
    where a.action = 'channel.migrate' and (a.change->>'from')::bigint = any(${chatIds}::bigint[])
    order by a.id`);
  return new Map(rows.map(({ chatId, channelId }) => [chatId, channelId]));
}

/** Stores channels for chats that are not known. Another server may store the same at the same time. */
async function learn(
  transaction: DirectTransaction,
  chats: readonly UpdateChat[],
  now: Instant,
): Promise<void> {
  const rows = [...chats]
    .sort((one, other) => one.id - other.id)
    .map((chat) => ({
      id: newId(),
      chatId: chat.id,
      kind: CHAT_KINDS[chat.type],
      title: chat.title ?? String(chat.id),
      username: chat.username,
    }));
  const stored = await transaction.queryOnce<{ id: string }>(statement("learned_chats_insert")`
    insert into channel (id, chat_id, kind, title, username, created_at)
    select id, "chatId", kind::chat_kind, title, username, ${now}::timestamptz
    from json_to_recordset(${JSON.stringify(rows)}::json)
      as chat (id uuid, "chatId" bigint, kind text, title text, username text)
    on conflict (chat_id) do nothing
    returning id`);
  const ids = new Set(stored.map(({ id }) => id));
  const entries = rows
    .filter(({ id }) => ids.has(id))
    .map(
      ({ id, chatId, kind, title, username }): AuditEntry => ({
        action: "channel.learn",
        subjectId: id,
        channelId: id,
        change: { chatId, kind, title, username },
      }),
    );
  if (entries.length === 0) return;
  await auditMany(transaction, SERVER, entries);
}

/** The title and the username follow the chat, unless the update is older than what was stored last of the channel. */
async function followNames(
  transaction: DirectTransaction,
  channels: readonly ChannelRow[],
  seen: ReadonlyMap<number, SeenChat>,
): Promise<void> {
  for (const { id, chatId, title, username } of channels) {
    const latest = seen.get(chatId);
    if (!latest) continue;
    const became = { title: latest.chat.title ?? title, username: latest.chat.username };
    if (became.title === title && became.username === username) continue;
    const changed = await transaction.queryOnce(statement("learned_chats_follow_names")`
      update channel set title = ${became.title}, username = ${became.username}, updated_at = now()
      where id = ${id}::uuid and not exists (
        select from (
          select occurred_at from member_event where channel_id = ${id}::uuid order by sequence desc limit 100
        ) recent where occurred_at > ${latest.at}::timestamptz)
      returning id`);
    if (changed.length === 0) continue;
    const change = differences({ title, username }, became);
    await auditMany(transaction, SERVER, [
      { action: "channel.update", subjectId: id, channelId: id, change },
    ]);
  }
}

/**
 * Finds the channels of chats and locks their rows of channel_activity, in the order of the channel ids. Chats that are
 * not known are learned.
 */
export async function lockChannels(
  transaction: DirectTransaction,
  chats: readonly SeenChat[],
  now: Instant,
): Promise<LockedChannels> {
  const seen = new Map<number, SeenChat>();
  for (const one of chats) {
    const latest = seen.get(one.chat.id);
    if (!latest || compareMoments(latest, one) < 0) seen.set(one.chat.id, one);
  }
  if (seen.size === 0) return { ids: new Map(), lastSequences: new Map() };
  const known = await lockKnown(transaction, [...seen.keys()]);
  if (known.length === 0) return learnAndLock(transaction, seen, now);
  if (known.length < seen.size) throw new ChannelGoneError();
  await followNames(transaction, known, seen);
  return {
    ids: new Map(known.map(({ id, chatId }) => [chatId, id])),
    lastSequences: new Map(known.map(({ id, lastSequence }) => [id, lastSequence])),
  };
}

/** Locks the channels of chats if all of them are known. Otherwise nothing is locked or returned. */
const lockKnown = (transaction: DirectTransaction, chatIds: readonly number[]): Promise<LockedRow[]> => {
  const ids = sql`any(${`{${chatIds.join(",")}}`}::bigint[])`;
  return transaction.query<LockedRow>(statement("channel_lock_known")`
    select c.id, c.chat_id as "chatId", c.title, c.username, a.last_sequence as "lastSequence"
    from channel c join channel_activity a on a.channel_id = c.id
    where c.chat_id = ${ids}
      and (select count(*) from channel where chat_id = ${ids}) = ${chatIds.length}::bigint
    order by a.channel_id for no key update of a`);
};

/** The same where some chats are not known: they are learned before any channel is locked, so that the order is kept. */
async function learnAndLock(
  transaction: DirectTransaction,
  seen: ReadonlyMap<number, SeenChat>,
  now: Instant,
): Promise<LockedChannels> {
  let channels = await readChannels(transaction, [...seen.keys()]);
  const ids = new Map(channels.map(({ id, chatId }) => [chatId, id]));
  if (ids.size < seen.size) {
    const unknown = [...seen.values()].map(({ chat }) => chat).filter(({ id }) => !ids.has(id));
    const groups = unknown.filter(({ type }) => type === "group").map(({ id }) => id);
    for (const [chatId, channelId] of await readMigrated(transaction, groups)) ids.set(chatId, channelId);
    const news = unknown.filter(({ id }) => !ids.has(id));
    if (news.length > 0) {
      await learn(transaction, news, now);
      channels = await readChannels(transaction, [...seen.keys()]);
      for (const { id, chatId } of channels) ids.set(chatId, id);
    }
  }
  const channelIds = [...new Set(ids.values())];
  const locked = await transaction.query<LockedChannel>(statement("channels_lock_activity")`
    select channel_id as id, last_sequence as "lastSequence" from channel_activity
    where channel_id = any(${`{${channelIds.join(",")}}`}::uuid[])
    order by channel_id for no key update`);
  if (locked.length < channelIds.length || ids.size < seen.size) throw new ChannelGoneError();
  await followNames(transaction, channels, seen);
  return { ids, lastSequences: new Map(locked.map(({ id, lastSequence }) => [id, lastSequence])) };
}
