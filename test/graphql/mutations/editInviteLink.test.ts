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

const LINK = `id url name budget createsJoinRequest expireDate memberLimit isRevoked isExpired updatedAt channelId
  subscription { priceStars } tags { name } channel { telegramId botStatus }`;
const RESULT = `__typename
  ... on UserError { code message }
  ... on ValidationError { fieldErrors { field message } }
  ... on BotNotInChannelError { channelId }
  ... on BotPermissionError { missingIn: channelId }
  ... on TelegramUnavailableError { outcomeUnknown }
  ... on RateLimitedError { retryAfterSeconds }`;
const UPDATE = `mutation ($input: UpdateInviteLinkInput!) {
  result: updateInviteLink(input: $input) { ${RESULT} ... on UpdateInviteLinkSuccess { inviteLink { ${LINK} } } }
}`;
const REVOKE = `mutation ($input: RevokeInviteLinkInput!) {
  result: revokeInviteLink(input: $input) { ${RESULT} ... on RevokeInviteLinkSuccess { inviteLink { ${LINK} } } }
}`;
const CREATE = `mutation ($input: CreateInviteLinkInput!) {
  result: createInviteLink(input: $input) { __typename ... on CreateInviteLinkSuccess { inviteLink { ${LINK} } } }
}`;
const INSTAGRAM = "01991000-0000-7000-8000-000000000014";

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer({ telegramTimeoutMs: 2000 });
});
afterAll(() => server.stop());
afterEach(() => server.sandbox.control.clearFaults());

const asking =
  (query: string, on = () => server) =>
  async (input: object, token?: string) => {
    const { data, errors } = await on().ask(query, { input }, token);
    if (errors) throw new Error(JSON.stringify(errors));
    return data.result;
  };
const update = asking(UPDATE);
const revoke = asking(REVOKE);
const create = async (input: object = {}) =>
  (await asking(CREATE)({ channelId: CHANNEL, name: "A link", ...input })).inviteLink;
const read = async (id: string) =>
  (await server.ask(`query ($id: ID!) { inviteLink(id: $id) { ${LINK} } }`, { id })).data.inviteLink;
const sample = async (name: string) =>
  (
    await server.ask(
      `query ($n: String!) { inviteLinks(channelId: ${CHANNEL}, filter: { name: $n }) { nodes { ${LINK} } } }`,
      {
        n: name,
      },
    )
  ).data.inviteLinks.nodes[0];
const inTelegram = ({ url, channelId }: { url: string; channelId: number }) =>
  server.sandbox.control.links(channelId).find((link) => link.url === url);
const calls = (method?: string) =>
  server.sandbox.control.calls(method).filter((call) => call.method !== "getMe").length;
const inHours = (hours: number) =>
  new Date(Math.floor(Date.now() / 1000) * 1000 + hours * 3_600_000).toISOString();
const fields = (answer: { fieldErrors?: { field: string }[] }) =>
  answer.fieldErrors?.map(({ field }) => field);
/** What Telegram has of a link and what is read of it, in the same words. */
const agree = async (link: { id: string; url: string; channelId: number }) => {
  const here = await read(link.id);
  const there = inTelegram(here);
  expect({
    name: here.name ?? "",
    createsJoinRequest: here.createsJoinRequest,
    expireDate: here.expireDate === null ? 0 : Date.parse(here.expireDate) / 1000,
    memberLimit: here.memberLimit ?? 0,
    isRevoked: here.isRevoked,
  }).toEqual({
    name: there?.name,
    createsJoinRequest: there?.createsJoinRequest,
    expireDate: there?.expireDate,
    memberLimit: there?.memberLimit,
    isRevoked: there?.isRevoked,
  });
  return here;
};

