import { randomInt } from "node:crypto";
import { once } from "node:events";
import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import pg from "pg";
import { expect, onTestFinished, test } from "vitest";
import { type Sandbox, startSandbox } from "../src/sandbox/sandbox.js";
import { type PostgresServer, startPostgres } from "../tools/postgres.mjs";
import { Crowd, expectAllStored } from "./support/crowd.js";
import { describeOnForms } from "./support/databases.js";
import { ServerProcess } from "./support/process.js";

const BOT = { id: 123456789, token: "123456789:AA-secret-of-the-bot", username: "a_bot", firstName: "A" };
const CHATS = [-1001111111111, -1002222222222, -1003333333333];
const SECRET = "the_secret-of-the-webhook";
const SERVERS = 3;
/** Longer than the lease for polling. */
const FROZEN_MS = 12_000;

/** What happens while updates come in. */
const DISTURBANCES = [
  "a server is killed",
  "PostgreSQL crashes",
  "the server that polls is killed",
  "all sessions end",
  "PostgreSQL restarts",
  "the server that polls hangs for longer than its lease",
] as const;
type Disturbance = (typeof DISTURBANCES)[number];

const { CRASH_ROUNDS } = process.env;
/** Each disturbance once, or any of them in many rounds. */
const PLAN: readonly Disturbance[] =
  CRASH_ROUNDS === undefined
    ? DISTURBANCES
    : Array.from(
        { length: Number(CRASH_ROUNDS) },
        () => DISTURBANCES[randomInt(DISTURBANCES.length)] ?? DISTURBANCES[0],
      );

/** Passes each webhook call to one of the servers, as a load balancer does. */
async function startBalancer(addresses: () => readonly URL[]) {
  const balancer = createServer((incoming, answer) => {
    const targets = addresses();
    const target = targets[randomInt(Math.max(1, targets.length))];
    const fail = () => {
      answer.destroy();
    };
    if (!target) {
      fail();
      return;
    }
    const { method, headers, url: path } = incoming;
    const passed = request(
      { host: target.hostname, port: target.port, path, method, headers },
      (answered) => {
        answer.writeHead(answered.statusCode ?? 500, answered.headers);
        answered.on("error", fail).pipe(answer);
      },
    );
    passed.on("error", fail);
    incoming.on("error", fail).pipe(passed);
  }).listen(0, "127.0.0.1");
  await once(balancer, "listening");
  return {
    port: (balancer.address() as AddressInfo).port,
    close: () => {
      balancer.close();
      balancer.closeAllConnections();
    },
  };
}

/** Servers of one installation with a PostgreSQL and a Telegram of their own. */
class Installation {
  readonly telegram: Sandbox;
  readonly #postgres: PostgresServer;
  readonly #environment: Record<string, string>;
  readonly #servers = new Map<ServerProcess, URL>();

  private constructor(telegram: Sandbox, postgres: PostgresServer, environment: Record<string, string>) {
    this.telegram = telegram;
    this.#postgres = postgres;
    this.#environment = environment;
  }

