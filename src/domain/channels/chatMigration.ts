import sql, { type Sql } from "sql-template-tag";
import { type Database, retryOnConflict, type UnitOfWork } from "../../database/database.js";
import { isWriteConflict } from "../../database/failures.js";
import type { Channel as ChannelRow } from "../../database/generated/prisma/client.js";
import { statement } from "../../database/statement.js";
import type { CallerCache } from "../access/callerCache.js";
import { audit, SERVER } from "../shared/audit.js";
import { type Caller, moveChat } from "../shared/caller.js";
import { mergeAbsences } from "../stays/absences.js";
import { type MergedChannels, type MergedLink, mergeLinks, mergeMembers } from "../stays/mergeMembers.js";

const MAX_TRIES = 3;

/**
 * Merges the channel `from` into the channel `to`: both are the same chat. Tags of the same type and name become one.
 * @param older of the two, the channel that had the chat's former id
 */
async function merge(unit: UnitOfWork, { from, to, older }: MergedChannels): Promise<void> {
  const twins = sql`from tag o join tag n on n.channel_id = ${to}::uuid and n.type_id = o.type_id and n.name_key = o.name_key
    where o.channel_id = ${from}::uuid`;
  await unit.execute(statement("channel_merge_retag_links")`
    insert into invite_link_tag (link_id, tag_id, channel_id, type_id, created_at)
    select lt.link_id, twin.id, twin.channel_id, twin.type_id, lt.created_at
    from (select o.id as old_id, n.id, n.channel_id, n.type_id ${twins}) twin
    join invite_link_tag lt on lt.tag_id = twin.old_id
    on conflict do nothing`);
  // Links that are not created yet name their tags.
  const withTwins = (stored: Sql) => sql`
    jsonb_set(${stored}, '{tagIds}', (
      select coalesce(jsonb_agg(coalesce(twin.id::text, tag_id.value) order by coalesce(twin.id::text, tag_id.value)), '[]')
      from jsonb_array_elements_text(${stored} -> 'tagIds') tag_id (value)
      left join (select o.id as old_id, n.id ${twins}) twin on twin.old_id = tag_id.value::uuid))`;
  await unit.execute(statement("channel_merge_batch_items")`
    update link_batch_item i set arguments = ${withTwins(sql`i.arguments`)}
    from link_batch b
    where b.id = i.batch_id and b.channel_id = ${from}::uuid and i.state = 'WAITING' and i.arguments -> 'tagIds' <> '[]'`);
  await unit.execute(statement("channel_merge_creation_tags")`
    update link_creation k set arguments = ${withTwins(sql`k.arguments`)}
    where k.channel_id = ${from}::uuid and k.state in ('PREPARED', 'SENT', 'UNCERTAIN')
      and k.arguments -> 'tagIds' <> '[]'`);
  // Tags are locked in the order of their ids everywhere, which prevents deadlocks.
  await unit.execute(statement("channel_merge_lock_tags")`
    select from tag where id in (select o.id ${twins}) order by id for update`);
  await unit.execute(
    statement("channel_merge_drop_tags")`delete from tag where id in (select o.id ${twins})`,
  );
  await unit.execute(statement("channel_merge_move_tags")`
    update tag set channel_id = ${to}::uuid where channel_id = ${from}::uuid`);
  await unit.execute(statement("channel_merge_rename_hidden_urls")`
    update invite_link l set url = l.url || '#' || l.id from invite_link other
    where l.channel_id = ${from}::uuid and other.channel_id = ${to}::uuid and other.url = l.url
      and l.url like '%...%' and (l.name, l.creator_id) is distinct from (other.name, other.creator_id)`);
  // Where both channels have a link, the row that this server created is kept; the other one holds only what an update showed.
  const links = await unit.query<MergedLink>(statement("channel_merge_find_links")`
    select case when l.is_bot_created and not other.is_bot_created then other.id else l.id end as dropped,
      case when l.is_bot_created and not other.is_bot_created then l.id else other.id end as kept
    from invite_link l join invite_link other on other.url = l.url
    where l.channel_id = ${from}::uuid and other.channel_id = ${to}::uuid`);
  await mergeLinks(unit, { from, to, older }, links);
  const dropped = links.map((link) => link.dropped);
  await keepSettings(unit, { from, to }, links);
  await keepCreations(unit, links);
  await unit.execute(
    statement("channel_merge_drop_links")`delete from invite_link where id = any(${dropped}::uuid[])`,
  );
  await unit.execute(statement("channel_merge_move_links")`
    update invite_link set channel_id = ${to}::uuid where channel_id = ${from}::uuid`);
  await unit.execute(statement("channel_merge_move_creations")`
    update link_creation set channel_id = ${to}::uuid where channel_id = ${from}::uuid`);
  await unit.execute(statement("channel_merge_move_batches")`
    update link_batch set channel_id = ${to}::uuid where channel_id = ${from}::uuid`);
  await mergeMembers(unit, { from, to, older });
  // Those that wait are found by the index of each webhook; what is over finds its channel by the audit entry.
  await unit.execute(statement("channel_merge_move_deliveries")`
    update webhook_delivery set channel_id = ${to}::uuid where id = any(array(
      select d.id from webhook w cross join lateral (
        select id, channel_id from webhook_delivery where webhook_id = w.id and state = any('{QUEUED,SCHEDULED}') offset 0
      ) d where d.channel_id = ${from}::uuid
    ))`);
  await unit.execute(statement("channel_merge_drop_channel")`delete from channel where id = ${from}::uuid`);
}

