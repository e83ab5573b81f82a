import sql, { empty } from "sql-template-tag";
import type { StatementUse } from "../../../database/database.js";
import { statement } from "../../../database/statement.js";
import { fastPaths } from "../../../fastPaths.js";
import type { ListStatements, SqlList } from "../../paging/list.js";
import type { Ordering } from "../../paging/ordering.js";
import { countStatements } from "../counts/countStatements.js";
import { linksCount } from "../counts/totals.js";
import { linkColumnsOfChat } from "../inviteLink.js";
import { type LinkSelection, selected } from "../selection.js";
import { joinCountsOfFew, memberCountColumns } from "../stats/memberCounts.js";
import { linksWithCounters, orderedColumns, scanByActivity } from "./activityOrder.js";
import { dayOffsets } from "./dayOffsets.js";
import { isByActivity, type OrderedLink } from "./order.js";
import { tagMergeScan } from "./tagMergeScan.js";

const STATEMENTS: ListStatements = {
  page: statement("links_page"),
  exists: statement("links_beyond"),
  count: linksCount,
};

/** The keys of an order that have an index, not counting the id. */
const MAX_INDEXED_KEYS = 1;

/**
 * A page that an index gives is quick. Under tag groups that few links meet, many links are read. No index has an order
 * of several keys: all links are sorted, or all that share the first key.
 */
function pageUse(
  { conditions, groups }: LinkSelection,
  ordering: Ordering<OrderedLink>,
): StatementUse | undefined {
  if (conditions.length > 0 || ordering.length - 1 > MAX_INDEXED_KEYS) return undefined;
  return groups.length === 0 ? "frequent and quick" : "frequent";
}

/**
 * The list of a chat's selected links.
 * @param withCounts whether the rows have the counters of members. The pages must be short.
 */
export function linkList(
  selection: LinkSelection,
  chatId: number,
  ordering: Ordering<OrderedLink>,
  withCounts: boolean,
): SqlList {
  const { channelId, conditions, groups } = selection;
  const hasAllLinks = conditions.length === 0 && groups.length === 0;
  const use = pageUse(selection, ordering);
  const count = () => countStatements.count(selection);
  const own = linkColumnsOfChat(chatId);
  const counted = sql`${own}, ${memberCountColumns}`;
  const joins = withCounts ? joinCountsOfFew : empty;
  if (isByActivity(ordering)) {
    const rows = { table: linksWithCounters, alias: sql`l`, ...selected(selection) };
    return {
      statements: STATEMENTS,
      columns: withCounts ? counted : sql`${own}, ${orderedColumns}`,
      joins,
      use,
      count,
      scan: scanByActivity(selection, ordering, rows),
      ...rows,
    };
  }
  return {
    statements: STATEMENTS,
    columns: withCounts ? counted : own,
    joins,
    use,
    count,
    scan: fastPaths.tagMergeScan ? tagMergeScan(selection, ordering) : null,
    skip: fastPaths.dayOffsets && hasAllLinks ? dayOffsets(channelId, ordering) : undefined,
    table: sql`invite_link l`,
    alias: sql`l`,
    ...selected(selection),
  };
}
