import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { CHANNEL, GROUP, startTestServer, type TestServer } from "../../support/server.js";

let server: TestServer;
let editor: string;
let viewer: string;
/** An editor of another team's channel. */
let stranger: string;

beforeAll(async () => {
  server = await startTestServer();
  [editor, viewer, stranger] = await Promise.all([
    server.makeToken({ role: "EDITOR" }),
    server.makeToken({ role: "VIEWER", channelIds: [CHANNEL] }),
    server.makeToken({ role: "EDITOR", channelIds: [GROUP] }),
  ]);
});
afterAll(() => server?.stop());
beforeEach(() => server.sandbox.control.clearFaults());

interface Request {
  readonly id: string;
  readonly userId: number;
  readonly state: string;
  readonly bio: string | null;
  readonly requestedAt: string;
  readonly decidedAt: string | null;
  readonly inviteLink: { readonly id: string } | null;
}

const FIELDS = "id userId state bio requestedAt decidedAt inviteLink { id }";
const ERROR =
  "__typename code message ... on ValidationError { fieldErrors { field } } ... on TelegramUnavailableError { outcomeUnknown }";

/** Waits for what the server does by itself, such as storing an update. */
const eventually = <T>(look: () => Promise<T>) => expect.poll(look, { interval: 20 });

async function newLink(): Promise<{ id: string; url: string }> {
  const { data } = await server.ask(
    `mutation { createInviteLink(input: { channelId: ${CHANNEL}, name: "Private", createsJoinRequest: true }) {
      ... on CreateInviteLinkSuccess { inviteLink { id url } } ... on UserError { message } } }`,
  );
  const { inviteLink, message } = data.createInviteLink;
  if (!inviteLink) throw new Error(message);
  return inviteLink;
}

const requestsOf = async (linkId: string, more = ""): Promise<Request[]> => {
  const { data } = await server.ask(
    `query ($ids: [ID!]) { joinRequests(channelId: ${CHANNEL}, filter: { inviteLinkIds: $ids ${more} }, first: 100) {
      totalCount nodes { ${FIELDS} } } }`,
    { ids: [linkId] },
  );
  expect(data.joinRequests.totalCount).toBe(data.joinRequests.nodes.length);
  return data.joinRequests.nodes;
};

let person = 5_000_000_000;
/** People ask to join by a link. @returns their requests, the latest first, once they are stored */
async function ask(url: string, linkId: string, count: number): Promise<Request[]> {
  const before = (await requestsOf(linkId)).length;
  for (let number = 0; number < count; number += 1) {
    person += 1;
    const user = { id: person, is_bot: false, first_name: "Asker" };
    expect(server.sandbox.control.join(CHANNEL, user, { url })).toBe("requested");
  }
  await eventually(async () => (await requestsOf(linkId)).length).toBe(before + count);
  return (await requestsOf(linkId)).slice(0, count);
}

async function decide(ids: readonly string[], decision: string, token = editor) {
  const { data, errors } = await server.ask(
    `mutation ($input: DecideJoinRequestsInput!) { decideJoinRequests(input: $input) {
      __typename
      ... on DecideJoinRequestsSuccess { results { joinRequest { ${FIELDS} } error { ${ERROR} } } }
      ... on UserError { ${ERROR} } } }`,
    { input: { ids, decision } },
    token,
  );
  expect(errors).toBeUndefined();
  return data.decideJoinRequests;
}

const setPolicy = async (
  inviteLinkId: string,
  decider: string,
  approveAfterSeconds?: number,
  token = editor,
) => {
  const { data } = await server.ask(
    `mutation ($input: SetJoinRequestPolicyInput!) { setJoinRequestPolicy(input: $input) {
      __typename
      ... on SetJoinRequestPolicySuccess { inviteLink { joinRequestPolicy { decider approveAfterSeconds } } }
      ... on UserError { ${ERROR} } } }`,
    { input: { inviteLinkId, decider, ...(approveAfterSeconds !== undefined && { approveAfterSeconds }) } },
    token,
  );
  return data.setJoinRequestPolicy;
};

const statsOf = async (linkId: string) => {
  const { data } = await server.ask(
    `query ($id: ID!) { inviteLink(id: $id) { stats { joinCount joinRequestCount pendingJoinRequestCount } } }`,
    { id: linkId },
  );
  const { joinCount, joinRequestCount, pendingJoinRequestCount } = data.inviteLink.stats;
  return [joinCount, joinRequestCount, pendingJoinRequestCount];
};

