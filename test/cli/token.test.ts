import { cp, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, inject, test } from "vitest";
import { createDatabase } from "../../src/database/database.js";
import { lockFolder } from "../../src/database/folder.js";
import { Authentication } from "../../src/domain/access/authentication.js";
import { globalId } from "../../src/domain/shared/ids.js";
import { noKnownCallers } from "../domain/support.js";
import { openPool, prepareTestDatabase } from "../support/databases.js";
import { CHANNEL, GROUP } from "../support/server.js";
import { type Outcome, run } from "./support.js";

const UNKNOWN = "01991000-0000-7000-8000-000000000013";

let dataDir: string;
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "invite links "));
});
afterEach(() => rm(dataDir, { recursive: true, force: true }));

const prepare = async (folder: "sandbox" | "live") => {
  await mkdir(join(dataDir, folder), { mode: 0o700 });
  await cp(inject("embeddedTemplate"), join(dataDir, folder), { recursive: true });
};
const here = (args: readonly string[], environment: Record<string, string> = {}): Promise<Outcome> =>
  run(args, { DATA_DIR: dataDir, ...environment });

/** The JSON output of a successful command. */
async function json(command: Promise<Outcome>) {
  const { code, stdout, stderr } = await command;
  expect([code, stderr]).toEqual([0, ""]);
  return JSON.parse(stdout);
}

/** Expects one line on stderr and nothing on stdout. */
async function expectRefusal(command: Promise<Outcome>, code: number, line: RegExp): Promise<void> {
  const outcome = await command;
  expect(outcome.stderr).toMatch(/^error: [^\n]*\n$/);
  expect(outcome.stderr).toMatch(line);
  expect([outcome.code, outcome.stdout]).toEqual([code, ""]);
}

describe("invite-links token", () => {
  test("token create, list and revoke work on a valid token", async () => {
    await prepare("live");
    const bot = { TELEGRAM_BOT_TOKEN: "123456789:AA-bot" };
    const options = ["--name", "Ada's", "--role", "editor", "--telegram-user", "77"];
    const channels = ["--channel", String(CHANNEL), `--channel=${GROUP}`];
    const { secret, apiToken } = await json(here(["token", "create", ...options, ...channels], bot));
    expect(apiToken).toMatchObject({ name: "Ada's", role: "EDITOR", telegramUserId: 77, revokedAt: null });
    expect(apiToken.channelIds).toEqual([GROUP, CHANNEL]);

    const database = createDatabase(await openPool({ url: null, dataDir: join(dataDir, "live") }));
    const valid = await new Authentication(database, noKnownCallers, null, () => {}).authenticate(secret);
    const entries = await database.prisma.auditEntry.findMany({ where: { subjectId: apiToken.id } });
    await database.close();
    expect(valid).toMatchObject({
      role: "EDITOR",
      chatIds: new Set([CHANNEL, GROUP]),
      telegramUserId: 77,
    });
    expect(entries).toEqual([expect.objectContaining({ action: "apiToken.create", caller: "cli" })]);

    const revoked = await json(here(["token", "revoke", globalId("ApiToken", apiToken.id)], bot));
    const listed = await here(["token", "list"], bot);
    expect(await json(Promise.resolve(listed))).toEqual([
      { ...apiToken, lastUsedAt: expect.any(String), revokedAt: revoked.revokedAt },
    ]);
    expect(listed.stdout).not.toContain(secret);
  });

  test("token names the server's operation to use instead if a running server uses the database", async () => {
    const lock = lockFolder(join(dataDir, "sandbox"));
    try {
      await expectRefusal(here(["token", "create", "--name", "A", "--role", "ADMIN"]), 1, /createApiToken/);
      await expectRefusal(here(["token", "revoke", UNKNOWN]), 1, /running server\. .*revokeApiToken/);
      await expectRefusal(here(["token", "list"]), 1, /running server\. .*apiTokens/);
      await expectRefusal(here(["migrate"]), 1, /running server/);
    } finally {
      lock.release();
    }
  });

  test.each<[string, string[], RegExp]>([
    ["an unknown role", ["create", "--name", "A", "--role", "boss"], /VIEWER, EDITOR, ADMIN/],
    ["no role", ["create", "--name", "A"], /--role/],
    [
      "a channel beyond 52 bits",
      ["create", "--name", "A", "--role", "ADMIN", "--channel", "4503599627370496"],
      /52/,
    ],
    [
      "a user id that is not a number",
      ["create", "--name", "A", "--role", "ADMIN", "--telegram-user", "@a"],
      /user/,
    ],
    ["no id", ["revoke"], /id/],
  ])("token treats %s as wrong usage", (_name, args, line) =>
    expectRefusal(here(["token", ...args]), 2, line),
  );

  test("token reports the domain's refusals in one line", async () => {
    await prepare("sandbox");
    await expectRefusal(
      here(["token", "create", "--name", " ", "--role", "ADMIN"]),
      2,
      /name: Must not be empty/,
    );
    await expectRefusal(here(["token", "revoke", globalId("Tag", UNKNOWN)]), 2, /id: .* Tag/);
    await expectRefusal(here(["token", "revoke", UNKNOWN]), 1, /no such API token/);
  });

  test("token reports an invalid environment without a secret", async () => {
    const unreachable = { DATABASE_URL: "postgresql://u:secret_of@127.0.0.1:9/d" };
    await expectRefusal(here(["token", "list"], unreachable), 1, /DATABASE_URL: (?!.*secret_of)/);
    const noToken = { TELEGRAM_BOT_TOKEN: "secret_of" };
    await expectRefusal(here(["token", "list"], noToken), 1, /TELEGRAM_BOT_TOKEN: (?!.*secret_of)/);
  });
});

describe("invite-links migrate", () => {
  test("migrate creates the database, lists the applied migrations, and applies none the second time", async () => {
    const { applied } = await json(here(["migrate"]));
    expect(applied[0]).toBe("20261121000000_init");
    expect(await json(here(["migrate"]))).toEqual({ applied: [] });
  });

  test("migrate and the token commands use the database at DATABASE_URL", async ({ skip }) => {
    const prepared = await prepareTestDatabase("server", false).catch((error: Error) => skip(error.message));
    const server = { DATABASE_URL: prepared.url ?? "" };
    try {
      expect((await json(run(["migrate"], server))).applied).not.toEqual([]);
      const { apiToken } = await json(run(["token", "create", "--name", "A", "--role", "ADMIN"], server));
      expect(await json(run(["token", "list"], server))).toEqual([apiToken]);
    } finally {
      await prepared.remove();
    }
  });
});
