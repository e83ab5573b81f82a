import sql from "sql-template-tag";
import type { Database } from "../../database/database.js";
import type { Tag } from "../tags/tag.js";
import { type LinkSelection, selected } from "./selection.js";

/** Sums over links. */
export interface LinkTotals {
  /** An exact decimal with two fraction digits, in the channel's currency; it may be larger than any link's can be. */
  readonly budget: string;
}

export const NO_TOTALS: LinkTotals = { budget: "0.00" };

/** The totals of the links that are selected. */
export async function totalsOf(database: Database, selection: LinkSelection): Promise<LinkTotals> {
  const { with: prefix, where } = selected(selection);
  const [totals] = await database.query<LinkTotals>(
    sql`${prefix} select coalesce(sum(l.budget), 0.00) as budget from invite_link l where ${where}`,
  );
  return totals ?? NO_TOTALS;
}

/** The totals of the links that carry each of the tags, in their order. */
export async function totalsOfTags(database: Database, tags: readonly Tag[]): Promise<LinkTotals[]> {
  const channelIds = [...new Set(tags.map(({ channelId }) => channelId))];
  const rows = await database.query<LinkTotals & { tagId: string }>(sql`
    select lt.tag_id as "tagId", sum(l.budget) as budget
    from invite_link_tag lt join invite_link l on l.id = lt.link_id
    where lt.tag_id = any(${tags.map(({ id }) => id)}::uuid[])
      and lt.channel_id = any(${channelIds}::uuid[]) and l.channel_id = any(${channelIds}::uuid[])
    group by lt.tag_id`);
  const totals = new Map(rows.map(({ tagId, ...sums }) => [tagId, sums]));
  return tags.map(({ id }) => totals.get(id) ?? NO_TOTALS);
}
