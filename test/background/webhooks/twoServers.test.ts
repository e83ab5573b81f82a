import pg from "pg";
import { afterEach, beforeEach, expect, it } from "vitest";
import { describeOnForms } from "../../support/databases.js";
import { LiveBed, type LiveServer, NEWS, OTHER } from "../../support/liveServers.js";
import { missingPooler, startPooler } from "../../support/pgbouncer.js";
import { change, makeWebhook, showWebhook } from "./administration.js";
import { MAX_ATTEMPTS, mostOvertaking, Receiver, until } from "./receiver.js";

await describeOnForms("webhooks on two servers", ["server"], (form) => {
  let bed: LiveBed;
  let servers: LiveServer[];
  let one: LiveServer;
  let other: LiveServer;
  let receiver: Receiver;

  beforeEach(async () => {
    bed = await LiveBed.prepare(form);
    one = await bed.start(0, { webhookAllowPrivate: true });
    other = await bed.start(0, { webhookAllowPrivate: true });
    servers = [one, other];
    receiver = await Receiver.listen();
  });
  afterEach(async () => {
    await bed.close();
    await receiver.close();
  });

  /** Somebody joins, and a server has stored it. */
  const join = async () => {
    bed.telegram.control.join(NEWS, bed.newPerson());
    await until(() => bed.telegram.control.pendingUpdates().length === 0);
  };

  it("are made, changed, switched off and deleted through one for both at once", async () => {
    const second = await Receiver.listen();
    for (const server of servers) {
      const { id } = await makeWebhook(server, receiver.url, ["MEMBER_JOINED"]);
      // The delivery may arrive before the join is told.
      const before = receiver.received.length;
      await join();
      await receiver.got(before + 1);
      const through = server === one ? other : one;
      await change(through, "updateWebhook", { id, url: second.url });
      await join();
      await second.got(server === one ? 1 : 2);
      await change(through, "updateWebhook", { id, isEnabled: false });
      await join();
      await change(through, "updateWebhook", { id, isEnabled: true });
      await until(async () =>
        (await showWebhook(server, id)).deliveries.nodes.every(({ state }) => state === "DELIVERED"),
      );
      await change(through, "deleteWebhook", { id });
      await join();
      expect(receiver.received).toHaveLength(before + 1);
    }
    await second.close();
  });

  it("tell of each event once while both run, and go on when one stops", async () => {
    const { id } = await makeWebhook(one, receiver.url, ["MEMBER_JOINED"]);
    for (let count = 0; count < 40; count += 1) bed.telegram.control.join(NEWS, bed.newPerson());
    await receiver.got(40);
    await one.stop();
    for (let count = 0; count < 40; count += 1) bed.telegram.control.join(NEWS, bed.newPerson());
    await receiver.got(80);
    await until(
      async () =>
        (await showWebhook(other, id, "states: [DELIVERED], first: 1")).deliveries.totalCount === 80,
    );
    const ids = receiver.received.map(({ headers }) => headers["webhook-id"]);
    expect(new Set(ids).size).toBe(80);
    // Only an attempt that ran when its server stopped is made again.
    expect(ids.length).toBeLessThanOrEqual(100);
    const users = [...new Set(receiver.received.map(({ body }) => body.data.userId))];
    expect(mostOvertaking(users)).toBeLessThan(MAX_ATTEMPTS);
  });

  it("lose nothing when all sessions of the database end meanwhile", async () => {
    const { id } = await makeWebhook(one, receiver.url, ["MEMBER_JOINED"]);
    for (let count = 0; count < 60; count += 1) bed.telegram.control.join(NEWS, bed.newPerson());
    await receiver.got(5);
    const client = new pg.Client(bed.database.url ?? "");
    await client.connect();
    await client.query(`select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and pid <> pg_backend_pid()`);
    await client.end();
    await until(() => new Set(receiver.received.map(({ body }) => body.data.userId)).size === 60);
    await until(
      async () =>
        (await showWebhook(other, id, "states: [DELIVERED], first: 1")).deliveries.totalCount === 60,
    );
  });

  it("are told of an event once while the presence of all servers returns", async () => {
    const { id } = await makeWebhook(one, receiver.url, ["MEMBER_JOINED"]);
    let answer = () => {};
    receiver.usual = (_request, response) => {
      answer = () => void response.writeHead(204).end();
    };
    await join();
    await receiver.got(1);
    const client = new pg.Client(bed.database.url ?? "");
    await client.connect();
    const present = async (condition: string): Promise<unknown[]> =>
      (
        await client.query(
          `select l.pid from pg_stat_activity a join pg_locks l using (pid)
           where a.datname = current_database() and a.application_name = 'invite-links presence'
             and l.locktype = 'advisory' and l.granted and exists (
               select from webhook_lease w where hashtextextended(w.owner_id::text, 0)
                 = (l.classid::bigint << 32) | l.objid::bigint) = ${condition}`,
        )
      ).rows.map(({ pid }) => pid);
    // As after a failure of the database: first the server that could take the lease, then the one that has it.
    for (const hasLease of ["false", "true"]) {
      const [pid] = await present(hasLease);
      await client.query("select pg_terminate_backend($1)", [pid]);
      await until(async () => !(await present(hasLease)).includes(pid));
    }
    for (const hasLease of ["false", "true"]) await until(async () => (await present(hasLease)).length === 1);
    await client.end();
    answer();
    await until(async () => (await showWebhook(one, id)).deliveries.nodes[0]?.state === "DELIVERED");
    expect(receiver.received).toHaveLength(1);
  });

  it("are told of nothing by a server whose start is not over, because a signal would end it at once", async () => {
    const { id } = await makeWebhook(one, receiver.url, ["LINK_CREATED"]);
    receiver.usual = 500;
    await one.makeLink(NEWS);
    await until(async () => (await showWebhook(one, id)).deliveries.nodes[0]?.attemptCount === 1);
    for (const server of servers) await server.stop();
    const client = new pg.Client(bed.database.url ?? "");
    await client.connect();
    await client.query("update webhook_delivery set due_at = now()");
    await client.end();
    // The start waits a while for Telegram.
    bed.telegram.control.fail({ kind: "hang", effect: "before" }, { method: "getUpdates", times: 10 });
    const before = receiver.received.length;
    await bed.start(0, { webhookAllowPrivate: true });
    expect(receiver.received).toHaveLength(before);
    await receiver.got(before + 1);
  });

  it("are counted in the metrics", async () => {
    await makeWebhook(one, receiver.url, ["MEMBER_JOINED"]);
    bed.telegram.control.join(NEWS, bed.newPerson());
    await receiver.got(1);
    await until(async () => {
      const texts = await Promise.all(
        servers.map(async ({ url }) => (await fetch(new URL("/metrics", url))).text()),
      );
      return texts.some((text) =>
        text.includes('invite_links_webhook_attempts_total{outcome="delivered"} 1'),
      );
    });
  });

  it.skipIf(missingPooler !== null)(
    "are told of everything through a pooler, in a schema of their own",
    async () => {
      const url = `${bed.database.url}?schema=own`;
      const pooler = await startPooler(bed.database.url ?? "", { pool_mode: "session" });
      const server = await bed.start(0, {
        databaseUrl: pooler.through(url),
        databaseDirectUrl: url,
        webhookAllowPrivate: true,
      });
      try {
        const { id } = await makeWebhook(server, receiver.url, ["LINK_CREATED"], { channelIds: [OTHER] });
        await server.makeLink(OTHER);
        await receiver.got(1);
        await until(async () => (await showWebhook(server, id)).deliveries.nodes[0]?.state === "DELIVERED");
      } finally {
        await server.stop();
        await pooler.stop();
      }
    },
  );
});
