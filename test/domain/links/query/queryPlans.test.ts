import { afterAll, beforeAll, expect, it } from "vitest";
import type { InviteLinkFilter } from "../../../../src/domain/links/query/filter.js";
import { type LinkPageArguments, Links } from "../../../../src/domain/links/query/linkQueries.js";
import { createLoaders } from "../../../../src/domain/loaders.js";
import type { PageArguments } from "../../../../src/domain/paging/arguments.js";
import { newId } from "../../../../src/domain/shared/ids.js";
import type { Tag } from "../../../../src/domain/tags/tag.js";
import { fastPaths } from "../../../../src/fastPaths.js";
import {
  ALL_FORMS,
  describeOnForms,
  openTestDatabase,
  type TestDatabase,
} from "../../../support/databases.js";
import {
  isPlanKept,
  mostSorted,
  type PlanKind,
  planOf,
  rowsRead,
  type SentStatement,
  statementsOf,
  tablesReadWhole,
} from "../../../support/plans.js";
import {
  callerOf,
  type NewTag,
  type StoredChannel,
  storeChannel,
  storeTags,
  storeTagType,
} from "../../support.js";

const LINKS = 20_000;
const CHANNELS = 50;
const DAYS = 100;
const BLOCKS = Math.ceil(LINKS / 8192);
/** Binary digits of a budget. */
const DIGITS = 47;
const TYPES = 3;
const TAGS = 30;
const KINDS: PlanKind[] = ["custom", "generic"];

