import { describe, expect, it } from "vitest";
import { receiver, type Update } from "./receiver.js";
import { ada, ben, CHANNEL, refusal, setup } from "./support.js";

const WEBHOOK_ACTIVE =
  "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first";

describe("the sandbox's getUpdates", () => {
  it("leaves out chat_member unless it is asked for by name", async () => {
    const { sandbox, call } = await setup();
    sandbox.control.join(CHANNEL, ada);
    sandbox.control.setBot(CHANNEL, { status: "administrator", can_invite_users: false });
    expect(await call("getUpdates")).toMatchObject([{ my_chat_member: {} }]);

    await call("getUpdates", { offset: 2 ** 31 - 1, allowed_updates: ["chat_member"] });
    sandbox.control.join(CHANNEL, ben);
    sandbox.control.setBot(CHANNEL, { status: "administrator", can_invite_users: true });
    expect(await call("getUpdates")).toMatchObject([{ chat_member: { from: ben } }]);

    await call("getUpdates", { offset: 2 ** 31 - 1, allowed_updates: [] });
    sandbox.control.leave(CHANNEL, ben.id);
    expect(await call("getUpdates")).toEqual([]);
  });

  it("repeats updates that were not acknowledged by a higher offset", async () => {
    const { sandbox, call } = await setup();
    await call("getUpdates", { offset: 1, allowed_updates: ["chat_member"] });
    sandbox.control.join(CHANNEL, ada);
    sandbox.control.leave(CHANNEL, ada.id);
    sandbox.control.join(CHANNEL, ada);
    const all = (await call("getUpdates")) as Update[];
    expect(all).toHaveLength(3);
    expect(await call("getUpdates", { limit: 1 })).toEqual(all.slice(0, 1));
    expect(await call("getUpdates", { offset: all[1]?.update_id })).toEqual(all.slice(1));
    expect(await call("getUpdates", { offset: -1 })).toEqual(all.slice(2));
    expect(sandbox.control.pendingUpdates()).toEqual(all.slice(2));
  });

  it("gives one update only for the same offset asked again within half a second", async () => {
    let now = Date.now();
    const { sandbox, call } = await setup({ now: () => now });
    await call("getUpdates", { allowed_updates: ["chat_member"] });
    sandbox.control.join(CHANNEL, ada);
    sandbox.control.join(CHANNEL, ben);
    now += 499;
    expect(await call("getUpdates")).toHaveLength(1);
    now += 500;
    const [first] = (await call("getUpdates")) as Update[];
    expect(await call("getUpdates", { offset: first?.update_id })).toHaveLength(2);
  });

  it("drops updates after 24 hours", async () => {
    let now = Date.now();
    const { sandbox, call } = await setup({ now: () => now });
    await call("getUpdates", { allowed_updates: ["chat_member"] });
    sandbox.control.join(CHANNEL, ada);
    now += 3_600_000;
    sandbox.control.join(CHANNEL, ben);
    now += 23 * 3_600_000 + 1;
    expect(await call("getUpdates")).toMatchObject([{ chat_member: { from: ben } }]);
  });

  it("can be told to lose, delay, repeat and invent updates, and to go on with another id", async () => {
    const { sandbox, call } = await setup();
    const { control } = sandbox;
    await call("getUpdates", { offset: 1, allowed_updates: ["chat_member"] });
    control.loseUpdates();
    control.join(CHANNEL, ada);
    const release = control.delayUpdates();
    control.join(CHANNEL, ben);
    control.leave(CHANNEL, ada.id);
    control.setNextUpdateId(7);
    release();
    const [left, late] = (await call("getUpdates")) as Update[];
    expect([left, late]).toMatchObject([
      { update_id: 100_000_002, chat_member: { from: ada } },
      { update_id: 7, chat_member: { from: ben } },
    ]);
    expect(await call("getUpdates", { offset: 200_000_000 })).toEqual([]);
    expect(control.inject({ ...left })).toBe(100_000_002);
    expect(control.inject({ odd: true })).toBe(8);
    expect(await call("getUpdates", { offset: 2 })).toEqual([left, { update_id: 8, odd: true }]);
  });

  it("waits for an update", async () => {
    const { sandbox, call } = await setup();
    const arrived = sandbox.control.nextCall("getUpdates");
    const updates = call("getUpdates", { timeout: 50, allowed_updates: ["chat_member"] });
    await arrived;
    sandbox.control.join(CHANNEL, ada);
    sandbox.control.join(CHANNEL, ben);
    expect(await updates).toMatchObject([{ chat_member: { from: ada } }, { chat_member: { from: ben } }]);
  });

  it("ends an earlier poll, and a waiting poll when the sandbox closes", async () => {
    const { sandbox, call } = await setup();
    const first = refusal(call("getUpdates", { timeout: 50 }));
    await sandbox.control.nextCall("getUpdates");
    const second = call("getUpdates", { timeout: 50 });
    expect(await first).toEqual([
      409,
      "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running",
    ]);
    const ended = expect(second).rejects.toThrow();
    await sandbox.close();
    await ended;
  });
});

