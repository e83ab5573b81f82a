import fc from "fast-check";
import pg from "pg";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Database } from "../../../../src/database/database.js";
import { isWriteConflict } from "../../../../src/database/failures.js";
import { followMigration } from "../../../../src/domain/channels/chatMigration.js";
import { recount } from "../../../../src/domain/links/counts/recount.js";
import { BulkTagging } from "../../../../src/domain/links/tagging/bulkTagging.js";
import { addTags, replaceTags } from "../../../../src/domain/links/tagging/linkTags.js";
import { createLoaders } from "../../../../src/domain/loaders.js";
import { UserError } from "../../../../src/domain/shared/errors.js";
import { newId } from "../../../../src/domain/shared/ids.js";
import { TagCommands } from "../../../../src/domain/tags/tagCommands.js";
import {
  ALL_FORMS,
  describeOnForms,
  openTestDatabase,
  type TestDatabase,
} from "../../../support/databases.js";
import { givenSeed, propertyInTime, recordRuns, repeatWith } from "../../../support/properties.js";
import {
  callerOf,
  newChatId,
  noKnownCallers,
  storeChannel,
  storeTags,
  storeTagType,
  urlOf,
} from "../../support.js";
import { importText, jsonLines } from "../../transfer/support.js";
import { expectExactCounts } from "./expectCounts.js";

const CHANNELS = 3;
const TYPES = ["Source", "Buyer"];
const TAGS = 4;
const DAYS = [
  "2026-02-28T23:59:59.999Z",
  "2026-03-01T00:00:00.000Z",
  "2026-03-01T23:59:59.999Z",
  "2024-02-29T12:00:00Z",
];
const BUDGETS = ["0.00", "0.01", "1.00", "150.55", "999999999999.99"];
const URLS = Array.from({ length: 12 }, (_, index) => `https://t.me/+counted${index}`);

/** The rows of the database at the moment. */
interface World {
  readonly database: Database;
  readonly pool: pg.Pool;
  readonly chatIds: readonly number[];
  readonly channels: readonly { id: string; chatId: number }[];
  readonly types: readonly string[];
  readonly tags: readonly { id: string; channelId: string }[];
  readonly links: readonly { id: string; channelId: string }[];
}

const EDITOR = callerOf(null, "EDITOR");

const pick = <T>(things: readonly T[], place: number): T | undefined => things[place % things.length];
const some = <T>(things: readonly T[], mask: number): T[] =>
  things.filter((_, index) => (mask >> (index % 30)) & 1);

async function look(test: TestDatabase, chatIds: readonly number[]): Promise<World> {
  const { database, pool } = test;
  const { prisma } = database;
  const orderBy = { id: "asc" } as const;
  const channels = await prisma.channel.findMany({ orderBy, select: { id: true, chatId: true } });
  const types = await prisma.tagType.findMany({ orderBy, select: { id: true } });
  return {
    database,
    pool,
    chatIds,
    channels: channels.map(({ id, chatId }) => ({ id, chatId: Number(chatId) })),
    types: types.map(({ id }) => id),
    tags: await prisma.tag.findMany({ orderBy, select: { id: true, channelId: true } }),
    links: await prisma.inviteLink.findMany({ orderBy, select: { id: true, channelId: true } }),
  };
}

/** A write. The numbers choose among the rows of the world. */
type Write = (world: World, a: number, b: number, c: number) => Promise<unknown>;

const sameChannel = (things: World["links"] | World["tags"], channelId: string | undefined) =>
  things.filter((thing) => thing.channelId === channelId);

