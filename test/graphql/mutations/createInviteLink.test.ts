import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import type { SandboxFault } from "../../../src/sandbox/sandbox.js";
import {
  CHANNEL,
  CREATIVE,
  GROUP,
  GROUP_TAG,
  startTestServer,
  type TestServer,
  YOUTUBE,
} from "../../support/server.js";

const CREATE = `mutation ($input: CreateInviteLinkInput!) {
  createInviteLink(input: $input) {
    __typename
    ... on CreateInviteLinkSuccess {
      inviteLink {
        id name url budget createsJoinRequest expireDate memberLimit creatorId isBotCreated channelId
        subscription { periodSeconds priceStars } tags { name type { name } } channel { telegramId title botStatus }
      }
    }
    ... on UserError { code message }
    ... on ValidationError { fieldErrors { field message } }
    ... on BotNotInChannelError { channelId }
    ... on BotPermissionError { missingIn: channelId }
    ... on TelegramUnavailableError { outcomeUnknown }
    ... on RateLimitedError { retryAfterSeconds }
  }
}`;

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer({ telegramTimeoutMs: 2000 });
});
afterAll(() => server.stop());
afterEach(() => server.sandbox.control.clearFaults());

const create = async (input: object, token = server.token) => {
  const { data, errors } = await server.ask(
    CREATE,
    { input: { channelId: CHANNEL, name: "A link", ...input } },
    token,
  );
  if (errors) throw new Error(JSON.stringify(errors));
  return data.createInviteLink;
};
const linkCount = () => server.sandbox.control.links(CHANNEL).length;

describe("a created link", () => {
  test("a created link has all of its requested settings in Telegram and in the database", async () => {
    const expireDate = new Date(Math.ceil(Date.now() / 1000) * 1000 + 86_400_000).toISOString();
    const { inviteLink } = await create({
      name: "  Spring\t sale \u3000🌷 ",
      expireDate,
      memberLimit: 99_999,
      budget: 1500.5,
      tagIds: [YOUTUBE],
    });
    expect(inviteLink).toMatchObject({
      name: "Spring sale 🌷",
      budget: "1500.50",
      expireDate,
      memberLimit: 99_999,
      createsJoinRequest: false,
      isBotCreated: true,
      channelId: CHANNEL,
      creatorId: server.sandbox.bot.id,
      subscription: null,
      tags: [{ name: "YouTube", type: { name: "Platform" } }],
      channel: { telegramId: CHANNEL, botStatus: "READY" },
    });
    expect(server.sandbox.control.links(CHANNEL).find(({ url }) => url === inviteLink.url)).toMatchObject({
      name: "Spring sale 🌷",
      memberLimit: 99_999,
      expireDate: Date.parse(expireDate) / 1000,
    });
    const read = await server.ask(`query ($id: ID!) { node(id: $id) { id ... on InviteLink { url } } }`, {
      id: inviteLink.id,
    });
    expect(read.data.node).toEqual({ id: inviteLink.id, url: inviteLink.url });
  });

  test("a subscription link is created with its price and period", async () => {
    const { inviteLink } = await create({ subscription: { priceStars: 10_000 } });
    expect(inviteLink.subscription).toEqual({ periodSeconds: 2_592_000, priceStars: 10_000 });
  });

  test("the creator of a link is the Telegram user of the token", async () => {
    const token = await server.makeToken({ role: "EDITOR", channelIds: [CHANNEL], telegramUserId: 424_242 });
    expect((await create({}, token)).inviteLink.creatorId).toBe(424_242);
  });

  test("creating a link in an unknown chat stores the chat's channel", async () => {
    const chatId = server.sandbox.control.addChat({ type: "channel", title: "New here" });
    const { inviteLink } = await create({ channelId: chatId });
    expect(inviteLink.channel).toEqual({ telegramId: chatId, title: "New here", botStatus: "READY" });
  });

  test("a link's name may have 32 code points and not 33", async () => {
    expect((await create({ name: "🌷".repeat(32) })).inviteLink.name).toBe("🌷".repeat(32));
    expect((await create({ name: "🌷".repeat(33) })).fieldErrors).toEqual([
      { field: "name", message: expect.stringContaining("32") },
    ]);
  });
});