/**
 * Gives the links that are kept what people have noted on the links that are dropped: tags, and a budget and an external id
 * if the kept link has none.
 */
async function keepSettings(
  unit: UnitOfWork,
  { from, to }: Pick<MergedChannels, "from" | "to">,
  links: readonly MergedLink[],
): Promise<void> {
  const pairs = sql`unnest(${links.map(({ dropped }) => dropped)}::uuid[], ${links.map(({ kept }) => kept)}::uuid[])
    as pair (dropped, kept)`;
  await unit.execute(statement("channel_merge_add_link_tags")`
    insert into invite_link_tag (link_id, tag_id, channel_id, type_id, created_at)
    select k.id, lt.tag_id, lt.channel_id, lt.type_id, k.created_at
    from ${pairs} join invite_link k on k.id = pair.kept join invite_link_tag lt on lt.link_id = pair.dropped
    on conflict do nothing`);
  await unit.execute(statement("channel_merge_keep_settings")`
    update invite_link k set
      budget = case when k.budget = 0 then d.budget else k.budget end,
      external_id = coalesce(k.external_id, d.external_id),
      external_id_key = coalesce(k.external_id_key, d.external_id_key)
    from ${pairs} join invite_link d on d.id = pair.dropped
    where k.id = pair.kept`);
  // An external id names one link of a channel. Where both channels have used it, the channel that remains keeps its link's.
  await unit.execute(statement("channel_merge_clear_external_ids")`
    update invite_link l set external_id = null, external_id_key = null
    from invite_link other
    where l.channel_id = ${from}::uuid and other.channel_id = ${to}::uuid and other.external_id = l.external_id
      and other.id <> all(${links.map(({ dropped }) => dropped)}::uuid[])`);
}

/** Makes the creations of links that are dropped those of the links that are kept, unless these have one of their own. */
async function keepCreations(unit: UnitOfWork, links: readonly MergedLink[]): Promise<void> {
  const pairs = sql`unnest(${links.map(({ dropped }) => dropped)}::uuid[], ${links.map(({ kept }) => kept)}::uuid[])
    as pair (dropped, kept)`;
  await unit.execute(statement("channel_merge_point_batch_items")`
    update link_batch_item i set link_id = pair.kept from ${pairs} where i.link_id = pair.dropped`);
  await unit.execute(statement("channel_merge_point_creations")`
    update link_creation k set link_id = pair.kept from ${pairs}
    where k.link_id = pair.dropped
      and not exists (select from link_creation other where other.link_id = pair.kept)`);
}

/** Whether a channel was stored only because updates came from its chat: nobody has connected it or knows its id. */
async function isOnlyLearned(unit: UnitOfWork, channelId: string): Promise<boolean> {
  const entries = await unit.query<{ action: string }>(statement("channel_merge_how_stored")`
    select distinct action from audit_entry
    where subject_id = ${channelId}::uuid and action in ('channel.learn', 'channel.store')`);
  return entries.length === 1 && entries[0]?.action === "channel.learn";
}

