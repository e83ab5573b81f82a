import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { Authentication } from "../../../src/domain/access/authentication.js";
import { Tokens } from "../../../src/domain/access/tokens.js";
import { Members } from "../../../src/domain/activity/members.js";
import { Channels } from "../../../src/domain/channels/channels.js";
import { followMigration } from "../../../src/domain/channels/chatMigration.js";
import { JoinRequests } from "../../../src/domain/joinRequests/joinRequests.js";
import { createLoaders } from "../../../src/domain/loaders.js";
import type { Caller } from "../../../src/domain/shared/caller.js";
import { newId } from "../../../src/domain/shared/ids.js";
import { Webhooks } from "../../../src/domain/webhooks/webhooks.js";
import {
  describeOnForms,
  openTestDatabase,
  type TestDatabase,
  USUAL_FORMS,
} from "../../support/databases.js";
import {
  callerOf,
  newChatId,
  noKnownCallers,
  storeChannel,
  storeTags,
  storeTagType,
  TEST_WEBHOOKS,
} from "../support.js";

await describeOnForms("a request whose caller was read before a chat migration", USUAL_FORMS, (form) => {
  let test: TestDatabase;
  beforeAll(async () => {
    test = await openTestDatabase(form);
  });
  afterAll(() => test?.close());

  let caller: Caller;
  let channelId: string;
  let from: number;
  let to: number;
  const [link, tag, request, event] = [newId(), newId(), newId(), newId()];

  /** Stores a channel with one of everything, a token for it, and follows the chat's migration after the token was read. */
  beforeEach(async () => {
    const { database } = test;
    const { prisma } = database;
    await test.pool.query(
      "delete from join_request; delete from member_event; delete from webhook; delete from channel",
    );
    [from, to, channelId] = [newChatId(), newChatId(), newId()];
    await storeChannel(database, from, channelId);
    const [createdAt, at] = [new Date(), "2026-08-01T00:00:00Z"];
    await prisma.inviteLink.create({ data: { id: link, channelId, url: "https://t.me/+Link", createdAt } });
    await storeTags(database, channelId, [
      { id: tag, typeId: await storeTagType(database, newId()), name: "T" },
    ]);
    await test.pool.query(`
      insert into join_request (id, channel_id, user_id, attribution, sequence, state, requested_at, update_id)
        values ('${request}', '${channelId}', 7, 'NONE', 1, 'PENDING', '${at}', 1)`);
    await test.pool.query(`
      insert into member_event (id, channel_id, sequence, kind, user_id, attribution, occurred_at)
        values ('${event}', '${channelId}', 1, 'JOIN_REQUESTED', 7, 'NONE', '${at}')`);
    const tokens = new Tokens({ database, callerCache: noKnownCallers }, callerOf(null, "ADMIN"));
    const { secret } = await tokens.create({ name: "Moved", role: "ADMIN", chatIds: [from, newChatId()] });
    await webhooksOf(callerOf(null, "ADMIN")).create({
      url: "https://93.184.216.34/hook",
      format: "STANDARD",
      eventTypes: ["MEMBER_JOINED"],
      chatIds: [from],
    });
    const authentication = new Authentication(database, noKnownCallers, null, () => {});
    const found = await authentication.authenticate(secret);
    if (!found) throw new Error("The token is not known.");
    caller = found;
    await followMigration({ database, callerCache: noKnownCallers }, callerOf(), from, to);
  });

  const webhooksOf = (of: Caller) => new Webhooks({ database: test.database, webhooks: TEST_WEBHOOKS }, of);
  const channelsOf = () =>
    new Channels(
      { database: test.database, callerCache: noKnownCallers, gateway: null as never },
      caller,
      createLoaders(test.database, caller),
    );

  it.each<[string, () => Promise<unknown>]>([
    ["a link", () => createLoaders(test.database, caller).inviteLink.load(link)],
    ["a channel", () => createLoaders(test.database, caller).channel.load(channelId)],
    ["a tag", () => createLoaders(test.database, caller).tag.load(tag)],
    ["a request to join", () => new JoinRequests(test.database, caller).find(request)],
    ["a member event", () => new Members(test.database, caller).event(event)],
    ["a channel of the list", async () => (await channelsOf().page({ first: 10 })).edges[0]?.node],
    ["a webhook of the list", async () => (await webhooksOf(caller).list())[0]],
  ])("finds %s, and may use the chat by its new id from then on", async (_what, read) => {
    expect(await read()).toMatchObject({ id: expect.anything() });
    expect(caller.chatIds?.has(to)).toBe(true);
    expect(caller.chatIds?.has(from)).toBe(false);
    expect(caller.chatIds?.size).toBe(2);
  });

  it("finds all of several things that it reads at once", async () => {
    const loaders = createLoaders(test.database, caller);
    const found = await Promise.all([
      loaders.inviteLink.load(link),
      loaders.channel.load(channelId),
      loaders.tag.load(tag),
      new JoinRequests(test.database, caller).find(request),
    ]);
    expect(found).not.toContain(null);
  });

  it("does not find what a token may not use, whatever became of it", async () => {
    const stranger = callerOf([newChatId()], "ADMIN");
    expect(await createLoaders(test.database, stranger).inviteLink.load(link)).toBeNull();
    const revoked = { ...caller, chatIds: new Set(caller.chatIds) };
    await test.pool.query("delete from channel_grant");
    expect(await createLoaders(test.database, revoked).inviteLink.load(link)).toBeNull();
    expect(revoked.chatIds).toEqual(caller.chatIds);
  });
});
