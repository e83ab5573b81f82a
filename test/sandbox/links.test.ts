import { describe, expect, it } from "vitest";
import { ada, CHANNEL, makeLink, refusal, SUPERGROUP, setup } from "./support.js";

const soon = Math.floor(Date.now() / 1000) + 3600;
const NO_RIGHTS = [400, "Bad Request: not enough rights to manage chat invite link"];
const EXPIRED = [400, "Bad Request: INVITE_HASH_EXPIRED"];

describe("the sandbox's createChatInviteLink", () => {
  it("answers with the link as Telegram shows it, without unset fields", async () => {
    const { sandbox, telegram } = await setup();
    const link = await telegram.createChatInviteLink(CHANNEL);
    expect(link).toEqual({
      invite_link: expect.stringMatching(/^https:\/\/t\.me\/\+[\w-]{16}$/),
      creator: {
        id: sandbox.bot.id,
        is_bot: true,
        first_name: sandbox.bot.firstName,
        username: sandbox.bot.username,
      },
      creates_join_request: false,
      is_primary: false,
      is_revoked: false,
    });
    expect(sandbox.control.links(CHANNEL).map(({ url }) => url)).toEqual([link.invite_link]);
  });

  it("stores its settings, and finds the chat by its @username in any case", async () => {
    const { sandbox, telegram } = await setup();
    const link = await telegram.createChatInviteLink("@tALKhere", {
      name: "Spring",
      expire_date: soon,
      member_limit: 7,
    });
    expect(link).toMatchObject({ name: "Spring", expire_date: soon, member_limit: 7 });
    expect(sandbox.control.links(SUPERGROUP)).toHaveLength(1);
  });

  it("reads 0 and negative values as unset", async () => {
    const { call } = await setup();
    const link = await makeLink(call, { expire_date: -5, member_limit: -1 });
    expect(Object.keys(link)).not.toContain("expire_date");
    expect(Object.keys(link)).not.toContain("member_limit");
  });

  it("truncates a date to 32 bits, as Telegram's server does", async () => {
    const { call } = await setup();
    expect(Object.keys(await makeLink(call, { expire_date: 4_102_444_800 }))).not.toContain("expire_date");
  });

  it.each([
    ["  a \n\t b  ", "a b"],
    ["x".repeat(40), "x".repeat(32)],
    ["🌱".repeat(40), "🌱".repeat(32)],
    [`${"y".repeat(31)} zzz`, "y".repeat(31)],
    ["a\rb\u202ec\u030ad", "abcd"],
    ["a\u2003\u00a0b\u{e0041}", "a b"],
    ["\u200b\ufeff\u200f", undefined],
    ["\u3000 ", undefined],
  ])("cleans the name %j to %j", async (given, kept) => {
    const { call } = await setup();
    expect((await makeLink(call, { name: given })).name).toBe(kept);
  });

  it("refuses in Telegram's order and with its texts", async () => {
    const { sandbox, call } = await setup();
    const { control } = sandbox;
    const create = (parameters: Record<string, unknown>) => refusal(call("createChatInviteLink", parameters));
    const everythingWrong = { creates_join_request: true, member_limit: 1, expire_date: 1 };
    const past = { expire_date: 1, member_limit: 100_000 };

    expect(await create({})).toEqual([400, "Bad Request: chat_id is empty"]);
    expect(await create({ chat_id: -1, ...everythingWrong })).toEqual([400, "Bad Request: chat not found"]);
    expect(await create({ chat_id: "@nobody" })).toEqual([400, "Bad Request: chat not found"]);

    const user = control.addChat({ type: "private", title: "Ada" });
    expect(await create({ chat_id: user })).toEqual([
      400,
      "Bad Request: can't invite members to a private chat",
    ]);

    for (const type of ["channel", "supergroup", "group"] as const) {
      const chat_id = control.addChat({ type, title: type, bot: { status: "kicked" } });
      const wrong = { chat_id, ...everythingWrong };
      expect(await create(wrong)).toEqual([403, `Forbidden: bot was kicked from the ${type} chat`]);
      control.setBot(chat_id, { status: "left" });
      expect(await create(wrong)).toEqual([403, `Forbidden: bot is not a member of the ${type} chat`]);
      control.setBot(chat_id, { status: "member" });
      expect(await create(wrong)).toEqual([
        400,
        "Bad Request: member limit can't be specified for links requiring administrator approval",
      ]);
      expect(await create({ chat_id, ...past })).toEqual(NO_RIGHTS);
      control.setBot(chat_id, { status: "administrator", can_invite_users: false });
      expect(await create({ chat_id, ...past })).toEqual(NO_RIGHTS);
      control.setBot(chat_id, { status: "administrator", can_invite_users: true });
      expect(await create({ chat_id, ...past })).toEqual([400, "Bad Request: EXPIRE_DATE_INVALID"]);
      expect(await create({ chat_id, member_limit: 1e6 })).toEqual([400, "Bad Request: USAGE_LIMIT_INVALID"]);
      expect(control.links(chat_id)).toEqual([]);
    }
  });
});

