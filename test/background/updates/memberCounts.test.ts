import { expect, test } from "vitest";
import { MemberCounts } from "../../../src/background/updates/memberCounts.js";
import { createDatabase } from "../../../src/database/database.js";
import { backgroundSession } from "../../../src/database/dedicatedSession.js";
import { TelegramGateway } from "../../../src/telegram/gateway.js";
import { noKnownCallers } from "../../domain/support.js";
import { describeOnForms, USUAL_FORMS } from "../../support/databases.js";
import { BOT, NEWS, person, UpdatesBed } from "./bed.js";

const NEVER = new AbortController().signal;

await describeOnForms("the member counts", USUAL_FORMS, (form) => {
  const prepare = async () => {
    const bed = await UpdatesBed.prepare(form);
    const gateway = new TelegramGateway({
      token: BOT.token,
      botId: BOT.id,
      apiRoot: bed.telegram.apiRoot,
      timeoutMs: 2000,
      onCall: () => {},
    });
    const counts = new MemberCounts({
      session: backgroundSession(bed.pool),
      database: createDatabase(bed.pool),
      callerCache: noKnownCallers,
      gateway,
      betweenMs: 0,
    });
    const addChannel = (chatId: number, status: string) =>
      bed.query(
        `insert into channel (id, chat_id, kind, title, currency, bot_status, created_at)
         values (gen_random_uuid(), $1, 'CHANNEL', 'News', 'EUR', $2::bot_status, now())`,
        [chatId, status],
      );
    const stored = () =>
      bed.query(
        `select member_count, member_count_balance, first_member_count, first_member_count_balance
         from channel_activity join channel on id = channel_id where bot_status <> 'NOT_IN_CHANNEL' order by chat_id desc`,
      );
    const calls = () => bed.control.calls("getChatMemberCount").length;
    return { bed, counts, addChannel, stored, calls };
  };

  test("are asked once in ten minutes and stored with the balance; the first one stays", async () => {
    const { bed, counts, addChannel, stored, calls } = await prepare();
    await addChannel(NEWS, "READY");
    await addChannel(-1009, "NOT_IN_CHANNEL");
    await counts.refresh(NEVER);
    expect(await stored()).toEqual([
      { member_count: 2, member_count_balance: 0, first_member_count: 2, first_member_count_balance: 0 },
    ]);
    await counts.refresh(NEVER);
    expect(calls()).toBe(1);

    bed.control.join(NEWS, person(1));
    await bed.query(
      "update channel_activity set join_count = 5, leave_count = 2, member_count_at = now() - interval '11 minutes'",
    );
    await counts.refresh(NEVER);
    expect(await stored()).toEqual([
      { member_count: 3, member_count_balance: 3, first_member_count: 2, first_member_count_balance: 0 },
    ]);
    expect(calls()).toBe(2);
  });

  test("of a chat that refuses are not asked again for ten minutes, and do not keep others from being asked", async () => {
    const { counts, addChannel, stored, calls } = await prepare();
    await addChannel(-1009, "READY");
    await addChannel(NEWS, "MISSING_PERMISSION");
    await counts.refresh(NEVER);
    await counts.refresh(NEVER);
    expect(await stored()).toMatchObject([{ member_count: null }, { member_count: 2 }]);
    expect(calls()).toBe(2);
  });

  /** Further chats whose counts are asked for. */
  const withChats = async (count: number) => {
    const prepared = await prepare();
    for (let index = 0; index < count; index += 1) {
      const chatId = prepared.bed.control.addChat({ type: "channel", title: "More" });
      await prepared.addChannel(chatId, "READY");
    }
    // In the order in which they are asked.
    const rows = await prepared.bed.query<{ id: number }>(
      "select chat_id as id from channel order by channel.id",
    );
    const counted = async () =>
      (await prepared.bed.query("select from channel_activity where member_count is not null")).length;
    return { ...prepared, chatIds: rows.map(({ id }) => id), counted };
  };

  test.each([
    ["a long 429", { kind: "too-many-requests", retryAfter: 600 }],
    ["a server error", { kind: "server-error" }],
  ] as const)(
    "of one chat that is always answered with %s do not keep others from being asked",
    async (_what, fault) => {
      const { bed, counts, chatIds, counted } = await withChats(4);
      const [chatId = 0] = chatIds;
      bed.control.fail(fault, { method: "getChatMemberCount", chatId, times: 1000 });
      await counts.refresh(NEVER);
      expect(await counted()).toBe(3);
    },
  );

  test("are left alone for a while after a 429 that concerns all chats", async () => {
    const { bed, counts, calls } = await withChats(5);
    bed.control.fail(
      { kind: "too-many-requests", retryAfter: 60 },
      { method: "getChatMemberCount", times: 1000 },
    );
    await counts.refresh(NEVER);
    expect(calls()).toBe(2);
  });

  test("of many chats that fail are asked after those of all others, and a run ends after three failures", async () => {
    const { bed, counts, chatIds, calls, counted } = await withChats(8);
    for (const chatId of chatIds.slice(0, 6))
      bed.control.fail({ kind: "server-error" }, { method: "getChatMemberCount", chatId, times: 1000 });
    await bed.query(
      `update channel_activity set member_count_at = now() - interval '1 day'
       where channel_id in (select id from channel where chat_id = any($1))`,
      [chatIds.slice(6)],
    );
    for (const expected of [3, 6, 8]) {
      await counts.refresh(NEVER);
      expect(calls()).toBe(expected);
    }
    expect(await counted()).toBe(2);
  });

  test("of no chat are asked after an answer that the bot token is not valid", async () => {
    const { bed, counts, calls } = await withChats(3);
    const restore = bed.control.fail({ kind: "unauthorized" });
    await counts.refresh(NEVER);
    expect(calls()).toBe(1);
    restore();
    await counts.refresh(NEVER);
    expect(calls()).toBe(4);
  });

  test("of a group that became a supergroup are stored for the channel that was merged with the supergroup's", async () => {
    const { bed, counts, addChannel } = await prepare();
    const group = bed.control.addChat({ type: "group", title: "Old" });
    const supergroup = bed.control.upgrade(group);
    await addChannel(group, "READY");
    await addChannel(supergroup, "UNKNOWN");
    await counts.refresh(NEVER);
    expect(
      await bed.query("select chat_id, member_count from channel join channel_activity on id = channel_id"),
    ).toEqual([{ chat_id: supergroup, member_count: expect.any(Number) }]);
  });
});
