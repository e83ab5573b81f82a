import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Problems, ValidationError } from "../../../src/domain/shared/errors.js";
import {
  globalId,
  ID_KINDS,
  type IdKind,
  newId,
  parseGlobalId,
  parseId,
  parseIds,
} from "../../../src/domain/shared/ids.js";

const kind = fc.constantFrom(...ID_KINDS);

/** The problems, as [field, message]; empty for none. */
function problemsOf(read: (problems: Problems) => unknown): [string, string][] {
  const problems = new Problems();
  read(problems);
  try {
    problems.check();
    return [];
  } catch (error) {
    if (!(error instanceof ValidationError)) throw error;
    return error.fieldErrors.map(({ field, message }) => [field, message]);
  }
}

const read = (of: IdKind, text: string) => parseId(of, text, "id", new Problems());

describe("ids", () => {
  it("new ids are UUIDv7s that sort by age", () => {
    const ids = Array.from({ length: 1_000 }, newId);
    for (const id of ids)
      expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect([...ids].sort()).toEqual(ids);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it("an id is parsed from its global id and from a bare UUID in any case", () => {
    fc.assert(
      fc.property(kind, fc.uuid(), (of, id) => {
        const global = globalId(of, id);
        expect(global).toMatch(/^[A-Za-z0-9+/]+=*$/);
        expect(parseGlobalId(global)).toEqual({ kind: of, id });
        expect(parseGlobalId(global.replace(/=+$/, ""))).toEqual({ kind: of, id });
        expect(read(of, global)).toBe(id);
        expect(read(of, id)).toBe(id);
        expect(read(of, id.toUpperCase())).toBe(id);
        expect(read(of, globalId(of, id.toUpperCase()))).toBe(id);
      }),
    );
  });

  it("an id of another type is refused, and the message names that type", () => {
    fc.assert(
      fc.property(kind, kind, fc.uuid(), (of, other, id) => {
        fc.pre(of !== other);
        expect(read(of, globalId(other, id))).toBeNull();
        const [problem] = problemsOf((problems) => parseId(of, globalId(other, id), "input.id", problems));
        expect(problem).toEqual(["input.id", `This id is of type ${other}, not ${of}.`]);
      }),
    );
  });

  it("a text that is not an id is refused", () => {
    const id = newId();
    const base64 = (text: string) => Buffer.from(text).toString("base64");
    const garbage = [
      "",
      " ",
      "null",
      id.slice(1),
      `${id}0`,
      ` ${id}`,
      `${id}\n`,
      id.replaceAll("-", ""),
      `{${id}}`,
      id.replace(/.$/, "g"),
      globalId("Tag", id).slice(2),
      ` ${globalId("Tag", id)}`,
      `${globalId("Tag", id)}!`,
      base64(`tag:${id}`),
      base64(`User:${id}`),
      base64(`Tag:${id}:${id}`),
      base64(`Tag:${id}\0`),
      base64("Tag:1"),
      base64("Tag:"),
      base64(":"),
      base64(`Tag ${id}`),
      "\0",
      "\ud800",
      "😀".repeat(50),
      "0".repeat(100_000),
      "toString",
      "__proto__",
    ];
    for (const text of garbage) {
      expect(parseGlobalId(text), text.slice(0, 60)).toBeNull();
      expect(problemsOf((problems) => parseId("Tag", text, "id", problems))).toEqual([
        ["id", "This is no Tag id."],
      ]);
    }
    // A bare UUID is not a global id.
    expect(parseGlobalId(id)).toBeNull();
  });

  it("no text that is not an id gives anything but a problem", () => {
    const nearly = fc
      .tuple(
        fc.constantFrom<string>(...ID_KINDS, "User", "tag"),
        fc.constantFrom(":", "::", " "),
        fc.string(),
      )
      .map((parts) => Buffer.from(parts.join("")).toString("base64"));
    fc.assert(
      fc.property(kind, fc.oneof(fc.string({ unit: "binary" }), fc.base64String(), nearly), (of, text) => {
        const problems = problemsOf((all) => parseId(of, text, "id", all));
        expect(problems.length).toBe(read(of, text) === null ? 1 : 0);
      }),
    );
  });

  it("parsed ids of a list keep their places, and problems name the place", () => {
    const [first, second] = [newId(), newId()];
    const list = [first, globalId("Tag", first), first.toUpperCase(), second];
    expect(parseIds("Tag", list, "tagIds", new Problems(), 4)).toEqual([first, first, first, second]);
    expect(parseIds("Tag", [], "tagIds", new Problems(), 0)).toEqual([]);
    const problems = problemsOf((all) =>
      parseIds("Tag", [first, "x", globalId("TagType", first)], "tagIds", all, 3),
    );
    expect(problems.map(([field]) => field)).toEqual(["tagIds.1", "tagIds.2"]);
    expect(problemsOf((all) => parseIds("Tag", list, "tagIds", all, 3))).toEqual([
      ["tagIds", "Must be at most 3."],
    ]);
  });
});
