import { mkdtemp, rename, rm } from "node:fs/promises";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type App, BotTokenRefusedError, startApp } from "../../src/app.js";
import { readConfig } from "../../src/config.js";
import { createLog } from "../../src/log.js";
import { type Sandbox, startSandbox } from "../../src/sandbox/sandbox.js";
import { ALL_FORMS, type DatabaseForm, describeOnForms, prepareTestDatabase } from "../support/databases.js";
import type { LogLine } from "../support/server.js";

const [NEWS, TALK, OTHER] = [-1001111111111, -1002222222222, -1003333333333];
const BOT = { id: 123456789, token: "123456789:AA-secret-of-the-bot", username: "a_bot", firstName: "A" };
const ADMIN_TOKEN = "an-admin-token-of-the-tests";

const CREATE = `mutation ($input: CreateInviteLinkInput!) {
  result: createInviteLink(input: $input) {
    __typename
    ... on CreateInviteLinkSuccess { inviteLink { id } }
    ... on RateLimitedError { retryAfterSeconds }
    ... on TelegramUnavailableError { outcomeUnknown }
  }
}`;
const CHANGE = (
  mutation: string,
) => `mutation ($input: ${mutation[0]?.toUpperCase()}${mutation.slice(1)}Input!) {
  result: ${mutation}(input: $input) {
    __typename ... on RateLimitedError { retryAfterSeconds } ... on UserError { code }
  }
}`;
const SUCCESS = { __typename: "CreateInviteLinkSuccess" };

let closers: (() => Promise<unknown>)[];
let log: LogLine[];
beforeEach(() => {
  closers = [];
  log = [];
});
afterEach(async () => {
  for (const close of closers.reverse()) await close();
});

async function startTelegram(): Promise<Sandbox> {
  const telegram = await startSandbox({
    bot: BOT,
    initial: {
      chats: [NEWS, TALK, OTHER].map((id) => ({ id, type: "channel" as const, title: `Channel ${id}` })),
    },
  });
  closers.push(() => telegram.close());
  return telegram;
}

/** A database for several servers: one after the other or, on a PostgreSQL server, at the same time. */
async function prepare(form: DatabaseForm) {
  const database = await prepareTestDatabase(form);
  const dataDir = await mkdtemp(join(tmpdir(), "invite-links-data-"));
  if (database.dataDir !== null) await rename(database.dataDir, join(dataDir, "live"));
  closers.push(async () => {
    await database.remove();
    await rm(dataDir, { recursive: true, force: true });
  });
  return async (apiRoot: string) => {
    const config = readConfig({
      PORT: "0",
      DATA_DIR: dataDir,
      TELEGRAM_BOT_TOKEN: BOT.token,
      TELEGRAM_API_ROOT: apiRoot,
      TELEGRAM_TIMEOUT_MS: "10000",
      ADMIN_TOKEN,
      ...(database.url === null ? {} : { DATABASE_URL: database.url }),
    });
    const logger = createLog({
      level: "info",
      format: null,
      secrets: [],
      write: (line) => log.push(JSON.parse(line) as LogLine),
    });
    const app = await startApp(config, logger);
    let isStopped = false;
    const stop = async () => {
      if (isStopped) return;
      isStopped = true;
      await app.stop();
    };
    closers.push(stop);
    return serverOf(app, stop);
  };
}