await describeOnForms("the statements about links", ALL_FORMS, (form) => {
  let test: TestDatabase;
  let channel: StoredChannel;
  let tags: NewTag[];

  beforeAll(async () => {
    test = await openTestDatabase(form);
    const { database, pool } = test;
    const typeIds = await Promise.all(
      Array.from({ length: TYPES }, (_, type) => storeTagType(database, `${type}`)),
    );
    // Many other channels make an index worthwhile. The last channel is the large one.
    for (let others = CHANNELS - 1; others >= 0; others -= 1) {
      channel = await storeChannel(database);
      tags = Array.from({ length: TAGS }, (_, tag) => ({
        id: newId(),
        typeId: typeIds[tag % TYPES] as string,
        name: `Tag ${tag}`,
      }));
      await storeTags(database, channel.id, tags);
      await pool.query(
        `insert into invite_link (id, channel_id, url, name, name_key, budget, created_at)
        select gen_random_uuid(), $1, 'https://t.me/+' || n, 'Ad ' || n, 'ad ' || n, n % 5000,
          '2026-03-01'::timestamptz + n * interval '${DAYS} days' / $2::int from generate_series(1, $2) n`,
        [channel.id, others === 0 ? LINKS : LINKS / CHANNELS],
      );
    }
    await pool.query(
      `insert into invite_link_tag (link_id, tag_id, channel_id, type_id, created_at)
      select l.id, t.id, t.channel_id, t.type_id, l.created_at from invite_link l join tag t on t.channel_id = l.channel_id
      where hashtext(l.url || t.name) % 10 = 0`,
    );
    await pool.query("vacuum analyze");
  });
  afterAll(() => test?.close());

  const open = () => new Links(test.database, callerOf(), createLoaders(test.database, callerOf()));

  const group = (type: number, count: number, withoutType = false) => {
    const ofType = tags.filter((_, tag) => tag % TYPES === type);
    return {
      tagTypeId: ofType[0]?.typeId as string,
      tagIds: ofType.slice(0, count).map(({ id }) => id),
      withoutType,
    };
  };
  // The tests that are skipped without a fast path are about that fast path's plans alone.
  const FILTERS: Readonly<Record<string, () => InviteLinkFilter>> = {
    "without a filter": () => ({}),
    "under one tag group": () => ({ tagGroups: [group(0, 2)] }),
    "under two tag groups": () => ({ tagGroups: [group(0, 3), group(1, 1, true)] }),
  };

  /** The statement about blocks that `ask` sends. Other statements look up the tags that are shown. */
  const counting = async (ask: () => Promise<unknown>): Promise<SentStatement | undefined> =>
    (await statementsOf(test, ask)).find(({ text }) => text.includes("block"));

  /** Expects that no link is read, and no tag's bits but the channel's, each at most so many times. */
  async function expectBlocksAlone(statement: SentStatement | undefined, times: number): Promise<void> {
    if (!statement) expect.fail("No statement counted links.");
    for (const kind of KINDS) {
      const plan = await planOf(test.pool, statement, kind);
      const read = rowsRead(plan);
      expect(read.get("invite_link") ?? 0).toBe(0);
      expect(read.get("invite_link_tag") ?? 0).toBe(0);
      expect(tablesReadWhole(plan)).not.toContain("block_tag");
      expect(read.get("block_tag") ?? 0).toBeLessThanOrEqual(times * BLOCKS * TAGS);
      // These tables are so small that PostgreSQL may read them whole, once.
      expect(read.get("block_budget") ?? 0).toBeLessThanOrEqual((BLOCKS + CHANNELS) * DIGITS);
      expect(read.get("block_type") ?? 0).toBeLessThanOrEqual((BLOCKS + CHANNELS) * TYPES);
    }
  }

  const ORDERS: Readonly<Record<string, LinkPageArguments["orderBy"]>> = {
    "the newest first": null,
    "the oldest first": [{ field: "CREATED_AT", direction: "ASC" }],
    "the dearest first": [{ field: "BUDGET", direction: "DESC" }],
    "by name": [{ field: "NAME", direction: "ASC" }],
  };
  const PAGES: Readonly<Record<string, (cursor: string) => PageArguments>> = {
    "the first": () => ({ first: 50 }),
    "a cursor's next": (after) => ({ first: 50, after }),
    "the last": () => ({ last: 50 }),
    "a cursor's previous": (before) => ({ last: 50, before }),
  };
  it("the plan of a page of links is kept, with and without the numbers of members", async () => {
    for (const orderBy of Object.values(ORDERS)) {
      for (const withCounts of [false, true]) {
        const [statement] = await statementsOf(test, () =>
          open().page({ chatId: channel.chatId, orderBy, first: 50, withCounts }),
        );
        expect(await isPlanKept(test.pool, statement as SentStatement)).toBe(true);
      }
    }
  });

  for (const [order, orderBy] of Object.entries(ORDERS)) {
    for (const [title, argumentsFor] of Object.entries(PAGES)) {
      it(`${title} page of links, ${order}, reads the links of the page alone`, async () => {
        const asked = { chatId: channel.chatId, orderBy };
        const middle = await open().page({ ...asked, first: 1, page: LINKS / 2 });
        const paging = argumentsFor(middle.edges[0]?.cursor as string);
        const [statement] = await statementsOf(test, () => open().page({ ...asked, ...paging }));
        for (const kind of KINDS) {
          const plan = await planOf(test.pool, statement as SentStatement, kind);
          expect(rowsRead(plan).get("invite_link")).toBe(51);
          expect(rowsRead(plan).get("invite_link_tag")).toBeLessThanOrEqual(51 * 10);
          expect(rowsRead(plan).get("channel")).toBeLessThanOrEqual(3 * CHANNELS);
          expect(mostSorted(plan)).toBeLessThanOrEqual(51 * 10);
        }
      });
    }
  }

  it("links and tags are looked up by their ids in an index", async () => {
    const loaders = () => createLoaders(test.database, callerOf());
    const { edges } = await open().page({ chatId: channel.chatId, first: 100 });
    const linkIds = edges.map(({ node }) => node.id);
    const tagIds = tags.map(({ id }) => id);
    const looks = [
      { table: "invite_link", ids: linkIds, load: (id: string) => loaders().inviteLink.load(id) },
      { table: "tag", ids: tagIds, load: (id: string) => loaders().tag.load(id) },
    ];
    for (const { table, ids, load } of looks) {
      const [one] = await statementsOf(test, () => load(ids[0] as string));
      const together = loaders();
      const [many] = await statementsOf(test, () =>
        table === "tag" ? together.tag.loadMany(ids) : together.inviteLink.loadMany(ids),
      );
      for (const kind of KINDS) {
        const plan = await planOf(test.pool, one as SentStatement, kind);
        expect(rowsRead(plan).get(table)).toBe(1);
        expect(tablesReadWhole(plan)).not.toContain(table);
        const whole = await planOf(test.pool, many as SentStatement, kind);
        expect(rowsRead(whole).get(table)).toBe(ids.length);
        expect(tablesReadWhole(whole)).not.toContain(table);
      }
    }
  });

  for (const [title, filter] of Object.entries(FILTERS)) {
    it.skipIf(!fastPaths.bitmaps)(`counting ${title} reads no link`, async () => {
      const page = await open().page({ chatId: channel.chatId, filter: filter(), first: 1 });
      await expectBlocksAlone(await counting(() => page.totalCount()), 1);
      await expectBlocksAlone(await counting(() => page.totals()), 1);
      await expectBlocksAlone(await counting(() => page.facets()), 2);
    });
  }

  it.skipIf(!fastPaths.bitmaps)("counting the links of a tag reads no link", async () => {
    const tag = (await createLoaders(test.database, callerOf()).tag.load(tags[0]?.id as string)) as Tag;
    const page = await open().pageOfTag(tag, { first: 1 });
    await expectBlocksAlone(await counting(() => page.totalCount()), 1);
    await expectBlocksAlone(await counting(() => page.totals()), 1);
    await expectBlocksAlone(await counting(() => page.facets()), 2);
  });

  const DEEP: Readonly<Record<string, LinkPageArguments["orderBy"]>> = {
    "the newest": null,
    "the oldest": [{ field: "CREATED_AT", direction: "ASC" }],
  };
  for (const [title, orderBy] of Object.entries(DEEP)) {
    it.skipIf(!fastPaths.dayOffsets)(
      `a page by number far behind ${title} reads the links of one day`,
      async () => {
        const [statement] = await statementsOf(test, () =>
          open().page({ chatId: channel.chatId, first: 50, page: 300, orderBy }),
        );
        for (const kind of KINDS) {
          const plan = await planOf(test.pool, statement as SentStatement, kind);
          expect(plan.map(({ index }) => index)).toContain("invite_link_channel_id_created_at_id_idx");
          expect(tablesReadWhole(plan)).not.toContain("invite_link");
          expect(rowsRead(plan).get("invite_link")).toBeLessThanOrEqual(LINKS / DAYS + 3 * 51);
          expect(mostSorted(plan)).toBeLessThanOrEqual(DAYS * 2);
        }
      },
    );
  }

  it("a page by number in another order finds its rows in an index alone", async () => {
    const [statement] = await statementsOf(test, () =>
      open().page({
        chatId: channel.chatId,
        first: 50,
        page: 300,
        orderBy: [{ field: "BUDGET", direction: "DESC" }],
      }),
    );
    for (const kind of KINDS) {
      const plan = await planOf(test.pool, statement as SentStatement, kind);
      expect(plan).toContainEqual(
        expect.objectContaining({ type: "Index Only Scan", index: "invite_link_channel_id_budget_id_idx" }),
      );
      // The links of the page, with the few tags of each.
      expect(mostSorted(plan)).toBeLessThanOrEqual(51 * 5);
    }
  });
});