describe("the sandbox's editChatInviteLink", () => {
  it("replaces all settings and clears absent ones", async () => {
    const { call } = await setup();
    const link = await makeLink(call, { name: "Old", expire_date: soon, member_limit: 3 });
    const edited = await call("editChatInviteLink", {
      chat_id: CHANNEL,
      invite_link: link.invite_link,
      creates_join_request: true,
    });
    expect(edited).toEqual({
      invite_link: link.invite_link,
      creator: link.creator,
      creates_join_request: true,
      is_primary: false,
      is_revoked: false,
    });
  });

  it("works only on valid links of the bot", async () => {
    const { sandbox, call } = await setup();
    const edit = (invite_link: string) =>
      refusal(call("editChatInviteLink", { chat_id: CHANNEL, invite_link, name: "New" }));

    expect(await edit("")).toEqual([400, "Bad Request: invite link must be non-empty"]);
    expect(await edit("https://t.me/+nothing")).toEqual(EXPIRED);
    expect(await edit(sandbox.control.makeLink(CHANNEL).url)).toEqual(EXPIRED);
    const primary = (await call("exportChatInviteLink", { chat_id: CHANNEL })) as string;
    expect(await edit(primary)).toEqual([400, "Bad Request: CHAT_INVITE_PERMANENT"]);
    const { invite_link } = await makeLink(call);
    await call("revokeChatInviteLink", { chat_id: CHANNEL, invite_link });
    expect(await edit(invite_link)).toEqual(EXPIRED);
    const elsewhere = await makeLink(call, { chat_id: SUPERGROUP });
    expect(await edit(elsewhere.invite_link)).toEqual(EXPIRED);
  });

  it("checks the settings as a creation does, and changes nothing on an error", async () => {
    const { sandbox, call } = await setup();
    const { invite_link } = await makeLink(call, { name: "Kept" });
    const edit = (settings: object) =>
      refusal(call("editChatInviteLink", { chat_id: CHANNEL, invite_link, ...settings }));
    expect(await edit({ expire_date: 1 })).toEqual([400, "Bad Request: EXPIRE_DATE_INVALID"]);
    expect(await edit({ member_limit: 100_000 })).toEqual([400, "Bad Request: USAGE_LIMIT_INVALID"]);
    expect(await edit({ member_limit: 1, creates_join_request: true })).toEqual([
      400,
      "Bad Request: member limit can't be specified for links requiring administrator approval",
    ]);
    sandbox.control.setBot(CHANNEL, { status: "member" });
    expect(await edit({})).toEqual(NO_RIGHTS);
    expect(sandbox.control.links(CHANNEL)).toMatchObject([{ name: "Kept" }]);
  });
});

