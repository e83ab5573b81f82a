import fc from "fast-check";
import { afterAll, beforeAll, expect, it } from "vitest";
import { AuditEntries, type AuditFilter, type StoredEntry } from "../../../src/domain/audit/auditEntries.js";
import { createLoaders } from "../../../src/domain/loaders.js";
import type { PageArguments } from "../../../src/domain/paging/arguments.js";
import type { Caller } from "../../../src/domain/shared/caller.js";
import { ForbiddenError } from "../../../src/domain/shared/errors.js";
import { globalId, newId } from "../../../src/domain/shared/ids.js";
import { ALL_FORMS, describeOnForms, openTestDatabase, type TestDatabase } from "../../support/databases.js";
import { propertyInTime } from "../../support/properties.js";
import { compareIds, type ModelRequest } from "../model.js";
import { expectAllPages, expectPage, type ListUnderTest } from "../pages.js";
import {
  callerOf,
  type StoredChannel,
  storeChannel,
  storeLinks,
  storeTags,
  storeTagType,
} from "../support.js";

const INSTANTS = [0, 1, 2, 60_000].map((later) => new Date(Date.parse("2026-10-25T00:30:00Z") + later));
const ACTIONS = ["inviteLink.update", "tag.update", "channel.setBotStatus", "apiToken.create"];
const CALLERS = ["admin", "server", `token:${newId()}`];

interface Entry {
  readonly id: string;
  readonly at: Date;
  readonly caller: string;
  readonly action: string;
  readonly subjectId: string;
  /** The chat as it is now; null for none. */
  readonly chatId: number | null;
}

interface World {
  readonly own: StoredChannel;
  readonly second: StoredChannel;
  readonly foreign: StoredChannel;
  readonly entries: readonly Entry[];
  readonly subjects: readonly string[];
  /** The links and tags among the subjects, each with its chat. */
  readonly shown: ReadonlyMap<string, number>;
}

/** Three channels with a link and a tag each, one of which another channel has become part of, and entries about all. */
async function storeWorld({ database }: TestDatabase): Promise<World> {
  const channels = [await storeChannel(database), await storeChannel(database), await storeChannel(database)];
  const [own, second, foreign] = channels as [StoredChannel, StoredChannel, StoredChannel];
  const typeId = await storeTagType(database, newId());
  const shown = new Map<string, number>();
  for (const { id: channelId, chatId } of channels) {
    const [link, tag] = [newId(), newId()];
    await storeTags(database, channelId, [{ id: tag, typeId, name: tag }]);
    const plain = { name: null, cents: 0n, creatorId: null, isRevoked: false, isBotCreated: true };
    await storeLinks(database, channelId, [
      { ...plain, id: link, createdAt: new Date(), expireDate: null, tags: [] },
    ]);
    for (const id of [link, tag]) shown.set(id, chatId);
  }
  const merged = { id: newId(), chatId: own.chatId };
  const places = [...channels, merged, null];
  const subjects = [...shown.keys(), newId()];
  const nth = <T>(values: readonly T[], index: number) => values[index % values.length] as T;
  const stored = Array.from({ length: 90 }, (_, index) => {
    const subjectId = nth(subjects, index * 7);
    // What is about a link or a tag is of its channel, or of one that has become part of the channel.
    const chatId = shown.get(subjectId);
    const ofSubject = places.filter((place) => place?.chatId === chatId);
    return {
      id: newId(),
      at: nth(INSTANTS, index * 5 + (index >> 3)),
      caller: nth(CALLERS, index >> 1),
      action: nth(ACTIONS, index * 3 + (index >> 2)),
      subjectId,
      place: chatId === undefined ? nth(places, index >> 1) : nth(ofSubject, index),
    };
  });
  const migration = {
    id: newId(),
    at: INSTANTS[3] as Date,
    caller: "server",
    action: "channel.migrate",
    subjectId: own.id,
    place: own,
  };
  await database.prisma.auditEntry.createMany({
    data: [...stored, migration].map(({ place, ...entry }) => ({
      ...entry,
      channelId: place?.id ?? null,
      change: entry.action === "channel.migrate" ? { merged: merged.id } : {},
    })),
  });
  const entries = [...stored, migration].map(({ place, ...entry }) => ({
    ...entry,
    chatId: place?.chatId ?? null,
  }));
  return { own, second, foreign, entries, subjects: [...subjects, own.id], shown };
}

const latestFirst = (left: Entry, right: Entry): number =>
  right.at.getTime() - left.at.getTime() || compareIds(right.id, left.id);

const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: null, freq: 1 });

const querySeed = fc.record({
  filter: fc.record({
    channel: maybe(fc.nat(2)),
    subject: maybe(fc.nat(20)),
    isGlobal: fc.boolean(),
    caller: maybe(fc.constantFrom(...CALLERS, "nobody")),
    actions: maybe(
      fc.array(fc.constantFrom(...ACTIONS, "channel.migrate", "other.action"), { maxLength: 3 }),
    ),
    from: maybe(fc.constantFrom(...INSTANTS)),
    to: maybe(fc.constantFrom(...INSTANTS)),
  }),
  role: fc.constantFrom<Caller["role"]>("VIEWER", "EDITOR", "ADMIN", "ADMIN", "ADMIN"),
  isLimited: fc.boolean(),
  pages: fc.array(
    fc.record({
      isBackward: fc.boolean(),
      size: fc.constantFrom(0, 1, 3, 10, 100),
      after: maybe(fc.nat()),
      before: maybe(fc.nat()),
    }),
    { minLength: 1, maxLength: 4 },
  ),
  step: fc.integer({ min: 1, max: 9 }),
});
type QuerySeed = typeof querySeed extends fc.Arbitrary<infer T> ? T : never;

