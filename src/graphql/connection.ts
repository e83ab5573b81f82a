import { DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE, type PageArguments } from "../domain/paging/arguments.js";
import type { CountedPage } from "../domain/paging/list.js";

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
    edges: [...page.edges],
    pageInfo: {
      startCursor: page.edges[0]?.cursor ?? null,
      endCursor: page.edges.at(-1)?.cursor ?? null,
      // Getters, since each may take a statement; the promise is awaited by the execution.
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
