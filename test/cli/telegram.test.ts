import fc from "fast-check";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type Sandbox, startSandbox } from "../../src/sandbox/sandbox.js";
import { CHANNEL, channel, SUPERGROUP, supergroup } from "../sandbox/support.js";
import { propertyInTime } from "../support/properties.js";
import { answerWithLink, badServer, type Outcome, run } from "./support.js";

const TOKEN = "123456789:AA-secret_of-the_bot";

const create = (args: readonly string[], environment: Record<string, string> = {}): Promise<Outcome> =>
  run(["telegram", "CreateInvitationLink", ...args], environment);

/** Expects one error line on stderr, nothing on stdout, and the token in neither. */
function expectFailure({ code, stdout, stderr }: Outcome, expected: number, line: RegExp): void {
  expect(stderr).toMatch(/^error: [^\n]+\n$/);
  expect(stderr).toMatch(line);
  expect(stdout).toBe("");
  expect(stderr).not.toContain("secret_of");
  expect(code).toBe(expected);
}

let sandbox: Sandbox;
let asBot: Record<string, string>;
beforeAll(async () => {
  sandbox = await startSandbox({ initial: { chats: [channel, supergroup] } });
  asBot = { TELEGRAM_BOT_TOKEN: sandbox.bot.token, TELEGRAM_API_ROOT: sandbox.apiRoot };
});
beforeEach(() => sandbox.control.clearFaults());
afterAll(() => sandbox.close());

describe("telegram CreateInvitationLink", () => {
  test("CreateInvitationLink sends every option and prints Telegram's JSON", async () => {
    const { code, stdout, stderr } = await create([
      ...["--token", sandbox.bot.token, "--api-root", sandbox.apiRoot],
      ...["--chat", String(CHANNEL), "--title", "Link 01.05.2025 15:46:10", "--limit", "200"],
      ...["--expire", "2037-05-02T15:46:10.9476699"],
    ]);
    expect([code, stderr]).toEqual([0, ""]);
    const { ok, result } = JSON.parse(stdout);
    expect(ok).toBe(true);
    expect(result).toEqual({
      invite_link: sandbox.control.links(CHANNEL).at(-1)?.url,
      name: "Link 01.05.2025 15:46:10",
      creator: expect.objectContaining({ id: sandbox.bot.id }),
      expire_date: Date.UTC(2037, 4, 2, 15, 46, 10) / 1000,
      member_limit: 200,
      creates_join_request: false,
      is_primary: false,
      is_revoked: false,
    });
  });

  test.each([
    [["--chat", `${SUPERGROUP}*42`], SUPERGROUP],
    [[`--chat=${SUPERGROUP}*42`], SUPERGROUP],
    [["--chat", "@TalkHere*42"], "@TalkHere"],
  ])("%j ignores the topic and prints a note", async (args, chat) => {
    const next = sandbox.control.nextCall("createChatInviteLink");
    const { code, stdout, stderr } = await create(args, asBot);
    expect((await next).parameters).toEqual({ chat_id: chat });
    expect(stderr).toMatch(/^[^\n]*the topic 42 is ignored\.\n$/);
    expect(JSON.parse(stdout).ok).toBe(true);
    expect(code).toBe(0);
  });

  test("CreateInvitationLink does not send an empty title, an empty date and the limit 0", async () => {
    const next = sandbox.control.nextCall("createChatInviteLink");
    const { code } = await create(["--chat", "@TalkHere", "--title=", "--expire", "", "--limit=0"], asBot);
    expect((await next).parameters).toEqual({ chat_id: "@TalkHere" });
    expect(code).toBe(0);
  });

  test("CreateInvitationLink prints Telegram's refusal and exits with 1", async () => {
    const outcome = await create(["--chat", "@nobody_here"], asBot);
    const answer = { ok: false, error_code: 400, description: "Bad Request: chat not found" };
    expect(outcome).toEqual({ code: 1, stdout: `${JSON.stringify(answer)}\n`, stderr: "" });
    sandbox.control.fail({ kind: "too-many-requests", retryAfter: 7 });
    const held = await create(["--chat", "@TalkHere"], asBot);
    expect(JSON.parse(held.stdout).parameters).toEqual({ retry_after: 7 });
    expect(held.code).toBe(1);
  });

  test("CreateInvitationLink sends any argument unchanged", async () => {
    const { apiRoot, received } = await badServer((response) => response.end(answerWithLink));
    const title = fc
      .string({ unit: "grapheme", minLength: 1, maxLength: 40 })
      .filter((text) => !text.includes("\0"));
    const chat = fc.oneof(
      fc.maxSafeInteger().filter((id) => id !== 0 && Math.abs(id) < 2 ** 52),
      fc.stringMatching(/^@[A-Za-z0-9_]{1,32}$/),
    );
    const options = fc.record({
      chat,
      title,
      limit: fc.integer({ min: 1, max: 99_999 }),
      expire: fc.integer({ min: 1, max: 2 ** 31 - 1 }),
      equals: fc.boolean(),
    });
    const looksLikeAnOption = ["-", "--", "-h", "--help", "-V", "--version", "--chat", "=", "-100", "serve"];
    type Sent = typeof options extends fc.Arbitrary<infer Value> ? Value : never;
    const examples = looksLikeAnOption.map((text): [Sent] => [
      { chat: -100, title: text, limit: 1, expire: 1, equals: false },
    ]);
    await fc.assert(
      propertyInTime(options, async ({ equals, ...sent }) => {
        received.length = 0;
        const args = Object.entries(sent).flatMap(([name, value]) =>
          equals ? [`--${name}=${value}`] : [`--${name}`, String(value)],
        );
        const { code, stderr } = await create([...args, `--api-root=${apiRoot}`, "--token", TOKEN]);
        expect([code, stderr]).toEqual([0, ""]);
        expect(JSON.parse(received[0]?.body ?? "null")).toEqual({
          chat_id: sent.chat,
          name: sent.title,
          expire_date: sent.expire,
          member_limit: sent.limit,
        });
      }),
      { numRuns: 30, examples },
    );
  });
});

