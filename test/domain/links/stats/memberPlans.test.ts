import { afterAll, beforeAll, expect, it } from "vitest";
import { Members } from "../../../../src/domain/activity/members.js";
import type { InviteLink } from "../../../../src/domain/links/inviteLink.js";
import { type LinkPageArguments, Links } from "../../../../src/domain/links/query/linkQueries.js";
import { LinkStatistics } from "../../../../src/domain/links/stats/linkStatistics.js";
import { createLoaders } from "../../../../src/domain/loaders.js";
import type { PageArguments } from "../../../../src/domain/paging/arguments.js";
import { newId } from "../../../../src/domain/shared/ids.js";
import {
  ALL_FORMS,
  describeOnForms,
  openTestDatabase,
  type TestDatabase,
} from "../../../support/databases.js";
import {
  mostSorted,
  type PlanKind,
  planOf,
  rowsRead,
  type SentStatement,
  statementsOf,
  tablesReadWhole,
} from "../../../support/plans.js";
import { callerOf, type StoredChannel, storeChannel, storeTags, storeTagType } from "../../support.js";

const LINKS = 50_000;
const CHANNELS = 10;
/** Members of each link of the large channel, and quarters of an hour of each link. */
const MEMBERS = 4;
const KINDS: PlanKind[] = ["custom", "generic"];
/** Tags of one type; each link of the large channel carries one. */
const TAGS = 20;
const LINKS_OF_OTHERS = 500;
const ALL_LINKS = LINKS + (CHANNELS - 1) * LINKS_OF_OTHERS;
const TABLES = [
  "invite_link",
  "invite_link_tag",
  "link_activity",
  "link_quarter",
  "membership",
  "member_event",
];

