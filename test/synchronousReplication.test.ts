// What servers make of commits that PostgreSQL has not replicated. Here no standby confirms a commit while `isConfirming` is off.

import { setTimeout as delay } from "node:timers/promises";
import pg from "pg";
import { beforeEach, expect, onTestFinished, test } from "vitest";
import { failureOf } from "../src/database/failures.js";
import { serverPool } from "../src/database/pools.js";
import { startSandbox } from "../src/sandbox/sandbox.js";
import { startPostgres } from "../tools/postgres.mjs";
import { describeOnForms } from "./support/databases.js";
import { askAt, ServerProcess } from "./support/process.js";

const BOT = { id: 123456789, token: "123456789:AA-secret-of-the-bot", username: "a_bot", firstName: "A" };
const CHAT = -1001111111111;
const ADMIN_TOKEN = "an-admin-token-of-the-tests";
const SECRET = "the_secret-of-the-webhook";
const CREATE = `mutation ($input: CreateInviteLinkInput!) {
  createInviteLink(input: $input) { ... on CreateInviteLinkSuccess { inviteLink { url } } }
}`;

await describeOnForms("a primary whose standby is away", ["server"], () => {
  let url: string;
  let watcher: pg.Client;

  beforeEach(async () => {
    const server = await startPostgres({ settings: { fsync: "off" } });
    if (!server) throw new Error("This machine has no PostgreSQL that runs.");
    url = server.url;
    watcher = new pg.Client(url);
    await watcher.connect();
    return async () => {
      await watcher.end();
      await server.stop();
    };
  });

  const confirm = async (isConfirming: boolean) => {
    await watcher.query(`alter system set synchronous_standby_names = '${isConfirming ? "" : "missing"}'`);
    await watcher.query("select pg_reload_conf()");
    const shown = async () =>
      (await watcher.query("show synchronous_standby_names")).rows[0].synchronous_standby_names;
    await expect.poll(shown).toBe(isConfirming ? "" : "missing");
  };
  const waiting = async () =>
    (await watcher.query("select query from pg_stat_activity where wait_event = 'SyncRep'")).rows.map(
      ({ query }) => query,
    );

  test("a commit whose wait for the standby is cancelled has an unknown outcome", async () => {
    await confirm(false);
    const { pool, close } = serverPool(url, () => {});
    onTestFinished(close);
    const creating = pool.query("create table written ()").catch((error: unknown) => failureOf(error).kind);
    await expect.poll(waiting).toEqual(["create table written ()"]);
    await watcher.query("select pg_cancel_backend(pid) from pg_stat_activity where wait_event = 'SyncRep'");
    expect(await creating).toBe("unreachable");
    expect((await pool.query("select from pg_class where relname = 'written'")).rowCount).toBe(1);
    await confirm(true);
  });

  test("a creation and an update that are repeated are not acknowledged before a standby has confirmed them", {
    timeout: 120_000,
  }, async () => {
    const telegram = await startSandbox({
      bot: BOT,
      initial: { chats: [{ id: CHAT, type: "channel", title: "Chat" }] },
    });
    onTestFinished(() => telegram.close());
    const server = new ServerProcess({
      DATABASE_URL: url,
      TELEGRAM_BOT_TOKEN: BOT.token,
      TELEGRAM_API_ROOT: telegram.apiRoot,
      TELEGRAM_WEBHOOK_URL: "https://example.test/telegram/webhook",
      TELEGRAM_WEBHOOK_SECRET: SECRET,
      ADMIN_TOKEN,
    });
    onTestFinished(async () => {
      await server.end("SIGKILL");
    });
    const address = await server.ready();
    const create = async () => {
      const input = { channelId: CHAT, name: "Link", idempotencyKey: "a key" };
      return (await askAt(address, ADMIN_TOKEN, CREATE, { variables: { input } })).data?.createInviteLink;
    };
    const deliver = async () => {
      const response = await fetch(new URL("/telegram/webhook", address), {
        method: "POST",
        headers: { "content-type": "application/json", "x-telegram-bot-api-secret-token": SECRET },
        body: JSON.stringify({ update_id: 1, message: {} }),
      });
      return response.status;
    };
    const created = await create();
    expect([created, await deliver()]).toEqual([{ inviteLink: { url: expect.any(String) } }, 200]);

    for (const [repeat, lock, answer] of [
      [create, /from link_creation .* for share/, created],
      [deliver, /commit/, 200],
    ] as const) {
      await confirm(false);
      const repeated = repeat();
      await expect.poll(waiting).toContainEqual(expect.stringMatching(lock));
      expect(await Promise.race([repeated, delay(0, "waiting")])).toBe("waiting");
      await confirm(true);
      expect(await repeated).toEqual(answer);
    }
  });
});