describe("invalid arguments of createInviteLink", () => {
  const past = "2020-01-01T00:00:00Z";
  test.each([
    ["an empty name", { name: " \u200b\u00a0\n" }, ["name"]],
    ["a name with a lone surrogate", { name: "\ud800" }, ["name"]],
    ["an expiry date in the past", { expireDate: past }, ["expireDate"]],
    ["an expiry date beyond Telegram's limit", { expireDate: "2038-01-19T03:14:08Z" }, ["expireDate"]],
    ["a member limit of zero", { memberLimit: 0 }, ["memberLimit"]],
    ["a member limit of 100,000", { memberLimit: 100_000 }, ["memberLimit"]],
    ["a member limit together with approval", { memberLimit: 5, createsJoinRequest: true }, ["memberLimit"]],
    ["a negative budget", { budget: "-0.01" }, ["budget"]],
    ["a tag id that cannot be read", { tagIds: [YOUTUBE, "nonsense"] }, ["tagIds.1"]],
    [
      "the id of a tag type as a tag's id",
      { tagIds: [Buffer.from(`TagType:${CREATIVE}`).toString("base64")] },
      ["tagIds.0"],
    ],
    ["another channel's tag", { tagIds: [YOUTUBE, YOUTUBE, GROUP_TAG] }, ["tagIds.2"]],
    ["a subscription price of zero", { subscription: { priceStars: 0 } }, ["subscription.priceStars"]],
    [
      "a subscription price above the limit",
      { subscription: { priceStars: 10_001 } },
      ["subscription.priceStars"],
    ],
    [
      "a subscription link with a member limit",
      { subscription: { priceStars: 1 }, memberLimit: 3 },
      ["memberLimit"],
    ],
    [
      "a subscription link in a group",
      { channelId: GROUP, subscription: { priceStars: 1 } },
      ["subscription"],
    ],
    ["an empty idempotency key", { idempotencyKey: "" }, ["idempotencyKey"]],
    ["an idempotency key of 256 characters", { idempotencyKey: "k".repeat(256) }, ["idempotencyKey"]],
    ["an idempotency key with NUL", { idempotencyKey: "a\0b" }, ["idempotencyKey"]],
    [
      "several invalid values",
      { name: "", expireDate: past, budget: -1, tagIds: ["x"], idempotencyKey: "" },
      ["tagIds.0", "idempotencyKey", "name", "expireDate", "budget"],
    ],
  ])("createInviteLink refuses %s without a call to Telegram", async (_what, input, fields) => {
    const before = server.calls().length;
    const answer = await create(input);
    expect(answer).toMatchObject({ __typename: "ValidationError", code: "BAD_USER_INPUT" });
    expect(answer.fieldErrors.map(({ field }: { field: string }) => field)).toEqual(fields);
    expect(server.calls()).toHaveLength(before);
  });

  test("an idempotency key may have 255 characters, and NUL in a link's name becomes a space as in Telegram", async () => {
    expect((await create({ name: "a\0b", idempotencyKey: "🗝".repeat(255) })).inviteLink.name).toBe("a b");
  });
});

