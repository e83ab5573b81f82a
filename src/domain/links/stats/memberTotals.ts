import sql from "sql-template-tag";
import type { Database } from "../../../database/database.js";
import { type NamedStatement, statement } from "../../../database/statement.js";
import { lazy } from "../../shared/lazy.js";
import type { Tag } from "../../tags/tag.js";
import type { LinkSelection } from "../selection.js";
import { hasEveryLink, selectedIds } from "./linkSource.js";
import { type MemberSums, memberSumColumns, NO_SUMS } from "./memberCounts.js";

/**
 * The members of the selected links together. For all links of a channel they are sums of the channel's quarters, which
 * are far fewer than the links.
 */
export interface MemberTotals {
  sums(): Promise<Omit<MemberSums, "removedCount">>;
  removedCount(): Promise<number>;
}

async function readSums(database: Database, sums: NamedStatement): Promise<MemberSums> {
  const [row] = await database.query<MemberSums>(sums);
  return row ?? NO_SUMS;
}

/** Each statement is sent when its method is first called. */
export function totalMembers(database: Database, selection: LinkSelection): MemberTotals {
  const { channelId } = selection;
  if (hasEveryLink(selection)) {
    const sums = lazy(() =>
      readSums(
        database,
        statement("links_member_sums_of_channel")`
        select coalesce(sum(q.join_count), 0) as "joinCount", coalesce(sum(q.leave_count), 0) as "leaveCount",
          coalesce(sum(q.removed_count), 0) as "removedCount",
          coalesce(sum(q.join_count - q.leave_count), 0) as "activeCount",
          coalesce(sum(q.join_request_count), 0) as "joinRequestCount"
        from channel_quarter q where q.channel_id = ${channelId}::uuid and q.has_link`,
      ),
    );
    return { sums, removedCount: async () => (await sums()).removedCount };
  }
  const { with: prefix, from, where } = selectedIds(selection);
  // OFFSET 0: see LinkSource.
  const sums = lazy(() =>
    readSums(
      database,
      statement("links_member_sums")`
        ${prefix} select ${memberSumColumns(sql`a`)}
        from (select l.id from ${from} where ${where} offset 0) s join link_activity a on a.link_id = s.id`,
    ),
  );
  return { sums, removedCount: async () => (await sums()).removedCount };
}

/** The members of the links of each tag, in the order of the tags. One statement. */
export async function totalMembersOfTags(database: Database, tags: readonly Tag[]): Promise<MemberSums[]> {
  const rows = await database.query<MemberSums & { tagId: string }>(statement("tag_member_sums")`
    select lt.tag_id as "tagId", ${memberSumColumns(sql`a`)}
    from invite_link_tag lt join link_activity a on a.link_id = lt.link_id
    where lt.tag_id = any(${tags.map(({ id }) => id)}::uuid[]) group by lt.tag_id`);
  const sums = new Map(rows.map(({ tagId, ...of }) => [tagId, of]));
  return tags.map(({ id }) => sums.get(id) ?? NO_SUMS);
}