const WRITES: Readonly<Record<string, Write>> = {
  async make({ database, channels, tags }, a, b, c) {
    const channelId = pick(channels, a)?.id;
    if (channelId === undefined) return;
    const id = newId();
    const budget = pick(BUDGETS, b) ?? "0";
    const [url, createdAt] = [pick(URLS, c) ?? urlOf(id), new Date(pick(DAYS, b + c) ?? 0)];
    await database.transaction(async (unit) => {
      const link = await unit.prisma.inviteLink.upsert({
        where: { channelId_url: { channelId, url } },
        create: { id, channelId, url, budget, createdAt },
        update: { budget },
      });
      const tagIds = some(sameChannel(tags, channelId), c).map((tag) => tag.id);
      await addTags(unit, link.id, tagIds);
    });
  },
  async tag({ database, links, tags }, a, b, c) {
    const channelId = pick(links, a)?.channelId;
    const ids = some(sameChannel(links, channelId), a).map(({ id }) => id);
    const [added, removed] = [
      some(sameChannel(tags, channelId), b),
      some(sameChannel(tags, channelId), c & ~b),
    ];
    await new BulkTagging(database, EDITOR, createLoaders(database, EDITOR)).set({
      ids,
      addTagIds: added.map(({ id }) => id),
      removeTagIds: removed.map(({ id }) => id),
    });
  },
  async retag({ database, links, tags }, a, b) {
    const link = pick(links, a);
    if (!link) return;
    const tagIds = some(sameChannel(tags, link.channelId), b).map(({ id }) => id);
    await database.transaction((unit) => replaceTags(unit, { linkIds: [link.id], tagIds }));
  },
  async makeTag({ database, channels, types }, a, b, c) {
    const { chatId } = pick(channels, a) ?? {};
    const tagTypeId = pick(types, b);
    if (chatId === undefined || tagTypeId === undefined) return;
    const input = { chatId, tagTypeId, name: `Tag ${c % TAGS}`, color: "#00FF00" };
    await new TagCommands(database, EDITOR).create(input);
  },
  async moveTag({ database, tags, types }, a, b) {
    const id = pick(tags, a)?.id ?? newId();
    await new TagCommands(database, EDITOR).update({ id, tagTypeId: pick(types, b) });
  },
  deleteTag: ({ database, tags }, a) =>
    new TagCommands(database, EDITOR).delete({ id: pick(tags, a)?.id ?? newId() }),
  import({ database, chatIds }, a, b, c) {
    const records = some(URLS, a).map((url, index) => ({
      channel_id: pick(chatIds, b + (index % 2)),
      url,
      budget: pick(BUDGETS, c + index),
      created_at: pick(DAYS, b + index),
      tags: some([0, 1, 2, 3], c >> index).map((tag) => ({ type: pick(TYPES, tag), name: `Tag ${tag}` })),
    }));
    return importText(database, jsonLines(...records), { update: a % 2 === 0, batchSize: 3 });
  },
  follow({ database, chatIds }, a, b) {
    const [from = 0, to = 0] = [pick(chatIds, a), pick(chatIds, a + 1 + (b % (CHANNELS - 1)))];
    return followMigration({ database, callerCache: noKnownCallers }, callerOf(null, "ADMIN"), from, to);
  },
  async connect({ database, chatIds, channels }, a) {
    const chatId = pick(chatIds, a);
    if (!channels.some((channel) => channel.chatId === chatId)) await storeChannel(database, chatId);
  },
  // By hand ─────────────────────────────────────────────────────────────────────────────────────
  changeByHand: ({ pool, links }, a, b, c) =>
    pool.query("update invite_link set budget = $2, created_at = $3, name = name where id = any($1)", [
      some(links, a).map(({ id }) => id),
      pick(BUDGETS, b),
      pick(DAYS, c),
    ]),
  changeEachByHand: ({ pool }, a) =>
    pool.query("update invite_link set budget = (hashtext(id::text || $1) & 1023) / 100.0", [String(a)]),
  renumberByHand: ({ pool, links }, a) =>
    pool.query("update invite_link set id = $2, budget = budget + 0.01 where id = $1 and budget < 1000", [
      pick(links, a)?.id,
      newId(),
    ]),
  exchangeTagByHand: ({ pool }, a) =>
    pool.query(
      `update invite_link_tag lt set tag_id = t.id, type_id = t.type_id from tag t
      where t.channel_id = lt.channel_id and t.id > lt.tag_id and hashtext(lt.link_id::text || $1) % 2 = 0
        and t.id = (select min(other.id::text)::uuid from tag other
          where other.channel_id = lt.channel_id and other.id > lt.tag_id)
        and not exists (select from invite_link_tag known where known.link_id = lt.link_id and known.tag_id = t.id)`,
      [String(a)],
    ),
  linkWithTagsByHand: ({ pool, channels, tags }, a, b) => {
    const channelId = pick(channels, a)?.id;
    return pool.query(
      `with made as (
        insert into invite_link (id, channel_id, url, budget, created_at)
        select $1, id, $3, 12.34, now() from channel where id = $2
        on conflict (channel_id, url) do update set budget = invite_link.budget + 0.5 returning id, channel_id, created_at
      ) insert into invite_link_tag (link_id, tag_id, channel_id, type_id, created_at)
      select made.id, t.id, t.channel_id, t.type_id, made.created_at from made join tag t on t.channel_id = made.channel_id
      where t.id = any($4) on conflict do nothing`,
      [newId(), channelId, pick(URLS, b), some(sameChannel(tags, channelId), b).map(({ id }) => id)],
    );
  },
  takeTagsByHand: ({ pool, links, tags }, a, b) =>
    pool.query("delete from invite_link_tag where link_id = any($1) or tag_id = $2", [
      some(links, a & (a >> 3)).map(({ id }) => id),
      pick(tags, b)?.id,
    ]),
  deleteByHand: ({ pool, links }, a) =>
    pool.query("delete from invite_link where id = any($1)", [some(links, a & (a >> 2)).map(({ id }) => id)]),
  deleteChannelByHand: ({ pool, channels }, a) =>
    pool.query("delete from channel where id = $1", [pick(channels, a)?.id]),
  emptyTagsByHand: ({ pool }) => pool.query("truncate invite_link_tag"),
  emptyByHand: ({ pool }) => pool.query("truncate invite_link cascade"),
};
const SELDOM = new Set(["deleteChannelByHand", "emptyTagsByHand", "emptyByHand", "follow"]);

