import sql from "sql-template-tag";
import type { Database, UnitOfWork } from "../../database/database.js";
import type { CallerCache } from "../access/callerCache.js";
import { audit, SERVER } from "../shared/audit.js";
import type { Caller } from "../shared/caller.js";

/** Merges the channel `from` into the channel `to`: both are the same chat. Tags of the same type and name become one. */
async function merge(unit: UnitOfWork, from: string, to: string): Promise<void> {
  const twins = sql`from tag o join tag n on n.channel_id = ${to}::uuid and n.type_id = o.type_id and n.name_key = o.name_key
    where o.channel_id = ${from}::uuid`;
  await unit.execute(sql`
    insert into invite_link_tag (link_id, tag_id, channel_id, type_id, created_at)
    select lt.link_id, twin.id, twin.channel_id, twin.type_id, lt.created_at
    from (select o.id as old_id, n.id, n.channel_id, n.type_id ${twins}) twin
    join invite_link_tag lt on lt.tag_id = twin.old_id
    on conflict do nothing`);
  // Tags are locked in the order of their ids everywhere, which prevents deadlocks.
  await unit.execute(sql`select from tag where id in (select o.id ${twins}) order by id for update`);
  await unit.execute(sql`delete from tag where id in (select o.id ${twins})`);
  await unit.execute(sql`update tag set channel_id = ${to}::uuid where channel_id = ${from}::uuid`);
  // Where both channels have a link, the row that this server created is kept; the other one holds only what an update showed.
  await unit.execute(sql`
    delete from invite_link seen using invite_link made
    where seen.channel_id = ${to}::uuid and made.channel_id = ${from}::uuid and made.url = seen.url
      and made.is_bot_created and not seen.is_bot_created`);
  await unit.execute(sql`
    update invite_link l set channel_id = ${to}::uuid where channel_id = ${from}::uuid
    and not exists (select from invite_link known where known.channel_id = ${to}::uuid and known.url = l.url)`);
  await unit.execute(sql`update link_creation set channel_id = ${to}::uuid where channel_id = ${from}::uuid`);
  await unit.execute(sql`delete from channel where id = ${from}::uuid`);
}

/**
 * Follows a chat migration: a group became a supergroup and got another chat id. The channel keeps its channel id and
 * everything that refers to it. The grants of tokens get the new chat id, and so does the caller.
 */
export async function followMigration(
  { database, callerCache }: { database: Database; callerCache: CallerCache },
  caller: Caller,
  fromChatId: number,
  toChatId: number,
): Promise<void> {
  if (fromChatId === toChatId) throw new RangeError("A chat cannot migrate to itself.");
  await database.transaction(async (unit) => {
    await unit.execute(
      sql`select from channel where chat_id in (${fromChatId}::bigint, ${toChatId}::bigint) order by id for update`,
    );
    const [old, existing] = await Promise.all(
      [fromChatId, toChatId].map((id) => unit.prisma.channel.findUnique({ where: { chatId: BigInt(id) } })),
    );
    if (old && existing && old.id !== existing.id) await merge(unit, old.id, existing.id);
    else if (old) {
      await unit.prisma.channel.update({
        where: { id: old.id },
        data: { chatId: BigInt(toChatId), kind: "SUPERGROUP", updatedAt: new Date() },
      });
    }
    await unit.execute(sql`
      insert into channel_grant (token_id, chat_id)
      select token_id, ${toChatId}::bigint from channel_grant where chat_id = ${fromChatId}::bigint
      on conflict do nothing`);
    await unit.execute(sql`delete from channel_grant where chat_id = ${fromChatId}::bigint`);
    const channel = existing ?? old;
    if (old && channel) {
      const change = { from: fromChatId, to: toChatId };
      await audit(unit, SERVER, {
        action: "channel.migrate",
        subjectId: channel.id,
        channelId: channel.id,
        change,
      });
    }
  });
  if (caller.chatIds?.delete(fromChatId)) caller.chatIds.add(toChatId);
  await callerCache.forget();
}
