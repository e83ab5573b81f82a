import type { Database } from "../../../database/database.js";
import { statement } from "../../../database/statement.js";
import type { Tag } from "../../tags/tag.js";
import type { LinkSelection } from "../selection.js";
import { countStatements } from "./countStatements.js";

/** Sums over links. */
export interface LinkTotals {
  /** An exact decimal with two fraction digits, in the channel's currency. It may exceed the largest budget of one link. */
  readonly budget: string;
}

export const NO_TOTALS: LinkTotals = { budget: "0.00" };

/** Counts links, here and in their list. */
export const linksCount = statement("links_count");

/** The number of selected links. */
export async function countLinks(database: Database, selection: LinkSelection): Promise<number> {
  const [row] = await database.query<{ count: number }>(linksCount`${countStatements.count(selection)}`);
  return row?.count ?? 0;
}

/** The totals of the selected links. */
export async function totalLinks(database: Database, selection: LinkSelection): Promise<LinkTotals> {
  const [totals] = await database.query<LinkTotals>(
    statement("links_totals")`${countStatements.totals(selection)}`,
  );
  return totals ?? NO_TOTALS;
}

/** The number of links that carry each of the tags, in the order of the tags. */
export async function countLinksOfTags(database: Database, tags: readonly Tag[]): Promise<number[]> {
  const rows = await database.query<{ tagId: string; count: number }>(
    statement("tag_links_count")`${countStatements.countOfTags(tags)}`,
  );
  const counts = new Map(rows.map(({ tagId, count }) => [tagId, count]));
  return tags.map(({ id }) => counts.get(id) ?? 0);
}

/** The totals of the links that carry each of the tags, in the order of the tags. */
export async function totalLinksOfTags(database: Database, tags: readonly Tag[]): Promise<LinkTotals[]> {
  const rows = await database.query<LinkTotals & { tagId: string }>(
    statement("tag_links_totals")`${countStatements.totalsOfTags(tags)}`,
  );
  const totals = new Map(rows.map(({ tagId, ...sums }) => [tagId, sums]));
  return tags.map(({ id }) => totals.get(id) ?? NO_TOTALS);
}
