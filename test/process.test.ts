import { once } from "node:events";
import { cp, mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, inject, test } from "vitest";
import { startSandbox } from "../src/sandbox/sandbox.js";
import { freePort } from "../tools/postgres.mjs";
import { askAt, ServerProcess } from "./support/process.js";
import { CHANNEL } from "./support/server.js";

const NPM_START = fileURLToPath(new URL("../tools/start.mjs", import.meta.url));

let dataDir: string;
let processes: ServerProcess[];
beforeEach(async () => {
  // The path contains a space, as real paths often do.
  dataDir = await mkdtemp(join(tmpdir(), "invite links "));
  processes = [];
});
afterEach(async () => {
  await Promise.all(processes.map((server) => server.end("SIGKILL")));
  await rm(dataDir, { recursive: true, force: true });
});

/** Copies the database that a first start would create, which saves the time to create it. */
const prepare = async (folder: "sandbox" | "live" | "other/sandbox") => {
  await mkdir(join(dataDir, folder), { recursive: true, mode: 0o700 });
  await cp(inject("embeddedTemplate"), join(dataDir, folder), { recursive: true });
};

const start = (environment: Record<string, string> = {}) => {
  const server = new ServerProcess({ DATA_DIR: dataDir, ...environment });
  processes.push(server);
  return server;
};
const countLinks = `{ inviteLinks(channelId: ${CHANNEL}) { totalCount } }`;
const makeLink = (name: string) =>
  `mutation { createInviteLink(input: { channelId: ${CHANNEL}, name: "${name}" }) { __typename ... on CreateInviteLinkSuccess { inviteLink { url } } } }`;

describe("the server process", () => {
  beforeEach(() => prepare("sandbox"));

  test("the server prints its address, a token and a note about the sandbox, and exits with 0 on SIGTERM", async () => {
    const server = start();
    const url = await server.ready();
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/graphql$/);
    expect(server.greeting).toMatchObject({
      url,
      dashboardUrl: url.replace("/graphql", "/"),
      sandbox: true,
      apiToken: expect.any(String),
      msg: expect.stringContaining("TELEGRAM_BOT_TOKEN"),
    });
    expect((await askAt(url, server.token ?? "", countLinks)).data.inviteLinks.totalCount).toBe(24);
    expect((await stat(join(dataDir, "sandbox", "api-token"))).mode & 0o077).toBe(0);
    expect(await server.end("SIGTERM")).toBe(0);
    expect(server.stderr).toBe("");
  });

  test("the server writes only JSON lines to a stdout that is no terminal, and prints the token at every LOG_LEVEL", async () => {
    const server = start({ LOG_LEVEL: "silent" });
    await server.ready();
    expect(await server.end("SIGTERM")).toBe(0);
    // Reading `lines` parses every line as JSON.
    expect(server.lines).toEqual([expect.objectContaining({ apiToken: server.token })]);
    expect([server.stderr, server.token]).toEqual(["", expect.any(String)]);
  });

  test.each(["stdout", "stderr"] as const)(
    "the server keeps running when the reader of %s ends",
    async (stream) => {
      const server = start({ LOG_LEVEL: "debug" });
      const url = await server.ready();
      server.child[stream]?.destroy();
      for (let requests = 0; requests < 20; requests += 1) {
        const { data } = await askAt(url, server.token ?? "", countLinks);
        expect(data.inviteLinks.totalCount).toBe(24);
      }
      expect(await server.end("SIGTERM")).toBe(0);
    },
  );

  test("the server starts without a reader of its output", async () => {
    const port = await freePort();
    const server = start({ PORT: String(port) });
    server.child.stdout?.destroy();
    server.child.stderr?.destroy();
    const status = () =>
      fetch(`http://127.0.0.1:${port}/readyz`).then(
        (response) => response.status,
        () => 0,
      );
    await expect.poll(status).toBe(200);
    expect(await server.end("SIGTERM")).toBe(0);
  });

  test("the server answers the current requests and exits with 0 on SIGHUP, as on SIGTERM", async () => {
    const server = start();
    await server.ready();
    expect(await server.end("SIGHUP")).toBe(0);
    expect(server.lines.map(({ msg }) => msg)).toContain("stopping: current requests are answered first");
  });

  test("the server keeps its data, the sandbox's state and the token after a kill and a restart", async () => {
    const first = start();
    const made = await askAt(await first.ready(), first.token ?? "", makeLink("Kept"));
    await first.end("SIGKILL");
    const second = start();
    const url = await second.ready();
    expect(second.token).toBe(first.token);
    expect((await askAt(url, first.token ?? "", countLinks)).data.inviteLinks.totalCount).toBe(25);
    const state = await readFile(join(dataDir, "sandbox", "telegram.json"), "utf8");
    expect(state).toContain(made.data.createInviteLink.inviteLink.url);
    expect((await askAt(url, first.token ?? "", makeLink("Another"))).data.createInviteLink.__typename).toBe(
      "CreateInviteLinkSuccess",
    );
  });

  test("the server refuses to start in a folder that another server uses", async () => {
    const first = start();
    await first.ready();
    const second = start();
    expect(await second.exited).toBe(1);
    expect(second.stderr).toMatch(/^The folder .* is used by another invite-links server\.[^\n]*\n$/);
  });

  test("the server reports a port that is already in use in one line", async () => {
    const first = start();
    const { port } = new URL(await first.ready());
    await prepare("other/sandbox");
    const second = start({ PORT: port, DATA_DIR: join(dataDir, "other") });
    expect(await second.exited).toBe(1);
    expect(second.stderr).toMatch(/^Port \d+ is already in use\.[^\n]*\n$/);
  });
});

