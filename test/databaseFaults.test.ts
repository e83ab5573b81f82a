// Servers of an installation whose PostgreSQL fails in every way, while links are created, edited and tagged and members come
// and go. Nothing acknowledged may be lost and nothing may be done twice. `npm run faults` is the long form.

import { randomInt } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { failureOf } from "../src/database/failures.js";
import { serverPool } from "../src/database/pools.js";
import { StandbyError } from "../src/database/session.js";
import { startSandbox } from "../src/sandbox/sandbox.js";
import { Crowd, expectAllStored, type Query } from "./support/crowd.js";
import { describeOnForms } from "./support/databases.js";
import { FaultLoad } from "./support/faultLoad.js";
import { Cluster, type Member, missingCluster } from "./support/patroni.js";
import { missingPooler, startPooler } from "./support/pgbouncer.js";
import { ServerProcess } from "./support/process.js";

const BOT = { id: 123456789, token: "123456789:AA-secret-of-the-bot", username: "a_bot", firstName: "A" };
const CHATS = [-1001111111111, -1002222222222, -1003333333333];
const ADMIN_TOKEN = "an-admin-token-of-the-tests";
const CREATORS = 4;

/** Faults after which another server is the primary. */
const PROMOTIONS = [
  "the primary's machine fails",
  "the primary is handed over",
  "the primary's machine hangs until another one is the primary, and goes on without patroni",
] as const;
/** Faults that the primary survives. */
const INTERRUPTIONS = [
  "all sessions are ended",
  "PostgreSQL restarts",
  "PostgreSQL's processes are killed",
  "PostgreSQL stands still",
  "the synchronous standby fails",
  "new sessions are read-only",
] as const;
type Fault = (typeof PROMOTIONS)[number] | (typeof INTERRUPTIONS)[number];

const { CRASH_ROUNDS } = process.env;
const isLong = CRASH_ROUNDS !== undefined;
/** So many promotions, and every other fault between them; or a few of each. */
const PLAN: readonly Fault[] = isLong
  ? Array.from({ length: Number(CRASH_ROUNDS) }, (_, index): Fault[] => {
      const interruption = INTERRUPTIONS[Math.floor(index / 2) % INTERRUPTIONS.length];
      const promotion = PROMOTIONS[index % PROMOTIONS.length] ?? PROMOTIONS[0];
      return index % 2 === 0 || !interruption ? [promotion] : [interruption, promotion];
    }).flat()
  : ["the primary's machine fails", "all sessions are ended", "the primary is handed over"];
/** pgbouncer keeps from connecting for 15 s, by default, after PostgreSQL refused it once. */
const POOLER = {
  pool_mode: "session",
  default_pool_size: "50",
  max_client_conn: "200",
  server_login_retry: "1",
};
/** Milliseconds. Longer than any time limit of a statement. */
const STANDSTILL_MS = 30_000;
/** How soon all servers write again after a promotion, in milliseconds. Only the long form holds them to it. */
const LONGEST_ABSENCE_MS = 15_000;

/** A promotion that followed a fault. Times are by performance.now(). */
interface Promotion {
  /** When the new primary was first seen to be one. */
  readonly at: number;
  /** When PostgreSQL itself committed a write again, with the confirmation of a standby. */
  readonly committed: Promise<number>;
}

const report = (line: string) => {
  if (isLong) process.stdout.write(`${line}\n`);
};

/** Brings a fault about. @returns null if no promotion followed */
async function bringAbout(cluster: Cluster, fault: Fault): Promise<Promotion | null> {
  const primary = await cluster.untilHealthy();
  switch (fault) {
    case "the primary's machine fails": {
      cluster.signal(primary, "SIGKILL");
      const promoted = await promotion(cluster, primary);
      cluster.run(primary);
      return promoted;
    }
    case "the primary is handed over": {
      const [promoted] = await Promise.all([promotion(cluster, primary), cluster.switchover(primary)]);
      return promoted;
    }
    case "the primary's machine hangs until another one is the primary, and goes on without patroni": {
      cluster.signal(primary, "SIGSTOP");
      const promoted = await promotion(cluster, primary);
      // As with a watchdog that is missing: nobody keeps the old primary from serving its sessions.
      cluster.signal(primary, "SIGKILL", "patroni");
      cluster.signal(primary, "SIGCONT");
      await delay(randomInt(3000));
      cluster.run(primary);
      return promoted;
    }
    case "all sessions are ended":
      await cluster.query(
        primary,
        `select pg_terminate_backend(pid) from pg_stat_activity
         where application_name like 'invite-links%' and pid <> pg_backend_pid()`,
      );
      return null;
    case "PostgreSQL restarts":
      await cluster.restart(primary);
      return null;
    case "PostgreSQL's processes are killed":
      cluster.signal(primary, "SIGKILL", "postgres");
      return null;
    case "PostgreSQL stands still":
      await cluster.pause(true);
      cluster.signal(primary, "SIGSTOP", "postgres");
      await delay(STANDSTILL_MS);
      cluster.signal(primary, "SIGCONT", "postgres");
      await cluster.pause(false);
      return null;
    case "the synchronous standby fails": {
      const standby = await cluster.synchronousStandby();
      cluster.signal(standby, "SIGKILL");
      cluster.run(standby);
      return null;
    }
    case "new sessions are read-only":
      await cluster.query(primary, "alter system set default_transaction_read_only = on");
      await cluster.query(primary, "select pg_reload_conf()");
      await delay(3000);
      await cluster.query(
        primary,
        "set default_transaction_read_only = off; alter system reset default_transaction_read_only",
      );
      await cluster.query(primary, "select pg_reload_conf()");
      return null;
  }
}

