import sql from "sql-template-tag";
import type { Database } from "../../../database/database.js";
import type { Tag } from "../../tags/tag.js";
import { type LinkSelection, selected } from "../selection.js";
import { hasEveryLink } from "./linkSource.js";
import { type MemberSums, memberSumColumns, NO_SUMS } from "./memberCounts.js";

/** The members of the selected links together. */
export async function totalMembers(database: Database, selection: LinkSelection): Promise<MemberSums> {
  const { with: prefix, where } = selected(selection);
  const statement = hasEveryLink(selection)
    ? sql`select ${memberSumColumns} from link_activity a where a.channel_id = ${selection.channelId}::uuid`
    : sql`${prefix} select ${memberSumColumns}
        from invite_link l join link_activity a on a.link_id = l.id where ${where}`;
  const [row] = await database.query<MemberSums>(statement);
  return row ?? NO_SUMS;
}

/** The members of the links of each tag, in the order of the tags. One statement. */
export async function totalMembersOfTags(database: Database, tags: readonly Tag[]): Promise<MemberSums[]> {
  const rows = await database.query<MemberSums & { tagId: string }>(sql`
    select lt.tag_id as "tagId", ${memberSumColumns}
    from invite_link_tag lt join link_activity a on a.link_id = lt.link_id
    where lt.tag_id = any(${tags.map(({ id }) => id)}::uuid[]) group by lt.tag_id`);
  const sums = new Map(rows.map(({ tagId, ...of }) => [tagId, of]));
  return tags.map(({ id }) => sums.get(id) ?? NO_SUMS);
}