describe("a change", () => {
  test("keeps what is left out, though Telegram's edit replaces everything", async () => {
    const link = await create({ memberLimit: 7, expireDate: inHours(1), budget: 3, tagIds: [YOUTUBE] });
    const { inviteLink } = await update({ id: link.id, name: "  Other\t🌷 " });
    expect(inviteLink).toEqual({ ...link, name: "Other 🌷", updatedAt: expect.any(String) });
    expect(server.sandbox.control.calls("editChatInviteLink").at(-1)?.parameters).toMatchObject({
      name: "Other 🌷",
      member_limit: 7,
      expire_date: Date.parse(link.expireDate) / 1000,
      creates_join_request: false,
    });
    await agree(link);
    const joined = await update({ id: link.id, createsJoinRequest: true, memberLimit: null });
    expect(joined.inviteLink).toMatchObject({
      name: "Other 🌷",
      createsJoinRequest: true,
      memberLimit: null,
    });
    expect(await agree(link)).toEqual(joined.inviteLink);
  });

  test("clears what is null", async () => {
    const link = await create({ memberLimit: 7, expireDate: inHours(1) });
    const { inviteLink } = await update({ id: link.id, name: null, memberLimit: null, expireDate: null });
    expect(inviteLink).toMatchObject({ name: null, memberLimit: null, expireDate: null });
    await agree(link);
    // And it can be found by no name.
    expect((await update({ id: link.id, name: "Named again" })).inviteLink.name).toBe("Named again");
    expect((await sample("named AGAIN")).id).toBe(link.id);
  });

  test("of everything at once", async () => {
    const link = await create({ tagIds: [YOUTUBE], memberLimit: 3 });
    const expireDate = inHours(2);
    const { inviteLink } = await update({
      id: link.id,
      name: "All",
      createsJoinRequest: true,
      memberLimit: null,
      expireDate,
      budget: "12.5",
      tagIds: [INSTAGRAM, INSTAGRAM],
    });
    expect(inviteLink).toMatchObject({
      name: "All",
      createsJoinRequest: true,
      memberLimit: null,
      expireDate,
      budget: "12.50",
      tags: [{ name: "Instagram" }],
      channel: { telegramId: CHANNEL, botStatus: "READY" },
    });
    expect(await agree(link)).toEqual(inviteLink);
  });

  test("that is none is none, in Telegram and here", async () => {
    const link = await create({ memberLimit: 7, expireDate: inHours(1), budget: 4, tagIds: [YOUTUBE] });
    const before = calls();
    const { id, name, createsJoinRequest, expireDate, memberLimit, budget } = link;
    const form = {
      id,
      name: ` ${name} `,
      createsJoinRequest,
      expireDate,
      memberLimit,
      budget,
      tagIds: [YOUTUBE],
    };
    expect((await update(form)).inviteLink).toEqual(link);
    expect((await update({ id })).inviteLink).toEqual(link);
    expect(calls()).toBe(before);
  });

  test("of what only we know never reaches Telegram", async () => {
    const revoked = await create();
    await revoke({ id: revoked.id });
    const links = [await create(), revoked, await sample("Hackathon stand")];
    const before = calls();
    for (const { id } of links) {
      const { inviteLink } = await update({ id, budget: 77, tagIds: [INSTAGRAM] });
      expect(inviteLink).toMatchObject({ budget: "77.00", tags: [{ name: "Instagram" }] });
      expect((await update({ id, tagIds: [] })).inviteLink).toMatchObject({ budget: "77.00", tags: [] });
    }
    expect(calls()).toBe(before);
  });

  test("takes the bare UUID", async () => {
    const link = await create();
    const bare = Buffer.from(link.id, "base64").toString().split(":")[1];
    expect((await update({ id: bare?.toUpperCase(), name: "Bare" })).inviteLink).toMatchObject({
      id: link.id,
      name: "Bare",
    });
    expect((await revoke({ id: bare })).inviteLink.isRevoked).toBe(true);
  });
});