  static async start(transport: "polling" | "webhook"): Promise<Installation> {
    const postgres = await startPostgres({
      settings: { fsync: "off", full_page_writes: "off", autovacuum: "off", shared_buffers: "32MB" },
    });
    if (!postgres) throw new Error("This machine has no PostgreSQL that runs.");
    const telegram = await startSandbox({
      bot: BOT,
      initial: { chats: CHATS.map((id) => ({ id, type: "channel" as const, title: `Chat ${id}` })) },
    });
    const balancer = await startBalancer(() => [...installation.#servers.values()]);
    const environment = {
      DATABASE_URL: postgres.url,
      TELEGRAM_BOT_TOKEN: BOT.token,
      TELEGRAM_API_ROOT: telegram.apiRoot,
      ADMIN_TOKEN: "an-admin-token-of-the-tests",
      ...(transport === "webhook" && {
        TELEGRAM_WEBHOOK_URL: `http://127.0.0.1:${balancer.port}/telegram/webhook`,
        TELEGRAM_WEBHOOK_SECRET: SECRET,
      }),
    };
    const installation = new Installation(telegram, postgres, environment);
    onTestFinished(async () => {
      await Promise.all([...installation.#servers.keys()].map((server) => server.end("SIGKILL")));
      balancer.close();
      await telegram.close();
      await postgres.stop();
    });
    for (let count = 0; count < SERVERS; count += 1) await installation.#add();
    return installation;
  }

  /** The rows of a statement, which is repeated while the database is away. */
  async query<Row extends pg.QueryResultRow>(text: string): Promise<Row[]> {
    for (let left = 100; ; left -= 1) {
      const client = new pg.Client(this.#postgres.url);
      client.on("error", () => {});
      try {
        await client.connect();
        return (await client.query<Row>(text)).rows;
      } catch (error) {
        if (left === 0) throw error;
        await delay(100);
      } finally {
        await client.end().catch(() => {});
      }
    }
  }

  async disturb(disturbance: Disturbance): Promise<void> {
    const servers = [...this.#servers.keys()];
    const any = servers[randomInt(servers.length)];
    switch (disturbance) {
      case "a server is killed":
        return this.#kill(any);
      case "the server that polls is killed":
        return this.#kill((await this.#leader()) ?? any);
      case "the server that polls hangs for longer than its lease": {
        const server = (await this.#leader()) ?? any;
        server?.child.kill("SIGSTOP");
        await delay(FROZEN_MS);
        server?.child.kill("SIGCONT");
        return;
      }
      case "all sessions end":
        await this.query(`select pg_terminate_backend(pid) from pg_stat_activity
          where datname = current_database() and pid <> pg_backend_pid()`);
        return;
      case "PostgreSQL crashes":
        return this.#postgres.restart("immediate");
      case "PostgreSQL restarts":
        return this.#postgres.restart("fast");
    }
  }

  /** Runs the command recount. @returns its exit code and what it wrote */
  async recount(): Promise<[number | null, string]> {
    const main = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));
    const recount = new ServerProcess(this.#environment, [main, "recount", "--check"]);
    return [await recount.exited, recount.stdout + recount.stderr];
  }

  /** The server that holds the lease, if it has written so by now. */
  async #leader(): Promise<ServerProcess | undefined> {
    const [row] = await this.query<{ id: string }>(`select owner_id as id from update_receiver`);
    return [...this.#servers.keys()].find(({ lines }) =>
      lines.some((line) => row !== undefined && line["server"] === row.id),
    );
  }

  async #add(): Promise<void> {
    const server = new ServerProcess(this.#environment);
    this.#servers.set(server, new URL("http://127.0.0.1:1"));
    this.#servers.set(server, new URL(await server.ready()));
  }

  async #kill(server: ServerProcess | undefined): Promise<void> {
    if (!server) return;
    await server.end("SIGKILL");
    this.#servers.delete(server);
    await this.#add();
  }
}

await describeOnForms("servers and databases that fail while updates come in", ["server"], () => {
  test.each(["polling", "webhook"] as const)(
    "three servers lose and count twice nothing by %s",
    { timeout: 240_000 + PLAN.length * 60_000 },
    async (transport) => {
      const installation = await Installation.start(transport);
      const { telegram } = installation;
      const crowd = new Crowd(telegram, CHATS);
      for (const disturbance of PLAN) {
        const over = new AbortController();
        const disturbed = delay(randomInt(1500))
          .then(() => installation.disturb(disturbance))
          .then(() => delay(randomInt(500)))
          .finally(() => over.abort());
        while (!over.signal.aborted) {
          for (let count = 0; count < 5; count += 1) crowd.act();
          await delay(5 + randomInt(20));
        }
        await disturbed;
      }
      await expectAllStored(telegram, crowd, (text) => installation.query(text));
      expect(await installation.recount()).toEqual([0, expect.anything()]);
      if (CRASH_ROUNDS !== undefined)
        process.stdout.write(`${transport}: ${crowd.ids.length} updates, ${PLAN.length} disturbances\n`);
    },
  );
});
