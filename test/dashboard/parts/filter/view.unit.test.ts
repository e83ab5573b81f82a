import fc from "fast-check";
import { expect, test } from "vitest";
import { PERIODS } from "../../../../dashboard/src/parts/filter/period.js";
import {
  ORDER_FIELDS,
  PAGE_SIZE,
  readAddress,
  readView,
  STATES,
  toggle,
  type View,
  writeView,
} from "../../../../dashboard/src/parts/filter/view.js";

/** Ids of this API, and others: base64 has characters that must be escaped in an address. */
const idOf = (type: string) =>
  fc.oneof(
    fc.uuid().map((uuid) => btoa(`${type}:${uuid}`)),
    fc.base64String({ minLength: 4, maxLength: 60 }),
  );
const id = idOf("TagType");
const groups = fc.uniqueArray(
  fc
    .record({ type: id, tags: fc.uniqueArray(idOf("Tag"), { maxLength: 5 }), without: fc.boolean() })
    .filter(({ tags, without }) => tags.length > 0 || without),
  { selector: ({ type }) => type, maxLength: 4 },
);
const view: fc.Arbitrary<View> = fc.record({
  groups,
  search: fc.string({ unit: "grapheme" }),
  state: fc.constantFrom(...STATES),
  created: fc.option(fc.constantFrom(...PERIODS)),
  order: fc.record({
    field: fc.constantFrom(...ORDER_FIELDS),
    direction: fc.constantFrom("ASC", "DESC"),
  }),
  rows: fc.integer({ min: PAGE_SIZE, max: 5000 }),
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

test("a filter by one tag takes less than 60 characters, and addresses with whole ids are still read", () => {
  const type = btoa("TagType:01991000-0000-7000-8000-000000000010");
  const tag = btoa("Tag:01991000-0000-7000-8000-000000000013");
  const filtered = { ...readView(""), groups: [{ type, tags: [tag], without: false }] };
  expect(writeView(filtered)).toBe("?tags.AZkQAAAAcACAAAAAAAAAEA=AZkQAAAAcACAAAAAAAAAEw");
  const old = `?${new URLSearchParams({ channel: "-1001234567890", [`tags.${type}`]: tag })}`;
  expect(readAddress(old)).toEqual({ view: filtered, dropped: [] });
});

test("what an address has without a meaning is named, and the channel is kept", () => {
  const { view, dropped } = readAddress("?channel=-1&state=gone&order=NAME%20UP&rows=x&foo=1&search=a");
  expect(dropped).toEqual(["state", "order", "rows", "foo"]);
  expect(writeView(view, "?channel=-1&foo=1")).toBe("?channel=-1&search=a");
});

test("every address is read as a view that can be written and read again", () => {
  const nonsense = fc.dictionary(
    fc.constantFrom("channel", "search", "state", "order", "rows", "chart", "tags.", "tags.A", "other"),
    fc.oneof(fc.string(), fc.constantFrom("NaN", "-1", "1e99", "BUDGET", "NAME UP", ",,", "none,none")),
  );
  fc.assert(
    fc.property(nonsense, (query) => {
      const read = readView(`?${new URLSearchParams(query)}`);
      expect(readView(writeView(read))).toEqual(read);
      expect(read.rows).toBeLessThanOrEqual(5000);
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