await describeOnForms("the statements about members of links", ALL_FORMS, (form) => {
  let test: TestDatabase;
  let channel: StoredChannel;
  let typeId: string;
  const tags: string[] = [];

  beforeAll(async () => {
    test = await openTestDatabase(form);
    const { database, pool } = test;
    // The last channel is the large one.
    for (let others = CHANNELS - 1; others >= 0; others -= 1) {
      channel = await storeChannel(database);
      const links = others === 0 ? LINKS : LINKS_OF_OTHERS;
      const run = (text: string, ...values: unknown[]) => pool.query(text, [channel.id, ...values]);
      await run(
        `insert into invite_link (id, channel_id, url, name, name_key, budget, created_at)
        select gen_random_uuid(), $1, 'https://t.me/+' || n, 'Ad ' || n, 'ad ' || n, n % 5000,
          '2026-03-01'::timestamptz + n * interval '1 minute' from generate_series(1, $2::int) n`,
        links,
      );
      await run(
        `update link_activity a set join_count = 1000000 / (1 + h.n % 5000), active_count = 500000 / (1 + h.n % 5000),
          leave_count = 1000000 / (1 + h.n % 5000) - 500000 / (1 + h.n % 5000),
          last_join_at = case when h.n % 7 > 0 then '2026-09-01'::timestamptz + h.n * interval '7 seconds' end
        from (select link_id, abs(hashtext(link_id::text)) as n from link_activity where channel_id = $1) h
        where a.link_id = h.link_id`,
      );
      await run(
        `insert into link_quarter (channel_id, link_id, quarter, join_count)
        select $1, link_id, 1978000 + n * 97, 1
        from link_activity cross join generate_series(1, $2::int) n where channel_id = $1`,
        MEMBERS,
      );
      await run(
        `insert into channel_quarter (channel_id, has_link, quarter, join_count)
        select $1, has_link, 1978000 + n, 1 from generate_series(1, 2000) n, (values (true), (false)) v (has_link)`,
      );
      await run(
        `insert into membership (channel_id, id, user_id, link_id, joined_at, join_sequence, path, attribution, left_at)
        select $1, gen_random_uuid(), row_number() over () % 5000, link_id,
          '2026-09-01'::timestamptz + n * interval '1 hour', row_number() over (), 'INVITE_LINK', 'EXACT',
          case when n % 2 = 0 then '2026-10-01'::timestamptz end
        from link_activity cross join generate_series(1, $2::int) n where channel_id = $1`,
        MEMBERS,
      );
      await run(
        `insert into member_event (channel_id, sequence, id, user_id, link_id, occurred_at, kind, attribution)
        select $1, join_sequence, gen_random_uuid(), user_id, link_id, joined_at, 'JOINED', 'EXACT'
        from membership where channel_id = $1 and join_sequence <= $2::int`,
        links,
      );
    }
    typeId = await storeTagType(database, "Source");
    tags.push(...Array.from({ length: TAGS }, () => newId()));
    await storeTags(
      database,
      channel.id,
      tags.map((id, index) => ({ id, typeId, name: `Tag ${index}` })),
    );
    await pool.query(
      `insert into invite_link_tag (link_id, tag_id, channel_id, type_id, created_at)
      select id, ($2::uuid[])[1 + (row_number() over (order by id)) % $3::int], channel_id, $4, created_at
      from invite_link where channel_id = $1`,
      [channel.id, tags, TAGS, typeId],
    );
    await pool.query("vacuum analyze");
  }, 300_000);
  afterAll(() => test?.close());

  const loaders = () => createLoaders(test.database, callerOf());
  const open = () => new Links(test.database, callerOf(), loaders());

  /** Expects what plans of a statement read at the most of each table, and that no other large table is read whole. */
  async function expectReads(
    statement: SentStatement | undefined,
    most: Readonly<Record<string, number>>,
    sorted: number,
    readWhole: readonly string[] = [],
    /** Rows of other channels that are read where a table is read whole. */
    others = 0,
  ): Promise<void> {
    if (!statement) expect.fail("No statement was sent.");
    for (const kind of KINDS) {
      const plan = await planOf(test.pool, statement, kind);
      const read = rowsRead(plan);
      for (const table of TABLES)
        expect(read.get(table) ?? 0, `${kind}: ${table}`).toBeLessThanOrEqual(others + (most[table] ?? 0));
      const whole = tablesReadWhole(plan).filter((table) => !readWhole.includes(table));
      expect(whole.filter((table) => TABLES.includes(table))).toEqual([]);
      expect(mostSorted(plan)).toBeLessThanOrEqual(sorted);
    }
  }

  const PAGES: Readonly<Record<string, (cursor: string) => PageArguments>> = {
    "the first": () => ({ first: 50 }),
    "a cursor's next": (after) => ({ first: 50, after }),
    "the last": () => ({ last: 50 }),
    "a cursor's previous": (before) => ({ last: 50, before }),
  };
  for (const direction of ["ASC", "DESC"] as const) {
    const orderBy = [{ field: "JOIN_COUNT", direction }] as const;

    it(`every page of links by JOIN_COUNT ${direction} reads the links of the page alone, from either end`, async () => {
      const asked: LinkPageArguments = { chatId: channel.chatId, orderBy };
      const middle = await open().page({ ...asked, first: 1, page: LINKS / 2 });
      for (const argumentsFor of Object.values(PAGES)) {
        const paging = argumentsFor(middle.edges[0]?.cursor as string);
        const [statement] = await statementsOf(test, () => open().page({ ...asked, ...paging }));
        await expectReads(statement, { invite_link: 51, invite_link_tag: 51, link_activity: 51 }, 51);
      }
    });

    it(`a page by number of links by JOIN_COUNT ${direction} finds its rows by the counters alone`, async () => {
      const [statement] = await statementsOf(test, () =>
        open().page({ chatId: channel.chatId, first: 50, page: 300, orderBy }),
      );
      await expectReads(
        statement,
        { invite_link: 2 * 51, invite_link_tag: 51, link_activity: 300 * 50 + 2 * 51 },
        2 * 51,
      );
    });
  }

  for (const field of ["ACTIVE_COUNT", "LAST_JOIN_AT"] as const) {
    it(`a page of links by ${field} sorts the channel's counters and looks up the links of the page alone`, async () => {
      const asked: LinkPageArguments = { chatId: channel.chatId, orderBy: [{ field, direction: "DESC" }] };
      const middle = await open().page({ ...asked, first: 1, page: LINKS / 2 });
      for (const argumentsFor of Object.values(PAGES)) {
        const paging = argumentsFor(middle.edges[0]?.cursor as string);
        const [statement] = await statementsOf(test, () => open().page({ ...asked, ...paging }));
        const most = { invite_link: 51, invite_link_tag: 51, link_activity: ALL_LINKS };
        await expectReads(statement, most, LINKS, ["link_activity"]);
      }
    });
  }

  it("the first pages by ACTIVE_COUNT read the links with the most joins alone", async () => {
    const asked: LinkPageArguments = {
      chatId: channel.chatId,
      orderBy: [{ field: "ACTIVE_COUNT", direction: "DESC" }],
    };
    const { edges } = await open().page({ ...asked, first: 100 });
    for (const paging of [{ first: 50 }, { first: 50, after: edges[99]?.cursor }]) {
      const [statement] = await statementsOf(test, () => open().page({ ...asked, ...paging }));
      const most = { invite_link: 51, invite_link_tag: 51, link_activity: LINKS / 5 };
      await expectReads(statement, most, LINKS / 5);
    }
  });

  /** Reads something of each link of a page. */
  async function statementsOfPage(read: (statistics: LinkStatistics, link: InviteLink) => Promise<unknown>) {
    const { edges } = await open().page({ chatId: channel.chatId, first: 50 });
    const statistics = new LinkStatistics(test.database, loaders());
    return statementsOf(test, () => Promise.all(edges.map(({ node }) => read(statistics, node))));
  }

  it("the numbers of a page's links are read in one statement from their counters alone", async () => {
    const sent = await statementsOfPage(async (statistics, link) => statistics.withCounts(link));
    expect(sent).toHaveLength(1);
    await expectReads(sent[0], { link_activity: 50 }, 0);
  });

  it("the retention of a page's links is read in one statement from their counters and quarters alone", async () => {
    const sent = await statementsOfPage((statistics, link) => statistics.retention(link));
    expect(sent).toHaveLength(1);
    await expectReads(sent[0], { link_activity: 50, link_quarter: 50 * MEMBERS }, 50 * (MEMBERS + 1));
  });

  const SPAN = {
    from: new Date("2026-01-01"),
    to: new Date("2026-12-01"),
    unit: "DAY",
    timeZone: "Asia/Tokyo",
  } as const;

  it("the series of a page's links is read in one statement from their counters and quarters alone", async () => {
    const sent = await statementsOfPage((statistics, link) => statistics.series(link, SPAN));
    expect(sent).toHaveLength(1);
    await expectReads(sent[0], { link_activity: 50, link_quarter: 50 * MEMBERS }, 50 * (MEMBERS + 1));
  });

  it("the series, the retention and the members of the links of some tags read these links alone", async () => {
    const tagGroups = [{ tagTypeId: typeId, withoutType: false, tagIds: tags.slice(0, 2) }];
    const page = await open().page({ chatId: channel.chatId, filter: { tagGroups }, first: 1 });
    const some = 2 * (LINKS / TAGS);
    const quarters = { link_quarter: some * MEMBERS };
    for (const [read, most] of [
      [() => page.series(SPAN), quarters],
      [() => page.retention(), quarters],
      [() => page.members(), {}],
    ] as const) {
      const [statement] = await statementsOf(test, read);
      // A tenth of the counters: PostgreSQL reads all of them or looks each up.
      const each = { ...most, invite_link_tag: some, link_activity: ALL_LINKS };
      await expectReads(statement, each, some * (MEMBERS + 1), ["link_activity"]);
    }
  });

  it("under a filter that leaves few links out, the series and the retention read the quarters of these alone", async () => {
    const filter = { tagGroups: [{ tagTypeId: typeId, withoutType: false, tagIds: tags.slice(1) }] };
    const page = await open().page({ chatId: channel.chatId, filter, first: 1 });
    const others = LINKS / TAGS;
    for (const read of [() => page.series(SPAN), () => page.retention()]) {
      const [statement] = await statementsOf(test, read);
      const most = { invite_link_tag: LINKS, link_activity: LINKS + others, link_quarter: others * MEMBERS };
      await expectReads(statement, most, LINKS, ["link_activity", "invite_link_tag"], ALL_LINKS - LINKS);
    }
  });

  it("the groups of the links of many tags are read in one statement, and their retention in another", async () => {
    const tagsOfPage = tags.slice(0, 5).map((id, index) => ({
      id,
      typeId,
      typeName: "Source",
      name: `Tag ${index}`,
      nameKey: `tag ${index}`,
      color: "#000000",
      channelId: channel.id,
      chatId: channel.chatId,
      createdAt: "2026-03-01T00:00:00.000Z",
      updatedAt: null,
    }));
    const links = open();
    const pages = await Promise.all(tagsOfPage.map((tag) => links.pageOfTag(tag, { first: 0 })));
    const grouped = () => Promise.all(pages.map((page) => page.groups({ by: "TAG", tagTypeId: typeId })));
    const [, ...sent] = await statementsOf(test, async () => {
      for (const groups of await grouped()) await Promise.all(groups.map((group) => group.retention()));
    });
    expect(sent).toHaveLength(2);
    const most = { invite_link: LINKS, link_activity: LINKS, invite_link_tag: 2 * LINKS };
    await expectReads(sent[0], most, LINKS, TABLES, ALL_LINKS - LINKS);
  });

  it("a page of links with the numbers of each takes one statement, which reads the counters of the page alone", async () => {
    for (const field of ["CREATED_AT", "JOIN_COUNT"] as const) {
      const orderBy = [{ field, direction: "DESC" }] as const;
      const sent = await statementsOf(test, async () => {
        const { edges } = await open().page({
          chatId: channel.chatId,
          first: 50,
          orderBy,
          withCounts: true,
        });
        const statistics = new LinkStatistics(test.database, loaders());
        await Promise.all(edges.map(({ node }) => statistics.withCounts(node)));
      });
      expect(sent).toHaveLength(1);
      await expectReads(sent[0], { invite_link: 51, invite_link_tag: 51, link_activity: 2 * 51 }, 51);
    }
  });

  it("the groups by tag read each link, its counters and its tags of the type once", async () => {
    const page = await open().page({ chatId: channel.chatId, first: 1 });
    const [, statement] = await statementsOf(test, () => page.groups({ by: "TAG", tagTypeId: typeId }));
    const most = { invite_link: LINKS, link_activity: LINKS, invite_link_tag: LINKS };
    // The channel has nearly all links of the tables.
    await expectReads(statement, most, LINKS, TABLES, ALL_LINKS - LINKS);
  });

  it("the members of a page's links are read in one statement, as many as are shown", async () => {
    const sent = await statementsOfPage((statistics, link) => statistics.members(link, null, { first: 2 }));
    expect(sent).toHaveLength(1);
    await expectReads(sent[0], { membership: 50 * 3 }, 50 * 3);
  });

  it("the series, the retention and the members of all links of a channel are read from the channel's quarters", async () => {
    const page = await open().page({ chatId: channel.chatId, first: 1 });
    for (const read of [() => page.series(SPAN), () => page.retention(), () => page.members()]) {
      const [statement] = await statementsOf(test, read);
      await expectReads(statement, {}, 2000);
    }
  });

  it("a page of member events reads the events of the page alone, of all, of a link and of a person", async () => {
    const { edges } = await open().page({ chatId: channel.chatId, first: 1 });
    const filters = [{}, { inviteLinkIds: [edges[0]?.node.id as string] }, { userId: 17 }];
    for (const filter of filters) {
      const asked = { chatId: channel.chatId, filter };
      const members = () => new Members(test.database, callerOf());
      const first = await members().page({ ...asked, first: 5 });
      const after = first.edges.at(-1)?.cursor;
      for (const paging of [{ first: 5 }, { first: 5, after }, { last: 5 }]) {
        const [statement] = await statementsOf(test, () => members().page({ ...asked, ...paging }));
        // A person's events are found by the person's stays.
        const most = filter === filters[2] ? { member_event: 50, membership: 50 } : { member_event: 6 };
        await expectReads(statement, most, 50);
      }
    }
  });

  it("an event and a membership are found by their ids in an index", async () => {
    const { rows } = await test.pool.query<{ event: string; membership: string }>(
      `select (select id from member_event where channel_id = $1 limit 1) as event,
        (select id from membership where channel_id = $1 limit 1) as membership`,
      [channel.id],
    );
    const members = () => new Members(test.database, callerOf());
    const [event] = await statementsOf(test, () => members().event(rows[0]?.event as string));
    await expectReads(event, { member_event: 1 }, 0);
    const [membership] = await statementsOf(test, () => members().membership(rows[0]?.membership as string));
    await expectReads(membership, { membership: 1 }, 0);
  });
});