test("npm start reports a port that is already in use before it builds anything", async () => {
  const other = createServer().listen(0, "127.0.0.1");
  await once(other, "listening");
  const { port } = other.address() as AddressInfo;
  const start = new ServerProcess({ PORT: String(port) }, [NPM_START]);
  expect(await start.exited).toBe(1);
  expect(start.stderr).toMatch(/^Port \d+ is already in use\.[^\n]*\n$/);
  other.close();
});

describe("a server process with an invalid environment", () => {
  test.each([
    [{ PORT: "65536" }, /^PORT: "65536" is not a whole number from 0 to 65535\.\n$/],
    [{ NODE_ENV: "production" }, /^TELEGRAM_BOT_TOKEN: not set, [^\n]*TELEGRAM_SANDBOX=on[^\n]*\n$/],
    [{ TELEGRAM_BOT_TOKEN: "my-secret" }, /^TELEGRAM_BOT_TOKEN: the value is not [^\n]*\n$/],
    [{ DATABASE_URL: "mysql://u:my-secret@h/d" }, /^DATABASE_URL: the value is not [^\n]*\n$/],
    [{ TELEGRAM_WEBHOOK_URL: "https://a.example/" }, /^TELEGRAM_WEBHOOK_SECRET: not set[^\n]*\n$/],
  ])(
    "the server refuses %j in one line without a secret",
    async (environment: Record<string, string>, line) => {
      const server = start(environment);
      expect(await server.exited).toBe(1);
      expect(server.stderr).toMatch(line);
      expect(server.stdout + server.stderr).not.toContain("my-secret");
    },
  );
});