describe("Telegram's failures of a creation", () => {
  const refusal = (error_code: number, description: string): SandboxFault => ({
    kind: "error",
    error_code,
    description,
  });
  test.each<[string, SandboxFault, object]>([
    ["401", { kind: "unauthorized" }, { __typename: "TelegramUnavailableError", outcomeUnknown: false }],
    [
      "chat not found",
      refusal(400, "Bad Request: chat not found"),
      { __typename: "BotNotInChannelError", channelId: CHANNEL },
    ],
    [
      "kicked",
      refusal(403, "Forbidden: bot was kicked from the channel chat"),
      { __typename: "BotNotInChannelError" },
    ],
    [
      "kicked from a supergroup",
      refusal(403, "Forbidden: bot was kicked from the supergroup chat"),
      { __typename: "BotNotInChannelError" },
    ],
    [
      "no member",
      refusal(403, "Forbidden: bot is not a member of the channel chat"),
      { __typename: "BotNotInChannelError" },
    ],
    [
      "limit and approval",
      refusal(400, "Bad Request: member limit can't be specified for links requiring administrator approval"),
      { __typename: "ValidationError", fieldErrors: [{ field: "memberLimit", message: expect.any(String) }] },
    ],
    [
      "no rights",
      refusal(400, "Bad Request: not enough rights to manage chat invite link"),
      { __typename: "BotPermissionError", missingIn: CHANNEL },
    ],
    [
      "no rights, as MTProto says it",
      refusal(400, "Bad Request: CHAT_ADMIN_REQUIRED"),
      { __typename: "BotPermissionError" },
    ],
    [
      "expire date",
      refusal(400, "Bad Request: EXPIRE_DATE_INVALID"),
      { __typename: "ValidationError", fieldErrors: [{ field: "expireDate", message: expect.any(String) }] },
    ],
    [
      "usage limit",
      refusal(400, "Bad Request: USAGE_LIMIT_INVALID"),
      { __typename: "ValidationError", fieldErrors: [{ field: "memberLimit", message: expect.any(String) }] },
    ],
    [
      "another 4xx",
      refusal(400, "Bad Request: SOMETHING_ELSE"),
      { __typename: "TelegramRejectedError", message: expect.stringContaining("SOMETHING_ELSE") },
    ],
    ["500", { kind: "server-error" }, { __typename: "TelegramUnavailableError", outcomeUnknown: true }],
    [
      "502 in HTML",
      { kind: "server-error", status: 502, body: "html" },
      { __typename: "TelegramUnavailableError", outcomeUnknown: true },
    ],
    [
      "a 4xx in HTML",
      { kind: "html-error" },
      { __typename: "TelegramRejectedError", message: expect.stringContaining("403") },
    ],
    [
      "a 200 that is not JSON",
      { kind: "not-json" },
      { __typename: "TelegramUnavailableError", outcomeUnknown: true },
    ],
    [
      "no answer",
      { kind: "hang", effect: "before" },
      { __typename: "TelegramUnavailableError", outcomeUnknown: true },
    ],
    [
      "no answer although the link was created",
      { kind: "hang", effect: "after" },
      { __typename: "TelegramUnavailableError", outcomeUnknown: true },
    ],
    [
      "a connection cut before the link was created",
      { kind: "cut", effect: "before" },
      { __typename: "TelegramUnavailableError", outcomeUnknown: true },
    ],
    [
      "a connection cut after the link was created",
      { kind: "cut", effect: "after" },
      { __typename: "TelegramUnavailableError", outcomeUnknown: true },
    ],
    [
      "half of the answer's body",
      { kind: "half-body" },
      { __typename: "TelegramUnavailableError", outcomeUnknown: true },
    ],
    [
      "a migration to the chat itself",
      {
        kind: "error",
        error_code: 400,
        description: "Bad Request: group chat was upgraded to a supergroup chat",
        parameters: { migrate_to_chat_id: CHANNEL },
      },
      { __typename: "TelegramRejectedError" },
    ],
    [
      "a migration to no chat",
      {
        kind: "error",
        error_code: 400,
        description: "Bad Request: group chat was upgraded to a supergroup chat",
        parameters: { migrate_to_chat_id: 2 ** 53 - 1 },
      },
      { __typename: "TelegramRejectedError" },
    ],
  ])(
    "createInviteLink returns the matching error after a failed call to Telegram: %s",
    async (_what, fault, expected) => {
      server.sandbox.control.fail(fault, { method: "createChatInviteLink" });
      expect(await create({ name: "To fail" })).toMatchObject(expected);
      // The next call succeeds without any recovery.
      server.sandbox.control.clearFaults();
      expect((await create({})).__typename).toBe("CreateInviteLinkSuccess");
    },
  );

  test("a creation whose connection to Telegram was refused is not an uncertain creation", async () => {
    const alone = await startTestServer();
    await alone.sandbox.close();
    const { data } = await alone.ask(CREATE, { input: { channelId: CHANNEL, name: "x" } });
    expect(data.createInviteLink).toMatchObject({
      __typename: "TelegramUnavailableError",
      outcomeUnknown: false,
    });
    const readiness = await fetch(`${alone.origin}/readyz`);
    expect([readiness.status, await readiness.json()]).toEqual([
      200,
      expect.objectContaining({ telegram: "unreachable" }),
    ]);
    await alone.stop();
  });

  test("createInviteLink waits for the end of a short hold and then creates the link", async () => {
    const patient = await startTestServer();
    patient.sandbox.control.fail(
      { kind: "too-many-requests", retryAfter: 1 },
      { method: "createChatInviteLink" },
    );
    const { data } = await patient.ask(CREATE, { input: { channelId: CHANNEL, name: "Patient" } });
    expect(data.createInviteLink.__typename).toBe("CreateInviteLinkSuccess");
    expect(patient.sandbox.control.calls("createChatInviteLink")).toHaveLength(2);
    await patient.stop();
  });

  test("the bot status is updated from Telegram's answer to each creation", async () => {
    const { control } = server.sandbox;
    const botStatus = async () =>
      (await server.ask(`{ channel(telegramId: ${GROUP}) { botStatus } }`)).data.channel.botStatus;
    // Only the answers tell of it, not the updates, which would come at any time.
    const setBot = (status: Parameters<typeof control.setBot>[1]) => {
      control.loseUpdates();
      control.setBot(GROUP, status);
    };
    setBot({ status: "administrator", can_invite_users: false });
    expect((await create({ channelId: GROUP })).__typename).toBe("BotPermissionError");
    expect(await botStatus()).toBe("MISSING_PERMISSION");
    setBot({ status: "kicked" });
    expect((await create({ channelId: GROUP })).__typename).toBe("BotNotInChannelError");
    expect(await botStatus()).toBe("NOT_IN_CHANNEL");
    setBot({ status: "administrator", can_invite_users: true });
    expect((await create({ channelId: GROUP })).__typename).toBe("CreateInviteLinkSuccess");
    expect(await botStatus()).toBe("READY");
  });

  test("the bot's token appears in no response and no log line", async () => {
    const { token } = server.sandbox.bot;
    const description = `Bad Request: see /bot${token}/createChatInviteLink`;
    server.sandbox.control.fail(
      { kind: "error", error_code: 400, description },
      { method: "createChatInviteLink" },
    );
    expect((await create({})).message).toContain("/bot[secret]/");
    server.sandbox.control.fail({ kind: "html-error" }, { method: "createChatInviteLink" });
    const answer = await create({});
    expect(JSON.stringify([answer, server.log])).not.toContain(token);
  });
});

