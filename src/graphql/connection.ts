import { DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE, type PageArguments } from "../domain/paging/arguments.js";
import type { CountedPage } from "../domain/paging/list.js";
import type { Edge } from "../domain/paging/page.js";

/** What it costs to count, or to sum up: all that match is read, however small the page. */
export const COUNTING_COST = 10;

/** What a page costs: its size times what is asked of each of its things. */
export const pageComplexity = (args: PageArguments) => ({
  field: 1,
  // A greater size is refused for what it is.
  multiplier: Math.min(Math.max(1, args.first ?? args.last ?? DEFAULT_PAGE_SIZE), MAX_PAGE_SIZE),
});

/** A page of the domain in the shape of a Relay connection; what is computed only when asked for stays so. */
export function toConnection<Row>(page: CountedPage<Row>) {
  return {
    edges: page.edges as Edge<Row>[],
    // Getters, since each is worked out, or takes a statement, only when asked for; the execution awaits a promise.
    pageInfo: {
      get startCursor() {
        return page.edges[0]?.cursor ?? null;
      },
      get endCursor() {
        return page.edges.at(-1)?.cursor ?? null;
      },
      get hasNextPage() {
        return page.hasNextPage() as unknown as boolean;
      },
      get hasPreviousPage() {
        return page.hasPreviousPage() as unknown as boolean;
      },
    },
    totalCount: () => page.totalCount(),
  };
}
