import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Problems } from "../../../src/domain/shared/errors.js";
import { codePoints, foldName, isStorable, tidyName } from "../../../src/domain/shared/text.js";

const unicode = fc.string({ unit: "binary", maxLength: 20 });

describe("foldName", () => {
  it.each([
    ["STRASSE", "strasse"],
    ["Реклама", "реклама"],
    ["ΟΔΟΣ", "οδοσ"],
    ["ὈΔΥΣΣΕΎΣ", "ὀδυσσεύσ"],
    ["Ｆｕｌｌ　ｗｉｄｔｈ", "full width"],
    ["ﬁne", "fine"],
    ["①", "1"],
    ["Cafe\u0301", "café"],
    ["𝒜𝓭", "ad"],
    ["Ⅷ", "viii"],
    ["ꭰᏣ", "ꭰꮳ"],
    ["𐐀", "𐐨"],
    ["😀%_", "😀%_"],
  ])("foldName of %s is %s", (name, key) => {
    expect(foldName(name)).toBe(key);
  });

  it("folding a folded code point changes nothing, for every code point", () => {
    const unstable: string[] = [];
    for (let code = 0; code <= 0x10ffff; code += 1) {
      if (code >= 0xd800 && code <= 0xdfff) continue;
      const key = foldName(String.fromCodePoint(code));
      if (foldName(key) !== key) unstable.push(code.toString(16));
    }
    expect(unstable).toEqual([]);
  });

  it("folding a folded text changes nothing", () => {
    fc.assert(
      fc.property(unicode, (text) => {
        expect(foldName(foldName(text))).toBe(foldName(text));
      }),
    );
  });

  it("foldName gives the same for every Unicode composition of a text", () => {
    fc.assert(
      fc.property(unicode, fc.constantFrom("NFC", "NFD", "NFKC", "NFKD"), (text, form) => {
        expect(foldName(text.normalize(form))).toBe(foldName(text));
      }),
    );
  });

  it("the folded name contains the folded part, in any case and wherever the part was cut out", () => {
    const letters = fc.stringMatching(/^[a-zA-Zа-яА-Яα-ωΑ-ΡΣ-Ω 0-9%_😀-😄]{1,12}$/u);
    fc.assert(
      fc.property(letters, fc.nat(), fc.nat(), fc.boolean(), (name, from, length, upper) => {
        const points = [...name];
        const start = from % points.length;
        const part = points.slice(start, start + 1 + (length % (points.length - start))).join("");
        expect(foldName(name)).toContain(foldName(upper ? part.toUpperCase() : part.toLowerCase()));
      }),
    );
  });

  it("foldName keeps a storable text storable", () => {
    fc.assert(
      fc.property(unicode, (text) => {
        if (isStorable(text)) expect(isStorable(foldName(text))).toBe(true);
        if (text !== "") expect(foldName(text)).not.toBe("");
      }),
    );
  });
});

describe("texts", () => {
  it("isStorable refuses only NUL and lone surrogates", () => {
    for (const text of ["", "a", "😀", "\u{10ffff}", "\ufffe", "\n"]) expect(isStorable(text)).toBe(true);
    for (const text of ["\0", "a\0b", "\ud83d", "\ude00\ud83d", "😀\ud800"])
      expect(isStorable(text)).toBe(false);
  });

  it("codePoints counts an emoji once", () => {
    expect(["", "abc", "😀", "é", "e\u0301", "👨‍👩‍👧"].map(codePoints)).toEqual([0, 3, 1, 1, 2, 5]);
  });
});

describe("tidyName", () => {
  const tidy = (name: string): [string, string | null] => {
    const problems = new Problems();
    const tidied = tidyName(name, 5, "name", problems);
    try {
      problems.check();
      return [tidied, null];
    } catch (error) {
      return [tidied, (error as Error).message];
    }
  };

  it("tidyName replaces runs of white space by one space and trims the ends", () => {
    expect(tidy(" \t a\n\u00a0 b \u3000")).toEqual(["a b", null]);
  });

  it("tidyName limits the number of code points", () => {
    expect(tidy("😀".repeat(5))).toEqual(["😀".repeat(5), null]);
    expect(tidy("😀".repeat(6))[1]).toBe("name: Must have at most 5 characters.");
  });

  it.each(["", "  ", "\n\u00a0"])("tidyName refuses the empty name %j", (name) => {
    expect(tidy(name)).toEqual(["", "name: Must not be empty."]);
  });

  it.each(["a\0", "a\u0007", "\u009f", "\ud800", "\x7f"])(
    "tidyName refuses control characters and broken Unicode in %j",
    (name) => {
      expect(tidy(name)[1]).toBe("name: Must not contain control characters or broken Unicode.");
    },
  );

  it("tidyName leaves a tidied name unchanged", () => {
    fc.assert(
      fc.property(unicode, (text) => {
        const once = tidyName(text, 100, "name", new Problems());
        expect(tidyName(once, 100, "name", new Problems())).toBe(once);
      }),
    );
  });
});