describe("a chat migration before a creation", () => {
  test("createInviteLink follows a chat migration and keeps the chat's links and grants", async () => {
    const { control } = server.sandbox;
    const chatId = control.addChat({ type: "group", title: "Growing" });
    const token = await server.makeToken({ role: "EDITOR", channelIds: [chatId] });
    const before = (await create({ channelId: chatId, name: "Before" }, token)).inviteLink;
    const newId = control.upgrade(chatId);
    const after = await create({ channelId: chatId, name: "After" }, token);
    expect(after.inviteLink).toMatchObject({ channelId: newId, channel: { telegramId: newId } });
    const { data } = await server.ask(
      `query ($id: TelegramID!, $link: ID!) {
        viewer { channelIds } inviteLinks(channelId: $id) { nodes { name } } inviteLink(id: $link) { channelId }
      }`,
      { id: newId, link: before.id },
      token,
    );
    expect(data).toEqual({
      viewer: { channelIds: [newId] },
      inviteLinks: { nodes: [{ name: "After" }, { name: "Before" }] },
      inviteLink: { channelId: newId },
    });
  });

  test("a chat migration merges the old channel with the channel that already has the new chat id", async () => {
    const { control } = server.sandbox;
    const chatId = control.addChat({ type: "group", title: "Twice" });
    const tag = (channelId: number, name: string) =>
      server
        .ask(
          `mutation ($input: CreateTagInput!) { createTag(input: $input) { ... on CreateTagSuccess { tag { id } } } }`,
          { input: { channelId, name, color: "#123456", tagTypeId: CREATIVE } },
        )
        .then(({ data }) => data.createTag.tag.id as string);
    await create({ channelId: chatId, name: "First" });
    const [shared, own] = [await tag(chatId, "Shared"), await tag(chatId, "Own")];
    await create({ channelId: chatId, name: "Tagged", tagIds: [shared, own] });
    const newId = control.upgrade(chatId);
    await server.ask(`mutation { connectChannel(input: { chat: "${newId}" }) { __typename } }`);
    await tag(newId, "SHARED");
    expect((await create({ channelId: chatId, name: "Last" })).inviteLink.channelId).toBe(newId);
    const { data } = await server.ask(`{
      inviteLinks(channelId: ${newId}, orderBy: { field: NAME }) { nodes { name tags { name } } }
      tags(channelId: ${newId}) { nodes { name inviteLinks { totalCount } } }
      old: inviteLinks(channelId: ${chatId}) { totalCount }
    }`);
    expect(data).toEqual({
      inviteLinks: {
        nodes: [
          { name: "First", tags: [] },
          { name: "Last", tags: [] },
          { name: "Tagged", tags: [{ name: "Own" }, { name: "SHARED" }] },
        ],
      },
      tags: {
        nodes: [
          { name: "Own", inviteLinks: { totalCount: 1 } },
          { name: "SHARED", inviteLinks: { totalCount: 1 } },
        ],
      },
      old: { totalCount: 0 },
    });
  });
});