/** Waits until another member than the former primary is the primary. */
async function promotion(cluster: Cluster, former: Member): Promise<Promotion> {
  for (const until = Date.now() + 60_000; Date.now() < until; await delay(20)) {
    const [promoted] = await cluster.primaries(former);
    if (promoted) return { at: performance.now(), committed: commit(cluster, promoted) };
  }
  throw new Error("No other server was promoted.");
}

/** Writes a record until a standby confirms it. */
async function commit(cluster: Cluster, primary: Member): Promise<number> {
  const write = "select pg_logical_emit_message(true, 'test', '')";
  while ((await cluster.query(primary, write)).length === 0) await delay(50);
  return performance.now();
}

await describeOnForms("servers of an installation whose PostgreSQL fails", ["server"], () => {
  if (missingCluster !== null) {
    test.skip(`skipped: ${missingCluster}`);
    return;
  }
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await Cluster.start();
  }, 120_000);
  afterAll(() => cluster.stop());

  test("a session that leads to a standby is not used", async () => {
    await cluster.untilHealthy();
    const { pool, close } = serverPool(cluster.urlOf(await cluster.synchronousStandby()), () => {});
    onTestFinished(close);
    const error = await pool.query("select 1").catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(StandbyError);
    expect(failureOf(error).kind).toBe("unreachable");
  });

  test("three servers lose nothing that they acknowledged and do nothing twice", {
    timeout: 180_000 + PLAN.length * 90_000,
  }, async () => {
    const telegram = await startSandbox({
      bot: BOT,
      initial: { chats: CHATS.map((id) => ({ id, type: "channel" as const, title: `Chat ${id}` })) },
    });
    onTestFinished(() => telegram.close());
    const pooler = missingPooler === null ? await startPooler(cluster.url, POOLER) : null;
    onTestFinished(async () => pooler?.stop());
    const environment = {
      TELEGRAM_BOT_TOKEN: BOT.token,
      TELEGRAM_API_ROOT: telegram.apiRoot,
      ADMIN_TOKEN,
    };
    const addresses = [cluster.url, pooler?.through(cluster.url) ?? cluster.url, cluster.url];
    const processes = addresses.map((url) => new ServerProcess({ ...environment, DATABASE_URL: url }));
    onTestFinished(async () => {
      await Promise.all(processes.map((process) => process.end("SIGKILL")));
    });
    const servers = await Promise.all(
      processes.map(async (process) => ({ url: await process.ready(), token: ADMIN_TOKEN })),
    );
    const load = new FaultLoad({ telegram, chats: CHATS, servers, longestPause: isLong ? 60 : 1 });
    await load.start(CREATORS);
    const crowd = new Crowd(telegram, CHATS);
    const over = new AbortController();
    const coming = (async () => {
      while (!over.signal.aborted) {
        for (let count = 0; count < 3; count += 1) crowd.act();
        await delay(20 + randomInt(60));
      }
    })();

    const absences: number[] = [];
    for (const fault of PLAN) {
      await delay(randomInt(1500));
      const promoted = await bringAbout(cluster, fault);
      const writtenAt = await load.untilWritten();
      if (promoted === null) {
        report(fault);
        continue;
      }
      const absence = Math.round(writtenAt - promoted.at);
      absences.push(absence);
      const committedMs = Math.round((await promoted.committed) - promoted.at);
      report(`${fault}: PostgreSQL wrote ${committedMs} ms after the promotion, all servers ${absence} ms`);
    }
    over.abort();
    await Promise.all([coming, load.stop()]);
    await cluster.untilHealthy();

    const query: Query = async (text) => (await cluster.query(await cluster.untilHealthy(), text)) as never;
    await expectAllStored(telegram, crowd, query);
    await load.check(query);
    const main = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));
    const recount = new ServerProcess({ ...environment, DATABASE_URL: cluster.url }, [
      main,
      "recount",
      "--check",
    ]);
    expect([await recount.exited, recount.stdout + recount.stderr]).toEqual([0, expect.anything()]);
    for (const { child, lines } of processes) {
      expect(child.exitCode).toBeNull();
      expect(lines.filter(({ msg }) => msg === "an operation failed unexpectedly")).toEqual([]);
    }
    const longest = Math.max(...absences);
    report(
      `${load.created} links, ${crowd.ids.length} updates, ${PLAN.length} faults, ${absences.length} promotions; writes were away for ${longest} ms at most; errors: ${load.errors}`,
    );
    if (isLong) expect(longest).toBeLessThan(LONGEST_ABSENCE_MS);
  });
});