const eventsOf = async (userId: number): Promise<string[]> => {
  const { data } = await server.ask(
    `query ($user: TelegramID!) { memberEvents(channelId: ${CHANNEL}, filter: { userId: $user }) { nodes { kind } } }`,
    { user: userId },
  );
  return data.memberEvents.nodes.map(({ kind }: { kind: string }) => kind);
};

const decisionCalls = (method: "approveChatJoinRequest" | "declineChatJoinRequest") =>
  server.sandbox.control.calls(method).length;

describe("deciding requests to join", () => {
  test("an approved person comes in, and the request, the counts and the events say so", async () => {
    const link = await newLink();
    const [request] = await ask(link.url, link.id, 1);
    if (!request) throw new Error("There is no request.");
    expect(request).toMatchObject({ state: "PENDING", decidedAt: null, inviteLink: { id: link.id } });
    const { results } = await decide([request.id], "APPROVE");
    expect(results).toMatchObject([
      { joinRequest: { id: request.id, state: "APPROVED", bio: null }, error: null },
    ]);
    expect(results[0].joinRequest.decidedAt).not.toBeNull();
    await eventually(() => statsOf(link.id)).toEqual([1, 1, 0]);
    expect(await eventsOf(request.userId)).toEqual(["JOINED", "JOIN_REQUESTED"]);
    expect((await requestsOf(link.id))[0]?.state).toBe("APPROVED");
  });

  test("a declined person stays out, and a member event tells of it", async () => {
    const link = await newLink();
    const [request] = await ask(link.url, link.id, 1);
    if (!request) throw new Error("There is no request.");
    const { results } = await decide([request.id], "DECLINE");
    expect(results).toMatchObject([{ joinRequest: { state: "DECLINED" }, error: null }]);
    expect(await statsOf(link.id)).toEqual([0, 1, 0]);
    expect(await eventsOf(request.userId)).toEqual(["JOIN_REQUEST_DECLINED", "JOIN_REQUESTED"]);
    // The person may ask again, and that is another request.
    server.sandbox.control.join(CHANNEL, { id: request.userId, is_bot: false, first_name: "A" }, link);
    await eventually(() => statsOf(link.id)).toEqual([0, 2, 1]);
    expect((await requestsOf(link.id)).map(({ state }) => state)).toEqual(["PENDING", "DECLINED"]);
  });

  test("deciding again as before calls Telegram no more, and deciding the other way is refused", async () => {
    const link = await newLink();
    const requests = await ask(link.url, link.id, 2);
    const [approved, declined] = requests.map(({ id }) => id) as [string, string];
    await decide([approved], "APPROVE");
    await decide([declined], "DECLINE");
    const calls = decisionCalls("approveChatJoinRequest");
    const { results } = await decide([approved, declined, approved], "APPROVE");
    expect(results.map(({ error }: { error: object | null }) => error)).toMatchObject([
      null,
      { code: "BAD_USER_INPUT", fieldErrors: [{ field: "ids.1" }] },
      null,
    ]);
    expect(decisionCalls("approveChatJoinRequest")).toBe(calls);
  });

  test("a hundred requests are decided at once, each exactly once, and all are stored", async () => {
    const link = await newLink();
    const requests = await ask(link.url, link.id, 100);
    const calls = decisionCalls("approveChatJoinRequest");
    const { results } = await decide(
      requests.map(({ id }) => id),
      "APPROVE",
    );
    expect(results.map(({ joinRequest }: { joinRequest: Request }) => joinRequest.id)).toEqual(
      requests.map(({ id }) => id),
    );
    expect(results.every(({ error }: { error: unknown }) => error === null)).toBe(true);
    expect(decisionCalls("approveChatJoinRequest") - calls).toBe(100);
    await eventually(() => statsOf(link.id)).toEqual([100, 100, 0]);
  });

  test("a request that was decided in Telegram or taken back is GONE", async () => {
    const link = await newLink();
    const [request] = await ask(link.url, link.id, 1);
    if (!request) throw new Error("There is no request.");
    server.sandbox.control.declineJoinRequest(CHANNEL, request.userId);
    const { results } = await decide([request.id], "APPROVE");
    expect(results).toMatchObject([{ joinRequest: { state: "GONE" }, error: { code: "NOT_FOUND" } }]);
    expect(await statsOf(link.id)).toEqual([0, 1, 0]);
    expect(await eventsOf(request.userId)).toEqual(["JOIN_REQUESTED"]);
  });

  test("a decline whose answer was lost counts as declined when it is repeated", async () => {
    const link = await newLink();
    const [request] = await ask(link.url, link.id, 1);
    if (!request) throw new Error("There is no request.");
    server.sandbox.control.fail({ kind: "cut", effect: "after" }, { method: "declineChatJoinRequest" });
    const first = await decide([request.id], "DECLINE");
    expect(first.results).toMatchObject([
      {
        joinRequest: { state: "PENDING" },
        error: {
          __typename: "TelegramUnavailableError",
          outcomeUnknown: false,
          message: expect.stringMatching(/does no harm/),
        },
      },
    ]);
    const second = await decide([request.id], "DECLINE");
    expect(second.results).toMatchObject([{ joinRequest: { state: "DECLINED" }, error: null }]);
  });

  test("a decline that Telegram refused does not count once the person has taken the request back", async () => {
    const link = await newLink();
    const [request] = await ask(link.url, link.id, 1);
    if (!request) throw new Error("There is no request.");
    server.sandbox.control.fail(
      {
        kind: "error",
        error_code: 400,
        description: "Bad Request: not enough rights to manage chat join requests",
      },
      { method: "declineChatJoinRequest" },
    );
    const first = await decide([request.id], "DECLINE");
    expect(first.results).toMatchObject([
      { joinRequest: { state: "PENDING" }, error: { code: "BOT_PERMISSION_MISSING" } },
    ]);
    server.sandbox.control.declineJoinRequest(CHANNEL, request.userId);
    const second = await decide([request.id], "DECLINE");
    expect(second.results).toMatchObject([{ joinRequest: { state: "GONE" }, error: { code: "NOT_FOUND" } }]);
    expect(await eventsOf(request.userId)).toEqual(["JOIN_REQUESTED"]);
  });

  test("a decline whose answer was lost counts as declined when the request is approved after it", async () => {
    const [manual, automatic] = [await newLink(), await newLink()];
    for (const link of [manual, automatic]) {
      const [request] = await ask(link.url, link.id, 1);
      if (!request) throw new Error("There is no request.");
      server.sandbox.control.fail({ kind: "cut", effect: "after" }, { method: "declineChatJoinRequest" });
      await decide([request.id], "DECLINE");
      // An approval whose answer is lost as well does not hide the decline.
      server.sandbox.control.fail({ kind: "cut", effect: "before" }, { method: "approveChatJoinRequest" });
      if (link === manual) {
        await decide([request.id], "APPROVE");
        expect((await decide([request.id], "APPROVE")).results).toMatchObject([
          { joinRequest: { state: "DECLINED" }, error: { code: "BAD_USER_INPUT" } },
        ]);
      } else {
        server.sandbox.control.clearFaults();
        await setPolicy(link.id, "AUTOMATIC", 0);
        await eventually(async () => (await requestsOf(link.id))[0]?.state).toBe("DECLINED");
      }
      expect(await eventsOf(request.userId)).toEqual(["JOIN_REQUEST_DECLINED", "JOIN_REQUESTED"]);
    }
  });

  test("the requests of a group that has become a supergroup are decided with one look at its new id", async () => {
    const { control } = server.sandbox;
    const group = control.addChat({ type: "group", title: "Growing" });
    const { data } = await server.ask(
      `mutation { createInviteLink(input: { channelId: ${group}, name: "Private", createsJoinRequest: true }) {
        ... on CreateInviteLinkSuccess { inviteLink { url } } } }`,
    );
    for (let number = 1; number <= 30; number += 1)
      control.join(
        group,
        { id: 6_000_000_000 + number, is_bot: false, first_name: "A" },
        data.createInviteLink.inviteLink,
      );
    const pending = async (): Promise<Request[]> => {
      const list = await server.ask(
        `{ joinRequests(channelId: ${group}, first: 100) { nodes { ${FIELDS} } } }`,
      );
      return list.data.joinRequests.nodes;
    };
    await eventually(pending).toHaveLength(30);
    const requests = await pending();
    control.upgrade(group);
    const calls = decisionCalls("approveChatJoinRequest");
    const { results } = await decide(
      requests.map(({ id }) => id),
      "APPROVE",
    );
    expect(new Set(results.map((result: { joinRequest: Request }) => result.joinRequest.state))).toEqual(
      new Set(["APPROVED"]),
    );
    // Those that were on their way together were sent with the former id.
    expect(decisionCalls("approveChatJoinRequest") - calls).toBeLessThanOrEqual(35);
  });

  test("a bot without the right is told once, and Telegram is not asked for each request", async () => {
    const link = await newLink();
    const requests = await ask(link.url, link.id, 30);
    const { control } = server.sandbox;
    control.setBot(CHANNEL, { status: "administrator", can_invite_users: false });
    const calls = decisionCalls("approveChatJoinRequest");
    const { results } = await decide(
      requests.map(({ id }) => id),
      "APPROVE",
    );
    expect(new Set(results.map(({ error }: { error: { code: string } }) => error.code))).toEqual(
      new Set(["BOT_PERMISSION_MISSING"]),
    );
    expect(decisionCalls("approveChatJoinRequest") - calls).toBeLessThanOrEqual(5);
    control.setBot(CHANNEL, { status: "administrator", can_invite_users: true });
    const again = await decide(
      requests.map(({ id }) => id),
      "DECLINE",
    );
    expect(again.results.every(({ error }: { error: unknown }) => error === null)).toBe(true);
  });

  test("of two callers who decide differently at once, Telegram hears one, and both are told what holds", async () => {
    const link = await newLink();
    const requests = await ask(link.url, link.id, 20);
    const ids = requests.map(({ id }) => id);
    const [approving, declining] = await Promise.all([
      decide(ids, "APPROVE"),
      decide([...ids].reverse(), "DECLINE"),
    ]);
    const stored = await requestsOf(link.id);
    const states = new Map(stored.map(({ id, state }) => [id, state]));
    for (const [{ results }, wanted] of [
      [approving, "APPROVED"],
      [declining, "DECLINED"],
    ]) {
      for (const { joinRequest, error } of results) {
        const state = states.get(joinRequest.id);
        expect(["APPROVED", "DECLINED"]).toContain(state);
        expect(error === null).toBe(state === wanted);
      }
    }
    const inside = server.sandbox.control.members(CHANNEL).map(({ user }) => user.id);
    for (const { userId, state } of stored) expect(inside.includes(userId)).toBe(state === "APPROVED");
  });

  test("the request of an erased person is GONE without a call to Telegram", async () => {
    const link = await newLink();
    const [request] = await ask(link.url, link.id, 1);
    await server.ask(`mutation ($id: TelegramID!) { eraseMember(input: { userId: $id }) { __typename } }`, {
      id: request?.userId,
    });
    const calls = decisionCalls("approveChatJoinRequest");
    const { results } = await decide([request?.id ?? ""], "APPROVE");
    expect(results).toMatchObject([{ joinRequest: { state: "GONE" }, error: { code: "NOT_FOUND" } }]);
    expect(results[0].joinRequest.userId).toBeLessThan(0);
    expect(decisionCalls("approveChatJoinRequest")).toBe(calls);
  });

  test("who may not decide is refused, and another team's requests do not exist", async () => {
    const link = await newLink();
    const [request] = await ask(link.url, link.id, 1);
    const id = request?.id ?? "";
    expect(await decide([id], "APPROVE", viewer)).toMatchObject({ __typename: "ForbiddenError" });
    expect(await decide([id], "APPROVE", stranger)).toMatchObject({ __typename: "NotFoundError" });
    const node = (token: string) => server.ask("query ($id: ID!) { node(id: $id) { id } }", { id }, token);
    expect((await node(viewer)).data.node).toEqual({ id });
    expect((await node(stranger)).data.node).toBeNull();
    const { errors } = await server.ask(
      `{ joinRequests(channelId: ${CHANNEL}) { nodes { id } } }`,
      {},
      stranger,
    );
    expect(errors?.[0]?.extensions.code).toBe("FORBIDDEN");
    expect((await requestsOf(link.id))[0]?.state).toBe("PENDING");
  });

  test("a list of more than a hundred, an id of another type and an unknown one are refused", async () => {
    const link = await newLink();
    expect(await decide(Array(101).fill(link.id), "APPROVE")).toMatchObject({
      fieldErrors: [{ field: "ids" }],
    });
    expect(await decide([link.id], "APPROVE")).toMatchObject({ fieldErrors: [{ field: "ids.0" }] });
    expect(await decide(["01991000-0000-7000-8000-000000000099"], "APPROVE")).toMatchObject({
      __typename: "NotFoundError",
    });
    expect(await decide([], "APPROVE")).toMatchObject({ results: [] });
  });
});