test("createInviteLink refuses missing tags in a chat without a channel", async () => {
  const chatId = server.sandbox.control.addChat({ type: "channel", title: "Unknown" });
  const answer = await create({
    channelId: chatId,
    tagIds: [YOUTUBE, "01991000-0000-7000-8000-00000000ffff"],
  });
  expect(answer.fieldErrors.map(({ field }: { field: string }) => field)).toEqual(["tagIds.0", "tagIds.1"]);
  expect(server.sandbox.control.links(chatId)).toHaveLength(0);
});

test("each creation in one operation sees the changes of the mutations before it", async () => {
  const chatId = server.sandbox.control.addChat({ type: "channel", title: "In one go" });
  const tag = (name: string) =>
    `createTag(input: { channelId: ${chatId}, name: "${name}", color: "#000000", tagTypeId: "${CREATIVE}" }) { __typename }`;
  const link = `createInviteLink(input: { channelId: ${CHANNEL}, name: "Counted", tagIds: ["${YOUTUBE}"] }) {
    ... on CreateInviteLinkSuccess { inviteLink { tags { inviteLinks(first: 1) { totalCount nodes { id } } } id } } }`;
  const { data } = await server.ask(`mutation {
    a: ${tag("Too soon")} b: connectChannel(input: { chat: "${chatId}" }) { __typename } c: ${tag("In time")} d: ${link} e: ${link}
  }`);
  expect([data.a.__typename, data.b.__typename, data.c.__typename]).toEqual([
    "ValidationError",
    "ConnectChannelSuccess",
    "CreateTagSuccess",
  ]);
  const [first, second] = [data.d.inviteLink, data.e.inviteLink];
  expect(second.tags[0].inviteLinks).toEqual({
    totalCount: first.tags[0].inviteLinks.totalCount + 1,
    nodes: [{ id: second.id }],
  });
});

test("null for an input field with a default is refused with BAD_USER_INPUT", async () => {
  const query = `mutation ($b: Boolean) { createInviteLink(input: { channelId: ${CHANNEL}, name: "x", createsJoinRequest: $b }) { __typename } }`;
  expect((await server.ask(query, { b: null })).errors?.[0]?.extensions.code).toBe("BAD_USER_INPUT");
  const filter = `query ($b: Boolean) { inviteLinks(channelId: ${CHANNEL}, filter: { tagGroups: [{ tagTypeId: "${CREATIVE}", withoutType: $b }] }) { totalCount } }`;
  expect((await server.ask(filter, { b: null })).errors?.[0]?.extensions.code).toBe("BAD_USER_INPUT");
});

