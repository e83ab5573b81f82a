import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
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
const made = () => server.sandbox.control.links(CHANNEL).length;
const callsToTelegram = () =>
  server.sandbox.control.calls().filter(({ method }) => method !== "getMe").length;

describe("what is made", () => {
  test("the whole link, in Telegram and here", async () => {
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

  test("a link that members pay for", async () => {
    const { inviteLink } = await create({ subscription: { priceStars: 10_000 } });
    expect(inviteLink.subscription).toEqual({ periodSeconds: 2_592_000, priceStars: 10_000 });
  });

  test("the person behind the token is its creator", async () => {
    const token = await server.makeToken({ role: "EDITOR", channelIds: [CHANNEL], telegramUserId: 424_242 });
    expect((await create({}, token)).inviteLink.creatorId).toBe(424_242);
  });

  test("a channel that was not known is learned on the way", async () => {
    const chatId = server.sandbox.control.addChat({ type: "channel", title: "New here" });
    const { inviteLink } = await create({ channelId: chatId });
    expect(inviteLink.channel).toEqual({ telegramId: chatId, title: "New here", botStatus: "READY" });
  });

  test("32 code points are taken, 33 are not", async () => {
    expect((await create({ name: "🌷".repeat(32) })).inviteLink.name).toBe("🌷".repeat(32));
    expect((await create({ name: "🌷".repeat(33) })).fieldErrors).toEqual([
      { field: "name", message: expect.stringContaining("32") },
    ]);
  });
});

describe("nothing invalid reaches Telegram", () => {
  const past = "2020-01-01T00:00:00Z";
  test.each([
    ["an empty name", { name: " \u200b\u00a0\n" }, ["name"]],
    ["a broken name", { name: "\ud800" }, ["name"]],
    ["a date past", { expireDate: past }, ["expireDate"]],
    ["a date beyond Telegram's", { expireDate: "2038-01-19T03:14:08Z" }, ["expireDate"]],
    ["no members", { memberLimit: 0 }, ["memberLimit"]],
    ["too many members", { memberLimit: 100_000 }, ["memberLimit"]],
    ["a limit with approval", { memberLimit: 5, createsJoinRequest: true }, ["memberLimit"]],
    ["a negative budget", { budget: "-0.01" }, ["budget"]],
    ["no tag's id", { tagIds: [YOUTUBE, "nonsense"] }, ["tagIds.1"]],
    ["another kind's id", { tagIds: [Buffer.from(`TagType:${CREATIVE}`).toString("base64")] }, ["tagIds.0"]],
    ["another channel's tag", { tagIds: [YOUTUBE, YOUTUBE, GROUP_TAG] }, ["tagIds.2"]],
    ["a price of nothing", { subscription: { priceStars: 0 } }, ["subscription.priceStars"]],
    ["a price too high", { subscription: { priceStars: 10_001 } }, ["subscription.priceStars"]],
    ["a paid link with a limit", { subscription: { priceStars: 1 }, memberLimit: 3 }, ["memberLimit"]],
    ["a paid link in a group", { channelId: GROUP, subscription: { priceStars: 1 } }, ["subscription"]],
    ["an empty key", { idempotencyKey: "" }, ["idempotencyKey"]],
    ["a key too long", { idempotencyKey: "k".repeat(256) }, ["idempotencyKey"]],
    ["a key with NUL", { idempotencyKey: "a\0b" }, ["idempotencyKey"]],
    [
      "all of it at once",
      { name: "", expireDate: past, budget: -1, tagIds: ["x"], idempotencyKey: "" },
      ["tagIds.0", "idempotencyKey", "name", "expireDate", "budget"],
    ],
  ])("%s", async (_what, input, fields) => {
    const before = callsToTelegram();
    const answer = await create(input);
    expect(answer).toMatchObject({ __typename: "ValidationError", code: "BAD_USER_INPUT" });
    expect(answer.fieldErrors.map(({ field }: { field: string }) => field)).toEqual(fields);
    expect(callsToTelegram()).toBe(before);
  });

  test("a key of 255 characters and a NUL in a name, which Telegram takes for a space", async () => {
    expect((await create({ name: "a\0b", idempotencyKey: "🗝".repeat(255) })).inviteLink.name).toBe("a b");
  });
});

describe("each of Telegram's answers becomes its error", () => {
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
      "a 200 that is no JSON",
      { kind: "not-json" },
      { __typename: "TelegramUnavailableError", outcomeUnknown: true },
    ],
    [
      "no answer",
      { kind: "hang", effect: "before" },
      { __typename: "TelegramUnavailableError", outcomeUnknown: true },
    ],
    [
      "no answer, though the link was made",
      { kind: "hang", effect: "after" },
      { __typename: "TelegramUnavailableError", outcomeUnknown: true },
    ],
    [
      "cut before",
      { kind: "cut", effect: "before" },
      { __typename: "TelegramUnavailableError", outcomeUnknown: true },
    ],
    [
      "cut after",
      { kind: "cut", effect: "after" },
      { __typename: "TelegramUnavailableError", outcomeUnknown: true },
    ],
    [
      "half an answer",
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
  ])("%s", async (_what, fault, expected) => {
    server.sandbox.control.fail(fault, { method: "createChatInviteLink" });
    expect(await create({ name: "To fail" })).toMatchObject(expected);
    // It works again by itself.
    server.sandbox.control.clearFaults();
    expect((await create({})).__typename).toBe("CreateInviteLinkSuccess");
  });

  test("no refused connection is taken for a link that may exist", async () => {
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

  test("a short 429 is waited out", async () => {
    const patient = await startTestServer({ telegramTimeoutMs: 3000 });
    patient.sandbox.control.fail(
      { kind: "too-many-requests", retryAfter: 1 },
      { method: "createChatInviteLink" },
    );
    const { data } = await patient.ask(CREATE, { input: { channelId: CHANNEL, name: "Patient" } });
    expect(data.createInviteLink.__typename).toBe("CreateInviteLinkSuccess");
    expect(patient.sandbox.control.calls("createChatInviteLink")).toHaveLength(2);
    await patient.stop();
  });

  test("what the bot may do is remembered", async () => {
    const { control } = server.sandbox;
    const botStatus = async () =>
      (await server.ask(`{ channel(telegramId: ${GROUP}) { botStatus } }`)).data.channel.botStatus;
    control.setBot(GROUP, { status: "administrator", can_invite_users: false });
    expect((await create({ channelId: GROUP })).__typename).toBe("BotPermissionError");
    expect(await botStatus()).toBe("MISSING_PERMISSION");
    control.setBot(GROUP, { status: "kicked" });
    expect((await create({ channelId: GROUP })).__typename).toBe("BotNotInChannelError");
    expect(await botStatus()).toBe("NOT_IN_CHANNEL");
    control.setBot(GROUP, { status: "administrator", can_invite_users: true });
    expect((await create({ channelId: GROUP })).__typename).toBe("CreateInviteLinkSuccess");
    expect(await botStatus()).toBe("READY");
  });

  test("the bot's token is in no answer and no log line", async () => {
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

describe("a chat that Telegram gives another id", () => {
  test("is followed, with its tags, links and grants", async () => {
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

  test("becomes one with a channel that was known by the new id already", async () => {
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

test("tags that do not exist are refused in a channel that is not known yet, too", async () => {
  const chatId = server.sandbox.control.addChat({ type: "channel", title: "Unknown" });
  const answer = await create({
    channelId: chatId,
    tagIds: [YOUTUBE, "01991000-0000-7000-8000-00000000ffff"],
  });
  expect(answer.fieldErrors.map(({ field }: { field: string }) => field)).toEqual(["tagIds.0", "tagIds.1"]);
  expect(server.sandbox.control.links(chatId)).toHaveLength(0);
});

test("each mutation of an operation sees what those before it changed", async () => {
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

test("a null for what has a default is the caller's error", async () => {
  const query = `mutation ($b: Boolean) { createInviteLink(input: { channelId: ${CHANNEL}, name: "x", createsJoinRequest: $b }) { __typename } }`;
  expect((await server.ask(query, { b: null })).errors?.[0]?.extensions.code).toBe("BAD_USER_INPUT");
  const filter = `query ($b: Boolean) { inviteLinks(channelId: ${CHANNEL}, filter: { tagGroups: [{ tagTypeId: "${CREATIVE}", withoutType: $b }] }) { totalCount } }`;
  expect((await server.ask(filter, { b: null })).errors?.[0]?.extensions.code).toBe("BAD_USER_INPUT");
});

describe("with an idempotency key", () => {
  test("a repeated call gives the first call's link though the chat has got another id meanwhile", async () => {
    const { control } = server.sandbox;
    const chatId = control.addChat({ type: "group", title: "Moving" });
    const token = await server.makeToken({ role: "EDITOR", channelIds: [chatId] });
    const first = await create({ channelId: chatId, idempotencyKey: "moved" }, token);
    const newId = control.upgrade(chatId);
    await create({ channelId: chatId, name: "Follows" }, token);
    const again = await create({ channelId: chatId, idempotencyKey: "moved" }, token);
    expect(again.inviteLink).toMatchObject({ id: first.inviteLink.id, channelId: newId });
  });

  test("a repeated call gives the first call's link, and makes none", async () => {
    const first = await create({ idempotencyKey: "again" });
    const before = made();
    expect(await create({ idempotencyKey: "again" })).toEqual(first);
    expect(made()).toBe(before);
  });

  test("twenty at once make one link", async () => {
    const before = made();
    server.sandbox.control.fail({ kind: "slow", ms: 100 }, { method: "createChatInviteLink" });
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => create({ idempotencyKey: "together" })),
    );
    expect(new Set(answers.map((answer) => answer.inviteLink?.id)).size).toBe(1);
    expect(answers.every(({ __typename }) => __typename === "CreateInviteLinkSuccess")).toBe(true);
    expect(made()).toBe(before + 1);
  });

  test("other arguments are a conflict, another caller's equal key is another key", async () => {
    await create({ idempotencyKey: "mine", name: "One" });
    expect((await create({ idempotencyKey: "mine", name: "Two" })).__typename).toBe(
      "IdempotencyConflictError",
    );
    const token = await server.makeToken({ role: "EDITOR" });
    expect((await create({ idempotencyKey: "mine", name: "Two" }, token)).inviteLink.name).toBe("Two");
  });

  test("a definite failure frees the key", async () => {
    server.sandbox.control.fail(
      { kind: "error", error_code: 400, description: "Bad Request: nope" },
      { method: "createChatInviteLink" },
    );
    expect((await create({ idempotencyKey: "freed" })).__typename).toBe("TelegramRejectedError");
    expect((await create({ idempotencyKey: "freed", name: "Other" })).__typename).toBe(
      "CreateInviteLinkSuccess",
    );
  });

  test("where nobody knows, it says so again and makes none", async () => {
    server.sandbox.control.fail({ kind: "cut", effect: "after" }, { method: "createChatInviteLink" });
    const before = made();
    for (let attempt = 0; attempt < 3; attempt += 1) {
      expect(await create({ idempotencyKey: "unknown" })).toMatchObject({
        __typename: "TelegramUnavailableError",
        outcomeUnknown: true,
      });
    }
    expect(made()).toBe(before + 1);
  });

  test("time passing does not make the first call's date wrong", async () => {
    const soon = Date.now() + 3000;
    const input = { idempotencyKey: "dated", expireDate: new Date(soon).toISOString() };
    const first = await create(input);
    expect(first.__typename).toBe("CreateInviteLinkSuccess");
    await new Promise((resolve) => setTimeout(resolve, soon + 100 - Date.now()));
    expect((await create(input)).inviteLink.id).toBe(first.inviteLink.id);
  });
});
