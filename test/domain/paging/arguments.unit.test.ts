import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type PageArguments, readPageArguments } from "../../../src/domain/paging/arguments.js";
import { ValidationError } from "../../../src/domain/shared/errors.js";

function fieldsOf(args: PageArguments): string[] {
  try {
    readPageArguments(args);
    return [];
  } catch (error) {
    if (!(error instanceof ValidationError)) throw error;
    return error.fieldErrors.map(({ field }) => field);
  }
}

describe("readPageArguments", () => {
  it.each<[PageArguments, unknown]>([
    [{}, { mode: "forward", size: 10, after: null, before: null }],
    [
      { first: null, after: null, last: null, before: null, page: null },
      { mode: "forward", size: 10, after: null, before: null },
    ],
    [{ first: 0 }, { mode: "forward", size: 0, after: null, before: null }],
    [
      { first: 100, after: "a", before: "b" },
      { mode: "forward", size: 100, after: "a", before: "b" },
    ],
    [{ after: "a" }, { mode: "forward", size: 10, after: "a", before: null }],
    [{ before: "b" }, { mode: "forward", size: 10, after: null, before: "b" }],
    [{ last: 0 }, { mode: "backward", size: 0, after: null, before: null }],
    [
      { last: 3, after: "a", before: "b" },
      { mode: "backward", size: 3, after: "a", before: "b" },
    ],
    [{ page: 1 }, { mode: "number", size: 10, page: 1 }],
    [
      { page: 7, first: 0 },
      { mode: "number", size: 0, page: 7 },
    ],
    [{ after: "" }, { mode: "forward", size: 10, after: "", before: null }],
    [{ withRows: false }, { mode: "forward", size: 10, after: null, before: null, withRows: false }],
  ])("readPageArguments accepts %j", (args, request) => {
    expect(readPageArguments(args)).toEqual({ withRows: true, ...(request as object) });
  });

  it.each<[PageArguments, string[]]>([
    [{ first: -1 }, ["first"]],
    [{ first: 101 }, ["first"]],
    [{ last: -1 }, ["last"]],
    [{ last: 101 }, ["last"]],
    [{ first: 0, last: 0 }, ["last"]],
    [{ first: 1, last: 101 }, ["last", "last"]],
    [{ page: 0 }, ["page"]],
    [{ page: -3 }, ["page"]],
    [{ page: 1, last: 1 }, ["last"]],
    [{ page: 1, after: "a" }, ["after"]],
    [{ page: 1, before: "b" }, ["before"]],
    [{ page: 0, first: 101, after: "a", before: "b" }, ["first", "page", "after", "before"]],
  ])("readPageArguments refuses %j", (args, fields) => {
    expect(fieldsOf(args)).toEqual(fields);
  });

  it("readPageArguments refuses exactly the arguments that the contract refuses", () => {
    const maybe = <T>(values: fc.Arbitrary<T>) => fc.option(values, { nil: null });
    const size = fc.oneof(
      fc.constantFrom(-1, 0, 1, 99, 100, 101),
      fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
    );
    const args = fc.record({
      first: maybe(size),
      last: maybe(size),
      after: maybe(fc.string()),
      before: maybe(fc.string()),
      page: maybe(size),
    });
    fc.assert(
      fc.property(args, ({ first, last, after, before, page }) => {
        const badSize = [first, last].some((value) => value !== null && (value < 0 || value > 100));
        const badPage = page !== null && (page < 1 || last !== null || after !== null || before !== null);
        const refused = badSize || badPage || (first !== null && last !== null);
        expect(fieldsOf({ first, last, after, before, page }).length > 0).toBe(refused);
      }),
    );
  });
});
