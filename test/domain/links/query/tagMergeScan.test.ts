import sql from "sql-template-tag";
import { afterAll, beforeAll, expect, it, test } from "vitest";
import type { Database } from "../../../../src/database/database.js";
import { failureOf } from "../../../../src/database/failures.js";
import type { InviteLinkFilter, TagGroup } from "../../../../src/domain/links/query/filter.js";
import { type LinkPageArguments, Links } from "../../../../src/domain/links/query/linkQueries.js";
import { createLoaders } from "../../../../src/domain/loaders.js";
import type { Page } from "../../../../src/domain/paging/page.js";
import { newId } from "../../../../src/domain/shared/ids.js";
import type { Tag } from "../../../../src/domain/tags/tag.js";
import { fastPaths } from "../../../../src/fastPaths.js";
import {
  ALL_FORMS,
  describeOnForms,
  openTestDatabase,
  type TestDatabase,
  USUAL_FORMS,
} from "../../../support/databases.js";
import { planOf, rowsRead, statementsOf, tablesReadWhole } from "../../../support/plans.js";
import { testStatement } from "../../../support/statement.js";
import {
  callerOf,
  type NewTag,
  type StoredChannel,
  storeChannel,
  storeTags,
  storeTagType,
} from "../../support.js";

const LINKS = 12_000;
/** The most rows that a page of 10 may read under any filter. */
const MAX_ROWS_READ = 1_000;

/** Tags of each type. One link in so many carries a given tag. */
const TAGS = 6;

interface Type {
  readonly id: string;
  readonly tags: readonly NewTag[];
}

/**
 * Every link carries a tag of the first type and one of the second, in all combinations; some of the first carry
 * another beside it. One in ten carries none of the third.
 */
async function fill(database: Database): Promise<{ channel: StoredChannel; types: Type[] }> {
  const channel = await storeChannel(database);
  const types = await Promise.all(
    ["First", "Second", "Third"].map(async (name) => {
      const id = await storeTagType(database, name);
      const tags = Array.from({ length: TAGS }, (_, place) => {
        return { id: newId(), typeId: id, name: `${name} ${place}` };
      });
      await storeTags(database, channel.id, tags);
      return { id, tags };
    }),
  );
  await database.query(testStatement`
    insert into invite_link (id, channel_id, url, is_bot_created, created_at)
    select ('01990000-0000-7000-8000-' || lpad(to_hex(n * 7919 % ${LINKS}::int), 12, '0'))::uuid, ${channel.id}::uuid,
      'https://t.me/+' || n, n % 2 = 0, timestamptz '2026-01-01' + n / 3 * interval '1 second'
    from generate_series(1, ${LINKS}::int) n`);
  const carrying = [sql`n % 6`, sql`n / 6 % 6`, sql`case when n % 10 > 0 then n / 36 % 6 end`];
  for (const [index, place] of [...carrying, sql`case when n % 4 = 0 then (n + 1) % 6 end`].entries()) {
    const { id: typeId, tags } = types[index % types.length] as Type;
    await database.query(testStatement`
      insert into invite_link_tag (link_id, tag_id, channel_id, type_id, created_at)
      select id, (${tags.map(({ id }) => id)}::uuid[])[${place} + 1], channel_id, ${typeId}::uuid, created_at
      from (select *, substr(url, 15)::int as n from invite_link where channel_id = ${channel.id}::uuid) l
      where ${place} is not null`);
  }
  return { channel, types };
}

const isOfLinks = (table: string): boolean => table.startsWith("invite_link");

/** Edges with their cursors, which are encoded only when they are asked for. */
const shown = (edges: Page<unknown>["edges"] = []) => edges.map(({ cursor, node }) => ({ cursor, node }));

// Without the fast path there are no plans of it to test.
const FORMS = fastPaths.tagMergeScan ? ALL_FORMS : [];

