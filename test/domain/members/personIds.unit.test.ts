import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { allPersons, onePerson, replacePersonIds } from "../../../src/domain/members/personIds.js";
import { received, type SeedUpdate, telegramUpdate, updateSeeds } from "./updates.js";

const OTHER = -7;

/** The body as it is stored, with texts and numbers that equal the id of the person 11. */
function bodyOf(seed: SeedUpdate): object {
  const text = JSON.stringify(telegramUpdate({ ...seed, updateId: 11, date: 11 }));
  return received(JSON.parse(text.replace(/"title":"[^"]*"/, '"title":"11"').replace('"One"', '"11"'))).body;
}

describe("another id in the place of a person's", () => {
  test("changes nothing else of an update, whatever equals the id", () => {
    fc.assert(
      fc.property(updateSeeds([-1001]), (seeds) => {
        for (const seed of seeds) {
          const expected = bodyOf({ ...seed, user: seed.user === 11 ? OTHER : seed.user });
          expect(replacePersonIds(bodyOf(seed), onePerson(11, OTHER))).toEqual(expected);
        }
      }),
    );
  });

  const chat = { id: -11, type: "channel", title: "The 11" };
  test.each([
    ["a number in the place of a user", { from: 11, chat }, { from: OTHER, chat }],
    ["a text in the place of a user", { user: { id: "11" } }, { user: { id: String(OTHER) } }],
    [
      "several users",
      { from: [11, { id: 11, is_bot: false }, 12] },
      { from: [OTHER, { id: OTHER, is_bot: false }, 12] },
    ],
    ["a private chat", { chat: { id: 11, type: "private" } }, { chat: { id: OTHER, type: "private" } }],
    [
      "the creator of a link stays",
      { creator: { id: 11, is_bot: false } },
      { creator: { id: 11, is_bot: false } },
    ],
    [
      "an unknown value",
      { invited_by: 11, until_date: 11, other: 12 },
      { invited_by: null, until_date: 11, other: 12 },
    ],
    ["an unknown text", { note: "tg://user?id=11", more: "111" }, { note: null, more: "111" }],
    ["an unknown object", { who: { id: 11, nick: "ann" }, date: 11 }, { who: {}, date: 11 }],
    ["an unknown list", { who: [11, 12] }, { who: [null, 12] }],
  ])("in an update that is set aside: %s", (_title, given, expected) => {
    const update = (content: object) => ({ update_id: 11, chat_member: content });
    expect(replacePersonIds(update(given), onePerson(11, OTHER))).toEqual(update(expected));
  });

  test("of all persons, nothing of unknown meaning stays that may name one", () => {
    const body = {
      update_id: 11,
      chat_member: {
        chat: { id: -11, type: "channel", title: "The 11" },
        date: "today",
        from: { id: 11, is_bot: false },
        inviter: { id: 12, is_bot: false },
        who: { id: 13, nick: "ann" },
        note: "ann",
        level: 3,
        is_new: true,
      },
    };
    expect(
      replacePersonIds(
        body,
        allPersons((id) => -id),
      ),
    ).toEqual({
      update_id: 11,
      chat_member: {
        ...body.chat_member,
        from: { id: -11, is_bot: false },
        inviter: { id: -12, is_bot: false },
        who: {},
        note: null,
        level: null,
      },
    });
  });
});
