import { expect, inject, onTestFinished, test } from "vitest";
import { DatabaseProxy } from "../../support/databaseProxy.js";
import { describeOnForms } from "../../support/databases.js";
import { NEWS, person, UpdatesBed } from "./bed.js";

await describeOnForms("two servers", ["server"], (form) => {
  const proxied = async () => {
    const proxy = new DatabaseProxy((await (await fetch(inject("serverAddress"))).json()).url);
    await proxy.listen();
    onTestFinished(() => proxy.close());
    return proxy;
  };

  test("one server polls, and another one takes over at once when it stops", async () => {
    const bed = await UpdatesBed.prepare(form);
    const one = await bed.start({ isFenced: true });
    // The other server does not look for the lease by itself.
    const other = await bed.start({ isFenced: true, times: { renewMs: 600_000 } });
    await expect.poll(() => other.receiver.status.pollingServer).toBe(one.lease.serverId);
    expect([one.receiver.status.isPolling, other.receiver.status.isPolling]).toEqual([true, false]);
    bed.control.join(NEWS, person(1));
    await one.ingestion.received(1);
    await one.stop();
    await expect.poll(() => other.receiver.status.isPolling).toBe(true);
    bed.control.join(NEWS, person(2));
    // The first update may come again: its poller was stopped before it could acknowledge it.
    await expect.poll(() => new Set([...one.ingestion.ids, ...other.ingestion.ids]).size).toBe(2);
    expect(one.ingestion.ids).toHaveLength(1);
  });

  test("the lease of a server that has ended is taken without waiting for its end", async () => {
    const bed = await UpdatesBed.prepare(form);
    const one = await bed.start({
      isFenced: true,
      leaseMs: 60_000,
      times: { leaseMs: 60_000, renewMs: 600_000 },
    });
    await one.leavePresence();
    const other = await bed.start({ isFenced: true });
    await expect.poll(() => other.receiver.status.isPolling).toBe(true);
    // The former owner still polls. Whatever it is sent, it can store nothing.
    await expect
      .poll(() => {
        bed.control.join(NEWS, person(1 + bed.control.members(NEWS).length));
        return [other.ingestion.ids.length > 0, one.receiver.status.isPolling];
      })
      .toEqual([true, false]);
    await expect.poll(() => bed.pending).toEqual([]);
    expect(one.ingestion.ids).toEqual([]);
  });

  test("a server that lives keeps the lease while the presence of all servers returns", async () => {
    const bed = await UpdatesBed.prepare(form);
    const one = await bed.start();
    const other = await bed.start();
    await expect.poll(() => other.receiver.status.pollingServer).toBe(one.lease.serverId);
    const term = (await bed.row())?.term;
    const present = async (ids: readonly string[]): Promise<unknown[]> =>
      (
        await bed.query<{ pid: number }>(
          `select pid from pg_locks join unnest($1::text[]) as server (id)
             on (classid::bigint << 32) | objid::bigint = hashtextextended(server.id, 0)
           where locktype = 'advisory' and granted`,
          [ids],
        )
      ).map(({ pid }) => pid);
    // As after a failure of the database, which ends all sessions.
    for (const { lease } of [other, one]) {
      const [pid] = await present([lease.serverId]);
      await bed.query("select pg_terminate_backend($1)", [pid]);
      await expect.poll(() => present([lease.serverId]), { interval: 5 }).not.toContain(pid);
    }
    await expect.poll(() => present([one.lease.serverId, other.lease.serverId])).toHaveLength(2);
    expect((await bed.row())?.term).toBe(term);
    expect([one.receiver.status.isPolling, other.receiver.status.isPolling]).toEqual([true, false]);
  });

  test("a server that vanishes is replaced when its lease has run out, and stores nothing when it comes back", async () => {
    const bed = await UpdatesBed.prepare(form);
    const proxy = await proxied();
    const times = { leaseMs: 4000 };
    const one = await bed.start({ isFenced: true, leaseMs: 5000, times, reach: (url) => proxy.reach(url) });
    expect(one.receiver.status.isPolling).toBe(true);
    const other = await bed.start({ isFenced: true, leaseMs: 5000, times });
    expect(other.receiver.status.isPolling).toBe(false);
    proxy.hang();
    await expect.poll(() => other.receiver.status.isPolling).toBe(true);
    // The former owner noticed by itself that its lease has run out, so no two servers poll.
    expect(one.receiver.status.isPolling).toBe(false);
    for (let id = 1; id <= 3; id += 1) bed.control.join(NEWS, person(id));
    await other.ingestion.received(3);
    proxy.resume();
    await expect.poll(() => one.receiver.status.pollingServer).toBe(other.lease.serverId);
    expect(one.ingestion.ids).toEqual([]);
    expect(one.receiver.status.isPolling).toBe(false);
    expect((await bed.row())?.owner_id).toBe(other.lease.serverId);
  });

  test("after an outage of the database a server polls again and catches up", async () => {
    const bed = await UpdatesBed.prepare(form);
    const proxy = await proxied();
    const one = await bed.start({ leaseMs: 1000, times: { leaseMs: 800 }, reach: (url) => proxy.reach(url) });
    one.ingestion.before = async () => {
      await one.pool.pool.query("select 1");
    };
    bed.control.join(NEWS, person(1));
    await one.ingestion.received(1);
    await expect.poll(() => bed.pending).toEqual([]);
    await proxy.stop();
    for (let id = 2; id <= 250; id += 1) bed.control.join(NEWS, person(id));
    await expect.poll(() => one.receiver.status.isPolling).toBe(false);
    expect(bed.pending).toHaveLength(249);
    await proxy.restart();
    await one.ingestion.received(250);
    await expect.poll(() => bed.pending).toEqual([]);
  });
});