describe("nothing invalid reaches Telegram", () => {
  const past = "2020-01-01T00:00:00Z";
  test.each([
    [
      "null for what cannot be none",
      { createsJoinRequest: null, budget: null, tagIds: null },
      ["createsJoinRequest", "budget", "tagIds"],
    ],
    ["an empty name", { name: " \u200b\u00a0\n" }, ["name"]],
    ["a name too long", { name: "🌷".repeat(33) }, ["name"]],
    ["a broken name", { name: "\ud800" }, ["name"]],
    ["a date past", { expireDate: past }, ["expireDate"]],
    ["the beginning of time", { expireDate: "1970-01-01T00:00:00Z" }, ["expireDate"]],
    ["a date beyond Telegram's", { expireDate: "2038-01-19T03:14:08Z" }, ["expireDate"]],
    ["no members", { memberLimit: 0 }, ["memberLimit"]],
    ["too many members", { memberLimit: 100_000 }, ["memberLimit"]],
    ["approval of a link with a limit", { createsJoinRequest: true }, ["memberLimit"]],
    ["a negative budget", { budget: "-0.01" }, ["budget"]],
    ["no tag's id", { tagIds: [YOUTUBE, "nonsense"] }, ["tagIds.1"]],
    ["another kind's id", { tagIds: [Buffer.from(`TagType:${CREATIVE}`).toString("base64")] }, ["tagIds.0"]],
    ["another channel's tag", { tagIds: [YOUTUBE, GROUP_TAG] }, ["tagIds.1"]],
    ["too many tags", { tagIds: Array.from({ length: 101 }, () => YOUTUBE) }, ["tagIds"]],
    [
      "all of it at once",
      {
        name: "",
        expireDate: past,
        memberLimit: 0,
        createsJoinRequest: null,
        budget: -1,
        tagIds: [YOUTUBE, "x"],
      },
      ["createsJoinRequest", "budget", "tagIds.1", "name", "expireDate", "memberLimit"],
    ],
  ])("%s", async (_what, input, expected) => {
    const link = await create({ memberLimit: 5, tagIds: [INSTAGRAM] });
    const before = calls();
    const answer = await update({ id: link.id, ...input });
    expect(answer).toMatchObject({ __typename: "ValidationError", code: "BAD_USER_INPUT" });
    expect(fields(answer)).toEqual(expected);
    expect(calls()).toBe(before);
    expect(await read(link.id)).toEqual(link);
  });

  test("a change of a revoked link", async () => {
    const link = await create();
    await revoke({ id: link.id });
    const before = calls();
    expect(fields(await update({ id: link.id, name: "Too late", budget: 5 }))).toEqual(["id"]);
    expect(fields(await update({ id: link.id, memberLimit: 0 }))).toEqual(["id", "memberLimit"]);
    expect((await update({ id: link.id, name: link.name, budget: 5 })).inviteLink.budget).toBe("5.00");
    expect(calls()).toBe(before);
  });

  test("a change of an expired link that leaves it so", async () => {
    const link = await sample("Hackathon stand");
    const before = calls();
    expect(link.isExpired).toBe(true);
    expect(fields(await update({ id: link.id, name: "Too late", budget: 5 }))).toEqual(["expireDate"]);
    const { id, name, createsJoinRequest, expireDate, memberLimit } = link;
    const form = { id, name, createsJoinRequest, expireDate, memberLimit };
    expect((await update({ ...form, budget: 6 })).inviteLink).toMatchObject({
      budget: "6.00",
      isExpired: true,
    });
    expect(calls()).toBe(before);
    const { inviteLink } = await update({ ...form, expireDate: inHours(1), name: "Revived" });
    expect(inviteLink).toMatchObject({ name: "Revived", isExpired: false });
    await agree(link);
  });
});

describe("a link that members pay for", () => {
  test("has a name that can be changed, and nothing else", async () => {
    const link = await create({ subscription: { priceStars: 50 } });
    const before = calls();
    const other = { expireDate: inHours(1), memberLimit: 3, createsJoinRequest: true };
    const answer = await update({ id: link.id, name: "Paid", ...other });
    expect(fields(answer)).toEqual(["expireDate", "memberLimit", "createsJoinRequest"]);
    const same = { createsJoinRequest: false, expireDate: null, memberLimit: null };
    expect((await update({ id: link.id, ...same, name: link.name, budget: 2 })).__typename).toBe(
      "UpdateInviteLinkSuccess",
    );
    expect(calls()).toBe(before);
    expect((await update({ id: link.id, ...same, name: "Paid" })).inviteLink).toMatchObject({
      name: "Paid",
      subscription: { priceStars: 50 },
    });
    expect([calls("editChatSubscriptionInviteLink"), calls()]).toEqual([1, before + 1]);
    expect((await update({ id: link.id, name: null })).inviteLink.name).toBeNull();
    await agree(link);
    expect((await revoke({ id: link.id })).inviteLink.isRevoked).toBe(true);
    await agree(link);
  });
});

describe("a revocation", () => {
  test("is for good, and once", async () => {
    const link = await create({ memberLimit: 4, tagIds: [YOUTUBE] });
    const { inviteLink } = await revoke({ id: link.id });
    expect(inviteLink).toEqual({ ...link, isRevoked: true, updatedAt: expect.any(String) });
    await agree(link);
    const before = calls();
    expect((await revoke({ id: link.id })).inviteLink).toEqual(inviteLink);
    expect(calls()).toBe(before);
  });
});

