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

const mutationCaller =
  (query: string, on = () => server) =>
  async (input: object, token?: string) => {
    const { data, errors } = await on().ask(query, { input }, token);
    if (errors) throw new Error(JSON.stringify(errors));
    return data.result;
  };
const update = mutationCaller(UPDATE);
const revoke = mutationCaller(REVOKE);
const create = async (input: object = {}) =>
  (await mutationCaller(CREATE)({ channelId: CHANNEL, name: "A link", ...input })).inviteLink;
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
const calls = (method?: string) => server.calls(method).length;
const inHours = (hours: number) =>
  new Date(Math.floor(Date.now() / 1000) * 1000 + hours * 3_600_000).toISOString();
const fields = (answer: { fieldErrors?: { field: string }[] }) =>
  answer.fieldErrors?.map(({ field }) => field);
/** Expects the same settings of a link in Telegram and in the database. Returns the link as read from the API. */
const expectSameInTelegram = async (link: { id: string; url: string; channelId: number }) => {
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

describe("an edit of a link", () => {
  test("an edit keeps the settings that are left out although Telegram's edit replaces all of them", async () => {
    const link = await create({ memberLimit: 7, expireDate: inHours(1), budget: 3, tagIds: [YOUTUBE] });
    const { inviteLink } = await update({ id: link.id, name: "  Other\t🌷 " });
    expect(inviteLink).toEqual({ ...link, name: "Other 🌷", updatedAt: expect.any(String) });
    expect(server.sandbox.control.calls("editChatInviteLink").at(-1)?.parameters).toMatchObject({
      name: "Other 🌷",
      member_limit: 7,
      expire_date: Date.parse(link.expireDate) / 1000,
      creates_join_request: false,
    });
    await expectSameInTelegram(link);
    const joined = await update({ id: link.id, createsJoinRequest: true, memberLimit: null });
    expect(joined.inviteLink).toMatchObject({
      name: "Other 🌷",
      createsJoinRequest: true,
      memberLimit: null,
    });
    expect(await expectSameInTelegram(link)).toEqual(joined.inviteLink);
  });

  test("an edit clears the settings that are null", async () => {
    const link = await create({ memberLimit: 7, expireDate: inHours(1) });
    const { inviteLink } = await update({ id: link.id, name: null, memberLimit: null, expireDate: null });
    expect(inviteLink).toMatchObject({ name: null, memberLimit: null, expireDate: null });
    await expectSameInTelegram(link);
    // A link whose name was cleared can be named again, and the filter finds it by the new name.
    expect((await update({ id: link.id, name: "Named again" })).inviteLink.name).toBe("Named again");
    expect((await sample("named AGAIN")).id).toBe(link.id);
  });

  test("an edit can change all settings of a link together", async () => {
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
    expect(await expectSameInTelegram(link)).toEqual(inviteLink);
  });

  test("an edit with the current values changes nothing in Telegram or in the database", async () => {
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

  test("an edit of the budget or the tags causes no call to Telegram", async () => {
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

  test("an edit and a revocation accept the link's bare UUID", async () => {
    const link = await create();
    const bare = Buffer.from(link.id, "base64").toString().split(":")[1];
    expect((await update({ id: bare?.toUpperCase(), name: "Bare" })).inviteLink).toMatchObject({
      id: link.id,
      name: "Bare",
    });
    expect((await revoke({ id: bare })).inviteLink.isRevoked).toBe(true);
  });
});

describe("invalid edits", () => {
  const past = "2020-01-01T00:00:00Z";
  test.each([
    [
      "null for a setting that cannot be null",
      { createsJoinRequest: null, budget: null, tagIds: null },
      ["createsJoinRequest", "budget", "tagIds"],
    ],
    ["an empty name", { name: " \u200b\u00a0\n" }, ["name"]],
    ["a name of 33 code points", { name: "🌷".repeat(33) }, ["name"]],
    ["a name with a lone surrogate", { name: "\ud800" }, ["name"]],
    ["an expiry date in the past", { expireDate: past }, ["expireDate"]],
    ["the Unix epoch as an expiry date", { expireDate: "1970-01-01T00:00:00Z" }, ["expireDate"]],
    ["an expiry date beyond Telegram's limit", { expireDate: "2038-01-19T03:14:08Z" }, ["expireDate"]],
    ["a member limit of zero", { memberLimit: 0 }, ["memberLimit"]],
    ["a member limit of 100,000", { memberLimit: 100_000 }, ["memberLimit"]],
    ["approval for a link with a member limit", { createsJoinRequest: true }, ["memberLimit"]],
    ["a negative budget", { budget: "-0.01" }, ["budget"]],
    ["a tag id that cannot be read", { tagIds: [YOUTUBE, "nonsense"] }, ["tagIds.1"]],
    [
      "the id of a tag type as a tag's id",
      { tagIds: [Buffer.from(`TagType:${CREATIVE}`).toString("base64")] },
      ["tagIds.0"],
    ],
    ["another channel's tag", { tagIds: [YOUTUBE, GROUP_TAG] }, ["tagIds.1"]],
    ["too many tags", { tagIds: Array.from({ length: 101 }, () => YOUTUBE) }, ["tagIds"]],
    [
      "several invalid values",
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
  ])("updateInviteLink refuses %s without a call to Telegram", async (_what, input, expected) => {
    const link = await create({ memberLimit: 5, tagIds: [INSTAGRAM] });
    const before = calls();
    const answer = await update({ id: link.id, ...input });
    expect(answer).toMatchObject({ __typename: "ValidationError", code: "BAD_USER_INPUT" });
    expect(fields(answer)).toEqual(expected);
    expect(calls()).toBe(before);
    expect(await read(link.id)).toEqual(link);
  });

  test("a revoked link's settings in Telegram cannot be edited but its budget can", async () => {
    const link = await create();
    await revoke({ id: link.id });
    const before = calls();
    expect(fields(await update({ id: link.id, name: "Too late", budget: 5 }))).toEqual(["id"]);
    expect(fields(await update({ id: link.id, memberLimit: 0 }))).toEqual(["id", "memberLimit"]);
    expect((await update({ id: link.id, name: link.name, budget: 5 })).inviteLink.budget).toBe("5.00");
    expect(calls()).toBe(before);
  });

  test("an expired link's settings in Telegram can be edited only together with its expiry date", async () => {
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
    await expectSameInTelegram(link);
  });
});

describe("an edit of a subscription link", () => {
  test("only the name of a subscription link can be edited in Telegram", async () => {
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
    await expectSameInTelegram(link);
    expect((await revoke({ id: link.id })).inviteLink.isRevoked).toBe(true);
    await expectSameInTelegram(link);
  });
});

describe("a revocation", () => {
  test("a revocation is sent to Telegram once, and repeating it returns the revoked link", async () => {
    const link = await create({ memberLimit: 4, tagIds: [YOUTUBE] });
    const { inviteLink } = await revoke({ id: link.id });
    expect(inviteLink).toEqual({ ...link, isRevoked: true, updatedAt: expect.any(String) });
    await expectSameInTelegram(link);
    const before = calls();
    expect((await revoke({ id: link.id })).inviteLink).toEqual(inviteLink);
    expect(calls()).toBe(before);
  });
});

describe("the right to edit and revoke links", () => {
  const globalId = (kind: string, id: string) => Buffer.from(`${kind}:${id}`).toString("base64");
  test.each([
    ["update", update],
    ["revoke", revoke],
  ])("%sInviteLink is allowed only for an editor of the link's channel", async (_what, change) => {
    const { id } = await create();
    const before = calls();
    const viewer = await server.makeToken({ role: "VIEWER" });
    const elsewhere = await server.makeToken({ role: "EDITOR", channelIds: [GROUP] });
    const missingId = globalId("InviteLink", "01991000-0000-7000-8000-00000000ffff");
    expect(await change({ id, ...(change === update && { name: "x" }) }, viewer)).toMatchObject({
      __typename: "ForbiddenError",
    });
    const unseen = await change({ id }, elsewhere);
    expect(unseen).toMatchObject({ __typename: "NotFoundError", code: "NOT_FOUND" });
    expect(await change({ id: missingId })).toEqual(unseen);
    for (const wrong of ["nonsense", "", globalId("Tag", YOUTUBE)]) {
      expect(fields(await change({ id: wrong }))).toEqual(["id"]);
    }
    expect(calls()).toBe(before);
    const own = await server.makeToken({ role: "EDITOR", channelIds: [CHANNEL] });
    expect((await change({ id, ...(change === update && { name: "x" }) }, own)).inviteLink.id).toBe(id);
  });
});

describe("Telegram's failures of an edit or a revocation", () => {
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
  ])("failures of the method %s", (method, change) => {
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
        "a link that does not exist",
        refusal(400, "Bad Request: INVITE_HASH_EXPIRED"),
        rejected("INVITE_HASH_EXPIRED"),
      ],
      [
        "the primary link",
        refusal(400, "Bad Request: CHAT_INVITE_PERMANENT"),
        rejected("CHAT_INVITE_PERMANENT"),
      ],
      ["an empty link", refusal(400, "Bad Request: invite link must be non-empty"), rejected("non-empty")],
      ["another 4xx", refusal(400, "Bad Request: SOMETHING_ELSE"), rejected("SOMETHING_ELSE")],
      ["a 4xx in HTML", { kind: "html-error" }, rejected("403")],
    ])(
      `a ${method} call that Telegram refuses changes nothing and gives the matching error: %s`,
      async (_what, fault, expected) => {
        const link = await create({ memberLimit: 5 });
        const healthy = server.sandbox.control.fail(fault, { method });
        expect(await change(link.id)).toMatchObject(expected);
        healthy();
        expect(await expectSameInTelegram(link)).toEqual({ ...link, channel: expect.anything() });
        const before = calls();
        // The edit is not an unconfirmed edit, so an edit with the current settings needs no call to Telegram.
        await update({ id: link.id, memberLimit: 5 });
        expect(calls()).toBe(before);
        expect(await change(link.id)).toMatchObject({ inviteLink: { id: link.id } });
        await expectSameInTelegram(link);
      },
    );

    test.each<[string, SandboxFault]>([
      ["500", { kind: "server-error" }],
      ["500 although the call was carried out", { kind: "server-error", effect: "after" }],
      ["502 in HTML", { kind: "server-error", status: 502, body: "html" }],
      [
        "502 with an empty body although the call was carried out",
        { kind: "server-error", status: 502, body: "empty", effect: "after" },
      ],
      ["a 200 that is not JSON", { kind: "not-json" }],
      ["no answer", { kind: "hang", effect: "before" }],
      ["no answer although the call was carried out", { kind: "hang", effect: "after" }],
      ["a connection cut before the call was carried out", { kind: "cut", effect: "before" }],
      ["a connection cut after the call was carried out", { kind: "cut", effect: "after" }],
      ["half of the answer's body", { kind: "half-body" }],
    ])(`a ${method} call with an unknown outcome is settled by a repetition: %s`, async (_what, fault) => {
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
      await expectSameInTelegram(link);
      // An edit back to the old settings, or to other settings, settles the unknown outcome as well.
      await update({ id: back.id, name: back.name });
      await expectSameInTelegram(back);
      await update({ id: other.id, memberLimit: 9 });
      await expectSameInTelegram(other);
    });
  });

  test("an edit and a revocation wait for the end of a short hold", async () => {
    const patient = await startTestServer();
    const { data } = await patient.ask(CREATE, { input: { channelId: CHANNEL, name: "Patient" } });
    const { id } = data.result.inviteLink;
    const tooMany = { kind: "too-many-requests", retryAfter: 1 } as const;
    patient.sandbox.control.fail(tooMany, { method: "editChatInviteLink" });
    expect((await mutationCaller(UPDATE, () => patient)({ id, name: "Waited" })).inviteLink.name).toBe(
      "Waited",
    );
    patient.sandbox.control.fail(tooMany, { method: "revokeChatInviteLink" });
    expect((await mutationCaller(REVOKE, () => patient)({ id })).inviteLink.isRevoked).toBe(true);
    expect(patient.sandbox.control.calls("editChatInviteLink")).toHaveLength(2);
    expect(patient.sandbox.control.calls("revokeChatInviteLink")).toHaveLength(2);
    await patient.stop();
  });

  test("a hold that is longer than the deadline refuses an edit with a RateLimitedError and leaves no unconfirmed edit", async () => {
    const held = await startTestServer({ telegramTimeoutMs: 2000 });
    const { data } = await held.ask(CREATE, { input: { channelId: CHANNEL, name: "Held" } });
    const { id } = data.result.inviteLink;
    held.sandbox.control.fail({ kind: "too-many-requests", retryAfter: 5 }, { method: "editChatInviteLink" });
    const limited = { __typename: "RateLimitedError", retryAfterSeconds: expect.toBeOneOf([4, 5]) };
    expect(await mutationCaller(UPDATE, () => held)({ id, name: "Later" })).toMatchObject(limited);
    expect((await mutationCaller(REVOKE, () => held)({ id })).__typename).toBe("RateLimitedError");
    // An edit with the stored values needs no call to Telegram, so it succeeds during the hold.
    expect((await mutationCaller(UPDATE, () => held)({ id, name: "Held" })).__typename).toBe(
      "UpdateInviteLinkSuccess",
    );
    await held.stop();
  });

  test("an edit whose connection to Telegram was refused is not an unconfirmed edit", async () => {
    const alone = await startTestServer();
    const { data } = await alone.ask(CREATE, { input: { channelId: CHANNEL, name: "Alone" } });
    const { id } = data.result.inviteLink;
    await alone.sandbox.close();
    const refused = { __typename: "TelegramUnavailableError", outcomeUnknown: false };
    expect(await mutationCaller(UPDATE, () => alone)({ id, name: "x" })).toMatchObject(refused);
    expect(await mutationCaller(REVOKE, () => alone)({ id })).toMatchObject(refused);
    expect((await mutationCaller(UPDATE, () => alone)({ id, name: "Alone" })).inviteLink.name).toBe("Alone");
    await alone.stop();
  });

  test("the bot status is updated from Telegram's answer to each edit", async () => {
    const { control } = server.sandbox;
    const chatId = control.addChat({ type: "channel", title: "Watched" });
    const { id } = await create({ channelId: chatId });
    const botStatus = async () => (await read(id)).channel.botStatus;
    // Only the answers tell of it, not the updates, which would come at any time.
    const setBot = (status: Parameters<typeof control.setBot>[1]) => {
      control.loseUpdates();
      control.setBot(chatId, status);
    };
    setBot({ status: "administrator", can_invite_users: false });
    expect((await update({ id, name: "x" })).__typename).toBe("BotPermissionError");
    expect(await botStatus()).toBe("MISSING_PERMISSION");
    setBot({ status: "kicked" });
    expect((await revoke({ id })).__typename).toBe("BotNotInChannelError");
    expect(await botStatus()).toBe("NOT_IN_CHANNEL");
    setBot({ status: "administrator", can_invite_users: true });
    expect((await update({ id, name: "x" })).inviteLink.channel.botStatus).toBe("READY");
  });
});

describe("a chat migration before an edit", () => {
  test("an edit and a revocation follow a chat migration and keep the caller's grant", async () => {
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
    await expectSameInTelegram(first);
    await expectSameInTelegram(second);
  });
});

test("each edit in one operation sees the changes of the mutations before it", async () => {
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

describe("an edit during the drain", () => {
  const mutation = (name: string, input: string) =>
    `mutation { ${name}InviteLink(input: { ${input} }) { __typename } }`;

  test.each(["update", "revoke"])(
    "the result of %sInviteLink is stored during the drain although its client has left",
    async (what) => {
      const ending = await startTestServer();
      const { data } = await ending.ask(CREATE, { input: { channelId: CHANNEL, name: "To change" } });
      const { id } = data.result.inviteLink;
      const method = what === "update" ? "editChatInviteLink" : "revokeChatInviteLink";
      const release = ending.sandbox.control.hold({ method });
      const called = ending.sandbox.control.nextCall(method);
      const clientAbort = new AbortController();
      const answer = fetch(ending.url, {
        method: "POST",
        signal: clientAbort.signal,
        headers: { "content-type": "application/json", authorization: `Bearer ${ending.token}` },
        body: JSON.stringify({
          query: mutation(what, what === "update" ? `id: "${id}", name: "Left"` : `id: "${id}"`),
        }),
      });
      await called;
      clientAbort.abort();
      await expect(answer).rejects.toThrow();
      const before = ending.log.length;
      const stopped = ending.stop();
      release();
      await stopped;
      const statements = ending.log.slice(before).map(({ statement }) => statement);
      expect(statements).toEqual(expect.arrayContaining(["prisma_update_invite_link", "link_unlock"]));
      expect(ending.log.filter(({ level }) => level === "fatal")).toEqual([]);
    },
  );

  test("an edit is stored and answered during the drain while its client waits", async () => {
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