describe("a webhook of the sandbox", () => {
  it("receives each update with the secret, repeated after 1, 2, 4 … seconds until it is accepted", async () => {
    const { sandbox, call } = await setup();
    const hook = await receiver([500, 404, 200, 204]);
    const answer = await call("setWebhook", {
      url: hook.url,
      secret_token: "s3cret_-",
      allowed_updates: ["chat_member"],
    });
    expect(answer).toBe(true);
    const began = performance.now();
    sandbox.control.join(CHANNEL, ada);
    sandbox.control.leave(CHANNEL, ada.id);
    const received = await hook.received(4);
    expect(performance.now() - began).toBeGreaterThan(2900);
    const [first = 0] = received.map(({ update }) => update.update_id);
    expect(received.map(({ update }) => update.update_id)).toEqual([first, first, first, first + 1]);
    for (const { headers } of received) {
      expect(headers["x-telegram-bot-api-secret-token"]).toBe("s3cret_-");
    }
  });

  it("is called for each person apart, with as many connections as it was registered with", async () => {
    const { sandbox, call } = await setup();
    const hook = await receiver([503, 200], { firstAnswerAfter: 3 });
    await call("setWebhook", { url: hook.url, allowed_updates: ["chat_member"], max_connections: 7 });
    expect(await call("getWebhookInfo")).toMatchObject({ max_connections: 7 });
    sandbox.control.join(CHANNEL, ada);
    sandbox.control.join(CHANNEL, ben);
    sandbox.control.leave(CHANNEL, ada.id);
    sandbox.control.leave(CHANNEL, ben.id);
    const received = await hook.received(5);
    const people = received.map(({ update }) => update.chat_member?.from.id);
    // The calls for both begin together. The one that arrives first fails, and holds up its own person only.
    const [held, other] = people[0] === ada.id ? [ada.id, ben.id] : [ben.id, ada.id];
    expect(people).toEqual([held, other, other, held, held]);
  });

  it("excludes getUpdates until it is deleted, and no update is lost", async () => {
    const { sandbox, call } = await setup();
    const poll = refusal(call("getUpdates", { timeout: 50 }));
    await sandbox.control.nextCall("getUpdates");
    const hook = await receiver([503]);
    await call("setWebhook", { url: hook.url, allowed_updates: ["chat_member"] });
    expect(await poll).toEqual([409, "Conflict: terminated by setWebhook request"]);
    expect(await refusal(call("getUpdates"))).toEqual([409, WEBHOOK_ACTIVE]);

    sandbox.control.join(CHANNEL, ada);
    await hook.received(2);
    expect(await call("getWebhookInfo")).toMatchObject({
      url: hook.url,
      pending_update_count: 1,
      allowed_updates: ["chat_member"],
      last_error_message: expect.stringContaining("503"),
    });
    expect(await call("deleteWebhook")).toBe(true);
    expect(await call("getWebhookInfo")).toMatchObject({ url: "", pending_update_count: 1 });
    expect(await call("getUpdates")).toMatchObject([{ chat_member: { from: ada } }]);
  });

  it("drops pending updates on request", async () => {
    const { sandbox, call } = await setup();
    await call("getUpdates", { offset: 1, allowed_updates: ["chat_member"] });
    sandbox.control.join(CHANNEL, ada);
    await call("deleteWebhook", { drop_pending_updates: true });
    expect(await call("getUpdates")).toEqual([]);
  });

  it.each([
    [{ url: "not a url" }, "bad webhook: invalid webhook URL specified"],
    [{ url: "ftp://example.org" }, "bad webhook: invalid webhook URL specified"],
    [{ url: "http://127.0.0.1", secret_token: "no spaces" }, "secret token contains unallowed characters"],
    [{ url: "http://127.0.0.1", secret_token: "x".repeat(257) }, "secret token is too long"],
  ])("is refused with %j", async (parameters, text) => {
    const { call } = await setup();
    expect(await refusal(call("setWebhook", parameters))).toEqual([400, `Bad Request: ${text}`]);
  });
});
