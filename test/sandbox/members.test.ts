import { describe, expect, it } from "vitest";
import { ada, ben, CHANNEL, makeLink, person, refusal, SUPERGROUP, setup } from "./support.js";

const ALL_TYPES = ["chat_member", "my_chat_member", "chat_join_request"];

describe("joining by a link in the sandbox", () => {
  it("counts the members who are in the chat at the same time", async () => {
    const { sandbox, call } = await setup();
    const { control } = sandbox;
    const { invite_link: url } = await makeLink(call, { member_limit: 1 });
    expect(control.join(CHANNEL, ada, { url })).toBe("joined");
    expect(control.join(CHANNEL, ada, { url })).toBe("already-member");
    expect(control.join(CHANNEL, ben, { url })).toBe("full");
    control.leave(CHANNEL, ada.id);
    expect(control.join(CHANNEL, ben, { url })).toBe("joined");
    expect(control.links(CHANNEL)).toMatchObject([{ memberCount: 1 }]);
  });

  it("is refused after expiry, revocation and a ban", async () => {
    let now = Date.now();
    const { sandbox, call } = await setup({ now: () => now });
    const { control } = sandbox;
    const { invite_link: url } = await makeLink(call, { expire_date: Math.floor(now / 1000) + 60 });
    const { invite_link: revoked } = await makeLink(call);
    await call("revokeChatInviteLink", { chat_id: CHANNEL, invite_link: revoked });
    control.ban(CHANNEL, ben);

    expect(control.join(CHANNEL, ada, { url: revoked })).toBe("revoked");
    expect(control.join(CHANNEL, ada, { url: "https://t.me/+none" })).toBe("unknown-link");
    expect(control.join(CHANNEL, ben, { url })).toBe("banned");
    now += 60_000;
    expect(control.join(CHANNEL, ada, { url })).toBe("expired");
  });

  it("becomes a request if the link requires one", async () => {
    const { sandbox, call } = await setup();
    const { control } = sandbox;
    await call("getUpdates", { offset: 1, allowed_updates: ALL_TYPES });
    const link = await makeLink(call, { creates_join_request: true });

    expect(control.join(CHANNEL, ada, { url: link.invite_link })).toBe("requested");
    expect(control.join(CHANNEL, ben, { url: link.invite_link })).toBe("requested");
    expect(await call("getUpdates")).toMatchObject([
      {
        chat_join_request: {
          chat: { id: CHANNEL, type: "channel", title: "News" },
          from: ada,
          user_chat_id: ada.id,
          invite_link: { ...link, pending_join_request_count: 1 },
        },
      },
      { chat_join_request: { from: ben, invite_link: { pending_join_request_count: 2 } } },
    ]);

    expect(control.approveJoinRequest(CHANNEL, ada.id)).toBe(true);
    expect(control.declineJoinRequest(CHANNEL, ben.id)).toBe(true);
    expect(control.approveJoinRequest(CHANNEL, ben.id)).toBe(false);
    // With another offset, or so soon only one update would come.
    const updates = (await call("getUpdates", { offset: 1 })) as object[];
    expect(updates).toHaveLength(3);
    expect(updates[2]).toMatchObject({
      chat_member: { new_chat_member: { user: ada, status: "member" }, invite_link: link },
    });
    expect(control.links(CHANNEL)).toMatchObject([{ memberCount: 1, pendingJoinRequestCount: 0 }]);
  });
});