describe("the idempotency key of createInviteLink", () => {
  test("a repeated idempotency key returns the first call's link after a chat migration", async () => {
    const { control } = server.sandbox;
    const chatId = control.addChat({ type: "group", title: "Moving" });
    const token = await server.makeToken({ role: "EDITOR", channelIds: [chatId] });
    const first = await create({ channelId: chatId, idempotencyKey: "moved" }, token);
    const newId = control.upgrade(chatId);
    await create({ channelId: chatId, name: "Follows" }, token);
    const again = await create({ channelId: chatId, idempotencyKey: "moved" }, token);
    expect(again.inviteLink).toMatchObject({ id: first.inviteLink.id, channelId: newId });
  });

  test("a repeated idempotency key returns the first call's link and creates no link", async () => {
    const first = await create({ idempotencyKey: "again" });
    const before = linkCount();
    expect(await create({ idempotencyKey: "again" })).toEqual(first);
    expect(linkCount()).toBe(before);
  });

  test("twenty concurrent calls with one idempotency key create one link", async () => {
    const before = linkCount();
    server.sandbox.control.fail({ kind: "slow", ms: 100 }, { method: "createChatInviteLink" });
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => create({ idempotencyKey: "together" })),
    );
    expect(new Set(answers.map((answer) => answer.inviteLink?.id)).size).toBe(1);
    expect(answers.every(({ __typename }) => __typename === "CreateInviteLinkSuccess")).toBe(true);
    expect(linkCount()).toBe(before + 1);
  });

  test("an idempotency key conflicts with other arguments of its caller and not with another caller's key", async () => {
    await create({ idempotencyKey: "mine", name: "One" });
    expect((await create({ idempotencyKey: "mine", name: "Two" })).__typename).toBe(
      "IdempotencyConflictError",
    );
    const token = await server.makeToken({ role: "EDITOR" });
    expect((await create({ idempotencyKey: "mine", name: "Two" }, token)).inviteLink.name).toBe("Two");
  });

  test("a definite failure of a creation frees its idempotency key", async () => {
    server.sandbox.control.fail(
      { kind: "error", error_code: 400, description: "Bad Request: nope" },
      { method: "createChatInviteLink" },
    );
    expect((await create({ idempotencyKey: "freed" })).__typename).toBe("TelegramRejectedError");
    expect((await create({ idempotencyKey: "freed", name: "Other" })).__typename).toBe(
      "CreateInviteLinkSuccess",
    );
  });

  test("the idempotency key of an uncertain creation reports the unknown outcome again and creates no link", async () => {
    server.sandbox.control.fail({ kind: "cut", effect: "after" }, { method: "createChatInviteLink" });
    const before = linkCount();
    for (let attempt = 0; attempt < 3; attempt += 1) {
      expect(await create({ idempotencyKey: "unknown" })).toMatchObject({
        __typename: "TelegramUnavailableError",
        outcomeUnknown: true,
      });
    }
    expect(linkCount()).toBe(before + 1);
  });

  test("a repeated idempotency key returns the first call's link after its expiry date has passed", async () => {
    const soon = Date.now() + 600_000;
    const input = { idempotencyKey: "dated", expireDate: new Date(soon).toISOString() };
    const first = await create(input);
    expect(first.__typename).toBe("CreateInviteLinkSuccess");
    vi.useFakeTimers({ toFake: ["Date"], now: soon + 1000 });
    try {
      expect(await create({ ...input, idempotencyKey: "another" })).toMatchObject({ code: "BAD_USER_INPUT" });
      expect((await create(input)).inviteLink.id).toBe(first.inviteLink.id);
    } finally {
      vi.useRealTimers();
    }
  });
});