await describeOnForms("the tag merge scan", FORMS, (form) => {
  let opened: TestDatabase;
  let channel: StoredChannel;
  let types: Type[];

  beforeAll(async () => {
    opened = await openTestDatabase(form);
    ({ channel, types } = await fill(opened.database));
  });
  afterAll(async () => {
    await opened?.close();
  });

  const open = () => new Links(opened.database, callerOf(), createLoaders(opened.database, callerOf()));
  const group = (type: number, tags: readonly number[], withoutType = false) => {
    const { id, tags: ofType } = types[type] as Type;
    return { tagTypeId: id, tagIds: tags.map((place) => (ofType[place] as NewTag).id), withoutType };
  };
  const under = (filter: InviteLinkFilter, rest: Partial<LinkPageArguments> = {}) =>
    open().page({ chatId: channel.chatId, filter, ...rest });
  const ofTag = async (args: object) => {
    const { tag } = createLoaders(opened.database, callerOf());
    return open().pageOfTag((await tag.load(types[0]?.tags[2]?.id as string)) as Tag, args);
  };
  /** A cursor in the middle. */
  const middle = async (direction: "ASC" | "DESC" = "DESC") => {
    const page = await open().page({
      chatId: channel.chatId,
      orderBy: [{ field: "CREATED_AT", direction }],
      first: 1,
      page: LINKS / 2,
    });
    return page.edges[0]?.cursor as string;
  };

  const two = () => [group(0, [0, 1]), group(1, [2, 3, 4])];
  const without = () => [group(2, [], true)];
  const oldest = { orderBy: [{ field: "CREATED_AT", direction: "ASC" }] } as const;
  type Ask = () => Promise<Page<unknown>>;
  const ofTags: Record<string, Ask> = {
    "under one group": () => under({ tagGroups: [group(0, [3])] }),
    "under two groups": () => under({ tagGroups: two() }),
    "the oldest first": () => under({ tagGroups: two() }, oldest),
    "from the end": () => under({ tagGroups: two() }, { last: 10 }),
    "after a cursor": async () => under({ tagGroups: two() }, { after: await middle() }),
    "before a cursor, the oldest first": async () =>
      under({ tagGroups: two() }, { ...oldest, last: 10, before: await middle("ASC") }),
    "until a moment": () => under({ tagGroups: two(), createdTo: new Date("2026-01-01T00:30:00Z") }),
    "with another condition": () => under({ tagGroups: two(), isBotCreated: true }),
    "under a group of one tag and one of none": () => under({ tagGroups: [group(0, [3]), ...without()] }),
    "of a tag": () => ofTag({ first: 10 }),
    "of a tag, after a cursor": async () => ofTag({ first: 10, after: await middle() }),
    "of a tag, from the end before a cursor": async () => ofTag({ last: 10, before: await middle() }),
  };
  const ofChannel: Record<string, Ask> = {
    "without a type": () => under({ tagGroups: without() }),
    "without types or with a tag of them, and another condition": () =>
      under({ tagGroups: [group(2, [1], true), group(0, [0], true)], isBotCreated: true }),
  };

  async function expectToEndWithThePage(title: string, ask: Ask): Promise<void> {
    const sent = await statementsOf(opened, async () => {
      const page = await ask();
      expect([await page.hasNextPage(), await page.hasPreviousPage()]).toContain(true);
      expect(page.edges.length).toBe(10);
    });
    // Leaves out the page by number that finds a cursor's place.
    const statements = sent.filter(
      ({ text }) => text.includes("invite_link_tag") && !text.includes("link_day"),
    );
    expect(statements.length).toBeGreaterThan(0);
    for (const kind of ["custom", "generic"] as const) {
      for (const statement of statements) {
        const plan = await planOf(opened.pool, statement, kind);
        const message = `${title}, ${kind}`;
        expect(tablesReadWhole(plan).filter(isOfLinks), message).toEqual([]);
        const read = [...rowsRead(plan)].filter(([table]) => isOfLinks(table));
        expect(
          read.reduce((sum, [, rows]) => sum + rows, 0),
          message,
        ).toBeLessThan(MAX_ROWS_READ);
      }
    }
  }

  it("the tag merge scan ends with the page before the tables are analysed", async () => {
    for (const [title, ask] of Object.entries(ofTags)) await expectToEndWithThePage(title, ask);
  });

  it("the tag merge scan ends with the page in analysed tables", async () => {
    await opened.pool.query("analyze");
    for (const [title, ask] of Object.entries({ ...ofTags, ...ofChannel })) {
      await expectToEndWithThePage(title, ask);
    }
  });

  it("links that are named by their ids are not read by the tag merge scan", async () => {
    const { edges } = await under({ tagGroups: without() }, { first: 3 });
    const ids = edges.map(({ node }) => node.id);
    let page: Awaited<ReturnType<typeof under>> | undefined;
    const sent = await statementsOf(opened, async () => {
      page = await under({ tagGroups: without(), ids });
    });
    expect(sent.some(({ text }) => text.includes("bit_or(l.met)"))).toBe(false);
    expect(shown(page?.edges)).toEqual(shown(edges));
  });

  it("a page under more tags than a statement should have is the same without the tag merge scan", async () => {
    const more = Array.from({ length: 70 }, (_, place) => {
      return { id: newId(), typeId: types[1]?.id as string, name: `More ${place}` };
    });
    await storeTags(opened.database, channel.id, more);
    const few = [group(0, [0, 1]), group(1, [2])];
    const many = [few[0], { ...few[1], tagIds: [...(few[1]?.tagIds ?? []), ...more.map(({ id }) => id)] }];
    const merged = await under({ tagGroups: few as TagGroup[] });
    let page: Awaited<ReturnType<typeof under>> | undefined;
    const sent = await statementsOf(opened, async () => {
      page = await under({ tagGroups: many as TagGroup[] });
    });
    expect(sent.some(({ text }) => text.includes("intersect"))).toBe(true);
    expect(shown(page?.edges)).toEqual(shown(merged.edges));
  });
});

test("a link's tag always has the link's time of creation", async () => {
  const { database, close } = await openTestDatabase(USUAL_FORMS[0] ?? "embedded");
  try {
    const { prisma } = database;
    const channel = await storeChannel(database);
    const typeId = await storeTagType(database, "Source");
    const tag = { id: newId(), typeId, name: "Blog" };
    await storeTags(database, channel.id, [tag]);
    const [linkId, createdAt, other] = [newId(), new Date(1_000), new Date(2_000)];
    const link = { id: linkId, channelId: channel.id, url: "https://t.me/+a", createdAt };
    await prisma.inviteLink.create({ data: link });
    const carried = { linkId, tagId: tag.id, channelId: channel.id, typeId };
    await expect(prisma.inviteLinkTag.create({ data: { ...carried, createdAt: other } })).rejects.toSatisfy(
      (error) => failureOf(error).kind === "missingReference",
    );
    await prisma.inviteLinkTag.create({ data: { ...carried, createdAt } });
    await prisma.inviteLink.update({ where: { id: linkId }, data: { createdAt: other } });
    expect(await prisma.inviteLinkTag.findMany()).toEqual([{ ...carried, createdAt: other }]);
  } finally {
    await close();
  }
});