describe("who may", () => {
  const globalId = (kind: string, id: string) => Buffer.from(`${kind}:${id}`).toString("base64");
  test.each([
    ["update", update],
    ["revoke", revoke],
  ])("%s", async (_what, change) => {
    const { id } = await create();
    const before = calls();
    const viewer = await server.makeToken({ role: "VIEWER" });
    const elsewhere = await server.makeToken({ role: "EDITOR", channelIds: [GROUP] });
    const nowhere = globalId("InviteLink", "01991000-0000-7000-8000-00000000ffff");
    expect(await change({ id, ...(change === update && { name: "x" }) }, viewer)).toMatchObject({
      __typename: "ForbiddenError",
    });
    const unseen = await change({ id }, elsewhere);
    expect(unseen).toMatchObject({ __typename: "NotFoundError", code: "NOT_FOUND" });
    expect(await change({ id: nowhere })).toEqual(unseen);
    for (const wrong of ["nonsense", "", globalId("Tag", YOUTUBE)]) {
      expect(fields(await change({ id: wrong }))).toEqual(["id"]);
    }
    expect(calls()).toBe(before);
    const own = await server.makeToken({ role: "EDITOR", channelIds: [CHANNEL] });
    expect((await change({ id, ...(change === update && { name: "x" }) }, own)).inviteLink.id).toBe(id);
  });
});