describe("the sandbox's revokeChatInviteLink and exportChatInviteLink", () => {
  it("answers with the revoked link, once", async () => {
    const { call } = await setup();
    const link = await makeLink(call, { name: "Short-lived" });
    const parameters = { chat_id: CHANNEL, invite_link: link.invite_link };
    expect(await call("revokeChatInviteLink", parameters)).toEqual({ ...link, is_revoked: true });
    expect(await refusal(call("revokeChatInviteLink", parameters))).toEqual(EXPIRED);
  });

  it("exports an address and revokes the former primary link", async () => {
    const { sandbox, call } = await setup();
    const first = await call("exportChatInviteLink", { chat_id: CHANNEL });
    const second = await call("exportChatInviteLink", { chat_id: CHANNEL });
    expect(sandbox.control.links(CHANNEL)).toMatchObject([
      { url: first, isPrimary: true, isRevoked: true },
      { url: second, isPrimary: true, isRevoked: false },
    ]);
    expect(await call("getChat", { chat_id: CHANNEL })).toMatchObject({ invite_link: second });
  });

  it("creates the next primary link when the primary link is revoked", async () => {
    const { sandbox, call } = await setup();
    const invite_link = await call("exportChatInviteLink", { chat_id: CHANNEL });
    await call("revokeChatInviteLink", { chat_id: CHANNEL, invite_link });
    expect(sandbox.control.links(CHANNEL)).toMatchObject([
      { url: invite_link, isRevoked: true },
      { isPrimary: true, isRevoked: false },
    ]);
  });
});

describe("the sandbox's subscription links", () => {
  const plan = { chat_id: CHANNEL, subscription_period: 2_592_000, subscription_price: 100 };

  it("are created in channels, and an edit changes only the name", async () => {
    const { call } = await setup();
    const link = (await call("createChatSubscriptionInviteLink", { ...plan, name: "Gold" })) as object;
    expect(link).toMatchObject({ name: "Gold", subscription_period: 2_592_000, subscription_price: 100 });
    const { invite_link } = link as { invite_link: string };
    const edited = await call("editChatSubscriptionInviteLink", {
      chat_id: CHANNEL,
      invite_link,
      name: "Silver",
    });
    expect(edited).toEqual({ ...link, name: "Silver" });
    const restricted = { chat_id: CHANNEL, invite_link, member_limit: 2 };
    expect(await refusal(call("editChatInviteLink", restricted))).toEqual([
      400,
      "Bad Request: subscription plan can't be specified for links with additional restrictions",
    ]);
  });

  it.each([
    [{ subscription_price: 0 }, "invalid subscription pricing specified"],
    [{ chat_id: SUPERGROUP }, "CHANNEL_INVALID"],
    [{ subscription_period: 86_400 }, "SUBSCRIPTION_PERIOD_INVALID"],
    [{ subscription_price: 10_001 }, "STARS_AMOUNT_INVALID"],
  ])("are refused with %j", async (wrong, text) => {
    const { call } = await setup();
    const answer = call("createChatSubscriptionInviteLink", { ...plan, ...wrong });
    expect(await refusal(answer)).toEqual([400, `Bad Request: ${text}`]);
  });
});

describe("an upgraded group in the sandbox", () => {
  it("answers every call with its new id and keeps its links there", async () => {
    const { sandbox, call } = await setup();
    const group = sandbox.control.addChat({ type: "group", title: "Small", members: [{ user: ada }] });
    const { invite_link } = await makeLink(call, { chat_id: group });
    const supergroup = sandbox.control.upgrade(group);

    for (const method of ["getChat", "getChatMember", "createChatInviteLink", "editChatInviteLink"]) {
      expect(await refusal(call(method, { chat_id: group, user_id: ada.id, invite_link }))).toEqual([
        400,
        "Bad Request: group chat was upgraded to a supergroup chat",
        { migrate_to_chat_id: supergroup },
      ]);
    }
    expect(await call("getChat", { chat_id: supergroup })).toMatchObject({ type: "supergroup" });
    await call("editChatInviteLink", { chat_id: supergroup, invite_link, name: "Moved" });
    expect(sandbox.control.links(supergroup)).toMatchObject([{ url: invite_link, name: "Moved" }]);
    expect(sandbox.control.members(supergroup).map(({ user }) => user.first_name)).toContain("Ada");
  });
});
