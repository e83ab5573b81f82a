import sql, { type Sql } from "sql-template-tag";
import type { UnitOfWork } from "../../../database/database.js";
import { type Problems, ValidationError } from "../../shared/errors.js";
import { parseIds } from "../../shared/ids.js";
import type { Loaders } from "../linkLoaders.js";

/** That a link carries. */
export const MAX_TAGS = 100;

type TagIds = readonly (string | null)[];

/** The ids of tags that one link shall carry; what is wrong with them is said in `problems`, and is null. */
export const parseTagIds = (texts: readonly string[], field: string, problems: Problems) =>
  parseIds("Tag", texts, field, problems, MAX_TAGS);

/** Each once; those that are none left out. */
export const distinct = (ids: TagIds): string[] => [...new Set(ids.filter((id) => id !== null))];

/** Each must be a tag of the channel; what is wrong is said in `problems`. @param channelId undefined: none is known. */
export async function checkTags(
  tagIds: TagIds,
  channelId: string | undefined,
  field: string,
  loaders: Loaders,
  problems: Problems,
): Promise<void> {
  const tags = await Promise.all(tagIds.map((id) => id && loaders.tag.load(id)));
  for (const [index, tag] of tags.entries()) {
    if (tagIds[index] !== null && (!tag || tag.channelId !== channelId)) {
      problems.add(`${field}.${index}`, "There is no such tag in this channel.");
    }
  }
}

/** Links, and tags for them. */
export interface Tagging {
  readonly linkIds: readonly string[];
  readonly tagIds: readonly string[];
}

/**
 * Tags that are deleted meanwhile are left out, as if that had come after. Locking them keeps their channel and type,
 * which stand beside them here, from changing. The channel is the one that the link is in by now: following a chat may
 * have made one channel of two.
 */
const giving = ({ linkIds, tagIds }: Tagging): Sql => sql`
  insert into invite_link_tag (link_id, tag_id, channel_id, type_id, created_at)
  select l.id, t.id, t.channel_id, t.type_id, l.created_at
  from (
    select id, channel_id, type_id from tag where id = any(${tagIds}::uuid[]) order by id for key share
  ) t
  join invite_link l on l.channel_id = t.channel_id
  where l.id = any(${linkIds}::uuid[])
  on conflict do nothing returning link_id, tag_id`;

/** Gives tags to links. */
export async function giveTags(unit: UnitOfWork, tagging: Tagging): Promise<void> {
  await unit.execute(giving(tagging));
}

/** What changed of a link's tags. */
export interface TagChange {
  readonly linkId: string;
  readonly addTagIds: readonly string[];
  readonly removeTagIds: readonly string[];
}

/** @returns the links that changed. */
async function retag(unit: UnitOfWork, tagging: Tagging, taken: Sql): Promise<TagChange[]> {
  const ids = sql`${tagging.linkIds}::uuid[]`;
  // In one order, so that two who tag the same links do not wait for each other.
  await unit.execute(sql`select from invite_link where id = any(${ids}) order by id for no key update`);
  return unit.query<TagChange>(sql`
    with taken as (
      delete from invite_link_tag where link_id = any(${ids}) and ${taken} returning link_id, tag_id
    ), given as (${giving(tagging)}), changed as (
      select link_id, tag_id, true as is_given from given union all select link_id, tag_id, false from taken
    ), touched as (
      update invite_link set updated_at = now() where id in (select link_id from changed)
    )
    select link_id as "linkId",
      coalesce(array_agg(tag_id) filter (where is_given), '{}') as "addTagIds",
      coalesce(array_agg(tag_id) filter (where not is_given), '{}') as "removeTagIds"
    from changed group by link_id`);
}

/** Makes these the tags that the links carry. @returns the links that changed. */
export const replaceTags = (unit: UnitOfWork, tagging: Tagging): Promise<TagChange[]> =>
  retag(unit, tagging, sql`tag_id <> all(${tagging.tagIds}::uuid[])`);

/**
 * Gives the links tags, and takes others of them.
 * @returns the links that changed.
 * @throws ValidationError where one would carry too many.
 */
export async function changeTags(
  unit: UnitOfWork,
  tagging: Tagging,
  takenIds: readonly string[],
): Promise<TagChange[]> {
  const changes = await retag(unit, tagging, sql`tag_id = any(${takenIds}::uuid[])`);
  const tooMany = await unit.execute(sql`
    select link_id from invite_link_tag where link_id = any(${tagging.linkIds}::uuid[])
    group by link_id having count(*) > ${MAX_TAGS}::int`);
  if (tooMany === 0) return changes;
  throw new ValidationError([{ field: "addTagIds", message: `A link carries at most ${MAX_TAGS} tags.` }]);
}