describe("each of Telegram's answers becomes its error", () => {
  const refusal = (error_code: number, description: string): SandboxFault => ({
    kind: "error",
    error_code,
    description,
  });
  const unknown = { __typename: "TelegramUnavailableError", outcomeUnknown: true };
  const rejected = (text: string) => ({
    __typename: "TelegramRejectedError",
    message: expect.stringContaining(text),
  });
  describe.each([
    ["editChatInviteLink", (id: string) => update({ id, name: "To fail" })],
    ["revokeChatInviteLink", (id: string) => revoke({ id })],
  ])("%s", (method, change) => {
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
        "no member",
        refusal(403, "Forbidden: bot is not a member of the supergroup chat"),
        { __typename: "BotNotInChannelError" },
      ],
      [
        "limit and approval",
        refusal(
          400,
          "Bad Request: member limit can't be specified for links requiring administrator approval",
        ),
        {
          __typename: "ValidationError",
          fieldErrors: [{ field: "memberLimit", message: expect.any(String) }],
        },
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
        {
          __typename: "ValidationError",
          fieldErrors: [{ field: "expireDate", message: expect.any(String) }],
        },
      ],
      [
        "usage limit",
        refusal(400, "Bad Request: USAGE_LIMIT_INVALID"),
        {
          __typename: "ValidationError",
          fieldErrors: [{ field: "memberLimit", message: expect.any(String) }],
        },
      ],
      [
        "a link that is none",
        refusal(400, "Bad Request: INVITE_HASH_EXPIRED"),
        rejected("INVITE_HASH_EXPIRED"),
      ],
      [
        "the primary link",
        refusal(400, "Bad Request: CHAT_INVITE_PERMANENT"),
        rejected("CHAT_INVITE_PERMANENT"),
      ],
      ["no link", refusal(400, "Bad Request: invite link must be non-empty"), rejected("non-empty")],
      ["another 4xx", refusal(400, "Bad Request: SOMETHING_ELSE"), rejected("SOMETHING_ELSE")],
      ["a 4xx in HTML", { kind: "html-error" }, rejected("403")],
    ])("%s, and nothing was done", async (_what, fault, expected) => {
      const link = await create({ memberLimit: 5 });
      const healthy = server.sandbox.control.fail(fault, { method });
      expect(await change(link.id)).toMatchObject(expected);
      healthy();
      expect(await agree(link)).toEqual({ ...link, channel: expect.anything() });
      const before = calls();
      // Nothing is in doubt: its settings as they are need no call.
      await update({ id: link.id, memberLimit: 5 });
      expect(calls()).toBe(before);
      expect(await change(link.id)).toMatchObject({ inviteLink: { id: link.id } });
      await agree(link);
    });

    test.each<[string, SandboxFault]>([
      ["500", { kind: "server-error" }],
      ["500, though it was done", { kind: "server-error", effect: "after" }],
      ["502 in HTML", { kind: "server-error", status: 502, body: "html" }],
      [
        "502 without a word, though it was done",
        { kind: "server-error", status: 502, body: "empty", effect: "after" },
      ],
      ["a 200 that is no JSON", { kind: "not-json" }],
      ["no answer", { kind: "hang", effect: "before" }],
      ["no answer, though it was done", { kind: "hang", effect: "after" }],
      ["cut before", { kind: "cut", effect: "before" }],
      ["cut after", { kind: "cut", effect: "after" }],
      ["half an answer", { kind: "half-body" }],
    ])("%s: nobody knows, and doing it again puts it right", async (_what, fault) => {
      const [link, back, other] = [
        await create({ memberLimit: 5 }),
        await create({ memberLimit: 5 }),
        await create(),
      ];
      const links = [link, back, other];
      server.sandbox.control.fail(fault, { method, times: links.length });
      expect(await Promise.all(links.map(({ id }) => change(id)))).toMatchObject(links.map(() => unknown));
      for (const { id } of links) expect((await read(id)).isRevoked).toBe(false);
      expect(await change(link.id)).toMatchObject({ inviteLink: { id: link.id } });
      await agree(link);
      // As does going back, or on to something else.
      await update({ id: back.id, name: back.name });
      await agree(back);
      await update({ id: other.id, memberLimit: 9 });
      await agree(other);
    });
  });

  test("a short 429 is waited out", async () => {
    const patient = await startTestServer({ telegramTimeoutMs: 3000 });
    const { data } = await patient.ask(CREATE, { input: { channelId: CHANNEL, name: "Patient" } });
    const { id } = data.result.inviteLink;
    patient.sandbox.control.fail({ kind: "too-many-requests", retryAfter: 1 });
    expect((await asking(UPDATE, () => patient)({ id, name: "Waited" })).inviteLink.name).toBe("Waited");
    patient.sandbox.control.fail({ kind: "too-many-requests", retryAfter: 1 });
    expect((await asking(REVOKE, () => patient)({ id })).inviteLink.isRevoked).toBe(true);
    expect(patient.sandbox.control.calls("editChatInviteLink")).toHaveLength(2);
    expect(patient.sandbox.control.calls("revokeChatInviteLink")).toHaveLength(2);
    await patient.stop();
  });

  test("a 429 that is longer than the deadline leaves no doubt", async () => {
    const held = await startTestServer({ telegramTimeoutMs: 2000 });
    const { data } = await held.ask(CREATE, { input: { channelId: CHANNEL, name: "Held" } });
    const { id } = data.result.inviteLink;
    held.sandbox.control.fail({ kind: "too-many-requests", retryAfter: 5 });
    const limited = { __typename: "RateLimitedError", retryAfterSeconds: 5 };
    expect(await asking(UPDATE, () => held)({ id, name: "Later" })).toMatchObject(limited);
    expect((await asking(REVOKE, () => held)({ id })).__typename).toBe("RateLimitedError");
    // The form as it is stored: nothing to tell Telegram, to whom nobody may speak now.
    expect((await asking(UPDATE, () => held)({ id, name: "Held" })).__typename).toBe(
      "UpdateInviteLinkSuccess",
    );
    await held.stop();
  });

  test("no refused connection is taken for a change that may have been made", async () => {
    const alone = await startTestServer();
    const { data } = await alone.ask(CREATE, { input: { channelId: CHANNEL, name: "Alone" } });
    const { id } = data.result.inviteLink;
    await alone.sandbox.close();
    const refused = { __typename: "TelegramUnavailableError", outcomeUnknown: false };
    expect(await asking(UPDATE, () => alone)({ id, name: "x" })).toMatchObject(refused);
    expect(await asking(REVOKE, () => alone)({ id })).toMatchObject(refused);
    expect((await asking(UPDATE, () => alone)({ id, name: "Alone" })).inviteLink.name).toBe("Alone");
    await alone.stop();
  });

  test("what the bot may do is remembered", async () => {
    const { control } = server.sandbox;
    const chatId = control.addChat({ type: "channel", title: "Watched" });
    const { id } = await create({ channelId: chatId });
    const botStatus = async () => (await read(id)).channel.botStatus;
    control.setBot(chatId, { status: "administrator", can_invite_users: false });
    expect((await update({ id, name: "x" })).__typename).toBe("BotPermissionError");
    expect(await botStatus()).toBe("MISSING_PERMISSION");
    control.setBot(chatId, { status: "kicked" });
    expect((await revoke({ id })).__typename).toBe("BotNotInChannelError");
    expect(await botStatus()).toBe("NOT_IN_CHANNEL");
    control.setBot(chatId, { status: "administrator", can_invite_users: true });
    expect((await update({ id, name: "x" })).inviteLink.channel.botStatus).toBe("READY");
  });
});