function serverOf({ url }: App, stop: () => Promise<void>) {
  const ask = async (query: string, input: object) => {
    const response = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${ADMIN_TOKEN}` },
      body: JSON.stringify({ query, variables: { input } }),
    });
    const { data, errors } = (await response.json()) as {
      data: { result: { __typename: string; retryAfterSeconds?: number; inviteLink?: { id: string } } };
      errors?: unknown;
    };
    if (errors) throw new Error(JSON.stringify(errors));
    return data.result;
  };
  const get = (path: string) => fetch(new URL(path, url));
  return {
    stop,
    ask,
    create: (channelId: number, input: object = {}) => ask(CREATE, { channelId, name: "A link", ...input }),
    connect: (chat: number) => ask(CHANGE("connectChannel"), { chat: String(chat) }),
    ready: async () =>
      (await (await get("/readyz")).json()) as {
        telegram: string;
        updates: { holds: { scope: string; method: string | null; seconds: number }[] };
      },
    metrics: async () => (await get("/metrics")).text(),
  };
}

const limited = (least: number, most: number) => ({
  __typename: "RateLimitedError",
  retryAfterSeconds: expect.toSatisfy((seconds: number) => seconds >= least && seconds <= most),
});
const between = (least: number, most: number) =>
  expect.toSatisfy((seconds: number) => seconds >= least && seconds <= most);
const METHOD = "createChatInviteLink";

await describeOnForms("a long 429 on one server", ALL_FORMS, (form) => {
  test("holds only its method in its chat, even after a restart", async () => {
    const telegram = await startTelegram();
    const { control } = telegram;
    const start = await prepare(form);
    let server = await start(telegram.apiRoot);
    const leaked = await server.create(NEWS);
    expect(leaked).toMatchObject(SUCCESS);

    control.fail({ kind: "too-many-requests", retryAfter: 600 }, { method: METHOD, chatId: NEWS });
    expect(await server.create(NEWS, { idempotencyKey: "k" })).toMatchObject(limited(500, 600));
    const calls = control.calls(METHOD).length;
    expect(await server.create(NEWS, { idempotencyKey: "k" })).toMatchObject(limited(500, 600));
    const holds = [{ scope: "chat", method: METHOD, seconds: between(500, 600) }];
    expect((await server.ready()).updates.holds).toEqual(holds);
    expect(await server.metrics()).toMatch(
      /^invite_links_telegram_hold_seconds\{scope="chat",method="createChatInviteLink"\} [56]\d\d$/m,
    );

    await server.stop();
    server = await start(telegram.apiRoot);
    expect((await server.ready()).updates.holds).toEqual(holds);
    expect(await server.create(NEWS, { idempotencyKey: "k" })).toMatchObject(limited(500, 600));
    expect(control.calls(METHOD)).toHaveLength(calls);
    // Another channel takes the key that the refused request leaves free.
    expect(await server.create(TALK, { idempotencyKey: "k" })).toMatchObject(SUCCESS);
    const id = leaked.inviteLink?.id;
    expect((await server.ask(CHANGE("updateInviteLink"), { id, name: "Renamed" })).__typename).toBe(
      "UpdateInviteLinkSuccess",
    );
    expect((await server.ask(CHANGE("revokeInviteLink"), { id })).__typename).toBe("RevokeInviteLinkSuccess");
    expect(control.links(NEWS)[0]?.isRevoked).toBe(true);
    expect((await server.connect(NEWS)).__typename).toBe("ConnectChannelSuccess");
  });
});

await describeOnForms("two servers on one database", ["server"], (form) => {
  async function startTwo() {
    const telegram = await startTelegram();
    const start = await prepare(form);
    const [one, other] = [await start(telegram.apiRoot), await start(telegram.apiRoot)];
    for (const chat of [NEWS, TALK, OTHER]) expect(await one.create(chat)).toMatchObject(SUCCESS);
    const calls = (method: string) => telegram.control.calls(method).length;
    const fail = (method: string, chatId: number | undefined, retryAfter: number) =>
      telegram.control.fail(
        { kind: "too-many-requests", retryAfter },
        { method, ...(chatId !== undefined && { chatId }) },
      );
    return { one, other, calls, fail };
  }

  test("hold back at once the calls that a 429 of the other concerns", async () => {
    const { one, other, calls, fail } = await startTwo();
    fail(METHOD, NEWS, 300);
    expect(await one.create(NEWS)).toMatchObject(limited(200, 300));
    const before = calls(METHOD);
    expect(await other.create(NEWS, { idempotencyKey: "k" })).toMatchObject(limited(200, 300));
    expect(calls(METHOD)).toBe(before);
    expect((await other.ready()).updates.holds).toEqual([
      { scope: "chat", method: METHOD, seconds: between(200, 300) },
    ]);
    expect(await other.create(TALK)).toMatchObject(SUCCESS);

    // A 429 in a second chat on the other server: the method is held in all chats for the longest wait.
    fail(METHOD, TALK, 100);
    expect(await other.create(TALK)).toMatchObject(limited(200, 300));
    const creations = calls(METHOD);
    expect(await one.create(OTHER)).toMatchObject(limited(200, 300));
    expect(await other.create(OTHER)).toMatchObject(limited(200, 300));
    expect(calls(METHOD)).toBe(creations);
    expect((await one.ready()).updates.holds).toContainEqual({
      scope: "method",
      method: METHOD,
      seconds: between(200, 300),
    });
    expect((await one.connect(OTHER)).__typename).toBe("ConnectChannelSuccess");

    // A 429 to a second method: all calls of the bot are held.
    fail("getChat", OTHER, 60);
    expect(await one.connect(OTHER)).toMatchObject(limited(200, 300));
    const asked = calls("getChat");
    expect(await other.connect(NEWS)).toMatchObject(limited(200, 300));
    expect(calls("getChat")).toBe(asked);
    expect((await other.ready()).updates.holds).toContainEqual({
      scope: "bot",
      method: null,
      seconds: between(200, 300),
    });
  });

  test("both wait for the end of a short 429 of either", async () => {
    const { one, other, calls, fail } = await startTwo();
    const before = calls(METHOD);
    fail(METHOD, NEWS, 5);
    const first = one.create(NEWS);
    await expect
      .poll(async () => (await other.ready()).updates.holds, { timeout: 4000 })
      .toEqual([{ scope: "bot", method: null, seconds: between(1, 5) }]);
    const held = other.create(TALK);
    expect([await first, await held]).toMatchObject([SUCCESS, SUCCESS]);
    expect(calls(METHOD)).toBe(before + 3);
    expect((await one.ready()).updates.holds).toEqual([]);
  });
});

test.each([
  [
    "a JSON 404",
    404,
    '{"ok":false,"error_code":404,"description":"Not Found"}',
    /^TELEGRAM_BOT_TOKEN or TELEGRAM_API_ROOT: the address answers 404 [^\n]*$/,
  ],
  [
    "an HTML 404",
    404,
    "<html>nothing here</html>",
    /^TELEGRAM_BOT_TOKEN or TELEGRAM_API_ROOT: the address answers 404 [^\n]*$/,
  ],
])(
  "the server does not start, and says why in one line, when getMe is answered with %s",
  async (_what, status, body, line) => {
    const start = await prepare("embedded");
    const error = await start(await startStub((response) => response.writeHead(status).end(body))).then(
      () => null,
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(BotTokenRefusedError);
    expect((error as Error).message).toMatch(line);
    expect(JSON.stringify([log, (error as Error).message])).not.toContain("secret-of-the-bot");
  },
);

test("a 404 counts as a refused token until a call succeeds", async () => {
  const telegram = await startTelegram();
  const start = await prepare("embedded");
  const server = await start(telegram.apiRoot);
  expect((await server.ready()).telegram).toBe("ok");
  expect(await server.create(NEWS)).toMatchObject(SUCCESS);
  const notFound = { kind: "error", error_code: 404, description: "Not Found" } as const;
  telegram.control.fail(notFound, { method: METHOD });
  expect(await server.create(NEWS, { idempotencyKey: "k" })).toMatchObject({
    __typename: "TelegramUnavailableError",
    outcomeUnknown: false,
  });
  expect((await server.ready()).telegram).toBe("unauthorized");
  expect(await server.metrics()).toContain('invite_links_telegram_state{state="unauthorized"} 1');
  expect(log.filter(({ level }) => level === "error")).toHaveLength(1);
  // An answer of an unknown server.
  telegram.control.fail(
    { kind: "error", error_code: 400, description: "Bad Request: chat not found" },
    { method: METHOD },
  );
  expect((await server.create(NEWS)).__typename).toBe("BotNotInChannelError");
  expect((await server.ready()).telegram).toBe("unauthorized");
  expect(await server.create(NEWS, { idempotencyKey: "k" })).toMatchObject(SUCCESS);
  expect((await server.ready()).telegram).toBe("ok");
});

/** Starts a server that gives every request the same answer. @returns its address. */
async function startStub(respond: (response: ServerResponse) => void): Promise<string> {
  const stub = createServer((request, response) => {
    request.resume();
    request.on("end", () => respond(response));
  });
  await new Promise<void>((resolve) => stub.listen(0, "127.0.0.1", resolve));
  closers.push(async () => {
    stub.closeAllConnections();
    stub.close();
  });
  return `http://127.0.0.1:${(stub.address() as AddressInfo).port}`;
}
