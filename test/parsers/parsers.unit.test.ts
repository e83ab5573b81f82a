import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseAmount, parseWrittenByHand } from "../../src/parsers/amount.js";
import { parseInstant, parseRfc3339Instant } from "../../src/parsers/instant.js";
import { parseInviteLinkUrl, readInviteLinkUrl } from "../../src/parsers/inviteLinkUrl.js";
import { parseChat, parseChatId, parseChatWithTopic, parseTelegramId } from "../../src/parsers/telegramId.js";
import { UnreadableValueError } from "../../src/parsers/unreadable.js";
import { ADDRESSES, AMOUNTS, CHAT_IDS, INSTANTS } from "../support/spellings.js";

/** @returns the value that a parser reads; null if it refuses. */
function readOrNull<Value>(read: () => Value): Value | null {
  try {
    return read();
  } catch (error) {
    expect(error).toBeInstanceOf(UnreadableValueError);
    return null;
  }
}

const hash = fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/);

describe("an invite link's address", () => {
  test.each(ADDRESSES)("%j is read as %j", (text, url) => {
    expect(parseInviteLinkUrl(text)).toBe(url);
  });

  test("is the same link in every spelling of its scheme, host, prefix, query, fragment and punctuation", () => {
    const anyCase = (text: string) =>
      fc.mixedCase(fc.constant(text), { toggleCase: (char) => char.toUpperCase() });
    const scheme = fc.constantFrom("", "//", "http://", "https://").chain(anyCase);
    const host = fc.constantFrom("t.me", "telegram.me", "telegram.dog", "www.t.me").chain(anyCase);
    const prefix = fc.constantFrom("/+", "/%2B", "/%2b", "/%20", "/ ", "/joinchat/").chain(anyCase);
    const web = fc
      .tuple(scheme, host, prefix, hash, fc.constantFrom("", "/"))
      .map((parts) => [parts[3], parts.join("")] as const);
    const app = fc
      .tuple(anyCase("tg://join?invite="), hash)
      .map((parts) => [parts[1], parts.join("")] as const);
    const query = fc.constantFrom("", "?fbclid=a.b...c", "#top", "?a=1&b=%20#x", "?").map((text) => text);
    const before = fc.constantFrom("", " ", "<", '"', "(", "«", "\u200b\ufeff");
    const after = fc.constantFrom(
      "",
      ".",
      ",",
      ")",
      ";",
      ">",
      '"',
      ").",
      "»,",
      ".)",
      " ",
      "\n",
      "!",
      "\u200b",
    );
    fc.assert(
      fc.property(fc.oneof(web, app), query, before, after, ([whole, address], rest, opening, closing) => {
        // The address of an application contains a query already.
        const text = `${opening}${address}${/^tg/i.test(address) ? rest.replace("?", "&") : rest}${closing}`;
        expect(parseInviteLinkUrl(text), text).toBe(`https://t.me/+${whole}`);
      }),
      { numRuns: 2000 },
    );
  });

  test("is not accepted as whole if Telegram shortened it", () => {
    fc.assert(
      fc.property(
        hash,
        fc.constantFrom("https://t.me/+", "t.me/joinchat/", "tg://join?invite="),
        fc.constantFrom("...", "…", "...,", "....", '..."', "....)"),
        (begin, prefix, end) => {
          expect(parseInviteLinkUrl(prefix + begin + end)).toBeNull();
          expect(readInviteLinkUrl(prefix + begin + end)).toEqual({
            url: `https://t.me/+${begin}...`,
            isShortened: true,
          });
          expect(readInviteLinkUrl(`${prefix}${begin}..`)).toBeNull();
        },
      ),
    );
  });

  test("is told from other texts in time linear in the length", () => {
    fc.assert(fc.property(fc.string(), (text) => parseInviteLinkUrl(text) === null));
    for (const part of [" ", "<", "...", ".,", "t.me/+a?", "&", "tg:join?&"]) {
      expect(parseInviteLinkUrl(`https://t.me/+a${part.repeat(2000)}\u0000`)).toBeNull();
      expect(parseInviteLinkUrl(`tg:join?${part.repeat(1000)}`)).toBeNull();
      expect(parseInviteLinkUrl(part.repeat(100_000))).toBeNull();
    }
  });
});

