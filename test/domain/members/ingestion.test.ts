import sql, { type Sql } from "sql-template-tag";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { followMigration } from "../../../src/domain/channels/chatMigration.js";
import { recount } from "../../../src/domain/links/counts/recount.js";
import { eraseMember } from "../../../src/domain/members/eraseMember.js";
import { FailedUpdates } from "../../../src/domain/members/failedUpdates.js";
import { checkUpdateGaps, pruneInbox } from "../../../src/domain/members/inbox.js";
import { PollerTermOverError } from "../../../src/domain/members/ingestion.js";
import { OldPersons } from "../../../src/domain/members/oldPersons.js";
import { UpdateIngestion } from "../../../src/domain/members/updateIngestion.js";
import { ForbiddenError, ValidationError } from "../../../src/domain/shared/errors.js";
import { newId } from "../../../src/domain/shared/ids.js";
import { ALL_FORMS, describeOnForms, openTestDatabase, type TestDatabase } from "../../support/databases.js";
import { testStatement } from "../../support/statement.js";
import { callerOf, newChatId, noKnownCallers } from "../support.js";
import { BOT_ID, chatOf, received, type SeedUpdate, telegramUpdate } from "./updates.js";

const ADMIN = callerOf(null, "ADMIN");
const START = 1_780_000_000;
const DAY = 86_400;

let updateId = 100;

/** An update of the next id. */
const seed = (
  chat: number,
  user: number,
  kind: SeedUpdate["kind"],
  more: Partial<SeedUpdate> = {},
): SeedUpdate => {
  updateId += 1;
  const usual = { link: null, isByAdmin: false, isByRequest: false, isByFolder: false };
  return { updateId, chat, user, kind, date: START + updateId, ...usual, ...more };
};

const toReceived = (seeds: readonly SeedUpdate[]) => seeds.map((one) => received(telegramUpdate(one)));

