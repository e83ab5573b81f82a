import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { TelegramCallError } from "../../src/telegram/failures.js";
import { type CallEvent, TelegramGateway } from "../../src/telegram/gateway.js";

const TOKEN = "123456:AA-secret";
const CHAT = -1001;

let respond: (request: IncomingMessage, response: ServerResponse) => void;
let requests: string[];
const api = createServer((request, response) => {
  requests.push(`${request.method} ${request.url}`);
  request.resume();
  request.on("end", () => respond(request, response));
});
beforeAll(async () => {
  api.listen(0, "127.0.0.1");
  await once(api, "listening");
});
afterAll(() => {
  api.closeAllConnections();
  api.close();
});

const events: CallEvent[] = [];
function gateway({ timeoutMs = 60_000, path = "" } = {}) {
  requests = [];
  events.length = 0;
  const { port } = api.address() as AddressInfo;
  return new TelegramGateway({
    token: TOKEN,
    botId: 123456,
    apiRoot: `http://127.0.0.1:${port}${path}`,
    timeoutMs,
    onCall: (event) => events.push(event),
  });
}
const answering = (result: unknown) => {
  respond = (_request, response) => response.end(JSON.stringify({ ok: true, result }));
};
const settings = { name: "n", createsJoinRequest: false, expireDate: null, memberLimit: null };
/** An observer that does nothing. */
const observer = { beforeSend: async () => {}, rateLimited: async () => {} };

const create = (telegram: TelegramGateway) =>
  telegram.createInviteLink(CHAT, settings, telegram.deadline(), observer);
const failure = async (call: Promise<unknown>) => {
  const error = await call.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(TelegramCallError);
  expect(JSON.stringify([error, events])).not.toContain("AA-secret");
  return (error as TelegramCallError).failure;
};
const url = "https://t.me/+abc";

describe("a created link", () => {
  test.each([
    ["no more than its address", {}, {}],
    ["a name with NUL and half a character", { name: "a\0\ud800" }, { name: "a \ufffd" }],
    ["a name of a megabyte", { name: "x".repeat(2 ** 20) }, { name: "x".repeat(255) }],
    ["nulls", { name: null, creator: null, member_limit: null, expire_date: null }, {}],
    ["numbers that are none", { member_limit: -1, expire_date: 1e300, creator: { id: 2 ** 60 } }, {}],
    ["a limit beyond a column", { member_limit: 3e9 }, {}],
  ])("is read from an answer with %s", async (_what, fields, expected) => {
    answering({ invite_link: url, ...fields });
    expect(await create(gateway())).toEqual({ invite_link: url, ...expected });
  });

  test.each([
    null,
    "text",
    [],
    {},
    { invite_link: 5 },
    { invite_link: "" },
    { invite_link: "no address" },
    { invite_link: "javascript:alert(1)" },
    { invite_link: `https://t.me/${"x".repeat(3000)}` },
  ])("has an unknown outcome, which is logged, for the answer %j", async (result) => {
    answering(result);
    expect(await failure(create(gateway()))).toMatchObject({ kind: "unavailable", carriedOut: "maybe" });
    expect(events).toEqual([expect.objectContaining({ answer: result })]);
  });
});

describe("a changed link", () => {
  const other = "https://t.me/+other";
  const edit = (telegram: TelegramGateway) =>
    telegram.editInviteLink(CHAT, url, settings, telegram.deadline(), observer);
  const rename = (telegram: TelegramGateway) =>
    telegram.editSubscriptionInviteLink(CHAT, url, "n", telegram.deadline(), observer);
  const revoke = (telegram: TelegramGateway) =>
    telegram.revokeInviteLink(CHAT, url, telegram.deadline(), observer);

  test.each([
    ["edit", edit, { invite_link: url, is_revoked: false }],
    ["edit", edit, { invite_link: "https://t.me/joinchat/abc" }],
    ["rename", rename, { invite_link: url }],
    ["revoke", revoke, { invite_link: url, is_revoked: true }],
    ["revoke", revoke, { invite_link: url }],
  ])("is recognized by its address: %s", async (_what, call, result) => {
    answering(result);
    expect(await call(gateway())).toEqual(result);
  });

  test.each([
    ["edit", edit, { invite_link: other }],
    ["rename", rename, { invite_link: other }],
    ["revoke", revoke, { invite_link: other, is_revoked: true }],
    ["revoke", revoke, { invite_link: url, is_revoked: false }],
  ])(
    "has an unknown outcome if the answer is about another link or about no revocation: %s",
    async (_what, call, result) => {
      answering(result);
      expect(await failure(call(gateway()))).toMatchObject({ kind: "unavailable", carriedOut: "maybe" });
      expect(events).toEqual([expect.objectContaining({ answer: result })]);
    },
  );
});

