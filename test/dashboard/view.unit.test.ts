import fc from "fast-check";
import { expect, test } from "vitest";
import { PAGE_SIZE, readView, STATES, toggle, type View, writeView } from "../../dashboard/src/view.js";

/** Ids are base64, which has characters that must be escaped in an address. */
const id = fc.base64String({ minLength: 4, maxLength: 60 });
const groups = fc.uniqueArray(
  fc
    .record({ type: id, tags: fc.uniqueArray(id, { maxLength: 5 }), without: fc.boolean() })
    .filter(({ tags, without }) => tags.length > 0 || without),
  { selector: ({ type }) => type, maxLength: 4 },
);
const view: fc.Arbitrary<View> = fc.record({
  channel: fc.option(fc.maxSafeInteger().filter((channel) => channel !== 0)),
  groups,
  name: fc.string({ unit: "grapheme" }),
  state: fc.constantFrom(...STATES),
  order: fc.record({
    field: fc.constantFrom("BUDGET", "CREATED_AT", "NAME"),
    direction: fc.constantFrom("ASC", "DESC"),
  }),
  rows: fc.integer({ min: PAGE_SIZE, max: 1000 }),
  chart: fc.option(id),
});

test("a view that is written to an address and read again is unchanged", () => {
  fc.assert(
    fc.property(view, (shown) => {
      expect(readView(writeView(shown))).toEqual(shown);
    }),
  );
});

test("the address of the default view is empty", () => {
  expect(writeView(readView(""))).toBe("");
});

test("every address is read as a view that can be written and read again", () => {
  const nonsense = fc.dictionary(
    fc.constantFrom("channel", "name", "state", "order", "rows", "chart", "tags.", "tags.A", "other"),
    fc.oneof(fc.string(), fc.constantFrom("NaN", "-1", "1e99", "BUDGET", "NAME UP", ",,", "none,none")),
  );
  fc.assert(
    fc.property(nonsense, (query) => {
      const read = readView(`?${new URLSearchParams(query)}`);
      expect(readView(writeView(read))).toEqual(read);
      expect(read.rows).toBeLessThanOrEqual(1000);
    }),
  );
});

test("toggling a tag twice leaves the filter unchanged", () => {
  const asked = (some: View["groups"]) =>
    some
      .map(({ type, tags, without }) => ({ type, tags: [...tags].sort(), without }))
      .sort((one, other) => (one.type < other.type ? -1 : 1));
  fc.assert(
    fc.property(groups, id, fc.option(id), (some, type, tag) => {
      const once = toggle(some, type, tag);
      expect(asked(once)).not.toEqual(asked(some));
      expect(asked(toggle(once, type, tag))).toEqual(asked(some));
    }),
  );
});
