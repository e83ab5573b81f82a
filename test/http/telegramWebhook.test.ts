import { mkdtemp, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { startApp } from "../../src/app.js";
import { readConfig } from "../../src/config.js";
import { createServer as createHttp } from "../../src/http/server.js";
import { addTelegramWebhook } from "../../src/http/telegramWebhook.js";
import { createLog } from "../../src/log.js";
import { startSandbox } from "../../src/sandbox/sandbox.js";
import { freePort } from "../../tools/postgres.mjs";
import { prepareTestDatabase, USUAL_FORMS } from "../support/databases.js";
import type { LogLine } from "../support/server.js";

const SECRET = "the_secret-of-the-webhook";
const BOT = { id: 123456789, token: "123456789:AA-secret-of-the-bot", username: "a_bot", firstName: "A" };
const NEWS = -1001111111111;

const post = (url: string, body: string | undefined, headers: Record<string, string> = {}) =>
  fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", "x-telegram-bot-api-secret-token": SECRET, ...headers },
    ...(body === undefined ? {} : { body }),
  });

describe("the webhook's address", () => {
  class Temporary extends Error {}
  let url: string;
  let received: unknown[];
  let outcome: () => Promise<void>;
  let close: () => Promise<void>;
  const lines: string[] = [];

  beforeAll(async () => {
    const log = createLog({ level: "info", format: null, secrets: [], write: (line) => lines.push(line) });
    const server = await createHttp({ log, corsOrigins: [], onFinished: () => {} });
    received = [];
    outcome = async () => {};
    await addTelegramWebhook(server, {
      secret: SECRET,
      receive: async (update) => {
        received.push(update);
        await outcome();
      },
      isTemporary: (error) => error instanceof Temporary,
    });
    const origin = await server.listen({ port: 0, host: "127.0.0.1" });
    url = `${origin}/telegram/webhook`;
    close = () => server.close();
  });
  afterAll(() => close());

  test.each([
    ["none", {}],
    ["another one", { "x-telegram-bot-api-secret-token": "wrong" }],
    ["its beginning", { "x-telegram-bot-api-secret-token": SECRET.slice(0, -1) }],
    ["an API token", { authorization: `Bearer ${SECRET}` }],
  ])("a call with %s in place of the secret is refused before its body is read", async (_what, headers) => {
    const before = received.length;
    const response = await fetch(url, { method: "POST", headers, body: "no JSON" });
    expect(response.status).toBe(401);
    expect(await response.json()).toMatchObject({ code: "UNAUTHENTICATED" });
    expect(received).toHaveLength(before);
  });

  test("an update is handed on, and answered 200 when it is stored", async () => {
    let release = () => {};
    const stored = new Promise<void>((resolve) => {
      release = resolve;
    });
    outcome = () => stored;
    let isAnswered = false;
    const answer = post(url, '{"update_id": 7, "odd": "\\u0000"}').then((response) => {
      isAnswered = true;
      return response;
    });
    await expect.poll(() => received).toContainEqual({ update_id: 7, odd: "\0" });
    expect(isAnswered).toBe(false);
    release();
    expect((await answer).status).toBe(200);
    outcome = async () => {};
  });

  test("an update that cannot be stored now is 503 with Retry-After, any other failure 500", async () => {
    outcome = async () => {
      throw new Temporary();
    };
    const response = await post(url, "{}");
    expect([response.status, response.headers.get("retry-after")]).toEqual([503, "2"]);
    expect(await response.json()).toMatchObject({ code: "DATABASE_UNAVAILABLE" });
    outcome = async () => {
      throw new TypeError("a fault of the program");
    };
    expect((await post(url, "{}")).status).toBe(500);
    outcome = async () => {};
  });

  test("a body that is not JSON is refused, and other methods are", async () => {
    const before = received.length;
    expect((await post(url, "{")).status).toBe(400);
    expect((await post(url, undefined)).status).toBe(400);
    expect((await post(url, "{}", { "content-type": "text/plain" })).status).toBe(415);
    expect((await post(url, "[".repeat(200) + "]".repeat(200))).status).toBe(400);
    expect((await post(url, JSON.stringify("x".repeat(1024 * 1024)))).status).toBe(413);
    const get = await fetch(url, { headers: { "x-telegram-bot-api-secret-token": SECRET } });
    expect([get.status, get.headers.get("allow")]).toEqual([405, "POST"]);
    expect(received).toHaveLength(before);
  });

  test("successful calls leave no log line at the usual level, and no call leaves its body or secret", async () => {
    lines.length = 0;
    await post(url, '{"update_id": 8, "who": "Ada"}');
    await post(url, '{"who": "Ada"', {});
    await expect.poll(() => lines.length).toBeGreaterThan(0);
    expect(lines.map((line) => (JSON.parse(line) as LogLine)["status"])).toEqual([400]);
    expect(lines.join("")).not.toMatch(/Ada|secret-of/);
  });
});

