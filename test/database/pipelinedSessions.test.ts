import pg from "pg";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { DatabasePool } from "../../src/database/pools.js";
import { serverPool } from "../../src/database/pools.js";
import { fastPaths } from "../../src/fastPaths.js";
import { describeOnForms, type PreparedDatabase, prepareTestDatabase } from "../support/databases.js";

await describeOnForms("a pipelined session", fastPaths.pipelinedSessions ? ["server"] : [], (form) => {
  let prepared: PreparedDatabase;
  let database: DatabasePool;
  const errors: Error[] = [];

  beforeAll(async () => {
    prepared = await prepareTestDatabase(form);
    database = serverPool(prepared.url as string, (error) => errors.push(error));
  });
  afterAll(async () => {
    await database?.close();
    await prepared?.remove();
  });

  const quick = async (text: string, values: unknown[] = [], name?: string) => {
    const { rows } = await database.quick.query({ text, values, ...(name !== undefined && { name }) });
    return rows[0] as Record<string, unknown>;
  };
  /** The process ids of the pipelined sessions that answer. Sessions of the pool may answer as well and are left out. */
  const sessions = async () => {
    const which = "select pg_backend_pid() as pid, current_setting('application_name') as name";
    const answers = await Promise.all([quick(which), quick(which)]);
    const pipelined = answers.filter(({ name }) => name === "invite-links pipeline");
    return [...new Set(pipelined.map(({ pid }) => Number(pid)))];
  };
  const bothSessions = async () => {
    let pids: number[] = [];
    const look = async () => {
      pids = await sessions();
      return pids;
    };
    await expect.poll(look).toHaveLength(2);
    return pids;
  };
  const terminateAll = async () => {
    await Promise.all((await bothSessions()).map((pid) => terminate(database.pool, pid)));
  };
  const terminate = (client: Pick<pg.Client, "query">, pid: number) =>
    client.query("select pg_terminate_backend($1)", [pid]);

  /** In a statement, waits until `whileSlow` has ended. */
  const WAIT = "pg_advisory_xact_lock_shared(1)::text";
  /** Runs `work`, with a session beside the pool, while the statements that WAIT get no answer. */
  const whileSlow = async (work: (client: pg.Client) => Promise<void>) => {
    const client = new pg.Client(prepared.url as string);
    await client.connect();
    try {
      await client.query("select pg_advisory_lock(1)");
      await work(client);
    } finally {
      await client.end();
    }
  };

  it("answers each of many concurrent statements with its own result, on two sessions", async () => {
    const numbers = Array.from({ length: 200 }, (_, index) => index);
    const answers = numbers.map((n) => quick("select $1::int * 2 as twice", [n], "twice"));
    expect((await Promise.all(answers)).map(({ twice }) => twice)).toEqual(numbers.map((n) => n * 2));
    await expect.poll(sessions).toHaveLength(2);
  });

  it("answers the other statements when one of them fails", async () => {
    const asked = [1, 0, 2, 0, 5].map((n) => quick("select 10 / $1::int as part", [n]));
    const outcomes = await Promise.allSettled(asked);
    expect(outcomes.map((one) => (one.status === "fulfilled" ? one.value["part"] : one.reason.code))).toEqual(
      [10, "22012", 5, "22012", 2],
    );
  });

  it("lets no statement wait long behind a slow one, and runs the slow one only once", async () => {
    await database.pool.query("create sequence asked");
    const slow: ReturnType<typeof quick>[] = [];
    await whileSlow(async () => {
      for (let times = 0; times < 2; times += 1)
        slow.push(quick(`select nextval('asked') as number, ${WAIT}`));
      // Both before and after the sessions count as stalled.
      for (let times = 0; times < 3; times += 1) {
        const asked = [1, 0, 2].map((n) => quick("select 10 / $1::int as part", [n]));
        const outcomes = await Promise.allSettled(asked);
        expect(
          outcomes.map((one) => (one.status === "fulfilled" ? one.value["part"] : one.reason.code)),
        ).toEqual([10, "22012", 5]);
      }
    });
    expect((await Promise.all(slow)).map(({ number }) => number).sort()).toEqual([1, 2]);
    expect(await quick("select last_value as number from asked")).toEqual({ number: 2 });
  });

  it("that has ended loses no later statement", async () => {
    await terminateAll();
    expect(await quick("select 1 as one")).toEqual({ one: 1 });
  });

  it("that ends loses no unanswered statement", async () => {
    const pids = await bothSessions();
    const asked: ReturnType<typeof quick>[] = [];
    await whileSlow(async (client) => {
      for (const n of [1, 2, 3, 4]) asked.push(quick(`select ${WAIT}, $1::int as n`, [n]));
      const waiting = `select from pg_locks where locktype = 'advisory' and not granted and pid = any($1)`;
      await expect.poll(async () => (await client.query(waiting, [pids])).rowCount).toBe(2);
      for (const pid of pids) await terminate(client, pid);
    });
    expect((await Promise.all(asked)).map(({ n }) => n)).toEqual([1, 2, 3, 4]);
  });

  it("answers a statement although the pool's session ends that took it over as stalled", async () => {
    await bothSessions();
    const asked: ReturnType<typeof quick>[] = [];
    await whileSlow(async (client) => {
      for (const n of [1, 2, 3, 4]) asked.push(quick(`select ${WAIT}, $1::int as n`, [n]));
      const takenOver = `from pg_stat_activity where application_name = 'invite-links'
        and wait_event_type = 'Lock' and datname = current_database()`;
      await expect.poll(async () => (await client.query(`select ${takenOver}`)).rowCount).toBe(2);
      await client.query(`select pg_terminate_backend(pid) ${takenOver}`);
    });
    expect((await Promise.all(asked)).map(({ n }) => n)).toEqual([1, 2, 3, 4]);
  });

  it("that has ended is replaced, and the error handler is called", async () => {
    errors.length = 0;
    // While a statement is unanswered, the statement gets the error in place of the handler.
    const endAll = async () => {
      await terminateAll();
      return errors.length;
    };
    await expect.poll(endAll).toBeGreaterThan(0);
    await expect.poll(sessions).toHaveLength(2);
  });
});

if (!fastPaths.pipelinedSessions)
  it.skip("pipelined sessions are left out: FAST_PATHS_OFF turns them off", () => {});
