import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { TelegramHealth, tokenRejection } from "../../src/background/telegramHealth.js";
import { createLog } from "../../src/log.js";
import { TelegramGateway } from "../../src/telegram/gateway.js";

const BOT_ID = 123456789;
type Respond = (response: ServerResponse) => void;

let respond: Respond;
const api = createServer((request, response) => {
  request.resume();
  request.on("end", () => respond(response));
});
beforeAll(async () => {
  api.listen(0, "127.0.0.1");
  await once(api, "listening");
});
afterAll(() => {
  api.closeAllConnections();
  api.close();
});

let lines: string[];
let health: TelegramHealth;
let gateway: TelegramGateway;
beforeEach(() => {
  lines = [];
  const log = createLog({ level: "info", format: null, secrets: [], write: (line) => lines.push(line) });
  health = new TelegramHealth(log, false);
  gateway = new TelegramGateway({
    token: `${BOT_ID}:AA-secret`,
    botId: BOT_ID,
    apiRoot: `http://127.0.0.1:${(api.address() as AddressInfo).port}`,
    timeoutMs: 10_000,
    onCall: (event) => health.record(event),
  });
});

const refuse =
  (status: number, description: string): Respond =>
  (response) =>
    response.writeHead(status).end(JSON.stringify({ ok: false, error_code: status, description }));
const page =
  (status: number, headers: Record<string, string> = {}): Respond =>
  (response) =>
    response.writeHead(status, { "content-type": "text/html", ...headers }).end("<html>");
const itself: Respond = (response) =>
  response.end(JSON.stringify({ ok: true, result: { id: BOT_ID, is_bot: true } }));

/** Ignores the outcome of getMe. */
const askForItself = async (answer: Respond) => {
  respond = answer;
  await gateway.getMe().catch(() => {});
  return health.state;
};
const askForChat = async (answer: Respond) => {
  respond = answer;
  await gateway.getChat(-1001, gateway.deadline()).catch(() => {});
  return health.state;
};

test("Telegram counts as unreachable before the first outcome", () => {
  expect(health.state).toBe("unreachable");
});

test.each<[string, Respond, string]>([
  ["another bot's id", (response) => response.end('{"ok":true,"result":{"id":5}}'), "unreachable"],
  ["a page", page(200), "unreachable"],
  ["a page with 403", page(403), "unreachable"],
  ["a redirect", page(302, { location: "/elsewhere" }), "unreachable"],
  ["a refusal", refuse(400, "Bad Request"), "unreachable"],
  ["a server's error", refuse(500, "Internal Server Error"), "unreachable"],
  ["401", refuse(401, "Unauthorized"), "unauthorized"],
  ["404", refuse(404, "Not Found"), "unauthorized"],
  ["a page with 404", page(404), "unauthorized"],
])(
  "Telegram is not ok after getMe is answered with %s, and ok again after a right answer",
  async (_what, answer, state) => {
    expect(await askForItself(answer)).toBe(state);
    expect(await askForItself(itself)).toBe("ok");
    expect(await askForItself(answer)).toBe(state);
    expect(lines.join("")).not.toContain("AA-secret");
    expect(lines.filter((line) => line.includes("TELEGRAM REFUSES"))).toHaveLength(
      state === "unauthorized" ? 2 : 0,
    );
  },
);

test("the rejection of another method does not change the state", async () => {
  expect(await askForItself(refuse(404, "Not Found"))).toBe("unauthorized");
  expect(await askForChat(refuse(400, "Bad Request: chat not found"))).toBe("unauthorized");
  expect(await askForItself(itself)).toBe("ok");
  expect(await askForChat(refuse(400, "Bad Request: chat not found"))).toBe("ok");
  expect(await askForChat(refuse(404, "Not Found"))).toBe("unauthorized");
});

test.each<[number | null, string, Respond]>([
  [401, "401", refuse(401, "Unauthorized: invalid token specified")],
  [404, "404", refuse(404, "Not Found")],
  [null, "a server's error", refuse(502, "Bad Gateway")],
  [null, "itself", itself],
])("tokenRejection gives %s when Telegram answers getMe with %s", async (status, _what, answer) => {
  respond = answer;
  expect(await tokenRejection(gateway, 10_000)).toBe(status);
});
