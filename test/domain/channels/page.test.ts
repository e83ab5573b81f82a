import fc from "fast-check";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Channel } from "../../../src/domain/channels/channel.js";
import { Channels } from "../../../src/domain/channels/channels.js";
import { createLoaders } from "../../../src/domain/loaders.js";
import { ForbiddenError, ValidationError } from "../../../src/domain/shared/errors.js";
import { ALL_FORMS, describeOnForms, openTestDatabase, type TestDatabase } from "../../support/databases.js";
import { propertyInTime } from "../../support/properties.js";
import { compareIds } from "../model.js";
import { expectAllPages, expectPage, type ListUnderTest } from "../pages.js";
import { callerOf, newChatId, noKnownCallers, type StoredChannel, storeChannel } from "../support.js";

await describeOnForms("pages of channels", ALL_FORMS, (form) => {
  let test: TestDatabase;
  let stored: StoredChannel[];

  const open = (chatIds: Iterable<number> | null) => {
    const caller = callerOf(chatIds);
    // Reading makes no call to Telegram.
    return new Channels(
      { database: test.database, callerCache: noKnownCallers, gateway: null as never },
      caller,
      createLoaders(test.database, caller),
    );
  };
  const compare = (left: StoredChannel, right: StoredChannel) => compareIds(left.id, right.id);

  beforeAll(async () => {
    test = await openTestDatabase(form);
    stored = [];
    for (let index = 0; index < 12; index += 1) stored.push(await storeChannel(test.database));
  });
  afterAll(() => test?.close());

  it("pages of channels hold what the caller may use, the oldest first, for any page", async () => {
    const page = fc.record(
      { first: fc.nat(5), last: fc.nat(5), after: fc.nat(11), before: fc.nat(11) },
      { requiredKeys: [] },
    );
    const cursors = new Map(
      (await open(null).page({ first: 100 })).edges.map(({ node, cursor }) => [node.id, cursor]),
    );
    expect([...cursors.keys()]).toEqual([...stored].sort(compare).map(({ id }) => id));
    const mine = fc.option(fc.subarray([...stored, { id: "", chatId: newChatId() }]), { nil: null });
    await fc.assert(
      propertyInTime(
        mine,
        fc.integer({ min: 1, max: 5 }),
        fc.array(page, { maxLength: 5 }),
        async (some, step, pages) => {
          const list: ListUnderTest<Channel, StoredChannel> = {
            read: (args) => open(some?.map(({ chatId }) => chatId) ?? null).page(args),
            sorted: stored.filter((channel) => some === null || some.includes(channel)).sort(compare),
            compare,
            cursorOf: ({ id }) => cursors.get(id) as string,
          };
          await expectAllPages(list, step);
          for (const { first, last, after, before } of pages) {
            await expectPage(list, {
              ...(last === undefined ? (first === undefined ? {} : { first }) : { last }),
              ...(after === undefined ? {} : { after: stored[after] as StoredChannel }),
              ...(before === undefined ? {} : { before: stored[before] as StoredChannel }),
            });
          }
        },
      ),
      { numRuns: 30 },
    );
  });

  it("a channel is found only by a caller that may use it", async () => {
    const [first, second] = stored as [StoredChannel, StoredChannel];
    expect(await open([first.chatId]).find(first.chatId)).toMatchObject({
      ...first,
      currency: "USD",
      botStatus: "UNKNOWN",
    });
    await expect(open([first.chatId]).find(second.chatId)).rejects.toThrow(ForbiddenError);
    await expect(open([]).find(first.chatId)).rejects.toThrow(ForbiddenError);
    const unknown = newChatId();
    expect(await open([unknown]).find(unknown)).toBeNull();
    expect(await open(null).find(unknown)).toBeNull();
  });

  it("arguments that make no page of channels are refused", async () => {
    for (const args of [
      { first: -1 },
      { last: 101 },
      { first: 1, last: 1 },
      { after: "x" },
      { before: "\ud800" },
    ]) {
      await expect(open(null).page(args)).rejects.toThrow(ValidationError);
    }
  });
});
