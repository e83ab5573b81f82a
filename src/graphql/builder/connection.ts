import { DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE, type PageArguments } from "../../domain/paging/arguments.js";
import type { CountedPage } from "../../domain/paging/list.js";
import type { Edge } from "../../domain/paging/page.js";

/** What it costs to count, or to sum up: all that match is read, however small the page. */
export const COUNTING_COST = 3;

/** What a page costs: its size times what is asked of each of its things. */
export const pageComplexity = (args: PageArguments) => ({
  field: 1,
  // A greater size is refused for what it is.
  multiplier: Math.min(Math.max(1, args.first ?? args.last ?? DEFAULT_PAGE_SIZE), MAX_PAGE_SIZE),
});

/**
 * Where a page stands. By getters, since each is worked out, or takes a statement, only when asked for. They are a class's:
 * of a literal each page would have a shape of its own, by which V8 keeps its rows until the old generation is collected.
 */
export class PageInfo<Row> {
  readonly #page: CountedPage<Row>;

  constructor(page: CountedPage<Row>) {
    this.#page = page;
  }

  get startCursor(): string | null {
    return this.#page.edges[0]?.cursor ?? null;
  }
  get endCursor(): string | null {
    return this.#page.edges.at(-1)?.cursor ?? null;
  }
  // The execution awaits a promise.
  get hasNextPage(): boolean {
    return this.#page.hasNextPage() as unknown as boolean;
  }
  get hasPreviousPage(): boolean {
    return this.#page.hasPreviousPage() as unknown as boolean;
  }
}

/** A page of the domain in the shape of a Relay connection; what is computed only when asked for stays so. */
export const toConnection = <Row>(page: CountedPage<Row>) => ({
  edges: page.edges as Edge<Row>[],
  pageInfo: new PageInfo(page),
  totalCount: () => page.totalCount(),
});
