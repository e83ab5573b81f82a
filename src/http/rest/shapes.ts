import { z } from "zod";
import type { Instant } from "../../database/instant.js";
import { type CountedLink, costPer, type MemberCounts } from "../../domain/links/stats/memberCounts.js";
import type { TagType, TagWithLinks } from "../../domain/tags/tag.js";

// The JSON of answers, and the functions that create it from the domain's objects.

const uuid = z.guid();
const telegramId = z.int().meta({ format: "int64" });
/** With whole seconds, like the former API, because some clients cannot parse fractions. */
const instant = z
  .string()
  .regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
  .meta({ format: "date-time" });
const amount = z.number().meta({ description: "Exact to two fraction digits." });

const TypeShape = z.object({ id: uuid, name: z.string() }).meta({ id: "TagType" });
export const TypesShape = z.array(TypeShape);

const StatsShape = z
  .object({
    join_count: z.int(),
    leave_count: z.int(),
    removed_count: z.int(),
    active_count: z.int(),
    unique_join_count: z.int(),
    join_request_count: z.int(),
    pending_join_request_count: z.int(),
    cost_per_join: amount.nullable(),
    cost_per_active_member: amount.nullable(),
    first_join_at: instant.nullable(),
    last_join_at: instant.nullable(),
  })
  .meta({ id: "InviteLinkStats", description: "The numbers of a link's members." });

export const LinkShape = z
  .object({
    id: uuid,
    name: z.string().nullable(),
    channel_id: telegramId,
    invite_link: z.string(),
    creates_join_request: z.boolean(),
    expire_date: instant.nullable(),
    member_limit: z.int().nullable(),
    created_at: instant,
    updated_at: instant.nullable(),
    is_bot_created: z.boolean(),
    creator_id: telegramId.nullable(),
    budget: amount,
    tags: z.array(
      z.object({ id: uuid, name: z.string(), color: z.string(), type: TypeShape }).meta({ id: "TagOfLink" }),
    ),
    stats: StatsShape.optional().meta({ description: "Only if the request asks for it." }),
  })
  .meta({ id: "InviteLink" });

export const TagShape = z
  .object({
    id: uuid,
    name: z.string(),
    color: z.string(),
    type: TypeShape,
    created_at: instant,
    updated_at: instant.nullable(),
    channel_id: telegramId,
    links: z
      .array(
        z
          .object({
            id: uuid,
            name: z.string().nullable(),
            invite_link: z.string(),
            created_at: instant,
            budget: amount,
            creator_id: telegramId.nullable(),
            is_bot_created: z.boolean(),
          })
          .meta({ id: "LinkOfTag" }),
      )
      .meta({ description: "The newest 1,000 links that carry the tag, the newest first." }),
  })
  .meta({ id: "Tag" });

/** `page` and `limit` repeat the request; `total` counts the items of all pages. */
const pageOf = <Item extends z.ZodType>(item: Item, id: string) =>
  z.object({ page: z.int(), limit: z.int(), total: z.int(), items: z.array(item) }).meta({ id });

export const LinkPageShape = pageOf(LinkShape, "InviteLinkPage");
export const TagPageShape = pageOf(TagShape, "TagPage");

const shownInstant = (at: Instant): string => `${at.slice(0, at.indexOf("."))}Z`;
const orNull = (at: Instant | null): string | null => (at === null ? null : shownInstant(at));

const numberOrNull = (decimal: string | null): number | null => (decimal === null ? null : Number(decimal));

const showStats = (budget: string, counts: MemberCounts): z.infer<typeof StatsShape> => ({
  join_count: counts.joinCount,
  leave_count: counts.leaveCount,
  removed_count: counts.removedCount,
  active_count: counts.activeCount,
  unique_join_count: counts.uniqueJoinCount,
  join_request_count: counts.joinRequestCount,
  pending_join_request_count: counts.pendingJoinRequestCount,
  cost_per_join: numberOrNull(costPer(budget, counts.joinCount)),
  cost_per_active_member: numberOrNull(costPer(budget, counts.activeCount)),
  first_join_at: orNull(counts.firstJoinAt),
  last_join_at: orNull(counts.lastJoinAt),
});

export const showLink = (link: CountedLink): z.infer<typeof LinkShape> => ({
  id: link.id,
  name: link.name,
  channel_id: link.chatId,
  invite_link: link.url,
  creates_join_request: link.createsJoinRequest,
  expire_date: orNull(link.expireDate),
  member_limit: link.memberLimit,
  created_at: shownInstant(link.createdAt),
  updated_at: orNull(link.updatedAt),
  is_bot_created: link.isBotCreated,
  creator_id: link.creatorId,
  budget: Number(link.budget),
  tags: link.tags.map(({ id, name, color, typeId, typeName }) => ({
    id,
    name,
    color,
    type: { id: typeId, name: typeName },
  })),
  ...(link.stats ? { stats: showStats(link.budget, link.stats) } : {}),
});

export const showTag = (tag: TagWithLinks): z.infer<typeof TagShape> => ({
  id: tag.id,
  name: tag.name,
  color: tag.color,
  type: { id: tag.typeId, name: tag.typeName },
  created_at: shownInstant(tag.createdAt),
  updated_at: orNull(tag.updatedAt),
  channel_id: tag.chatId,
  links: tag.links.map((link) => ({
    id: link.id,
    name: link.name,
    invite_link: link.url,
    created_at: shownInstant(new Date(link.createdAt).toISOString()),
    budget: Number(link.budget),
    creator_id: link.creatorId,
    is_bot_created: link.isBotCreated,
  })),
});

export const showType = ({ id, name }: TagType): TagType => ({ id, name });
