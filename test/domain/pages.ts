import { expect } from "vitest";
import type { PageArguments } from "../../src/domain/paging/arguments.js";
import type { Page } from "../../src/domain/paging/page.js";
import { type Compare, type ModelRequest, modelPage } from "./model.js";

interface Listed<Row> extends Page<Row> {
  totalCount(): Promise<number>;
}

/** A list whose pages are compared with the model. */
export interface ListUnderTest<
  Row extends { readonly id: string },
  Expected extends { readonly id: string },
> {
  read(args: PageArguments): Promise<Listed<Row>>;
  /** All rows that must be listed, in order. */
  readonly sorted: readonly Expected[];
  readonly compare: Compare<Expected>;
  /** The cursor of a row, which need not be listed. */
  cursorOf(row: Expected): string;
}

const idsOf = (rows: readonly { readonly id: string }[]): string[] => rows.map(({ id }) => id);

/** The arguments of a request: the model names rows by themselves, a list by their cursors. */
export const argumentsOf = <Expected>(
  list: { cursorOf(row: Expected): string },
  { after, before, ...rest }: ModelRequest<Expected>,
): PageArguments => ({
  ...rest,
  ...(after === undefined ? {} : { after: list.cursorOf(after) }),
  ...(before === undefined ? {} : { before: list.cursorOf(before) }),
});

export async function expectPage<
  Row extends { readonly id: string },
  Expected extends { readonly id: string },
>(list: ListUnderTest<Row, Expected>, request: ModelRequest<Expected>): Promise<Listed<Row>> {
  const page = await list.read(argumentsOf(list, request));
  const expected = modelPage(list.sorted, list.compare, request);
  const [hasNextPage, hasPreviousPage, totalCount] = await Promise.all([
    page.hasNextPage(),
    page.hasPreviousPage(),
    page.totalCount(),
  ]);
  expect({
    ids: idsOf(page.edges.map(({ node }) => node)),
    hasNextPage: expected.hasNextPage === null ? null : hasNextPage,
    hasPreviousPage: expected.hasPreviousPage === null ? null : hasPreviousPage,
    totalCount,
  }).toEqual({
    ids: idsOf(expected.nodes),
    hasNextPage: expected.hasNextPage,
    hasPreviousPage: expected.hasPreviousPage,
    totalCount: list.sorted.length,
  });
  for (const { cursor, node } of page.edges) {
    const row = expected.nodes.find(({ id }) => id === node.id) as Expected;
    expect(cursor).toBe(list.cursorOf(row));
  }
  return page;
}

/** Reads the whole list page by page, from one end to the other. */
export async function readAll<Row>(
  read: (args: PageArguments) => Promise<Page<Row>>,
  size: number,
  backward: boolean,
  between: () => Promise<void> = async () => {},
): Promise<Row[]> {
  const rows: Row[] = [];
  let cursor: string | undefined;
  for (let pages = 0; pages < 1_000; pages += 1) {
    const page: Page<Row> = await read(
      backward ? { last: size, before: cursor } : { first: size, after: cursor },
    );
    const nodes = page.edges.map(({ node }) => node);
    if (backward) rows.unshift(...nodes);
    else rows.push(...nodes);
    const edge = backward ? page.edges[0] : page.edges.at(-1);
    const more: boolean = await (backward ? page.hasPreviousPage() : page.hasNextPage());
    if (!more) return rows;
    if (edge === undefined) throw new Error("An empty page cannot be followed by another.");
    cursor = edge.cursor;
    await between();
  }
  throw new Error("The pages do not end.");
}

export async function expectAllPages<
  Row extends { readonly id: string },
  Expected extends { readonly id: string },
>(list: ListUnderTest<Row, Expected>, size: number): Promise<void> {
  for (const backward of [false, true]) {
    expect(idsOf(await readAll((args) => list.read(args), size, backward))).toEqual(idsOf(list.sorted));
  }
}