describe("a server that receives updates by webhook", () => {
  const start = async (environment: Record<string, string>) => {
    const telegram = await startSandbox({
      bot: BOT,
      initial: { chats: [{ id: NEWS, type: "channel", title: "News" }] },
    });
    const database = await prepareTestDatabase(USUAL_FORMS[0] ?? "embedded");
    const dataDir = await mkdtemp(join(tmpdir(), "invite-links-data-"));
    if (database.dataDir !== null) await rename(database.dataDir, join(dataDir, "live"));
    const port = await freePort();
    const config = readConfig({
      PORT: String(port),
      DATA_DIR: dataDir,
      TELEGRAM_BOT_TOKEN: BOT.token,
      TELEGRAM_API_ROOT: telegram.apiRoot,
      ADMIN_TOKEN: "an-admin-token-of-the-tests",
      ...(database.url === null ? {} : { DATABASE_URL: database.url }),
      ...environment,
      ...(environment["TELEGRAM_WEBHOOK_SECRET"] && {
        TELEGRAM_WEBHOOK_URL: `http://127.0.0.1:${port}/telegram/webhook`,
      }),
    });
    const log: LogLine[] = [];
    const logger = createLog({
      level: "debug",
      format: null,
      secrets: [],
      write: (line) => log.push(JSON.parse(line) as LogLine),
    });
    const app = await startApp(config, logger);
    let stopping: Promise<void> | undefined;
    const stop = () => {
      stopping ??= app.stop();
      return stopping;
    };
    onTestFinished(async () => {
      await stop();
      await telegram.close();
      await database.remove();
      await rm(dataDir, { recursive: true, force: true });
    });
    const origin = `http://127.0.0.1:${port}`;
    return {
      telegram,
      origin,
      stop,
      log,
      ready: async () => {
        const response = await fetch(`${origin}/readyz`);
        return (await response.json()) as { updates: Record<string, unknown> };
      },
      metric: async (name: string) => {
        const text = await (await fetch(`${origin}/metrics`)).text();
        const line = text.split("\n").find((candidate) => candidate.startsWith(`${name} `));
        return line === undefined ? undefined : Number(line.split(" ").at(-1));
      },
    };
  };
  const joins = (control: { join(chat: number, user: object): unknown }, from: number, count: number) => {
    for (let id = from; id < from + count; id += 1)
      control.join(NEWS, { id, is_bot: false, first_name: `P${id}` });
  };

  test("it registers the address, receives the updates and tells about it", async () => {
    const server = await start({ TELEGRAM_WEBHOOK_SECRET: SECRET });
    const { control } = server.telegram;
    joins(control as never, 1, 40);
    const joined = control.pendingUpdates();
    await expect.poll(() => control.pendingUpdates()).toEqual([]);
    expect((await server.ready()).updates).toMatchObject({
      transport: "webhook",
      isPolling: false,
      pollingServer: null,
      lagSeconds: expect.any(Number),
      conflict: false,
    });
    expect(control.calls("getUpdates")).toEqual([]);
    const batches = (await server.metric('invite_links_update_batches_total{outcome="stored"}')) ?? 0;
    expect(batches).toBeGreaterThan(0);
    expect(await server.metric('invite_links_updates_received_total{kind="member"}')).toBe(40);
    // Telegram repeats a call that it gave up, perhaps while its update is still being stored.
    const [repeated] = joined;
    const again = () => post(`${server.origin}/telegram/webhook`, JSON.stringify(repeated));
    const statuses = (await Promise.all([again(), again(), again()])).map(({ status }) => status);
    expect(statuses).toEqual([200, 200, 200]);
    expect(await server.metric("invite_links_updates_repeated_total")).toBe(3);
    expect(JSON.stringify(server.log)).not.toContain(SECRET);
    await server.stop();
    expect(control.calls("deleteWebhook")).toEqual([]);
  });

  test("it goes on to receive updates while it drains", async () => {
    const server = await start({ TELEGRAM_WEBHOOK_SECRET: SECRET, SHUTDOWN_DELAY_MS: "10000" });
    const stopped = server.stop();
    await expect.poll(async () => (await fetch(`${server.origin}/readyz`)).status).toBe(503);
    const { control } = server.telegram;
    joins(control as never, 1, 5);
    await expect.poll(() => control.pendingUpdates()).toEqual([]);
    await stopped;
  });

  test("the address does not exist where updates come by polling or not at all", async () => {
    for (const mode of ["polling", "off"]) {
      const server = await start({ TELEGRAM_UPDATES: mode });
      expect((await post(`${server.origin}/telegram/webhook`, "{}")).status).toBe(404);
      expect((await server.ready()).updates).toMatchObject({
        transport: mode,
        isPolling: mode === "polling",
      });
      expect(await server.metric("invite_links_updates_polling")).toBe(mode === "polling" ? 1 : 0);
      await server.stop();
    }
  });
});