/**
 * Makes one channel of the channel with the former chat id and the one with the new chat id. The latter remains, unless it
 * was only learned from updates: then the former one keeps its channel id.
 */
async function join(unit: UnitOfWork, old: ChannelRow, existing: ChannelRow): Promise<ChannelRow> {
  if (!(await isOnlyLearned(unit, existing.id))) {
    await merge(unit, { from: old.id, to: existing.id, older: old.id });
    return existing;
  }
  await merge(unit, { from: existing.id, to: old.id, older: old.id });
  const { chatId, kind, title, username, botStatus } = existing;
  const isKnown = botStatus !== "UNKNOWN";
  return unit.prisma.channel.update({
    where: { id: old.id },
    data: { chatId, kind, title, username, ...(isKnown && { botStatus }), updatedAt: new Date() },
  });
}

/**
 * Follows a chat migration: a group became a supergroup and got another chat id. The channel keeps its channel id and
 * everything that refers to it. The grants of tokens get the new chat id, and so does the caller.
 */
export async function followMigration(
  { database, callerCache }: { database: Database; callerCache: CallerCache },
  caller: Pick<Caller, "chatIds">,
  fromChatId: number,
  toChatId: number,
): Promise<void> {
  if (fromChatId === toChatId) throw new RangeError("A chat cannot migrate to itself.");
  const chatIds = [fromChatId, toChatId];
  const migrate = () =>
    database.transaction(async (unit) => {
      // Updates are stored under these locks, which come before all others.
      const activities = await unit.query<{ channelId: string; lastSequence: number }>(statement(
        "chat_migration_lock_activity",
      )`
      select channel_id as "channelId", last_sequence as "lastSequence" from channel_activity where channel_id in (
        select id from channel where chat_id = any(${chatIds}::bigint[])
      ) order by channel_id for update`);
      await unit.execute(statement("chat_migration_lock_channels")`
        select from channel where chat_id = any(${chatIds}::bigint[]) order by id for update`);
      const [old, existing] = await Promise.all(
        chatIds.map((id) => unit.prisma.channel.findUnique({ where: { chatId: BigInt(id) } })),
      );
      let channel = existing ?? old;
      if (old && existing) channel = await join(unit, old, existing);
      else if (old) {
        await unit.prisma.channel.update({
          where: { id: old.id },
          data: { chatId: BigInt(toChatId), kind: "SUPERGROUP", updatedAt: new Date() },
        });
      }
      await unit.execute(statement("chat_migration_add_grants")`
      insert into channel_grant (token_id, chat_id)
      select token_id, ${toChatId}::bigint from channel_grant where chat_id = ${fromChatId}::bigint
      on conflict do nothing`);
      await unit.execute(statement("chat_migration_drop_grants")`
        delete from channel_grant where chat_id = ${fromChatId}::bigint`);
      await unit.execute(statement("chat_migration_webhooks")`
      update webhook set chat_ids = array(
        select distinct case id when ${fromChatId}::bigint then ${toChatId}::bigint else id end from unnest(chat_ids) as chat (id)
      ) where ${fromChatId}::bigint = any(chat_ids)`);
      if (old && channel) {
        // The events of the new chat id come after those of the former one.
        const lastSequence = activities.find(({ channelId }) => channelId === old.id)?.lastSequence ?? 0;
        const merged = existing ? [old.id, existing.id].find((id) => id !== channel?.id) : undefined;
        const change = { from: fromChatId, to: toChatId, lastSequence, ...(merged && { merged }) };
        await audit(unit, SERVER, {
          action: "channel.migrate",
          subjectId: channel.id,
          channelId: channel.id,
          change,
        });
        await mergeAbsences(unit, channel.id);
      }
    });
  // Another server may store a channel of the new chat id at the same time.
  await retryOnConflict(migrate, (error) => (isWriteConflict(error) ? MAX_TRIES : 1));
  moveChat(caller, fromChatId, toChatId);
  await callerCache.forget();
}
