import sql, { type Sql } from "sql-template-tag";
import type { UnitOfWork } from "../../../database/database.js";
import { statement } from "../../../database/statement.js";
import { type Problems, ValidationError } from "../../shared/errors.js";
import { parseIds } from "../../shared/ids.js";
import type { Loaders } from "../linkLoaders.js";

/** The largest number of tags on a link. */
export const MAX_TAGS = 100;

type TagIds = readonly (string | null)[];

/** Parses ids of tags. An id that is not valid is added to `problems` and becomes null. */
export const parseTagIds = (texts: readonly string[], field: string, problems: Problems) =>
  parseIds("Tag", texts, field, problems, MAX_TAGS);

/** The ids without nulls, each once. */
export const distinct = (ids: TagIds): string[] => [...new Set(ids.filter((id) => id !== null))];

/**
 * Adds to `problems` each tag that is not one of the channel.
 * @param channelId undefined for a channel that is not known yet, which has no tags.
 */
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

/** Links and the tags to add to them. */
export interface Tagging {
  readonly linkIds: readonly string[];
  readonly tagIds: readonly string[];
}

/**
 * Inserts the tags of links. A tag that was deleted meanwhile is left out, as if it had been deleted afterwards. The rows
 * repeat the channel and the type of the tag, so the lock keeps both from changing. The join compares with the channel that
 * the link has now, since a chat migration may have merged channels.
 */
const insertTags = ({ linkIds, tagIds }: Tagging): Sql => sql`
  insert into invite_link_tag (link_id, tag_id, channel_id, type_id, created_at)
  select l.id, t.id, t.channel_id, t.type_id, l.created_at
  from (
    select id, channel_id, type_id from tag where id = any(${tagIds}::uuid[]) order by id for key share
  ) t
  join invite_link l on l.channel_id = t.channel_id
  where l.id = any(${linkIds}::uuid[])
  on conflict do nothing returning link_id, tag_id`;

/** Adds tags to a link. @returns those that were added. */
export async function addTags(
  unit: Pick<UnitOfWork, "query">,
  linkId: string,
  tagIds: readonly string[],
): Promise<string[]> {
  const added = await unit.query<{ tag_id: string }>(
    statement("link_tags_add")`${insertTags({ linkIds: [linkId], tagIds })}`,
  );
  return added.map(({ tag_id }) => tag_id);
}

/** The tags that were added to a link and removed from it. */
export interface TagChange {
  readonly linkId: string;
  /** The channel that the link has now: a chat migration may have merged channels. */
  readonly channelId: string;
  readonly addTagIds: readonly string[];
  readonly removeTagIds: readonly string[];
}

/** Adds tags, and removes those that meet a condition on invite_link_tag. @returns the links that changed. */
async function retag(unit: UnitOfWork, tagging: Tagging, isRemoved: Sql): Promise<TagChange[]> {
  const ids = sql`${tagging.linkIds}::uuid[]`;
  // Ordered by id, so that two requests that tag the same links do not deadlock.
  await unit.execute(statement("link_tags_lock_links")`
    select from invite_link where id = any(${ids}) order by id for no key update`);
  return unit.query<TagChange>(statement("link_tags_replace")`
    with removed as (
      delete from invite_link_tag where link_id = any(${ids}) and ${isRemoved} returning link_id, tag_id
    ), added as (${insertTags(tagging)}), changed as (
      select link_id, tag_id, true as is_added from added union all select link_id, tag_id, false from removed
    ), touched as (
      update invite_link set updated_at = now() where id in (select link_id from changed)
    )
    select l.id as "linkId", l.channel_id as "channelId",
      coalesce(array_agg(tag_id) filter (where is_added), '{}') as "addTagIds",
      coalesce(array_agg(tag_id) filter (where not is_added), '{}') as "removeTagIds"
    from changed join invite_link l on l.id = link_id group by l.id`);
}

/** Replaces the tags of links by `tagging.tagIds`. @returns the links that changed. */
export const replaceTags = (unit: UnitOfWork, tagging: Tagging): Promise<TagChange[]> =>
  retag(unit, tagging, sql`tag_id <> all(${tagging.tagIds}::uuid[])`);

/**
 * Adds tags to links, and removes others.
 * @returns the links that changed.
 * @throws ValidationError if a link would carry more than MAX_TAGS tags.
 */
export async function changeTags(
  unit: UnitOfWork,
  tagging: Tagging,
  removedIds: readonly string[],
): Promise<TagChange[]> {
  const changes = await retag(unit, tagging, sql`tag_id = any(${removedIds}::uuid[])`);
  const tooMany = await unit.execute(statement("link_tags_too_many")`
    select link_id from invite_link_tag where link_id = any(${tagging.linkIds}::uuid[])
    group by link_id having count(*) > ${MAX_TAGS}::int`);
  if (tooMany === 0) return changes;
  throw new ValidationError([{ field: "addTagIds", message: `A link carries at most ${MAX_TAGS} tags.` }]);
}