describe("a link whose requests the server approves", () => {
  test("lets people in after their time, those who were waiting already included", async () => {
    const link = await newLink();
    await ask(link.url, link.id, 2);
    expect(await setPolicy(link.id, "AUTOMATIC", 1)).toEqual({
      __typename: "SetJoinRequestPolicySuccess",
      inviteLink: { joinRequestPolicy: { decider: "AUTOMATIC", approveAfterSeconds: 1 } },
    });
    await eventually(() => statsOf(link.id)).toEqual([2, 2, 0]);
    await ask(link.url, link.id, 1);
    await eventually(() => statsOf(link.id)).toEqual([3, 3, 0]);
    const [latest] = await requestsOf(link.id);
    const waited = Date.parse(latest?.decidedAt ?? "") - Date.parse(latest?.requestedAt ?? "");
    expect(waited).toBeGreaterThanOrEqual(1000);
    expect(await setPolicy(link.id, "PEOPLE")).toMatchObject({
      inviteLink: { joinRequestPolicy: { decider: "PEOPLE", approveAfterSeconds: null } },
    });
  });

  test("waits while the bot lacks the right, and goes on with it", async () => {
    const link = await newLink();
    const { control } = server.sandbox;
    const [request] = await ask(link.url, link.id, 1);
    const refused = control.nextCall("approveChatJoinRequest");
    control.fail(
      {
        kind: "error",
        error_code: 400,
        description: "Bad Request: not enough rights to manage chat join requests",
      },
      { method: "approveChatJoinRequest" },
    );
    await setPolicy(link.id, "AUTOMATIC", 0);
    await refused;
    expect((await requestsOf(link.id))[0]).toMatchObject({ id: request?.id, state: "PENDING" });
    await eventually(() => statsOf(link.id)).toEqual([1, 1, 0]);
  });

  test("a query of Telegram's is answered in time: approved where the server decides at once, else queued", async () => {
    const { control } = server.sandbox;
    const [atOnce, later] = [await newLink(), await newLink()];
    await setPolicy(atOnce.id, "AUTOMATIC", 0);
    await setPolicy(later.id, "AUTOMATIC", 3600);
    const results: unknown[] = [];
    for (const { url } of [atOnce, later]) {
      const answered = control.nextCall("answerChatJoinRequestQuery");
      person += 1;
      control.join(CHANNEL, { id: person, is_bot: false, first_name: "Q" }, { url, asksBot: true });
      results.push((await answered).parameters["result"]);
    }
    expect(results).toEqual(["approve", "queue"]);
    await eventually(() => statsOf(atOnce.id)).toEqual([1, 1, 0]);
    await eventually(() => statsOf(later.id)).toEqual([0, 1, 1]);
  });

  test.each([
    ["AUTOMATIC without a time", "AUTOMATIC", undefined, "approveAfterSeconds"],
    ["AUTOMATIC before the request", "AUTOMATIC", -1, "approveAfterSeconds"],
    ["AUTOMATIC after more than a week", "AUTOMATIC", 604_801, "approveAfterSeconds"],
    ["PEOPLE with a time", "PEOPLE", 5, "approveAfterSeconds"],
  ])("%s is refused", async (_title, decider, seconds, field) => {
    const link = await newLink();
    expect(await setPolicy(link.id, decider, seconds)).toMatchObject({ fieldErrors: [{ field }] });
  });

  test("only a link of the bot that asks for approval can have its requests approved by the server", async () => {
    const { data } = await server.ask(
      `mutation { createInviteLink(input: { channelId: ${CHANNEL}, name: "Open" }) {
        ... on CreateInviteLinkSuccess { inviteLink { id } } } }`,
    );
    expect(await setPolicy(data.createInviteLink.inviteLink.id, "AUTOMATIC", 0)).toMatchObject({
      fieldErrors: [{ field: "inviteLinkId" }],
    });
    expect(await setPolicy((await newLink()).id, "AUTOMATIC", 0, viewer)).toMatchObject({
      __typename: "ForbiddenError",
    });
    expect(await setPolicy((await newLink()).id, "AUTOMATIC", 0, stranger)).toMatchObject({
      __typename: "NotFoundError",
    });
  });
});