const step = fc.oneof(
  ...Object.keys(WRITES).map((name) => ({
    weight: SELDOM.has(name) ? 1 : name === "make" || name === "import" ? 8 : 4,
    arbitrary: fc.record({
      name: fc.constant(name),
      a: fc.nat(4095),
      b: fc.nat(4095),
      c: fc.nat(4095),
    }),
  })),
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** Errors with which a write may end without having written anything: a refusal, or a conflict with another writer. */
const isRefusal = (error: unknown): boolean =>
  error instanceof UserError ||
  isWriteConflict(error) ||
  // A number out of range.
  (error instanceof pg.DatabaseError && error.code === "22003");

/** The duration of the stress test, and the seed of its writes. */
const STRESS_SECONDS = Number(process.env["STRESS_SECONDS"] ?? 5);
const STRESS_SEED = givenSeed ?? Date.now() % 2 ** 31;
const STRESS_WRITERS = 5;
/** The stress test repeats so many generated writes. */
const STRESS_STEPS = 5000;

/** Each kind of write once, after some links were made: rare kinds may not come up by chance. */
const EACH_ONCE: readonly Step[] = [
  ...[1, 2, 3].map((a) => ({ name: "make", a, b: a, c: a })),
  ...Object.keys(WRITES).map((name) => ({ name, a: 1, b: 2, c: 3 })),
];

await describeOnForms("the counters of links", ALL_FORMS, (form) => {
  let test: TestDatabase;
  let chatIds: number[];
  const written: Record<string, number> = {};

  beforeAll(async () => {
    test = await openTestDatabase(form);
  });
  afterAll(() => test?.close());

  async function begin(): Promise<void> {
    await test.pool.query("truncate channel, tag_type cascade");
    chatIds = Array.from({ length: CHANNELS }, () => newChatId());
    const typeIds = await Promise.all(TYPES.map((name) => storeTagType(test.database, name)));
    for (const chatId of chatIds) {
      const { id } = await storeChannel(test.database, chatId);
      const tags = Array.from({ length: TAGS }, (_, tag) => ({
        id: newId(),
        typeId: pick(typeIds, tag) as string,
        name: `Tag ${tag}`,
      }));
      await storeTags(test.database, id, tags);
    }
  }

  async function take({ name, a, b, c }: Step): Promise<void> {
    const world = await look(test, chatIds);
    try {
      await WRITES[name]?.(world, a, b, c);
      written[name] = (written[name] ?? 0) + 1;
    } catch (error) {
      if (!isRefusal(error)) throw error;
    }
  }

  it("the counters are exact after any writes", async () => {
    await fc.assert(
      propertyInTime(fc.array(step, { minLength: 10, maxLength: 30, size: "max" }), async (steps) => {
        await begin();
        for (const one of steps) {
          await take(one);
          await expectExactCounts(test);
        }
      }),
      { numRuns: 15, examples: [[[...EACH_ONCE]]] },
    );
    // A kind of write that is always refused would prove nothing.
    expect(Object.keys(written).sort()).toEqual(Object.keys(WRITES).sort());
  });

  it("the counters are exact after any writes at the same time", async () => {
    const writer = fc.array(step, { minLength: 3, maxLength: 8 });
    await fc.assert(
      propertyInTime(fc.array(writer, { minLength: 2, maxLength: 5, size: "max" }), async (writers) => {
        await begin();
        await Promise.all(
          writers.map(async (steps) => {
            for (const one of steps) await take(one);
          }),
        );
        await expectExactCounts(test);
      }),
      { numRuns: 25 },
    );
  });

  it(
    `the counters are exact after ${STRESS_SECONDS} s of several writers (STRESS_SECONDS)`,
    async () => {
      await begin();
      const steps = fc.sample(step, { seed: STRESS_SEED, numRuns: STRESS_STEPS });
      const end = performance.now() + STRESS_SECONDS * 1000;
      let next = 0;
      let failure: Error | undefined;
      const write = async () => {
        while (failure === undefined && performance.now() < end) {
          const taken = steps[next % steps.length];
          next += 1;
          if (taken === undefined) throw new TypeError("There is no step to take.");
          await take(taken).catch((cause: unknown) => {
            const words = `Write ${next} (${JSON.stringify(taken)}): ${String(cause)}. ${repeatWith(STRESS_SEED)}`;
            failure ??= new Error(words, { cause });
          });
        }
      };
      await Promise.all(Array.from({ length: STRESS_WRITERS }, write));
      if (failure !== undefined) throw failure;
      recordRuns({ planned: next, begun: next, seed: STRESS_SEED });
      const found = await recount(test.database, { chatId: null, checkOnly: true });
      expect(found, `after ${next} writes. ${repeatWith(STRESS_SEED)}`).toEqual([]);
      await expectExactCounts(test);
    },
    STRESS_SECONDS * 1000 + 120_000,
  );

  it("a recount beside writers finds no difference that is none, and repairs real ones", async () => {
    await begin();
    for (const one of EACH_ONCE) await take(one);
    await begin();
    const steps = fc.sample(step, { seed: STRESS_SEED, numRuns: 60 });
    const writing = Promise.all(
      [0, 1, 2].map(async (writer) => {
        for (const one of steps.slice(writer * 20, writer * 20 + 20)) await take(one);
      }),
    );
    const found = await recount(test.database, { chatId: null, checkOnly: true });
    // Amid the writes all days are counted wrongly; they are repaired while the writers go on.
    // With the lock this statement waits for all writers before it has a row that one of them waits for.
    await test.pool.query("lock table link_day in exclusive mode; update link_day set links = links + 1");
    const repaired = recount(test.database, { chatId: null, checkOnly: false });
    await Promise.all([writing, repaired]);
    expect(found).toEqual([]);
    await expectExactCounts(test);
  });

  describe("of more links than a block has", () => {
    beforeEach(begin);

    it("the counters are exact for more links than a block has, and recounted exactly", async () => {
      const { pool } = test;
      const [one, other] = (await look(test, chatIds)).channels;
      await pool.query(
        `insert into invite_link (id, channel_id, url, budget, created_at)
        select gen_random_uuid(), $1, 'https://t.me/+' || n, n / 100.0, '2026-03-01'::timestamptz + n * interval '1 hour'
        from generate_series(1, 9000) n`,
        [one?.id],
      );
      await pool.query(
        `insert into invite_link_tag (link_id, tag_id, channel_id, type_id, created_at)
        select l.id, t.id, t.channel_id, t.type_id, l.created_at from invite_link l join tag t on t.channel_id = l.channel_id
        where hashtext(l.url || t.name) % 3 = 0`,
      );
      await expectExactCounts(test);
      // Some links of both blocks move to another channel.
      await pool.query("update invite_link set channel_id = $1 where budget between 80 and 85", [other?.id]);
      await pool.query("delete from invite_link where budget between 79 and 81 or budget < 1");
      await expectExactCounts(test);
      await pool.query("alter table invite_link disable trigger user");
      await pool.query("delete from invite_link where budget between 10 and 20");
      await pool.query("update invite_link set budget = 77 where budget between 30 and 40");
      await pool.query("alter table invite_link enable trigger user");
      await expect(expectExactCounts(test)).rejects.toThrow();
      await pool.query("select recount()");
      await expectExactCounts(test);
    });
  });
});