await describeOnForms("audit entries", ALL_FORMS, (form) => {
  let test: TestDatabase;
  let world: World;
  const open = (caller: Caller) =>
    new AuditEntries(test.database, caller, createLoaders(test.database, caller));

  beforeAll(async () => {
    test = await openTestDatabase(form);
    world = await storeWorld(test);
  });
  afterAll(() => test?.close());

  const callerFor = ({ role, isLimited }: QuerySeed): Caller =>
    callerOf(isLimited ? [world.own.chatId, world.second.chatId] : null, role);

  /** The filter, and the entries that pass it. */
  function filtered({ filter: seed }: QuerySeed): { filter: AuditFilter; passing: Entry[] } {
    const { channel, subject, isGlobal, caller, actions, from, to } = seed;
    const chatId = channel === null ? null : [world.own, world.second, world.foreign][channel]?.chatId;
    const subjectId = subject === null ? null : (world.subjects[subject % world.subjects.length] as string);
    const filter = {
      channelId: chatId,
      subjectId: subjectId && isGlobal ? globalId("InviteLink", subjectId) : subjectId,
      caller,
      actions,
      from,
      to,
    };
    const passing = world.entries.filter(
      (entry) =>
        (channel === null || entry.chatId === chatId) &&
        (subjectId === null || entry.subjectId === subjectId) &&
        (caller === null || entry.caller === caller) &&
        (actions === null || actions.includes(entry.action)) &&
        (from === null || entry.at >= from) &&
        (to === null || entry.at < to),
    );
    return { filter, passing };
  }

  const maySee = ({ role, chatIds }: Caller, { subjectId, chatId }: Entry): boolean => {
    const ofChat = chatIds === null || (chatId !== null && chatIds.has(chatId));
    const chatOfSubject = world.shown.get(subjectId);
    const isShown = chatOfSubject !== undefined && (chatIds === null || chatIds.has(chatOfSubject));
    return ofChat && (role === "ADMIN" || isShown);
  };

  /** Whether the contract answers a request with FORBIDDEN. */
  const isForbidden = ({ role, chatIds }: Caller, filter: AuditFilter, subject: string | null): boolean => {
    const chatOfSubject = subject === null ? undefined : world.shown.get(subject);
    const hasSubject = chatOfSubject !== undefined && (chatIds === null || chatIds.has(chatOfSubject));
    const isForeign = filter.channelId != null && chatIds !== null && !chatIds.has(filter.channelId);
    return isForeign || (role !== "ADMIN" && !hasSubject);
  };

  it("pages of audit entries are what the contract says, for any caller, filter and page", async () => {
    const everything = await open(callerOf(null, "ADMIN")).page({ first: 100 });
    const cursors = new Map(everything.edges.map(({ node, cursor }) => [node.id, cursor]));
    expect(everything.edges.map(({ node }) => [node.id, node.chatId])).toEqual(
      [...world.entries].sort(latestFirst).map(({ id, chatId }) => [id, chatId]),
    );
    let listed = 0;
    await fc.assert(
      propertyInTime(querySeed, async (query) => {
        const caller = callerFor(query);
        const { filter, passing } = filtered(query);
        const subject = query.filter.subject;
        const named = subject === null ? null : (world.subjects[subject % world.subjects.length] as string);
        const read = (args: PageArguments) => open(callerFor(query)).page({ filter, ...args });
        if (isForbidden(caller, filter, named)) {
          await expect(read({})).rejects.toThrow(ForbiddenError);
          return;
        }
        const list: ListUnderTest<StoredEntry, Entry> = {
          read,
          sorted: passing.filter((entry) => maySee(caller, entry)).sort(latestFirst),
          compare: latestFirst,
          cursorOf: ({ id }) => cursors.get(id) as string,
        };
        listed += list.sorted.length;
        await expectAllPages(list, query.step);
        for (const { isBackward, size, after, before } of query.pages) {
          const place = (index: number) => world.entries[index % world.entries.length] as Entry;
          const request: ModelRequest<Entry> = {
            ...(isBackward ? { last: size } : { first: size }),
            ...(after === null ? {} : { after: place(after) }),
            ...(before === null ? {} : { before: place(before) }),
          };
          await expectPage(list, request);
        }
      }),
      { numRuns: 150 },
    );
    expect(listed).toBeGreaterThan(0);
  });

  it("an entry is found by its id by those who see it in a list, and by nobody else", async () => {
    for (const role of ["VIEWER", "EDITOR", "ADMIN"] as const)
      for (const chatIds of [null, [world.own.chatId], [world.foreign.chatId], [-1]]) {
        const caller = callerOf(chatIds, role);
        const entries = open(caller);
        const found = await Promise.all(world.entries.map(({ id }) => entries.find(id)));
        const expected = world.entries.map((entry) => (maySee(caller, entry) ? entry.id : null));
        expect(found.map((entry) => entry?.id ?? null)).toEqual(expected);
      }
  });
});