describe("a server process with a real bot", () => {
  beforeEach(() => prepare("live"));

  const token = "123456789:AA-secret-of-the-bot";
  const bot = { id: 123456789, token, username: "real_bot", firstName: "Real" };

  test("the server prints a token at its first start only, and no other bot can use its database", async () => {
    const telegram = await startSandbox({
      bot,
      initial: { chats: [{ id: CHANNEL, type: "channel", title: "Real" }] },
    });
    const environment = {
      TELEGRAM_BOT_TOKEN: token,
      TELEGRAM_API_ROOT: telegram.apiRoot,
      LOG_LEVEL: "debug",
    };
    const first = start(environment);
    const url = await first.ready();
    await expect.poll(() => first.stdout).toContain("shown only once");
    const made = await askAt(url, first.token ?? "", makeLink("For real"));
    expect(made.data.createInviteLink.__typename).toBe("CreateInviteLinkSuccess");
    expect(telegram.control.links(CHANNEL)).toHaveLength(1);
    expect(await first.end("SIGTERM")).toBe(0);
    // The token is hidden although every statement and call is logged at the level debug.
    expect(first.stdout + first.stderr).not.toContain("secret-of-the-bot");

    const second = start(environment);
    expect(
      (await askAt(await second.ready(), first.token ?? "", countLinks)).data.inviteLinks.totalCount,
    ).toBe(1);
    expect(second.token).toBeUndefined();
    await second.end("SIGTERM");

    const other = start({ ...environment, TELEGRAM_BOT_TOKEN: "987654321:AA-another" });
    expect(await other.exited).toBe(1);
    expect(other.stderr).toMatch(/^This database belongs to the bot 123456789, [^\n]*\n$/);
    await telegram.close();
  });

  test("the server creates the first token only when the start succeeds", async () => {
    const telegram = await startSandbox({ bot });
    const environment = { TELEGRAM_BOT_TOKEN: token, TELEGRAM_API_ROOT: telegram.apiRoot };
    const { port } = new URL(telegram.apiRoot);
    const failing = start({ ...environment, PORT: port });
    expect(await failing.exited).toBe(1);
    const second = start(environment);
    await second.ready();
    await expect.poll(() => second.stdout).toContain("shown only once");
    await telegram.close();
  });

  test("the server refuses to start with a token that Telegram rejects, but starts while Telegram is unreachable", async () => {
    const telegram = await startSandbox({ bot });
    const refused = start({
      TELEGRAM_BOT_TOKEN: "123456789:AA-revoked",
      TELEGRAM_API_ROOT: telegram.apiRoot,
    });
    expect(await refused.exited).toBe(1);
    expect(refused.stderr).toMatch(/^TELEGRAM_BOT_TOKEN: [^\n]*\n$/);
    expect(refused.stdout + refused.stderr).not.toContain("AA-revoked");
    await telegram.close();

    const alone = start({
      TELEGRAM_BOT_TOKEN: token,
      TELEGRAM_API_ROOT: telegram.apiRoot,
      ADMIN_TOKEN: "an-admin-token-of-my-own",
    });
    const url = await alone.ready();
    const ready = await fetch(new URL("/readyz", url));
    expect([ready.status, await ready.json()]).toEqual([
      200,
      expect.objectContaining({ telegram: "unreachable" }),
    ]);
    expect(
      (await askAt(url, "an-admin-token-of-my-own", "{ channels { totalCount } }")).data.channels.totalCount,
    ).toBe(0);
  });

  test("the server writes only JSON lines to stdout in production", async () => {
    const telegram = await startSandbox({ bot });
    const server = start({
      NODE_ENV: "production",
      TELEGRAM_BOT_TOKEN: token,
      TELEGRAM_API_ROOT: telegram.apiRoot,
      ADMIN_TOKEN: "an-admin-token-of-my-own",
    });
    await askAt(await server.ready(), "an-admin-token-of-my-own", "{ viewer { name } }");
    expect(await server.end("SIGTERM")).toBe(0);
    expect(server.lines.map(({ msg }) => msg)).toContain("request");
    expect(server.greeting).toMatchObject({ apiToken: null, sandbox: false });
    expect(server.stderr).toBe("");
    expect(server.stdout).not.toContain("an-admin-token-of-my-own");
    await telegram.close();
  });
});

test("a broken state file of the sandbox stops the start and is not overwritten", async () => {
  await prepare("sandbox");
  const file = join(dataDir, "sandbox", "telegram.json");
  await writeFile(file, "{ half");
  const server = start();
  expect(await server.exited).toBe(1);
  expect(await readFile(file, "utf8")).toBe("{ half");
});