test("a truncated description of Telegram stays well-formed", async () => {
  const description = `${"x".repeat(299)}\u{1f600}`;
  respond = (_request, response) =>
    response.writeHead(400).end(JSON.stringify({ ok: false, error_code: 400, description }));
  expect(await failure(create(gateway()))).toEqual({
    kind: "rejected",
    description: `${"x".repeat(299)}\ufffd`,
  });
});

describe("an answer that is not from Telegram", () => {
  const status = (code: number, headers: Record<string, string> = {}) => {
    respond = (_request, response) => response.writeHead(code, headers).end("<html>");
  };
  test.each([
    [401, { kind: "unauthorized" }],
    [403, { kind: "rejected" }],
    [404, { kind: "unauthorized" }],
    [413, { kind: "rejected" }],
    [429, { kind: "tooManyRequests" }],
    [200, { kind: "unavailable", carriedOut: "maybe" }],
    [500, { kind: "unavailable", carriedOut: "maybe" }],
    [503, { kind: "unavailable", carriedOut: "maybe" }],
  ])("with status %d", async (code, expected) => {
    status(code);
    // A 429 without a time holds the call for a second. The call is then repeated as long as the deadline allows.
    expect(await failure(create(gateway({ timeoutMs: 2000 })))).toMatchObject(expected);
  });

  test.each([301, 302, 303, 307, 308])(
    "that redirects (%d) is not followed, because the POST would be sent twice",
    async (code) => {
      status(code, { location: "/elsewhere" });
      expect(await failure(create(gateway()))).toMatchObject({ kind: "unavailable", carriedOut: "maybe" });
      expect(requests).toHaveLength(1);
    },
  );
});

describe("a 404 of a Bot API server", () => {
  const answer = (description: string) => {
    respond = (_request, response) =>
      response.writeHead(404).end(JSON.stringify({ ok: false, error_code: 404, description }));
  };

  test("means a malformed token or a wrong API root for every method", async () => {
    answer("Not Found");
    expect(await failure(create(gateway()))).toEqual({ kind: "unauthorized", status: 404 });
    expect(await failure(gateway().getMe())).toEqual({ kind: "unauthorized", status: 404 });
  });

  test("about an unknown method says nothing about the token", async () => {
    answer("Not Found: method not found");
    expect(await failure(create(gateway()))).toMatchObject({ kind: "rejected" });
  });
});

test("getMe refuses an answer about another bot", async () => {
  answering({ id: 987654, is_bot: true });
  expect(await failure(gateway().getMe())).toMatchObject({ kind: "unavailable" });
});

describe("calls to Telegram", () => {
  test("keep the path of the API root", async () => {
    answering({ id: 123456 });
    await gateway({ path: "/some/path" }).getMe();
    expect(requests).toEqual([`POST /some/path/bot${TOKEN}/getMe`]);
  });

  test("about one chat refuse an answer about another", async () => {
    answering({ id: -1002, type: "channel" });
    const telegram = gateway();
    expect(await failure(telegram.getChat(CHAT, telegram.deadline()))).toMatchObject({
      kind: "unavailable",
      carriedOut: "no",
    });
  });

  test("end in time for every time limit", async () => {
    respond = () => {};
    expect(await failure(create(gateway({ timeoutMs: 1001 })))).toMatchObject({
      kind: "unavailable",
      carriedOut: "maybe",
    });
    const telegram = gateway({ timeoutMs: 10_001 });
    answering({ invite_link: url });
    expect(await create(telegram)).toEqual({ invite_link: url });
  });

  test("are not sent without time for an answer", async () => {
    const telegram = gateway();
    expect(await failure(telegram.createInviteLink(CHAT, settings, { at: Date.now() }, observer))).toEqual({
      kind: "unavailable",
      carriedOut: "no",
      reason: "no time left",
      timedOut: true,
    });
    expect(requests).toEqual([]);
  });
});
