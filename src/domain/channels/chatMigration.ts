import sql from "sql-template-tag";
import type { Database, UnitOfWork } from "../../database/database.js";
import type { CallerCache } from "../access/callerCache.js";
import { audit, SERVER } from "../shared/audit.js";
import type { Caller } from "../shared/caller.js";

/** Two rows turn out to be one chat: all that hangs on the one goes over to the other; equal tags become one. */
async function merge(unit: UnitOfWork, from: string, to: string): Promise<void> {
  const twins = sql`from tag o join tag n on n.channel_id = ${to}::uuid and n.type_id = o.type_id and n.name_key = o.name_key
    where o.channel_id = ${from}::uuid`;
  await unit.execute(sql`
    insert into invite_link_tag (link_id, tag_id, channel_id, type_id, created_at)
    select lt.link_id, twin.id, twin.channel_id, twin.type_id, lt.created_at
    from (select o.id as old_id, n.id, n.channel_id, n.type_id ${twins}) twin
    join invite_link_tag lt on lt.tag_id = twin.old_id
    on conflict do nothing`);
  // In the order in which everybody locks tags.
  await unit.execute(sql`select from tag where id in (select o.id ${twins}) order by id for update`);
  await unit.execute(sql`delete from tag where id in (select o.id ${twins})`);
  await unit.execute(sql`update tag set channel_id = ${to}::uuid where channel_id = ${from}::uuid`);
  // Of a link in both, the row that we made is kept: the other knows no more than an update showed.
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
 * Follows a group that became a supergroup: Telegram gave the chat another id. The channel keeps its own id with all
 * that hangs on it; tokens' grants go over, that of the caller at hand included.
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
    const [old, known] = await Promise.all(
      [fromChatId, toChatId].map((id) => unit.prisma.channel.findUnique({ where: { chatId: BigInt(id) } })),
    );
    if (old && known && old.id !== known.id) await merge(unit, old.id, known.id);
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
    const channel = known ?? old;
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
  if (caller.channelIds?.delete(fromChatId)) caller.channelIds.add(toChatId);
  await callerCache.forget();
}
