import { afterAll, beforeAll, expect, it, vi } from "vitest";
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
  const terminateAll = async () => {
    await expect.poll(sessions).toHaveLength(2);
    await Promise.all((await sessions()).map(terminate));
  };
  const terminate = (pid: number) => database.pool.query("select pg_terminate_backend($1)", [pid]);

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
    const slow = [1, 2].map(() => quick("select nextval('asked') as number, pg_sleep(2)::text"));
    let isSlowDone = false;
    const slowest = Promise.race(slow).then(() => {
      isSlowDone = true;
    });
    // Both before and after the sessions count as stalled.
    for (let times = 0; times < 3; times += 1) {
      const asked = [1, 0, 2].map((n) => quick("select 10 / $1::int as part", [n]));
      const outcomes = await Promise.allSettled(asked);
      expect(
        outcomes.map((one) => (one.status === "fulfilled" ? one.value["part"] : one.reason.code)),
      ).toEqual([10, "22012", 5]);
      expect(isSlowDone).toBe(false);
    }
    await slowest;
    expect((await Promise.all(slow)).map(({ number }) => number).sort()).toEqual([1, 2]);
    expect(await quick("select last_value as number from asked")).toEqual({ number: 2 });
  });

  it("that has ended loses no later statement", async () => {
    await terminateAll();
    expect(await quick("select 1 as one")).toEqual({ one: 1 });
  });

  it("that ends loses no unanswered statement", async () => {
    await expect.poll(sessions).toHaveLength(2);
    const asked = [1, 2, 3, 4].map((n) => quick("select pg_sleep(0.5)::text, $1::int as n", [n]));
    const answered = Promise.all(asked);
    await Promise.all((await sessions()).map(terminate));
    expect((await answered).map(({ n }) => n)).toEqual([1, 2, 3, 4]);
  });

  it("answers a statement although the pool's session ends that took it over as stalled", async () => {
    await expect.poll(sessions).toHaveLength(2);
    const asked = [1, 2, 3, 4].map((n) => quick("select pg_sleep(3)::text, $1::int as n", [n]));
    const answered = Promise.all(asked);
    const takenOver = `from pg_stat_activity where application_name = 'invite-links' and state = 'active'
      and datname = current_database() and pid <> pg_backend_pid()`;
    const busy = async () => (await database.pool.query(`select ${takenOver}`)).rowCount;
    await expect.poll(busy, { interval: 10, timeout: 2900 }).toBe(2);
    await database.pool.query(`select pg_terminate_backend(pid) ${takenOver}`);
    expect((await answered).map(({ n }) => n)).toEqual([1, 2, 3, 4]);
  });

  it("that has ended is replaced, and the error handler is called", async () => {
    errors.length = 0;
    // While a statement is unanswered, the statement gets the error in place of the handler.
    await vi.waitFor(
      async () => {
        await terminateAll();
        expect(errors.length).toBeGreaterThan(0);
      },
      { timeout: 10_000 },
    );
    await expect.poll(sessions).toHaveLength(2);
  });
});

if (!fastPaths.pipelinedSessions)
  it.skip("pipelined sessions are left out: FAST_PATHS_OFF turns them off", () => {});