describe("chat_member updates of the sandbox", () => {
  it("name the link of a join and no link for a leave", async () => {
    const { sandbox, call } = await setup();
    const { control } = sandbox;
    await call("getUpdates", { offset: 1, allowed_updates: ALL_TYPES });
    const link = await makeLink(call, { name: "Spring" });
    control.join(CHANNEL, ada, { url: link.invite_link });
    control.leave(CHANNEL, ada.id);
    control.join(CHANNEL, ada);

    const updates = (await call("getUpdates")) as { update_id: number; chat_member: object }[];
    const first = updates[0]?.update_id ?? 0;
    const common = {
      chat: { id: CHANNEL, type: "channel", title: "News" },
      from: ada,
      date: expect.any(Number),
    };
    const left = { user: ada, status: "left" };
    const member = { user: ada, status: "member" };
    expect(updates).toEqual([
      {
        update_id: first,
        chat_member: { ...common, old_chat_member: left, new_chat_member: member, invite_link: link },
      },
      { update_id: first + 1, chat_member: { ...common, old_chat_member: member, new_chat_member: left } },
      { update_id: first + 2, chat_member: { ...common, old_chat_member: left, new_chat_member: member } },
    ]);
  });

  it("shorten another administrator's link", async () => {
    const { sandbox, call } = await setup();
    await call("getUpdates", { offset: 1, allowed_updates: ALL_TYPES });
    const creator = person(21, "Zoe");
    const { url } = sandbox.control.makeLink(CHANNEL, { creator, name: "Zoe's" });
    sandbox.control.join(CHANNEL, ada, { url });
    expect(await call("getUpdates")).toMatchObject([
      { chat_member: { invite_link: { invite_link: `${url.slice(0, -8)}...`, creator, name: "Zoe's" } } },
    ]);
  });

  it("follow promotions and restrictions, and say whether a restricted user is in the chat", async () => {
    const { sandbox, call } = await setup();
    const { control } = sandbox;
    await call("getUpdates", { offset: 1, allowed_updates: ALL_TYPES });
    control.join(SUPERGROUP, ada);
    control.promote(SUPERGROUP, ada, { can_invite_users: false });
    control.restrict(SUPERGROUP, ada);
    control.leave(SUPERGROUP, ada.id);
    control.restrict(SUPERGROUP, ada, { is_member: false });
    control.join(SUPERGROUP, ada);
    control.ban(SUPERGROUP, ada);
    const updates = (await call("getUpdates")) as { chat_member: { new_chat_member: object } }[];
    expect(updates.map(({ chat_member }) => chat_member.new_chat_member)).toMatchObject([
      { status: "member" },
      { status: "administrator", can_invite_users: false, can_manage_chat: true },
      { status: "restricted", is_member: true },
      { status: "restricted", is_member: false },
      { status: "restricted", is_member: true },
      { status: "kicked" },
    ]);
  });

  it("reach only administrators", async () => {
    const { sandbox, call } = await setup();
    await call("getUpdates", { offset: 1, allowed_updates: ALL_TYPES });
    sandbox.control.setBot(CHANNEL, { status: "member" });
    sandbox.control.join(CHANNEL, ada);
    expect(await call("getUpdates")).toMatchObject([
      {
        my_chat_member: {
          old_chat_member: { status: "administrator", can_invite_users: true },
          new_chat_member: { status: "member", user: { id: sandbox.bot.id } },
        },
      },
    ]);
  });
});

describe("looking at chats of the sandbox", () => {
  it("shows members, including the bot", async () => {
    const { sandbox, call } = await setup();
    sandbox.control.join(CHANNEL, ada);
    const member = (user_id: number) => call("getChatMember", { chat_id: CHANNEL, user_id });
    expect(await member(sandbox.bot.id)).toMatchObject({ status: "administrator", can_invite_users: true });
    expect(await member(ada.id)).toEqual({ user: ada, status: "member" });
    expect(await member(ben.id)).toMatchObject({ status: "left" });
    expect(await refusal(member(0))).toEqual([400, "Bad Request: invalid user_id specified"]);
    sandbox.control.setBot(CHANNEL, { status: "member" });
    expect(await refusal(member(ada.id))).toEqual([400, "Bad Request: member list is inaccessible"]);
  });

  it("shows a public chat to a bot that is not a member, unless it was kicked", async () => {
    const { sandbox, call } = await setup();
    const { control } = sandbox;
    control.setBot(SUPERGROUP, { status: "left" });
    control.setBot(CHANNEL, { status: "left" });
    expect(await call("getChat", { chat_id: "@talkhere" })).toMatchObject({
      id: SUPERGROUP,
      title: "Talk",
      username: "TalkHere",
    });
    expect(await refusal(call("getChat", { chat_id: CHANNEL }))).toEqual([
      403,
      "Forbidden: bot is not a member of the channel chat",
    ]);
    control.setBot(SUPERGROUP, { status: "kicked" });
    expect(await refusal(call("getChat", { chat_id: SUPERGROUP }))).toEqual([
      403,
      "Forbidden: bot was kicked from the supergroup chat",
    ]);
  });
});
