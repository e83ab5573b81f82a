import type { UnitOfWork } from "../../database/database.js";
import { statement } from "../../database/statement.js";
import { auditMany } from "../shared/audit.js";
import type { Caller } from "../shared/caller.js";
import type { ImportPlan, LinkTag, NewLink } from "./importPlan.js";

// Channels and links are created in the order in which learning them from updates creates them too, so that nobody waits in a
// circle for the other's row of the same key.

// Rows that come in hundreds are written by hand-written SQL: Prisma takes several times as long as the database.

async function writeLinks(unit: UnitOfWork, links: readonly NewLink[]): Promise<void> {
  await unit.execute(statement("import_write_links")`
    insert into invite_link (id, channel_id, url, name, name_key, budget, created_at, creator_id, expire_date,
      member_limit, creates_join_request, subscription_price, is_bot_created, is_revoked, external_id, external_id_key)
    select id, "channelId", url, name, "nameKey", budget, "createdAt", "creatorId", "expireDate",
      "memberLimit", "createsJoinRequest", "subscriptionPrice", "isBotCreated", "isRevoked", "externalId",
      "externalIdKey"
    from json_to_recordset(${JSON.stringify(links)}::json) as link (
      id uuid, "channelId" uuid, url text, name text, "nameKey" text, budget numeric, "createdAt" timestamptz,
      "creatorId" bigint, "expireDate" timestamptz, "memberLimit" int, "createsJoinRequest" boolean,
      "subscriptionPrice" int, "isBotCreated" boolean, "isRevoked" boolean, "externalId" text,
      "externalIdKey" text)
    order by "channelId", url collate "C"`);
}

/** A tag that was deleted or got another type meanwhile violates a foreign key, and the batch is planned again. */
async function addTags(unit: UnitOfWork, added: readonly LinkTag[]): Promise<void> {
  await unit.execute(statement("import_add_tags")`
    insert into invite_link_tag (link_id, tag_id, channel_id, type_id, created_at)
    select l.id, "tagId", "channelId", "typeId", l.created_at
    from json_to_recordset(${JSON.stringify(added)}::json)
      as given ("linkId" uuid, "tagId" uuid, "channelId" uuid, "typeId" uuid)
    join invite_link l on l.id = "linkId"
    on conflict do nothing`);
}

export async function writePlan(
  unit: UnitOfWork,
  caller: Pick<Caller, "key">,
  plan: ImportPlan,
): Promise<void> {
  const { prisma } = unit;
  const channels = [...plan.channels].sort((one, other) => Number(one.chatId) - Number(other.chatId));
  if (channels.length > 0) await prisma.channel.createMany({ data: channels });
  if (plan.types.length > 0) await prisma.tagType.createMany({ data: plan.types });
  if (plan.tags.length > 0) await prisma.tag.createMany({ data: plan.tags });
  if (plan.links.length > 0) await writeLinks(unit, plan.links);
  for (const { id, data } of plan.updates) await prisma.inviteLink.update({ where: { id }, data });
  if (plan.removedTags.length > 0) await prisma.inviteLinkTag.deleteMany({ where: { OR: plan.removedTags } });
  if (plan.addedTags.length > 0) await addTags(unit, plan.addedTags);
  if (plan.auditEntries.length > 0) await auditMany(unit, caller, plan.auditEntries);
}