describe("a chat that Telegram gives another id", () => {
  test("is followed, with the grants of who asks", async () => {
    const { control } = server.sandbox;
    const chatId = control.addChat({ type: "group", title: "Growing" });
    const token = await server.makeToken({ role: "EDITOR", channelIds: [chatId] });
    const [first, second] = [await create({ channelId: chatId }), await create({ channelId: chatId })];
    const newId = control.upgrade(chatId);
    const [updated, revoked] = await Promise.all([
      update({ id: first.id, name: "Moved" }, token),
      revoke({ id: second.id }, token),
    ]);
    const moved = { channelId: newId, channel: { telegramId: newId, botStatus: "READY" } };
    expect(updated.inviteLink).toMatchObject({ ...moved, name: "Moved" });
    expect(revoked.inviteLink).toMatchObject({ ...moved, isRevoked: true });
    await agree(first);
    await agree(second);
  });
});

test("each mutation of an operation sees what those before it changed", async () => {
  const { id } = await create({ tagIds: [YOUTUBE] });
  const success =
    "... on UpdateInviteLinkSuccess { inviteLink { name budget tags { name inviteLinks(first: 1) { totalCount } } } }";
  const { data } = await server.ask(
    `mutation ($id: ID!) {
      a: updateInviteLink(input: { id: $id, name: "One", tagIds: [] }) { ${success} }
      b: updateInviteLink(input: { id: $id, budget: 2, tagIds: ["${INSTAGRAM}"] }) { ${success} }
      c: revokeInviteLink(input: { id: $id }) { ... on RevokeInviteLinkSuccess { inviteLink { name budget isRevoked } } }
      d: updateInviteLink(input: { id: $id, name: "Four" }) { __typename }
      e: setInviteLinkTags(input: { ids: [$id], addTagIds: ["${YOUTUBE}"], removeTagIds: ["${INSTAGRAM}"] }) {
        ... on SetInviteLinkTagsSuccess { inviteLinks { isRevoked tags { name } } }
      }
    }`,
    { id },
  );
  expect(data).toMatchObject({
    a: { inviteLink: { name: "One", tags: [] } },
    b: { inviteLink: { name: "One", budget: "2.00", tags: [{ name: "Instagram" }] } },
    c: { inviteLink: { name: "One", budget: "2.00", isRevoked: true } },
    d: { __typename: "ValidationError" },
    e: { inviteLinks: [{ isRevoked: true, tags: [{ name: "YouTube" }] }] },
  });
});

describe("what Telegram has accepted is stored", () => {
  const mutation = (name: string, input: string) =>
    `mutation { ${name}InviteLink(input: { ${input} }) { __typename } }`;

  test.each(["update", "revoke"])("of a client that has gone, while the server ends: %s", async (what) => {
    const ending = await startTestServer();
    const { data } = await ending.ask(CREATE, { input: { channelId: CHANNEL, name: "To change" } });
    const { id } = data.result.inviteLink;
    const method = what === "update" ? "editChatInviteLink" : "revokeChatInviteLink";
    const release = ending.sandbox.control.hold({ method });
    const called = ending.sandbox.control.nextCall(method);
    const leaving = new AbortController();
    const answer = fetch(ending.url, {
      method: "POST",
      signal: leaving.signal,
      headers: { "content-type": "application/json", authorization: `Bearer ${ending.token}` },
      body: JSON.stringify({
        query: mutation(what, what === "update" ? `id: "${id}", name: "Left"` : `id: "${id}"`),
      }),
    });
    await called;
    leaving.abort();
    await expect(answer).rejects.toThrow();
    const before = ending.log.length;
    const stopped = ending.stop();
    release();
    await stopped;
    const stored = ending.log.slice(before).map(({ sql }) => String(sql ?? ""));
    expect(stored.some((sql) => /update "public"."invite_link"/i.test(sql))).toBe(true);
    expect(stored.some((sql) => /delete from link_change/i.test(sql))).toBe(true);
    expect(ending.log.filter(({ level }) => level === "fatal")).toEqual([]);
  });

  test("and answered, of a client that waits, while the server ends", async () => {
    const ending = await startTestServer();
    const { data } = await ending.ask(CREATE, { input: { channelId: CHANNEL, name: "To change" } });
    const { id } = data.result.inviteLink;
    const release = ending.sandbox.control.hold({ method: "editChatInviteLink" });
    const called = ending.sandbox.control.nextCall("editChatInviteLink");
    const answer = ending.ask(mutation("update", `id: "${id}", name: "Late"`));
    await called;
    const stopped = ending.stop();
    release();
    expect((await answer).data.updateInviteLink.__typename).toBe("UpdateInviteLinkSuccess");
    await stopped;
  });
});
