import { randomInt } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import pg from "pg";
import { expect, onTestFinished, test } from "vitest";
import { type Sandbox, startSandbox } from "../src/sandbox/sandbox.js";
import { describeOnForms, type PreparedDatabase, prepareTestDatabase } from "./support/databases.js";
import { ServerProcess } from "./support/process.js";

const ROUNDS = Number(process.env["CRASH_ROUNDS"] ?? 3);
const BOT = { id: 123456789, token: "123456789:AA-secret-of-the-bot", username: "a_bot", firstName: "A" };
const CHATS = [-1001111111111, -1002222222222, -1003333333333];
const SECRET = "the_secret-of-the-webhook";
const PEOPLE = 60;

const person = (id: number) => ({ id, is_bot: false, first_name: `Person ${id}` });

interface Change {
  readonly update_id: number;
  readonly body: object;
}

/** People who join and leave at random, and what the bot was sent about them. */
class Crowd {
  readonly sent: Change[] = [];
  readonly #telegram: Sandbox;

  constructor(telegram: Sandbox) {
    this.#telegram = telegram;
  }

  act(): void {
    const { control } = this.#telegram;
    const chat = CHATS[randomInt(CHATS.length)] ?? 0;
    const id = 1 + randomInt(PEOPLE);
    if (control.join(chat, person(id)) === "already-member") control.leave(chat, id);
    const last = control.pendingUpdates().at(-1);
    if (last) this.sent.push({ update_id: last.update_id, body: last });
    // Telegram may send an update again.
    const again = this.sent[randomInt(this.sent.length)];
    if (again && randomInt(10) === 0) control.inject({ ...again.body });
  }

  get ids(): number[] {
    return [...new Set(this.sent.map(({ update_id }) => update_id))].sort((a, b) => a - b);
  }
}

await describeOnForms("servers that are killed while updates come in", ["server"], (form) => {
  let database: PreparedDatabase;
  let telegram: Sandbox;
  let client: pg.Client;

  const prepare = async () => {
    database = await prepareTestDatabase(form);
    telegram = await startSandbox({
      bot: BOT,
      initial: { chats: CHATS.map((id) => ({ id, type: "channel" as const, title: `Chat ${id}` })) },
    });
    client = new pg.Client(database.url ?? "");
    await client.connect();
  };

  test.each(["polling", "webhook"])(
    "lose and count twice nothing by %s",
    { timeout: 180_000 + ROUNDS * 60_000 },
    async (mode) => {
      await prepare();
      const processes: ServerProcess[] = [];
      onTestFinished(async () => {
        await Promise.all(processes.map((server) => server.end("SIGKILL")));
        await client.end();
        await telegram.close();
        await database.remove();
      });
      let port = 0;
      const start = async () => {
        const server = new ServerProcess({
          ...(port === 0 ? {} : { PORT: String(port) }),
          DATABASE_URL: database.url ?? "",
          TELEGRAM_BOT_TOKEN: BOT.token,
          TELEGRAM_API_ROOT: telegram.apiRoot,
          ADMIN_TOKEN: "an-admin-token-of-the-tests",
          ...(mode === "webhook" && {
            TELEGRAM_WEBHOOK_URL: `http://127.0.0.1:${port}/telegram/webhook`,
            TELEGRAM_WEBHOOK_SECRET: SECRET,
          }),
        });
        processes.push(server);
        await server.ready();
        return server;
      };
      if (mode === "webhook") {
        const free = await startSandbox();
        port = Number(new URL(free.apiRoot).port);
        await free.close();
      }
      let servers = mode === "webhook" ? [await start()] : [await start(), await start()];
      const crowd = new Crowd(telegram);
      /** All sessions of the servers end, as when PostgreSQL restarts. */
      const endSessions = () =>
        client.query(`select pg_terminate_backend(pid) from pg_stat_activity
          where datname = current_database() and pid <> pg_backend_pid()`);
      for (let round = 0; round < ROUNDS; round += 1) {
        const until = Date.now() + 500 + randomInt(1500);
        const restartAt = until - randomInt(1000);
        let isRestarted = false;
        while (Date.now() < until) {
          for (let count = 0; count < 5; count += 1) crowd.act();
          await delay(randomInt(10));
          if (isRestarted || Date.now() < restartAt) continue;
          isRestarted = true;
          await endSessions();
        }
        const victim = servers[randomInt(servers.length)];
        await victim?.end("SIGKILL");
        servers = [...servers.filter((server) => server !== victim), await start()];
      }
      await expect
        .poll(() => telegram.control.pendingUpdates(), { timeout: 60_000, interval: 200 })
        .toEqual([]);
      const stored = await client.query<{ id: string }>(
        "select update_id as id from telegram_update order by update_id",
      );
      expect(stored.rows.map(({ id }) => Number(id))).toEqual(crowd.ids);
      expect((await client.query("select reason from failed_update")).rows).toEqual([]);
      for (const chat of CHATS) {
        const present = telegram.control
          .members(chat)
          .filter(({ user, status }) => user.id <= PEOPLE && status.status !== "left")
          .map(({ user }) => user.id)
          .sort((a, b) => a - b);
        const open = await client.query<{ id: string }>(
          `select user_id as id from membership join channel c on c.id = channel_id
         where chat_id = $1 and left_at is null order by user_id`,
          [chat],
        );
        expect(open.rows.map(({ id }) => Number(id))).toEqual(present);
      }
      const check = new ServerProcess({ DATABASE_URL: database.url ?? "", TELEGRAM_BOT_TOKEN: BOT.token }, [
        fileURLToPath(new URL("../dist/cli/main.js", import.meta.url)),
        "recount",
        "--check",
      ]);
      expect([await check.exited, check.stdout + check.stderr]).toEqual([0, expect.anything()]);
      process.stdout.write(`${mode}: ${crowd.ids.length} updates, ${ROUNDS} kills\n`);
    },
  );
});