describe("an instant", () => {
  const seconds = (date: Date | null) => date && `${date.toISOString().slice(0, 19)}Z`;

  test.each(INSTANTS)(
    "$text is read as $iso in files, and elsewhere as far as $grammar",
    ({ text, iso, grammar }) => {
      expect(seconds(readOrNull(() => parseInstant(text, { dayFirst: true })))).toBe(iso);
      expect(seconds(readOrNull(() => parseInstant(text)))).toBe(grammar === "file" ? null : iso);
      expect(seconds(readOrNull(() => parseRfc3339Instant(text)))).toBe(grammar === "rfc3339" ? iso : null);
    },
  );

  test("is read in every notation for the years 0001 to 9999", () => {
    const date = fc.date({
      min: new Date("0001-01-02T00:00:00Z"),
      max: new Date("9999-12-30T00:00:00Z"),
      noInvalidDate: true,
    });
    const offset = fc.record({
      sign: fc.constantFrom(1, -1),
      hours: fc.nat(23),
      minutes: fc.nat(59),
      seconds: fc.nat(59),
      shape: fc.constantFrom("Z", "h", "hm", "h:m", "h:m:s"),
    });
    const two = (value: number) => String(value).padStart(2, "0");
    fc.assert(
      fc.property(
        date,
        offset,
        fc.constantFrom("T", " "),
        fc.constantFrom(".", ","),
        (at, zone, between, mark) => {
          const { hours, minutes, seconds: more, shape } = zone;
          const shown = {
            Z: ["Z", 0] as const,
            h: [two(hours), hours * 3600] as const,
            hm: [two(hours) + two(minutes), hours * 3600 + minutes * 60] as const,
            "h:m": [`${two(hours)}:${two(minutes)}`, hours * 3600 + minutes * 60] as const,
            "h:m:s": [
              `${two(hours)}:${two(minutes)}:${two(more)}`,
              hours * 3600 + minutes * 60 + more,
            ] as const,
          }[shape];
          const sign = shape === "Z" ? "" : zone.sign > 0 ? "+" : "-";
          const local = new Date(at.getTime() + zone.sign * shown[1] * 1000).toISOString();
          const text = `${local.slice(0, 10)}${between}${local.slice(11, 19)}${mark}${local.slice(20, 23)}999${sign}${shown[0]}`;
          expect(parseInstant(text).getTime(), text).toBe(at.getTime());
          const isRfc3339 = between === "T" && mark === "." && (shape === "Z" || shape === "h:m");
          expect(readOrNull(() => parseRfc3339Instant(text))?.getTime() ?? null, text).toBe(
            isRfc3339 ? at.getTime() : null,
          );
        },
      ),
      { numRuns: 1000 },
    );
  });

  test("with slashes is refused with the reason", () => {
    expect(() => parseInstant("11/15/2026", { dayFirst: true })).toThrow(
      /^must have .*2026-11-21 or 21\.11\.2026.*slashes/,
    );
  });
});

describe("an amount", () => {
  test.each(AMOUNTS)(
    "$text is read as $amount in files, and elsewhere where it is plain",
    ({ text, amount, isPlain }) => {
      expect(readOrNull(() => parseWrittenByHand(text))).toBe(amount);
      expect(readOrNull(() => parseAmount(text))).toBe(isPlain ? amount : null);
    },
  );

  test("is the same in every country's notation", () => {
    const notation = fc.constantFrom(
      [" ", ","],
      ["\u00a0", ","],
      ["\u202f", "."],
      [".", ","],
      [",", "."],
      ["'", "."],
      ["’", ","],
      ["", "."],
      ["", ","],
    );
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 99_999_999_999_999n }), notation, (cents, [separator, mark]) => {
        const whole = String(cents / 100n);
        const fraction = String(cents % 100n).padStart(2, "0");
        const grouped = whole.replace(/\B(?=(\d{3})+$)/g, separator ?? "");
        expect(parseWrittenByHand(`${grouped}${mark}${fraction}`)).toBe(`${whole}.${fraction}`);
      }),
    );
  });

  test("that could mean thousands or a fraction is refused with both ways to write it", () => {
    expect(() => parseWrittenByHand("1,500")).toThrow(/^must be written as 1500 or 1\.50: .*1,500/);
    expect(() => parseWrittenByHand("12.345")).toThrow(/^must be written as 12345 or 12\.34: /);
  });
});

describe("a chat", () => {
  test.each(CHAT_IDS)("with the id %j is read as %j", (text, id) => {
    expect(readOrNull(() => parseChatId(text))).toBe(id);
    expect(readOrNull(() => parseTelegramId(text))).toBe(id);
    expect(readOrNull(() => parseChat(text))).toBe(id);
    expect(readOrNull(() => parseChatWithTopic(`${text}*7`))).toEqual(
      id === null ? null : { id, topic: "7" },
    );
  });
});
