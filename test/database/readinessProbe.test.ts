import { setTimeout as delay } from "node:timers/promises";
import pg from "pg";
import { afterAll, afterEach, beforeAll, expect, inject, it } from "vitest";
import { type DatabasePool, serverPool } from "../../src/database/pools.js";
import { type ReadinessProbe, readinessProbe } from "../../src/database/readinessProbe.js";
import { DatabaseProxy } from "../support/databaseProxy.js";
import { describeOnForms, type PreparedDatabase, prepareTestDatabase } from "../support/databases.js";

await describeOnForms("the readiness probe", ["server"], () => {
  let prepared: PreparedDatabase;
  let proxy: DatabaseProxy;
  let pool: DatabasePool;
  let probe: ReadinessProbe;
  /** The number of sessions that the probe has opened. */
  let opened = 0;

  beforeAll(async () => {
    const { url } = await (await fetch(inject("serverAddress"))).json();
    prepared = await prepareTestDatabase("server");
    proxy = new DatabaseProxy(url);
    await proxy.listen();
    const own = serverPool(proxy.reach(prepared.url ?? ""), () => {});
    pool = {
      ...own,
      dedicatedSession(applicationName) {
        opened += 1;
        if (own.dedicatedSession === null) throw new Error("A server's pool has sessions of its own.");
        return own.dedicatedSession(applicationName);
      },
    };
    probe = readinessProbe(pool);
  });
  afterAll(async () => {
    probe.close();
    await pool.close();
    proxy.close();
    await prepared.remove();
  });
  afterEach(() => proxy.resume());

  it("takes one time limit for all waiting callers when its session gets no answer", async () => {
    await probe.read();
    const before = opened;
    proxy.hang();
    const write = probe.write();
    // Started later, so that the second call still has time left when the first one closes the session.
    await delay(300);
    const outcomes = await Promise.allSettled([write, probe.read()]);
    expect(outcomes).toEqual(
      outcomes.map(() => ({ status: "rejected", reason: expect.objectContaining({ code: "ETIMEDOUT" }) })),
    );
    expect(opened).toBe(before);
    proxy.resume();
    await probe.read();
    expect(opened).toBe(before + 1);
  });

  it("reports no failure after an administrator ended its session", async () => {
    await probe.read();
    const before = opened;
    const admin = new pg.Client(prepared.url ?? "");
    await admin.connect();
    await admin.query(
      "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'invite-links readiness' and datname = current_database()",
    );
    await admin.end();
    await Promise.all([probe.read(), probe.write()]);
    expect(opened).toBe(before + 1);
  });
});
