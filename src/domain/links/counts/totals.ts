import sql from "sql-template-tag";
import type { Database } from "../../../database/database.js";
import type { Tag } from "../../tags/tag.js";
import { type LinkSelection, selected } from "../selection.js";
import { selectedBlocks } from "./bitmaps.js";

/** Sums over links. */
export interface LinkTotals {
  /** An exact decimal with two fraction digits, in the channel's currency; it may be larger than any link's can be. */
  readonly budget: string;
}

export const NO_TOTALS: LinkTotals = { budget: "0.00" };

/** The sum over the `selected` places of blocks, of whose budgets `block_budget d` has the binary digits, in hundredths. */
const budgetInBlocks = sql`
  (coalesce(sum(bit_count(d.links & blocks.selected) * (1::bigint << d.digit)), 0) / 100)::numeric(40, 2)`;

const budgetsOfBlocks = sql`join block_budget d on d.block_id = blocks.block_id`;

/** The totals of the links that are selected. */
export async function totalsOf(database: Database, selection: LinkSelection): Promise<LinkTotals> {
  const { with: prefix, where } = selected(selection);
  const [totals] = await database.query<LinkTotals>(
    selection.conditions.length === 0
      ? sql`select ${budgetInBlocks} as budget
          from (${selectedBlocks(selection)}) blocks ${budgetsOfBlocks}`
      : sql`${prefix} select coalesce(sum(l.budget), 0.00) as budget from invite_link l where ${where}`,
  );
  return totals ?? NO_TOTALS;
}

/** The totals of the links that carry each of the tags, in their order. */
export async function totalsOfTags(database: Database, tags: readonly Tag[]): Promise<LinkTotals[]> {
  const rows = await database.query<LinkTotals & { tagId: string }>(sql`
    select blocks.tag_id as "tagId", ${budgetInBlocks} as budget
    from (
      select block_id, tag_id, links as selected from block_tag
      where tag_id = any(${tags.map(({ id }) => id)}::uuid[])
    ) blocks ${budgetsOfBlocks} group by blocks.tag_id`);
  const totals = new Map(rows.map(({ tagId, ...sums }) => [tagId, sums]));
  return tags.map(({ id }) => totals.get(id) ?? NO_TOTALS);
}
