import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { CHANNEL, GROUP, startTestServer, type TestServer } from "../support/server.js";

const CREATE = `mutation ($input: CreateInviteLinkInput!) {
  createInviteLink(input: $input) {
    __typename
    ... on UserError { code message }
    ... on TelegramUnavailableError { outcomeUnknown }
    ... on RateLimitedError { retryAfterSeconds }
  }
}`;
const METHOD = "createChatInviteLink";
const SUCCESS = { __typename: "CreateInviteLinkSuccess" };

let server: TestServer;
const start = async (telegramTimeoutMs = 10_000) => {
  server = await startTestServer({ telegramTimeoutMs });
};
beforeEach(() => {
  expect.hasAssertions();
});
afterEach(async () => {
  expect(server.log.filter(({ level }) => level === "error" || level === "fatal")).toEqual([]);
  await server.stop();
});

const eventually = <T>(look: () => T) => expect.poll(look, { interval: 10 });
const inputOf = (input: object) => ({ channelId: CHANNEL, name: "A link", ...input });
const create = async (input: object = {}) => {
  const { data, errors } = await server.ask(CREATE, { input: inputOf(input) });
  if (errors) throw new Error(JSON.stringify(errors));
  return data.createInviteLink;
};
/** A client that can abort its request. */
function leavingClient(query: string, variables: object = {}) {
  const leaving = new AbortController();
  const answer = fetch(server.url, {
    method: "POST",
    signal: leaving.signal,
    headers: { "content-type": "application/json", authorization: `Bearer ${server.token}` },
    body: JSON.stringify({ query, variables }),
  });
  return async () => {
    leaving.abort();
    await expect(answer).rejects.toThrow("abort");
  };
}
const calls = () => server.sandbox.control.calls(METHOD);
const namesCalled = () => calls().map(({ parameters }) => parameters["name"]);
const statements = (...names: string[]) =>
  server.log.filter(({ msg, statement }) => msg === "sql" && names.includes(String(statement))).length;
/** The number of stored creation intents: their calls wait for a slot or for Telegram. */
const prepared = () => statements("link_creation_insert");
const tooMany = (retryAfter: number) =>
  server.sandbox.control.fail({ kind: "too-many-requests", retryAfter }, { method: METHOD });
const heard429 = () =>
  eventually(() =>
    server.log.some(({ failure }) => (failure as { kind?: string } | null)?.kind === "tooManyRequests"),
  ).toBe(true);

describe("a 429 to a creation", () => {
  test("of five seconds delays another channel's creation, and both succeed", async () => {
    await start();
    tooMany(5);
    const first = create();
    await heard429();
    const other = create({ channelId: GROUP, name: "Other" });
    await eventually(prepared).toBe(2);
    expect(namesCalled()).toEqual(["A link"]);
    const read = await server.ask(`{ inviteLinks(channelId: ${GROUP}) { totalCount } }`);
    expect([read.errors, namesCalled()]).toEqual([undefined, ["A link"]]);
    expect(await Promise.all([first, other])).toEqual([SUCCESS, SUCCESS]);
    expect(namesCalled().sort()).toEqual(["A link", "A link", "Other"]);
  });

  test("of a minute is answered at once in its channel, keeps the key free, and does not concern other channels", async () => {
    await start();
    tooMany(60);
    const limited = {
      __typename: "RateLimitedError",
      code: "RATE_LIMITED",
      message: expect.stringMatching(/^Telegram or this server asks to wait \d+ s/),
      retryAfterSeconds: expect.toSatisfy((seconds: number) => seconds > 30 && seconds <= 60),
    };
    expect(await create({ idempotencyKey: "k" })).toEqual(limited);
    expect(await create({ idempotencyKey: "k", name: "Else" })).toEqual(limited);
    expect(calls()).toHaveLength(1);
    const other = await create({ channelId: GROUP, idempotencyKey: "k" });
    expect(other).toEqual(SUCCESS);
    expect(calls()).toHaveLength(2);
    const connect = `mutation { connectChannel(input: { chat: "${CHANNEL}" }) { __typename } }`;
    expect((await server.ask(connect)).data.connectChannel.__typename).toBe("ConnectChannelSuccess");
  });

  test("also ends the wait of a call with the same key", async () => {
    await start();
    tooMany(2);
    tooMany(60);
    const first = create();
    await heard429();
    const withKey = Array.from({ length: 3 }, () => create({ name: "Keyed", idempotencyKey: "k" }));
    const answers = await Promise.all([first, ...withKey]);
    expect(answers.map(({ __typename }) => __typename)).toEqual(Array(4).fill("RateLimitedError"));
    // The second call is the keyed one if the first one has stored its 429 only after the two seconds.
    expect(calls()).toHaveLength(2);
  });
});

