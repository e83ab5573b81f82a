import { afterAll, beforeAll, expect, it, vi } from "vitest";
import type { DatabasePool } from "../../src/database/pools.js";
import { serverPool } from "../../src/database/pools.js";
import { describeOnForms, type PreparedDatabase, prepareTestDatabase } from "../support/databases.js";

await describeOnForms("statements one behind the other", ["server"], (form) => {
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
  /** Those that answer; not the pool's, of which some may be asked as well. */
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

  it("are answered each with its own, on few sessions", async () => {
    const numbers = Array.from({ length: 200 }, (_, index) => index);
    const answers = numbers.map((n) => quick("select $1::int * 2 as twice", [n], "twice"));
    expect((await Promise.all(answers)).map(({ twice }) => twice)).toEqual(numbers.map((n) => n * 2));
    await expect.poll(sessions).toHaveLength(2);
  });

  it("fail alone", async () => {
    const asked = [1, 0, 2, 0, 5].map((n) => quick("select 10 / $1::int as part", [n]));
    const outcomes = await Promise.allSettled(asked);
    expect(outcomes.map((one) => (one.status === "fulfilled" ? one.value["part"] : one.reason.code))).toEqual(
      [10, "22012", 5, "22012", 2],
    );
  });

  it("do not wait long behind a slow one, which is asked but once", async () => {
    await database.pool.query("create sequence asked");
    const slow = [1, 2].map(() => quick("select nextval('asked') as number, pg_sleep(2)::text"));
    let isSlowDone = false;
    const slowest = Promise.race(slow).then(() => {
      isSlowDone = true;
    });
    // Behind the slow ones, and when it is known that they are.
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

  it("are answered though their session has ended", async () => {
    await terminateAll();
    expect(await quick("select 1 as one")).toEqual({ one: 1 });
  });

  it("are answered though their session ends while they are under way", async () => {
    await expect.poll(sessions).toHaveLength(2);
    const asked = [1, 2, 3, 4].map((n) => quick("select pg_sleep(0.5)::text, $1::int as n", [n]));
    const answered = Promise.all(asked);
    await Promise.all((await sessions()).map(terminate));
    expect((await answered).map(({ n }) => n)).toEqual([1, 2, 3, 4]);
  });

  it("are answered though the session ends that was asked as well, since theirs is held up", async () => {
    await expect.poll(sessions).toHaveLength(2);
    const asked = [1, 2, 3, 4].map((n) => quick("select pg_sleep(3)::text, $1::int as n", [n]));
    const answered = Promise.all(asked);
    const askedAsWell = `from pg_stat_activity where application_name = 'invite-links' and state = 'active'
      and datname = current_database() and pid <> pg_backend_pid()`;
    const busy = async () => (await database.pool.query(`select ${askedAsWell}`)).rowCount;
    await expect.poll(busy, { interval: 10, timeout: 2900 }).toBe(2);
    await database.pool.query(`select pg_terminate_backend(pid) ${askedAsWell}`);
    expect((await answered).map(({ n }) => n)).toEqual([1, 2, 3, 4]);
  });

  it("have their session replaced, and whoever watches the database told of it", async () => {
    errors.length = 0;
    // A statement hears of it in place of who watches, where one is under way.
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
