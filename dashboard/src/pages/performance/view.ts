import { useCallback, useMemo } from "react";
import { useSearch } from "wouter";
import { navigate } from "wouter/use-browser-location";
import { expandId, shortenId } from "../../shell/shortId.js";
import { SPANS, type Span } from "../../ui/chart/spans.js";

/** The times of creation by which links are grouped. */
export const TIMES = ["day", "week", "month"] as const;
export type Time = (typeof TIMES)[number];

export const COLUMNS = ["name", "links", "joins", "members", "budget", "cost", "stayed"] as const;
export type Column = (typeof COLUMNS)[number];
export interface Order {
  readonly column: Column;
  readonly isDescending: boolean;
}

/** What the page shows beside its filter. It stands in the address, as the filter does. */
export interface PerformanceView {
  readonly span: Span;
  /** A time of creation, or the id of a tag type; null for the first type. */
  readonly by: string | null;
  readonly order: Order;
}

const DEFAULT: PerformanceView = { span: 30, by: null, order: { column: "budget", isDescending: true } };

export const isTime = (by: string | null): by is Time => TIMES.some((time) => time === by);

function read(search: string): PerformanceView {
  const query = new URLSearchParams(search);
  const by = query.get("by");
  const [name, direction] = query.get("sort")?.split(" ") ?? [];
  const column = COLUMNS.find((known) => known === name);
  return {
    span: SPANS.find((span) => String(span) === query.get("span")) ?? DEFAULT.span,
    by: by === null || isTime(by) ? by : expandId("TagType", by),
    order: column ? { column, isDescending: direction === "desc" } : DEFAULT.order,
  };
}

function change(changes: Partial<PerformanceView>): void {
  const { span, by, order } = { ...read(location.search), ...changes };
  const query = new URLSearchParams(location.search);
  query.set("span", String(span));
  if (by !== null) query.set("by", isTime(by) ? by : shortenId("TagType", by));
  query.set("sort", `${order.column} ${order.isDescending ? "desc" : "asc"}`);
  navigate(`${location.pathname}?${query.toString().replaceAll("%2C", ",")}`);
}

export function usePerformanceView() {
  const search = useSearch();
  return { ...useMemo(() => read(search), [search]), change: useCallback(change, []) };
}
