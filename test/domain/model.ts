/**
 * What the contract says about pages, written as plainly as possible over sorted arrays, without any code of the server.
 * The property tests compare pages with this model.
 */

export type Compare<Row> = (left: Row, right: Row) => number;

/** The rows of a page, and whether there are rows beyond it. */
export interface ModelPage<Row> {
  readonly nodes: readonly Row[];
  /** Null if the contract leaves it open: `after` at or behind `before`. */
  readonly hasNextPage: boolean | null;
  readonly hasPreviousPage: boolean | null;
}

export interface ModelRequest<Row> {
  readonly first?: number;
  readonly last?: number;
  readonly page?: number;
  readonly after?: Row;
  readonly before?: Row;
}

/** @param sorted all rows that match, in order; `after` and `before` need not be among them. */
export function modelPage<Row>(
  sorted: readonly Row[],
  compare: Compare<Row>,
  request: ModelRequest<Row>,
): ModelPage<Row> {
  const { first = 10, last, page, after, before } = request;
  if (page !== undefined) {
    const skipped = (page - 1) * first;
    return {
      nodes: sorted.slice(skipped, skipped + first),
      hasNextPage: sorted.length > skipped + (first === 0 ? 0 : first),
      hasPreviousPage: skipped > 0 && sorted.length > 0,
    };
  }
  const between = sorted.filter(
    (row) =>
      (after === undefined || compare(row, after) > 0) && (before === undefined || compare(row, before) < 0),
  );
  const nodes =
    last === undefined ? between.slice(0, first) : between.slice(Math.max(0, between.length - last));
  if (after !== undefined && before !== undefined && compare(after, before) >= 0) {
    return { nodes, hasNextPage: null, hasPreviousPage: null };
  }
  const [head, tail] = [nodes[0], nodes.at(-1)];
  if (head !== undefined && tail !== undefined) {
    return {
      nodes,
      hasNextPage: sorted.some((row) => compare(row, tail) > 0),
      hasPreviousPage: sorted.some((row) => compare(row, head) < 0),
    };
  }
  // An empty page lies right behind `after` if it is read forwards, right before `before` if it is read backwards.
  if (last === undefined) {
    const passed = (row: Row) => after !== undefined && compare(row, after) <= 0;
    return { nodes, hasNextPage: sorted.some((row) => !passed(row)), hasPreviousPage: sorted.some(passed) };
  }
  const coming = (row: Row) => before !== undefined && compare(row, before) >= 0;
  return { nodes, hasNextPage: sorted.some(coming), hasPreviousPage: sorted.some((row) => !coming(row)) };
}

/** Case folded, in every script. */
export function modelFold(text: string): string {
  const lower = Array.from(text.normalize("NFKC"), (letter) => (letter === "ς" ? "σ" : letter.toLowerCase()));
  return lower.join("").normalize("NFKC");
}

export const contains = (name: string, part: string): boolean => modelFold(name).includes(modelFold(part));

/** Code point by code point. */
export function compareTexts(left: string, right: string): number {
  const [lefts, rights] = [Array.from(left), Array.from(right)];
  for (let index = 0; index < Math.min(lefts.length, rights.length); index += 1) {
    const difference = (lefts[index]?.codePointAt(0) ?? 0) - (rights[index]?.codePointAt(0) ?? 0);
    if (difference !== 0) return difference;
  }
  return lefts.length - rights.length;
}

/** UUIDs in lower case. */
export const compareIds = (left: string, right: string): number => (left < right ? -1 : left > right ? 1 : 0);
