import { expect, test } from "vitest";
import { MemberCounts } from "../../../src/background/updates/memberCounts.js";
import { backgroundSession } from "../../../src/database/dedicatedSession.js";
import { TelegramGateway } from "../../../src/telegram/gateway.js";
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
    const counts = new MemberCounts({ session: backgroundSession(bed.pool), gateway, betweenMs: 0 });
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

  test("are left alone for a while after a 429", async () => {
    const { bed, counts, addChannel, calls } = await prepare();
    await addChannel(NEWS, "READY");
    await addChannel(-1009, "READY");
    bed.control.fail({ kind: "too-many-requests", retryAfter: 60 }, { method: "getChatMemberCount" });
    await counts.refresh(NEVER);
    expect(calls()).toBe(1);
  });
});
