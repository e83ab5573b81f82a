import type { PageInfoShape } from "@pothos/plugin-relay";
import { DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE, type PageArguments } from "../../domain/paging/arguments.js";
import type { CountedPage } from "../../domain/paging/list.js";
import type { Edge } from "../../domain/paging/page.js";
import { lookAhead } from "./lookAhead.js";

/** The cost of a count or a sum: it reads all matching rows, however small the page is. */
export const COUNTING_COST = 3;

/** The cost of a page: its size times the cost of the fields that are selected of each node. */
export const pageComplexity = (args: PageArguments) => ({
  field: 1,
  // A greater size is refused later, with an error that names the limit.
  multiplier: Math.min(Math.max(1, args.first ?? args.last ?? DEFAULT_PAGE_SIZE), MAX_PAGE_SIZE),
});

/** Whether the rows of a connection's page are selected, rather than only what is computed over the whole list. */
export const selectsRows = lookAhead(["edges"], ["nodes"], ["pageInfo"]);

/**
 * The position of a page in its list. Getters, because some values take a statement, which runs only for a selected field.
 * A class, because V8 gives each object literal with getters a hidden class of its own, which keeps the page's rows in
 * memory until the old generation is collected.
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
  get hasNextPage(): boolean | Promise<boolean> {
    return this.#page.hasNextPage();
  }
  get hasPreviousPage(): boolean | Promise<boolean> {
    return this.#page.hasPreviousPage();
  }
}

/** A page of the domain in the shape of a Relay connection. Lazy values stay lazy. */
export const toConnection = <Row>(page: CountedPage<Row>) => ({
  edges: page.edges as Edge<Row>[],
  // The relay plugin types the two flags as booleans. Execution awaits promises as well.
  pageInfo: new PageInfo(page) as unknown as PageInfoShape,
  totalCount: () => page.totalCount(),
});
