import { Problems } from "../shared/errors.js";

export const DEFAULT_PAGE_SIZE = 10;
export const MAX_PAGE_SIZE = 100;

/** A page as a caller asks for it; the description of inviteLinks in schema.graphql has the rules. */
export interface PageArguments {
  readonly first?: number | null | undefined;
  readonly after?: string | null | undefined;
  readonly last?: number | null | undefined;
  readonly before?: string | null | undefined;
  readonly page?: number | null | undefined;
  /** Whether the page's rows are read; by default they are. Without them the page is empty, whatever the list has. */
  readonly withRows?: boolean;
}

/** A valid request for a page: forwards or backwards by cursors, or by number. */
export type PageRequest = { readonly size: number; readonly withRows: boolean } & (
  | {
      readonly mode: "forward" | "backward";
      readonly after: string | null;
      readonly before: string | null;
    }
  | { readonly mode: "number"; readonly page: number }
);

function checkSize(name: "first" | "last", value: number | null, problems: Problems): void {
  if (value === null) return;
  if (value < 0) problems.add(name, "Must not be negative.");
  if (value > MAX_PAGE_SIZE) problems.add(name, `Must be at most ${MAX_PAGE_SIZE}.`);
}

/** @throws ValidationError for sizes out of range and for arguments that contradict each other. */
export function readPageArguments(args: PageArguments): PageRequest {
  const { first = null, after = null, last = null, before = null, page = null, withRows = true } = args;
  const problems = new Problems();
  checkSize("first", first, problems);
  checkSize("last", last, problems);
  if (first !== null && last !== null) problems.add("last", "Give first or last, not both.");
  if (page !== null) {
    if (page < 1) problems.add("page", "Pages count from 1.");
    if (last !== null) problems.add("last", "A page by number has its size in first.");
    if (after !== null) problems.add("after", "Give a page by number or a cursor, not both.");
    if (before !== null) problems.add("before", "Give a page by number or a cursor, not both.");
  }
  problems.check();
  if (page !== null) return { mode: "number", size: first ?? DEFAULT_PAGE_SIZE, page, withRows };
  if (last !== null) return { mode: "backward", size: last, after, before, withRows };
  return { mode: "forward", size: first ?? DEFAULT_PAGE_SIZE, after, before, withRows };
}