describe("telegram CreateInvitationLink with wrong arguments", () => {
  test.each<[string, string[], RegExp]>([
    ["no chat", [], /--chat/],
    ["an impossible date", ["--chat", "5", "--expire", "2026-02-30"], /expire names a day/],
    ["a text that is not a date", ["--chat", "5", "--expire", "tomorrow"], /expire must be/],
    ["a chat beyond 52 bits", ["--chat", "4503599627370496"], /chat must be/],
    ["a chat's name without @", ["--chat", "news"], /chat must be/],
    ["a limit that is not a number", ["--chat", "5", "--limit", "many"], /--limit/],
    ["a negative limit", ["--chat", "5", "--limit", "-5"], /--limit/],
    ["a limit beyond 31 bits", ["--chat", "5", "--limit", "2147483648"], /limit must be/],
    ["an API root that is not an address", ["--chat", "5", "--api-root", "telegram"], /apiRoot must be/],
    ["a malformed token", ["--chat", "5", "--token", "../secret_of"], /token must be/],
    ["an empty token", ["--chat", "5", "--token", ""], /TELEGRAM_BOT_TOKEN/],
    ["an unknown option", ["--chat", "5", `--tokn=${TOKEN}`], /unknown option/],
    ["a surplus argument", ["--chat", "5", TOKEN], /too many arguments/],
    ["an option without its value", ["--chat"], /--chat/],
  ])("CreateInvitationLink exits with 2 and sends nothing for %s", async (_name, args, line) => {
    const before = sandbox.control.calls().length;
    expectFailure(await create(args, { ...asBot, TELEGRAM_BOT_TOKEN: TOKEN }), 2, line);
    expect(sandbox.control.calls()).toHaveLength(before);
  });

  test("CreateInvitationLink exits with 2 without a token", async () => {
    expectFailure(await create(["--chat", "5"]), 2, /TELEGRAM_BOT_TOKEN/);
  });
});

describe("telegram CreateInvitationLink without an answer from Telegram", () => {
  const asked = (apiRoot: string, environment: Record<string, string> = {}) =>
    create(["--chat", "5"], { TELEGRAM_BOT_TOKEN: TOKEN, TELEGRAM_API_ROOT: apiRoot, ...environment });

  test("CreateInvitationLink reports that nothing was done if the connection is refused", async () => {
    const gone = await startSandbox();
    await gone.close();
    expectFailure(await asked(gone.apiRoot), 1, /ECONNREFUSED.*Nothing was carried out/);
  });

  test("CreateInvitationLink reports that the link may exist if Telegram does not answer in time", async () => {
    const { apiRoot } = await badServer(() => {});
    const outcome = await asked(apiRoot, { TELEGRAM_TIMEOUT_MS: "2000" });
    expectFailure(outcome, 1, /in time.*Nobody knows/);
  });

  test("CreateInvitationLink reports a page or a redirect without the token in it, and follows no redirect", async () => {
    const page = await badServer((response) => response.writeHead(502).end(`<h1>${TOKEN}</h1>`));
    expectFailure(await asked(page.apiRoot), 1, /HTTP status 502/);
    const moved = await badServer((response, { url }) =>
      response.writeHead(301, { location: `${page.apiRoot}${url}` }).end(TOKEN),
    );
    expectFailure(await asked(moved.apiRoot), 1, /HTTP status 301/);
    expect(page.received).toHaveLength(1);
  });

  test("CreateInvitationLink refuses an invalid time limit", async () => {
    expectFailure(
      await asked("http://127.0.0.1", { TELEGRAM_TIMEOUT_MS: "soon" }),
      1,
      /TELEGRAM_TIMEOUT_MS: "[^"]*" is not/,
    );
  });
});

test("telegram CreateInvitationLink hides a token that Telegram repeats in its answer", async () => {
  const { apiRoot } = await badServer((response) =>
    response.writeHead(404).end(JSON.stringify({ ok: false, error_code: 404, description: `no ${TOKEN}` })),
  );
  const outcome = await create(["--chat", "5", "--token", TOKEN, "--api-root", apiRoot]);
  const answer = { ok: false, error_code: 404, description: "no [secret]" };
  expect(outcome).toEqual({ code: 1, stdout: `${JSON.stringify(answer)}\n`, stderr: "" });
});