test("many creations in one channel do not delay another channel's", async () => {
  await start();
  const release = server.sandbox.control.hold({ method: METHOD, times: 10 });
  const busy = Array.from({ length: 30 }, (_one, index) => create({ name: `Busy ${index}` }));
  await eventually(prepared).toBe(30);
  await eventually(() => calls().length).toBe(10);
  const calm = create({ channelId: GROUP, name: "Calm" });
  await eventually(prepared).toBe(31);
  release();
  await Promise.all([...busy, calm]);
  // The call is among the ten that begin when the first ten have ended, in any order.
  expect(namesCalled().indexOf("Calm")).toBeLessThan(20);
  expect(calls()).toHaveLength(31);
});

describe("a client that hangs up", () => {
  test("while its creation waits leaves no call, link or key behind", async () => {
    await start();
    tooMany(5);
    const first = create();
    await heard429();
    const hangUp = leavingClient(CREATE, { input: inputOf({ name: "Gone", idempotencyKey: "k" }) });
    await eventually(prepared).toBe(2);
    await hangUp();
    expect(await first).toEqual(SUCCESS);
    expect(await create({ name: "Another", idempotencyKey: "k" })).toEqual(SUCCESS);
    expect(namesCalled()).toEqual(["A link", "A link", "Another"]);
    expect(server.sandbox.control.links(CHANNEL).map(({ name }) => name)).not.toContain("Gone");
    expect((await server.ask("{ channel(telegramId: -1001234567890) { botStatus } }")).data.channel).toEqual({
      botStatus: "READY",
    });
  });

  test("during the first of several mutations lets that one finish, and no other begins", async () => {
    await start();
    const { control } = server.sandbox;
    const release = control.hold({ method: METHOD });
    const called = control.nextCall(METHOD);
    const link = (name: string) =>
      `createInviteLink(input: { channelId: ${CHANNEL}, name: "${name}" }) { __typename }`;
    const hangUp = leavingClient(`mutation { a: ${link("Sent")} b: ${link("Not sent")} }`);
    await called;
    await hangUp();
    release();
    await eventually(prepared).toBe(2);
    // The first mutation was sent and answered, the second failed.
    await eventually(() =>
      statements("link_creation_move", "link_creation_answer", "prisma_update_link_creation"),
    ).toBe(3);
    expect(namesCalled()).toEqual(["Sent"]);
    const { data } = await server.ask(
      `{ inviteLinks(channelId: ${CHANNEL}, first: 1, orderBy: { field: CREATED_AT, direction: DESC }) { nodes { name } } }`,
    );
    expect(data.inviteLinks.nodes).toEqual([{ name: "Sent" }]);
  });
});

test("while Telegram hangs, reads work and creations fail fast, until Telegram answers again", async () => {
  await start(4000);
  const { control } = server.sandbox;
  control.fail({ kind: "hang", effect: "before" }, { times: Number.POSITIVE_INFINITY });
  const unavailable = { __typename: "TelegramUnavailableError" };
  for (let index = 0; index < 3; index += 1) {
    expect(await create()).toMatchObject({ ...unavailable, outcomeUnknown: true });
  }
  const before = calls().length;
  const together = Array.from({ length: 20 }, (_one, index) => create({ idempotencyKey: `k${index}` }));
  const read = await server.ask(`{ inviteLinks(channelId: ${CHANNEL}) { totalCount } tagTypes { name } }`);
  expect(read.errors).toBeUndefined();
  for (const answer of await Promise.all(together)) {
    expect(answer).toMatchObject({ ...unavailable, outcomeUnknown: false });
  }
  expect(calls()).toHaveLength(before);
  const readiness = await fetch(`${server.origin}/readyz`);
  expect(await readiness.json()).toMatchObject({ telegram: "unreachable" });
  control.clearFaults();
  expect(await create({ idempotencyKey: "k7", name: "Again" })).toEqual(SUCCESS);
  expect(await (await fetch(`${server.origin}/readyz`)).json()).toMatchObject({ telegram: "sandbox" });
});