await describeOnForms("storing updates", ALL_FORMS, (form) => {
  let opened: TestDatabase;
  let ingestion: UpdateIngestion;
  const stored: string[][] = [];
  const setAside: string[] = [];

  beforeAll(async () => {
    opened = await openTestDatabase(form);
    ingestion = new UpdateIngestion({
      database: opened.database,
      botId: BOT_ID,
      notifies: form === "server",
      onStored: (channelIds) => stored.push([...channelIds]),
      onSetAside: (reasons) => setAside.push(...reasons),
    });
  });
  afterAll(() => opened.close());
  beforeEach(() => {
    stored.length = 0;
    setAside.length = 0;
  });

  const query = <Row>(text: Sql) => opened.database.query<Row>(testStatement`${text}`);
  const ingest = (...seeds: readonly SeedUpdate[]) => ingestion.ingest(toReceived(seeds), null);
  const channelOf = async (chatId: number): Promise<string> => {
    const [row] = await query<{ id: string }>(sql`select id from channel where chat_id = ${chatId}::bigint`);
    if (!row) throw new Error("The chat has no channel.");
    return row.id;
  };
  const eventsOf = async (chatId: number) =>
    query<{ sequence: number; kind: string; userId: number; url: string | null; isInferred: boolean }>(sql`
      select e.sequence, e.kind, e.user_id as "userId", l.url, e.is_inferred as "isInferred" from member_event e
      join channel c on c.id = e.channel_id left join invite_link l on l.id = e.link_id
      where c.chat_id = ${chatId}::bigint order by e.sequence`);
  const activityOf = async (chatId: number) => {
    const [row] = await query<Record<string, number>>(sql`
      select a.join_count as joins, a.leave_count as leaves, a.join_request_count as requests,
        a.without_link_count as "withoutLink", a.last_sequence as last
      from channel_activity a join channel c on c.id = a.channel_id where c.chat_id = ${chatId}::bigint`);
    return row;
  };
  const expectExactCounts = async () =>
    expect(await recount(opened.database, { chatId: null, checkOnly: true })).toEqual([]);

  test("a batch that is repeated is stored once, and subscribers are told once", async () => {
    const chat = newChatId();
    const batch = [
      seed(chat, 1, "join", { link: 0 }),
      seed(chat, 1, "leave"),
      seed(chat, 2, "request", { link: 0 }),
    ];
    await ingest(...batch, ...batch);
    await ingest(...batch);
    expect(await activityOf(chat)).toEqual({ joins: 1, leaves: 1, requests: 1, withoutLink: 0, last: 3 });
    expect(stored).toEqual([[await channelOf(chat)]]);
    await expectExactCounts();
  });

  test("nothing of a person but the id is stored, and a bio only while a request is pending", async () => {
    const chat = newChatId();
    await ingest(seed(chat, 77, "request", { link: 0 }));
    const stored = async () =>
      JSON.stringify([
        await query(sql`select body from telegram_update`),
        await query(sql`select body from failed_update`),
        await query(sql`select change from audit_entry`),
        await query(sql`select * from join_request where user_id = 77`),
      ]);
    expect(await stored()).not.toMatch(/Secret|secret77/);
    expect((await stored()).match(/Bio of 77/g)).toHaveLength(1);
    await ingest(seed(chat, 77, "join", { link: 0, isByAdmin: true }));
    expect(await stored()).not.toMatch(/Bio of 77/);
    expect(await query(sql`select state from join_request where user_id = 77`)).toEqual([
      { state: "APPROVED" },
    ]);
  });

  test("an update that cannot be stored is set aside alone, and can be stored by a retry", async () => {
    const chat = newChatId();
    await opened.pool.query("alter table membership add constraint unlucky check (user_id <> 6660666)");
    const users = [1, 2, 3, 6_660_666, 5, 6];
    const batch = users.map((user) => seed(chat, user, "join", { link: 1 }));
    await ingest(...batch);
    await ingest(...batch);
    expect(await activityOf(chat)).toMatchObject({ joins: 5, last: 5 });
    expect(setAside).toEqual(["The update could not be stored: the database refused it (SQLSTATE 23514)."]);
    const failed = new FailedUpdates(opened.database, ADMIN, ingestion);
    const { edges } = await failed.page({ first: 10 });
    expect(edges.map(({ node }) => node)).toMatchObject([{ updateId: batch[3]?.updateId }]);
    const ids = edges.map(({ node }) => node.id);
    expect(await failed.retry({ ids })).toEqual({ succeededCount: 0, failedCount: 1 });
    await opened.pool.query("alter table membership drop constraint unlucky");
    expect(await failed.retry({ ids })).toEqual({ succeededCount: 1, failedCount: 0 });
    expect(await activityOf(chat)).toMatchObject({ joins: 6, last: 6 });
    expect(await query(sql`select from failed_update`)).toEqual([]);
    await expectExactCounts();
  });

  test("an update that cannot be understood is set aside with the part that is wrong, without its value", async () => {
    const chat = newChatId();
    const broken = received({
      update_id: 90_000,
      chat_member: { chat: chatOf(chat), date: "yesterday 123456789" },
    });
    await ingestion.ingest([broken, ...toReceived([seed(chat, 1, "join")])], null);
    expect(setAside).toHaveLength(1);
    expect(setAside[0]).toMatch(/^chat_member: \w+ is missing or has an unexpected form$/);
    expect(await activityOf(chat)).toMatchObject({ joins: 1 });
    const failed = new FailedUpdates(opened.database, ADMIN, ingestion);
    const { edges } = await failed.page({ first: 10 });
    const ids = edges.map(({ node }) => node.id);
    expect(await failed.retry({ ids })).toEqual({ succeededCount: 0, failedCount: 1 });
    await query(sql`delete from failed_update`);
  });

  test("failed updates and erasures are for administrators of all channels", async () => {
    for (const caller of [callerOf(null, "EDITOR"), callerOf([1], "ADMIN")]) {
      const failed = new FailedUpdates(opened.database, caller, ingestion);
      await expect(failed.page({ first: 1 })).rejects.toThrow(ForbiddenError);
      await expect(failed.retry({ ids: [] })).rejects.toThrow(ForbiddenError);
      await expect(eraseMember(opened.database, caller, { userId: 1 })).rejects.toThrow(ForbiddenError);
    }
    await expect(eraseMember(opened.database, ADMIN, { userId: -1 })).rejects.toThrow(ValidationError);
  });

  test("a poller whose term is over stores nothing", async () => {
    const chat = newChatId();
    await query(sql`insert into update_receiver (bot_id, term) values (${BOT_ID}::bigint, 5)`);
    const batch = toReceived([seed(chat, 1, "join")]);
    await expect(ingestion.ingest(batch, { term: 4 })).rejects.toThrow(PollerTermOverError);
    expect(await query(sql`select from channel where chat_id = ${chat}::bigint`)).toEqual([]);
    await ingestion.ingest(batch, { term: 5 });
    expect(await activityOf(chat)).toMatchObject({ joins: 1 });
  });

  test("a late leave takes the place of the inferred one, and a late join gives a leave its link", async () => {
    const chat = newChatId();
    const late = seed(chat, 1, "leave", { date: START + 50 });
    await ingest(seed(chat, 1, "join", { link: 0, date: START }));
    await ingest(seed(chat, 1, "join", { link: 1, date: START + 100 }));
    expect(await eventsOf(chat)).toMatchObject([
      { kind: "JOINED" },
      { kind: "LEFT", isInferred: true },
      { kind: "JOINED" },
    ]);
    await ingest(late);
    expect(await eventsOf(chat)).toMatchObject([
      { kind: "JOINED" },
      { kind: "LEFT", isInferred: false },
      { kind: "JOINED" },
    ]);
    await ingest(seed(chat, 2, "leave", { date: START + 200 }));
    expect((await eventsOf(chat)).at(-1)).toMatchObject({ kind: "LEFT", userId: 2, url: null });
    await ingest(seed(chat, 2, "join", { link: 0, date: START + 150 }));
    expect((await eventsOf(chat)).slice(-2)).toMatchObject([
      { kind: "LEFT", userId: 2, url: "https://t.me/+WholeOne" },
      { kind: "JOINED", userId: 2 },
    ]);
    await expectExactCounts();
  });

  test("a late join without a link makes a known leave of an unknown one in the channel's quarters", async () => {
    const chat = newChatId();
    const joined = seed(chat, 1, "join", { date: START });
    await ingest(seed(chat, 1, "leave", { date: START + DAY }));
    await ingest(joined);
    const quarters = await query<Record<string, number>>(sql`
      select q.join_count as joins, q.leave_count as leaves, q.unknown_leave_count as unknown
      from channel_quarter q join channel c on c.id = q.channel_id
      where c.chat_id = ${chat}::bigint order by q.quarter`);
    expect(quarters).toEqual([
      { joins: 1, leaves: 0, unknown: 0 },
      { joins: 0, leaves: 1, unknown: 0 },
    ]);
    await expectExactCounts();
  });

  test("shortened addresses are found by beginning, name and creator, and count for none if several fit", async () => {
    const chat = newChatId();
    const join = (user: number, address: string, name: string, creator: number) => {
      const update = telegramUpdate(seed(chat, user, "join", { link: 2 })) as {
        chat_member: { invite_link: object };
      };
      Object.assign(update.chat_member.invite_link, {
        invite_link: address,
        name,
        creator: { id: creator, is_bot: false, first_name: "Team" },
      });
      return received(update);
    };
    await ingestion.ingest(
      [join(1, "https://t.me/+Abc...", "A", 1), join(2, "https://t.me/+Abc...", "B", 1)],
      null,
    );
    await ingestion.ingest(
      [join(3, "https://t.me/+Abc...", "A", 1), join(4, "https://t.me/+Abc…", "A", 2)],
      null,
    );
    await ingestion.ingest([join(5, "https://t.me/+AbcdefWhole", "A", 1)], null);
    await ingestion.ingest([join(6, "https://t.me/+Abc...", "A", 1)], null);
    const rows = await query<{ user: number; url: string | null; attribution: string }>(sql`
      select m.user_id as user, l.url, m.attribution from membership m left join invite_link l on l.id = m.link_id
      where m.channel_id = ${await channelOf(chat)}::uuid order by m.user_id`);
    expect(rows).toEqual([
      { user: 1, url: "https://t.me/+Abc...", attribution: "BY_BEGINNING" },
      { user: 2, url: "https://t.me/+Abc...#2", attribution: "BY_BEGINNING" },
      { user: 3, url: "https://t.me/+Abc...", attribution: "BY_BEGINNING" },
      { user: 4, url: "https://t.me/+Abc...#3", attribution: "BY_BEGINNING" },
      { user: 5, url: "https://t.me/+AbcdefWhole", attribution: "EXACT" },
      { user: 6, url: null, attribution: "AMBIGUOUS" },
    ]);
    const learned = await query(sql`
      select from audit_entry where action = 'inviteLink.learn' and channel_id = ${await channelOf(chat)}::uuid`);
    expect(learned).toHaveLength(4);
    await expectExactCounts();
  });

  test("a new title of a chat has one audit entry, with the former title", async () => {
    const chat = newChatId();
    const joinOf = (user: number, title: string) => {
      const update = telegramUpdate(seed(chat, user, "join")) as { chat_member: { chat: object } };
      Object.assign(update.chat_member.chat, { title });
      return received(update);
    };
    await ingestion.ingest([joinOf(1, "Old")], null);
    await ingestion.ingest([joinOf(2, "New")], null);
    await ingestion.ingest([joinOf(3, "New")], null);
    const id = await channelOf(chat);
    const entries = await query(sql`
      select caller, action, channel_id as "channelId", change from audit_entry where subject_id = ${id}::uuid order by id`);
    expect(entries).toMatchObject([
      { caller: "server", action: "channel.learn" },
      {
        caller: "server",
        action: "channel.update",
        channelId: id,
        change: { title: { from: "Old", to: "New" } },
      },
    ]);
  });

  /** The bot's status changed. */
  const botStatus = (chat: number, second: number, became: string, mayInvite = true, type = "supergroup") => {
    updateId += 1;
    const bot = { id: BOT_ID, is_bot: true, first_name: "Bot" };
    return received({
      update_id: updateId,
      my_chat_member: {
        chat: { ...chatOf(chat), type, username: "public_name" },
        from: { id: 9, is_bot: false, first_name: "Ann" },
        date: START + second,
        old_chat_member: { user: bot, status: "left" },
        new_chat_member: { user: bot, status: became, can_invite_users: mayInvite },
      },
    });
  };

  /** The seconds at which absences of the bot began and ended. */
  const absencesIn = async (channelId: string) => {
    const gaps = await query<{ from: string; to: string | null }>(sql`
      select from_at as "from", to_at as "to" from coverage_gap
      where channel_id = ${channelId}::uuid and reason = 'BOT_ABSENT' order by from_at`);
    return gaps.map(({ from, to }) => [from, to].map((at) => at && Date.parse(at) / 1000 - START));
  };

  test("the bot's status follows the latest update, and absences are gaps in any order of arrival", async () => {
    const chat = newChatId();
    const status = (second: number, became: string, mayInvite = true) =>
      botStatus(chat, second, became, mayInvite);
    const updates = [
      status(0, "administrator"),
      status(10, "left"),
      status(20, "administrator", false),
      status(30, "kicked"),
      status(40, "member"),
      status(50, "administrator"),
    ];
    for (const index of [0, 4, 2, 5, 1, 3])
      await ingestion.ingest([updates[index] ?? status(0, "left")], null);
    const channelId = await channelOf(chat);
    expect(
      await query(sql`select bot_status as status, username from channel where id = ${channelId}::uuid`),
    ).toEqual([{ status: "READY", username: "public_name" }]);
    expect(await absencesIn(channelId)).toEqual([
      [10, 20],
      [30, 50],
    ]);
  });

  describe("the bot's statuses in a group and in the supergroup that it became", () => {
    const statusOf = async (channelId: string) =>
      (
        await query<{ status: string }>(
          sql`select bot_status as status from channel where id = ${channelId}::uuid`,
        )
      )[0]?.status;
    const bothChats = () => {
      const [group, supergroup] = [newChatId(), newChatId()];
      return {
        supergroup,
        inGroup: (second: number, became: string) => botStatus(group, second, became, true, "group"),
        inSupergroup: (second: number, became: string) => botStatus(supergroup, second, became),
        migrate: () =>
          followMigration(
            { database: opened.database, callerCache: noKnownCallers },
            callerOf(),
            group,
            supergroup,
          ),
      };
    };

    test.each([
      ["before the supergroup's", 10, [[10, 20]]],
      ["after the supergroup's, when the group was no more", 30, []],
    ])(
      "are one sequence, if the group's last one is %s and arrives after the migration",
      async (_when, at, gaps) => {
        const { supergroup, inGroup, inSupergroup, migrate } = bothChats();
        await ingestion.ingest([inGroup(0, "administrator")], null);
        const left = inGroup(at, "left");
        await ingestion.ingest([inSupergroup(20, "administrator")], null);
        await migrate();
        await ingestion.ingest([left], null);
        const channelId = await channelOf(supergroup);
        expect(await absencesIn(channelId)).toEqual(gaps);
        expect(await statusOf(channelId)).toBe("READY");
      },
    );

    test.each([
      ["before the supergroup's", 10, [[10, 20]]],
      ["after the supergroup's, when the group was no more", 30, []],
    ])(
      "are one sequence, if the group's last one is %s and both arrived before the migration",
      async (_when, at, gaps) => {
        const { supergroup, inGroup, inSupergroup, migrate } = bothChats();
        await ingestion.ingest([inGroup(0, "administrator"), inGroup(at, "left")], null);
        await ingestion.ingest([inSupergroup(20, "administrator")], null);
        await migrate();
        const channelId = await channelOf(supergroup);
        expect(await absencesIn(channelId)).toEqual(gaps);
        expect(await statusOf(channelId)).toBe("READY");
      },
    );
  });

  test("a chat migration makes one sequence of the events of both chat ids, and one history of each person", async () => {
    const group = newChatId();
    const supergroup = newChatId();
    await ingest(
      seed(group, 1, "join", { link: 0 }),
      seed(group, 2, "join", { link: 1 }),
      seed(group, 3, "join", { link: 2 }),
      seed(group, 4, "request", { link: 0 }),
    );
    const channelId = await channelOf(group);
    const before = await query<{ id: string }>(
      sql`select id from member_event where channel_id = ${channelId}::uuid order by sequence`,
    );
    await ingest(
      seed(supergroup, 1, "leave"),
      seed(supergroup, 2, "join", { link: 1 }),
      seed(supergroup, 5, "join", { link: 0 }),
      seed(supergroup, 4, "join", { link: 0 }),
    );
    const shared = { database: opened.database, callerCache: noKnownCallers };
    await followMigration(shared, callerOf(), group, supergroup);
    expect(await channelOf(supergroup)).toBe(channelId);
    const events = await eventsOf(supergroup);
    expect(events.map(({ sequence }) => sequence)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    const after = await query<{ id: string }>(
      sql`select id from member_event where channel_id = ${channelId}::uuid order by sequence`,
    );
    expect(after.slice(0, 4)).toEqual(before);
    expect(events.slice(4)).toMatchObject([
      { kind: "LEFT", userId: 1, url: "https://t.me/+WholeOne" },
      { kind: "JOINED", userId: 2 },
      { kind: "JOINED", userId: 5, url: "https://t.me/+WholeOne" },
      { kind: "JOINED", userId: 4 },
      { kind: "LEFT", userId: 2, isInferred: true },
    ]);
    expect(await query(sql`select state from join_request where channel_id = ${channelId}::uuid`)).toEqual([
      { state: "APPROVED" },
    ]);
    expect(await activityOf(supergroup)).toEqual({
      joins: 6,
      leaves: 2,
      requests: 1,
      withoutLink: 0,
      last: 9,
    });
    await expectExactCounts();
    await ingest(seed(supergroup, 3, "leave"));
    expect((await eventsOf(supergroup)).at(-1)).toMatchObject({
      kind: "LEFT",
      url: "https://t.me/+Shortened...",
    });
    await expectExactCounts();
  });

  test("updates of a group's former chat id go to the channel of its present one", async () => {
    const [group, supergroup] = [newChatId(), newChatId()];
    const inGroup = (one: SeedUpdate) => {
      const update = telegramUpdate(one) as { chat_member: { chat: { type: string } } };
      update.chat_member.chat.type = "group";
      return received(update);
    };
    await ingestion.ingest([inGroup(seed(group, 1, "join", { link: 0 }))], null);
    const shared = { database: opened.database, callerCache: noKnownCallers };
    await followMigration(shared, callerOf(), group, supergroup);
    await ingestion.ingest([inGroup(seed(group, 2, "join", { link: 0 }))], null);
    expect(await activityOf(supergroup)).toMatchObject({ joins: 2 });
    expect(await query(sql`select from channel where chat_id = ${group}::bigint`)).toEqual([]);
  });

  test("an erased person is nowhere in the database, every count stays, and the person comes back as a new one", async () => {
    const [chat, other] = [newChatId(), newChatId()];
    const user = 123_123_123;
    await ingest(
      seed(chat, user, "join", { link: 0 }),
      seed(chat, user, "leave"),
      seed(chat, user, "join", { link: 0 }),
      seed(other, user, "request", { link: 0 }),
      seed(chat, 2, "join", { link: 0 }),
    );
    const kicked = telegramUpdate(seed(chat, 2, "leave")) as { chat_member: { from: { id: number } } };
    kicked.chat_member.from.id = user;
    await ingestion.ingest(
      [
        received(kicked),
        received({ update_id: 91_000, chat_member: { from: { id: user, is_bot: false }, date: 1 } }),
        received({ update_id: 91_001, chat_member: { members: [user, `tg://user?id=${user}`] } }),
      ],
      null,
    );
    const counts = [await activityOf(chat), await activityOf(other)];
    expect(await eraseMember(opened.database, ADMIN, { userId: user })).toEqual({ eventCount: 4 });
    expect(await eraseMember(opened.database, ADMIN, { userId: user })).toEqual({ eventCount: 0 });
    for (const table of [
      "membership",
      "member_event",
      "join_request",
      "telegram_update",
      "failed_update",
      "audit_entry",
    ]) {
      const { rows } = await opened.pool.query(`select to_jsonb(t)::text as row from ${table} t`);
      expect(rows.filter(({ row }) => row.includes(String(user)) || row.includes(`Bio of ${user}`))).toEqual(
        [],
      );
    }
    expect([await activityOf(chat), await activityOf(other)]).toEqual(counts);
    await expectExactCounts();
    await ingest(seed(chat, user, "leave"), seed(chat, user, "join", { link: 0 }));
    const [back] = await query(sql`
      select is_first_by_link as "isFirst" from membership where user_id = ${user}::bigint and joined_at is not null`);
    expect(back).toEqual({ isFirst: true });
    expect((await eventsOf(chat)).slice(-2)).toMatchObject([{ kind: "LEFT", url: null }, { kind: "JOINED" }]);
    await expectExactCounts();
    await query(sql`delete from failed_update`);
  });

  test("old events and ended memberships lose their person, and a member who is still here keeps the history", async () => {
    const chat = newChatId();
    const user = 234_234_234;
    await ingest(
      seed(chat, user, "join", { link: 0, date: START }),
      seed(chat, user, "leave", { date: START + 10 }),
      seed(chat, user, "join", { link: 0, date: START + 20 }),
      seed(chat, user + 1, "join", { link: 0, date: START + 30 }),
      seed(chat, user + 1, "leave", { date: START + 40 }),
      seed(chat, user + 2, "join", { link: 0, date: START + 3 * DAY }),
    );
    const counts = await activityOf(chat);
    const old = new OldPersons(opened.database);
    const now = new Date((START + 3 * DAY) * 1000);
    expect(await old.forget(2, new Date((START + 2 * DAY + 35) * 1000))).toBeGreaterThanOrEqual(4);
    expect((await eventsOf(chat)).map(({ userId }) => userId > 0)).toEqual([
      false,
      false,
      false,
      false,
      true,
      true,
    ]);
    expect(await old.forget(2, now)).toBeGreaterThanOrEqual(1);
    expect(await old.forget(2, now)).toBe(0);
    expect((await eventsOf(chat)).map(({ userId }) => userId > 0)).toEqual([
      false,
      false,
      false,
      false,
      false,
      true,
    ]);
    const kept = await query(sql`
      select user_id as "userId" from membership where channel_id = ${await channelOf(chat)}::uuid and user_id > 0
      order by user_id`);
    expect(kept).toEqual([{ userId: user }, { userId: user + 2 }]);
    await ingest(
      seed(chat, user, "leave", { date: START + 3 * DAY }),
      seed(chat, user, "join", { link: 0, date: START + 3 * DAY + 1 }),
    );
    const stays = await query(sql`
      select is_rejoin as "isRejoin", is_first_by_link as "isFirst" from membership
      where user_id = ${user}::bigint order by joined_at`);
    expect(stays).toEqual([
      { isRejoin: true, isFirst: false },
      { isRejoin: true, isFirst: false },
    ]);
    expect(counts).toMatchObject({ joins: 4, leaves: 2 });
    await expectExactCounts();
  });

  test("updates that were received long ago lose their persons, also those that are set aside", async () => {
    const chat = newChatId();
    const user = 345_345_345;
    await ingest(seed(chat, user, "join", { link: 0 }));
    await ingestion.ingest(
      [received({ update_id: 92_000, chat_member: { from: { id: user, is_bot: false }, date: 1 } })],
      null,
    );
    const bodies = async () =>
      JSON.stringify([
        await query(sql`select * from telegram_update`),
        await query(sql`select * from failed_update`),
      ]);
    const forget = (days: number, inDays: number) =>
      new OldPersons(opened.database).forget(days, new Date(Date.now() + inDays * DAY * 1000));
    await forget(2, 1);
    expect((await bodies()).match(new RegExp(`"id":${user}`, "g"))).toHaveLength(5);
    await forget(2, 3);
    expect(await bodies()).not.toContain(String(user));
    expect(await bodies()).toContain(`"id":${BOT_ID}`);
    await forget(2, 3);
  });

  test("persons of old events are forgotten by a new process too, behind many that are forgotten", async () => {
    const chat = newChatId();
    const joins = Array.from({ length: 2100 }, (_, index) =>
      seed(chat, 10_000 + index, "join", { date: START + index }),
    );
    await ingest(...joins);
    const now = new Date((START + 2 * DAY + 5000) * 1000);
    await new OldPersons(opened.database).forget(2, now);
    await ingest(seed(chat, 99_999, "join", { date: START + 4000 }));
    await new OldPersons(opened.database).forget(2, now);
    const kept = await query(sql`
      select from member_event where channel_id = ${await channelOf(chat)}::uuid and user_id > 0`);
    expect(kept).toEqual([]);
  });

  test("a person is erased from updates whose mark, or whose stay's person, is not there any more", async () => {
    const chat = newChatId();
    const [banned, gone] = [456_456_456, 567_567_567];
    // An update from long ago that says that the person is not in the channel leaves a mark.
    await ingest(
      seed(chat, banned, "ban", { date: START }),
      seed(chat, gone, "join", { date: START }),
      seed(chat, gone, "leave", { date: START + 1 }),
    );
    await pruneInbox(opened.database);
    await new OldPersons(opened.database).forget(2, new Date(Date.now() + DAY * 1000));
    for (const userId of [banned, gone]) await eraseMember(opened.database, ADMIN, { userId });
    const rows = JSON.stringify(await query(sql`select * from telegram_update`));
    expect(rows).not.toMatch(new RegExp(`${banned}|${gone}`));
  });

  test("of updates of other kinds, and of one that cannot be written, only the id is stored", async () => {
    const chat = newChatId();
    const deep = JSON.parse(`${"[".repeat(4500)}${"]".repeat(4500)}`) as unknown;
    const join = telegramUpdate(seed(chat, 678_678_678, "join")) as { chat_member: object };
    await ingestion.ingest(
      [
        received({ update_id: 93_000, message: { from: { id: 678_678_678 }, text: "A message" } }),
        received({ ...join, update_id: 93_001, chat_member: { ...join.chat_member, deep } }),
        ...toReceived([seed(chat, 1, "join")]),
      ],
      null,
    );
    expect(
      await query(sql`select body from telegram_update where update_id in (93000, 93001) order by update_id`),
    ).toEqual([{ body: { update_id: 93_000 } }, { body: { update_id: 93_001 } }]);
    expect(await query(sql`select body from failed_update where update_id = 93001`)).toEqual([
      { body: { update_id: 93_001 } },
    ]);
    expect(await activityOf(chat)).toMatchObject({ joins: 1 });
  });

  describe("the inbox", () => {
    const BOT = 8_000_000_000;
    const minutes = (count: number) => new Date(Date.UTC(2026, 0, 1) + count * 60_000);
    const arrive = (id: number, at: Date) =>
      query(sql`insert into telegram_update (bot_id, update_id, received_at, body)
        values (${BOT}::bigint, ${id}::bigint, ${at}::timestamptz, '{}')`);
    const gaps = () =>
      query<{ from: string; to: string }>(sql`
        select from_at as "from", to_at as "to" from coverage_gap where bot_id = ${BOT}::bigint order by from_at`);

    test("ids that never came are a gap after five minutes, but not after a quiet week or a jump", async () => {
      for (const [id, minute] of [
        [10, 0],
        [11, 1],
        [13, 2],
        [14, 3],
        [16, 8],
      ] as const)
        await arrive(id, minutes(minute));
      expect(await checkUpdateGaps(opened.database, BOT, minutes(6))).toBe(0);
      expect(await checkUpdateGaps(opened.database, BOT, minutes(9))).toBe(1);
      expect(await gaps()).toEqual([{ from: minutes(1).toISOString(), to: minutes(2).toISOString() }]);
      await arrive(15, minutes(10));
      expect(await checkUpdateGaps(opened.database, BOT, minutes(20))).toBe(0);
      const week = 7 * 24 * 60;
      await arrive(5_000, minutes(week));
      await arrive(2_000_000, minutes(week + 1));
      expect(await checkUpdateGaps(opened.database, BOT, minutes(week + 60))).toBe(0);
      await arrive(100, minutes(2 * week));
      await arrive(102, minutes(2 * week + 1));
      expect(await checkUpdateGaps(opened.database, BOT, minutes(2 * week + 60))).toBe(1);
      expect(await gaps()).toHaveLength(2);
    });

    const lowerIdsWereSought = () => opened.statements.some(({ text }) => /update_id < /.test(text));

    test("lower ids are sought only after six quiet days", async () => {
      await query(sql`delete from telegram_update where bot_id = ${BOT}::bigint`);
      await query(sql`delete from update_receiver where bot_id = ${BOT}::bigint`);
      const day = 24 * 60;
      for (const id of [50, 51, 52]) await arrive(id, minutes(id));
      expect(await checkUpdateGaps(opened.database, BOT, minutes(60))).toBe(0);
      opened.statements.length = 0;
      await arrive(53, minutes(2 * day));
      expect(await checkUpdateGaps(opened.database, BOT, minutes(7 * day))).toBe(0);
      expect(lowerIdsWereSought()).toBe(false);
      await arrive(7, minutes(9 * day));
      await arrive(9, minutes(9 * day + 1));
      expect(await checkUpdateGaps(opened.database, BOT, minutes(9 * day + 60))).toBe(1);
      expect(lowerIdsWereSought()).toBe(true);
    });

    test.runIf(form === "server")(
      "a look that finds nothing new does not wait for the lease's row",
      async () => {
        await checkUpdateGaps(opened.database, BOT, minutes(30 * 24 * 60));
        const session = await opened.pool.connect();
        try {
          await session.query(`begin; select from update_receiver where bot_id = ${BOT} for update`);
          expect(await checkUpdateGaps(opened.database, BOT, minutes(30 * 24 * 60))).toBe(0);
        } finally {
          session.release(true);
        }
      },
    );

    test("updates older than eight days are deleted, and the ledger of younger ones stays", async () => {
      await query(sql`delete from telegram_update`);
      await arrive(1, minutes(0));
      await arrive(2, minutes(60));
      const later = new Date(minutes(30).getTime() + 8 * DAY * 1000);
      expect(await pruneInbox(opened.database, later)).toBe(1);
      expect(await query(sql`select update_id as id from telegram_update`)).toEqual([{ id: 2 }]);
    });
  });

  test.runIf(form === "server")(
    "two servers that store the same and other updates at once count each once",
    async () => {
      const chats = [newChatId(), newChatId(), newChatId()];
      const other = new UpdateIngestion({ database: opened.database, botId: BOT_ID, notifies: true });
      const seeds = Array.from({ length: 400 }, (_, index) =>
        seed(chats[index % 3] ?? 0, 1000 + (index % 40), index % 80 < 40 ? "join" : "leave", {
          link: index % 3,
          date: START + index,
        }),
      );
      const batches = (from: number) =>
        Array.from({ length: 20 }, (_, index) =>
          seeds.slice((index * 20 + from) % 390, ((index * 20 + from) % 390) + 30),
        );
      const run = async (one: UpdateIngestion, from: number) => {
        for (const batch of batches(from)) await one.ingest(toReceived(batch), null);
      };
      await Promise.all([run(ingestion, 0), run(other, 0), run(other, 7), run(ingestion, 200)]);
      const rows = await query<{ count: number }>(sql`
      select count(*) as count from telegram_update
      where update_id between ${seeds[0]?.updateId ?? 0}::bigint and ${seeds.at(-1)?.updateId ?? 0}::bigint`);
      expect(rows).toEqual([{ count: 400 }]);
      await expectExactCounts();
      expect(setAside).toEqual([]);
    },
  );

  test("recount corrects counters of members, and reports what it cannot correct", async () => {
    const chat = newChatId();
    await ingest(seed(chat, 1, "join", { link: 0 }), seed(chat, 1, "leave"), seed(chat, 2, "join"));
    const channelId = await channelOf(chat);
    for (const damage of [
      sql`update link_activity set join_count = join_count + 1 where channel_id = ${channelId}::uuid`,
      sql`update channel_activity set leave_count = 9, last_sequence = 1 where channel_id = ${channelId}::uuid`,
      sql`delete from link_quarter where channel_id = ${channelId}::uuid`,
      sql`update channel_quarter set left_within_7 = 5 where channel_id = ${channelId}::uuid`,
    ]) {
      await query(damage);
      expect(await recount(opened.database, { chatId: chat, checkOnly: true })).not.toEqual([]);
      expect(await recount(opened.database, { chatId: chat, checkOnly: false })).not.toEqual([]);
      await expectExactCounts();
    }
    const [row] = await query<{ id: string }>(sql`
      update member_event set link_id = ${newId()}::uuid where channel_id = ${channelId}::uuid and sequence = 1 returning id`);
    expect(row).toBeDefined();
    expect(await recount(opened.database, { chatId: chat, checkOnly: true })).toMatchObject([
      { counter: "membership", chatId: chat, rows: 1 },
    ]);
  });
});
