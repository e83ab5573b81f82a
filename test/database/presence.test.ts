import { expect, test } from "vitest";
import { createDatabase } from "../../src/database/database.js";
import { markDatabaseOwner } from "../../src/database/installation.js";
import { announcePresence } from "../../src/database/presence.js";
import { describeOnForms, openPool, prepareTestDatabase } from "../support/databases.js";

await describeOnForms("a server's presence", ["server"], () => {
  const sessions = async (pool: import("pg").Pool) =>
    (
      await pool.query(
        "select pid from pg_stat_activity where application_name = 'invite-links presence' and datname = current_database()",
      )
    ).rows.map(({ pid }) => Number(pid));

  test("is visible to others, returns after a broken connection, and ends with the process", async () => {
    const prepared = await prepareTestDatabase("server");
    const [ours, theirs] = [await openPool(prepared), await openPool(prepared)];
    const errors: Error[] = [];
    const one = await announcePresence(ours, (error) => errors.push(error));
    const other = await announcePresence(theirs, (error) => errors.push(error));
    expect([await one.isAlive(other.id), await other.isAlive(one.id)]).toEqual([true, true]);
    expect(await one.isAlive("01991000-0000-7000-8000-00000000ffff")).toBe(false);

    const before = await sessions(ours.pool);
    expect(before).toHaveLength(2);
    await ours.pool.query("select pg_terminate_backend(pid) from unnest($1::int[]) as pid", [before]);
    // PostgreSQL answers before the ended sessions have released their locks.
    const ofThoseBefore = (pid: number) => before.includes(pid);
    await expect.poll(async () => (await sessions(ours.pool)).filter(ofThoseBefore)).toEqual([]);
    // Neither takes the other for dead while both return.
    expect([await one.isAlive(other.id), await other.isAlive(one.id)]).toEqual([true, true]);
    await expect.poll(() => sessions(ours.pool)).toHaveLength(2);
    expect(errors.length).toBeGreaterThan(0);

    await other.leave();
    // One has just lost its own session, so it first gives others time to return.
    expect(await one.isAlive(other.id)).toBe(true);
    await expect.poll(() => one.isAlive(other.id)).toBe(false);
    await one.leave();
    await expect.poll(() => sessions(ours.pool)).toEqual([]);
    await Promise.all([ours.close(), theirs.close()]);
    await prepared.remove();
  });

  test("returns after the lock could not be had again in time", async () => {
    const prepared = await prepareTestDatabase("server");
    const [ours, theirs] = [await openPool(prepared), await openPool(prepared)];
    const errors: Error[] = [];
    const presence = await announcePresence(ours, (error) => errors.push(error));
    // As if the server's machine had been away, and PostgreSQL had not noticed yet that the old session is dead.
    const old = await theirs.pool.connect();
    const taken = old.query("select pg_advisory_lock(hashtextextended($1, 0))", [presence.id]);
    const [own] = await sessions(theirs.pool);
    await theirs.pool.query("select pg_terminate_backend($1)", [own]);
    await taken;
    const isTimedOut = () =>
      errors.some((error) => /statement timeout|Query read timeout/.test(error.message));
    await expect.poll(isTimedOut).toBe(true);
    await old.query("select pg_advisory_unlock_all()");
    old.release();
    const holders = async () =>
      (
        await theirs.pool.query(
          `select pid from pg_locks where locktype = 'advisory' and granted and pid = any($1)`,
          [await sessions(theirs.pool)],
        )
      ).rows.length;
    await expect.poll(holders).toBe(1);
    await presence.leave();
    await Promise.all([ours.close(), theirs.close()]);
    await prepared.remove();
  });

  test("ends some seconds after its machine vanished", async () => {
    const prepared = await prepareTestDatabase("server");
    const { pool, close } = await openPool(prepared);
    const { rows } = await pool.query(
      "select name, setting::int from pg_settings where name like 'tcp_keepalives_%' or name = 'tcp_user_timeout' order by name",
    );
    // The value 0 stands for the system's default of hours.
    expect(rows.map(({ name, setting }) => [name, setting])).toEqual([
      ["tcp_keepalives_count", 3],
      ["tcp_keepalives_idle", 10],
      ["tcp_keepalives_interval", 5],
      ["tcp_user_timeout", 25_000],
    ]);
    await close();
    await prepared.remove();
  });

  test("the owner of a database is recorded once by replicas that start together", async () => {
    const prepared = await prepareTestDatabase("server");
    const pools = await Promise.all(Array.from({ length: 6 }, () => openPool(prepared)));
    const databases = pools.map((pool) => createDatabase(pool));
    await Promise.all(databases.map((database) => markDatabaseOwner(database, 42)));
    await expect(markDatabaseOwner(databases[0] as (typeof databases)[number], null)).rejects.toThrow(
      "the bot 42",
    );
    await Promise.all(databases.map((database) => database.close()));
    await prepared.remove();
  });
});
