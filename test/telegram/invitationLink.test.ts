import { describe, expect, test } from "vitest";
import {
  createInvitationLink,
  type InvitationLinkOptions,
  TelegramConnectionError,
} from "../../src/index.js";
import { startSandbox } from "../../src/sandbox/sandbox.js";
import { answerWithLink, badServer } from "../cli/support.js";
import { CHANNEL, setup } from "../sandbox/support.js";

const TOKEN = "123456789:AA-secret_of-the_bot";
const SECRET = /secret_of/;
const aYear = () => new Date(Math.floor(Date.now() / 1000 + 365 * 86_400) * 1000);

/** The error of a rejected call with all its properties and causes. */
async function failure(call: Promise<unknown>): Promise<TelegramConnectionError> {
  const error = await call.then(
    (answer) => expect.fail(JSON.stringify(answer)),
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(TelegramConnectionError);
  const { message, stack, cause } = error as Error;
  expect(`${message} ${stack} ${JSON.stringify(cause ?? null)}`).not.toMatch(SECRET);
  return error as TelegramConnectionError;
}

describe("createInvitationLink", () => {
  test("creates the link and returns Telegram's whole answer", async () => {
    const { sandbox } = await setup();
    const expire = aYear();
    const answer = await createInvitationLink({
      token: sandbox.bot.token,
      chat: CHANNEL,
      title: "  Two   words ",
      expire,
      limit: 200,
      apiRoot: `${sandbox.apiRoot}/`,
    });
    if (!answer.ok) throw new Error(answer.description);
    const { invite_link, ...result } = answer.result;
    expect(result).toEqual({
      name: "Two words",
      creator: expect.objectContaining({ id: sandbox.bot.id, is_bot: true }),
      expire_date: expire.getTime() / 1000,
      member_limit: 200,
      creates_join_request: false,
      is_primary: false,
      is_revoked: false,
    });
    expect(sandbox.control.links(CHANNEL).map(({ url }) => url)).toContain(invite_link);
  });

  test("leaves out absent arguments and sends the title unchanged", async () => {
    const { apiRoot, received } = await badServer((response) => response.end(answerWithLink));
    await createInvitationLink({ token: TOKEN, chat: "-1001*5", title: "", expire: "", limit: 0, apiRoot });
    await createInvitationLink({
      token: TOKEN,
      chat: "@news",
      title: " \u202e \n",
      apiRoot: `${apiRoot}/a/path//`,
    });
    expect(received).toEqual([
      { url: `/bot${TOKEN}/createChatInviteLink`, body: '{"chat_id":-1001}' },
      {
        url: `/a/path/bot${TOKEN}/createChatInviteLink`,
        body: JSON.stringify({ chat_id: "@news", name: " \u202e \n" }),
      },
    ]);
  });

  test("returns an error of Telegram with its parameters", async () => {
    const { sandbox } = await setup();
    const { token } = sandbox.bot;
    const ask = (options: Partial<InvitationLinkOptions>) =>
      createInvitationLink({ token, chat: CHANNEL, apiRoot: sandbox.apiRoot, ...options });
    expect(await ask({ chat: "@nobody_here" })).toEqual({
      ok: false,
      error_code: 400,
      description: "Bad Request: chat not found",
    });
    expect(await ask({ token: TOKEN })).toMatchObject({ ok: false, error_code: 401 });
    expect(await ask({ expire: 1 })).toMatchObject({ description: "Bad Request: EXPIRE_DATE_INVALID" });
    expect(await ask({ limit: 100_000 })).toMatchObject({ description: "Bad Request: USAGE_LIMIT_INVALID" });
    sandbox.control.fail({ kind: "too-many-requests", retryAfter: 7 });
    expect(await ask({})).toMatchObject({ error_code: 429, parameters: { retry_after: 7 } });
    sandbox.control.fail({ kind: "server-error", status: 500, body: "json" });
    expect(await ask({})).toMatchObject({ ok: false, error_code: 500 });
  });

  test.each<[string, Record<string, unknown>, typeof TypeError | typeof RangeError]>([
    ["no token", { token: undefined }, TypeError],
    ["an empty token", { token: "" }, RangeError],
    ["a token that leads elsewhere", { token: "../secret_of" }, RangeError],
    ["no chat", { chat: undefined }, TypeError],
    ["chat 0", { chat: 0 }, RangeError],
    ["half a chat", { chat: -1.5 }, RangeError],
    ["a chat of more than 52 bits", { chat: 2 ** 52 }, RangeError],
    ["a chat of more than 52 bits, as text", { chat: "-4503599627370496" }, RangeError],
    ["a chat's name without @", { chat: "news" }, RangeError],
    ["a topic without a chat", { chat: "*5" }, RangeError],
    ["a title that is a number", { title: 5 }, TypeError],
    ["a date that does not exist", { expire: "2026-02-30" }, RangeError],
    ["an invalid Date", { expire: new Date("secret_of") }, RangeError],
    ["a date that is none", { expire: {} }, TypeError],
    ["a negative limit", { limit: -1 }, RangeError],
    ["half a member", { limit: 0.5 }, RangeError],
    ["a limit of more than 31 bits", { limit: 2 ** 31 }, RangeError],
    ["a limit as text", { limit: "5" }, TypeError],
    ["an address that is none", { apiRoot: "telegram" }, RangeError],
    ["an address of a file", { apiRoot: "file:///etc" }, RangeError],
    ["an address with credentials", { apiRoot: "http://u:secret_of@127.0.0.1/" }, RangeError],
  ])("refuses %s before anything is sent", async (_name, options, kind) => {
    const { apiRoot, received } = await badServer((response) => response.end(answerWithLink));
    const valid = { token: TOKEN, chat: 5, apiRoot };
    const call = createInvitationLink({ ...valid, ...options } as InvitationLinkOptions);
    await expect(call).rejects.toThrow(kind);
    await expect(call).rejects.not.toThrow(SECRET);
    expect(received).toEqual([]);
  });
});

describe("a server that is not a Bot API server", () => {
  const html = "<h1>It works!</h1>";
  test.each<[string, number, string, boolean]>([
    ["an HTML page", 200, html, true],
    ["a gateway's error", 502, html, true],
    ["a proxy's refusal", 403, html, false],
    ["JSON that is no answer", 200, '{"ok":true}', true],
    ["a result that is no link", 200, '{"ok":true,"result":"https://t.me/+a"}', true],
    ["null", 200, "null", true],
    ["nothing", 200, "", true],
    ["half of an answer", 200, answerWithLink.slice(0, 40), true],
    ["an answer too deep to read", 200, `${"[".repeat(100_000)}${"]".repeat(100_000)}`, true],
    ["an answer without an end in sight", 200, " ".repeat(3_000_000), true],
  ])("%s is a failure that says whether the link may exist", async (_name, status, body, outcomeUnknown) => {
    const { apiRoot } = await badServer((response) => response.writeHead(status).end(body));
    const error = await failure(createInvitationLink({ token: TOKEN, chat: 5, apiRoot }));
    expect(error.outcomeUnknown).toBe(outcomeUnknown);
    expect(error.message).toContain(`HTTP status ${status}`);
  });

  test("is not followed when it redirects", async () => {
    const elsewhere = await badServer((response) => response.end(answerWithLink));
    const { apiRoot } = await badServer((response, { url }) =>
      response.writeHead(307, { location: `${elsewhere.apiRoot}${url}` }).end(),
    );
    await failure(createInvitationLink({ token: TOKEN, chat: 5, apiRoot }));
    expect(elsewhere.received).toEqual([]);
  });

  test("cannot make an answer contain the token", async () => {
    const said = {
      ok: false,
      error_code: 400,
      description: `no /bot${TOKEN}/ or ${encodeURIComponent(TOKEN)}`,
      [TOKEN]: [{ half: TOKEN.split(":")[1] }],
      number: 5,
    };
    const escaped = JSON.stringify(said).replaceAll("secret_of", "\\u0073ecret_of");
    const { apiRoot } = await badServer((response) => response.writeHead(400).end(escaped));
    expect(await createInvitationLink({ token: TOKEN, chat: 5, apiRoot })).toEqual({
      ok: false,
      error_code: 400,
      description: "no /bot[secret]/ or [secret]",
      "[secret]": [{ half: "[secret]" }],
      number: 5,
    });
  });
});

describe("a failed connection of createInvitationLink", () => {
  test("had no effect if nobody listens", async () => {
    const gone = await startSandbox();
    await gone.close();
    const error = await failure(createInvitationLink({ token: TOKEN, chat: 5, apiRoot: gone.apiRoot }));
    expect(error).toMatchObject({ outcomeUnknown: false, message: expect.stringContaining("ECONNREFUSED") });
    const never = await failure(
      createInvitationLink({ token: TOKEN, chat: 5, apiRoot: "http://127.0.0.1:9" }),
    );
    expect(never.outcomeUnknown).toBe(false);
  });

  test("may have created the link if it broke or timed out", async () => {
    const cut = await badServer((response) => response.destroy());
    const call = { token: TOKEN, chat: 5 };
    expect((await failure(createInvitationLink({ ...call, apiRoot: cut.apiRoot }))).outcomeUnknown).toBe(
      true,
    );
    const silent = await badServer(() => {});
    const late = createInvitationLink({
      ...call,
      apiRoot: silent.apiRoot,
      signal: AbortSignal.timeout(1000),
    });
    expect(await failure(late)).toMatchObject({
      outcomeUnknown: true,
      message: expect.stringContaining("in time"),
    });
    const dripping = await badServer((response) => response.write(" "));
    const dripped = createInvitationLink({
      ...call,
      apiRoot: dripping.apiRoot,
      signal: AbortSignal.timeout(1000),
    });
    expect((await failure(dripped)).outcomeUnknown).toBe(true);
  });

  test("is not opened for a signal that is aborted already", async () => {
    const { apiRoot, received } = await badServer((response) => response.end(answerWithLink));
    const call = createInvitationLink({ token: TOKEN, chat: 5, apiRoot, signal: AbortSignal.abort() });
    expect((await failure(call)).outcomeUnknown).toBe(false);
    expect(received).toEqual([]);
  });
});
