import { setTimeout as delay } from "node:timers/promises";
import type { PoolClient } from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { newId } from "../../../../src/domain/shared/ids.js";
import { describeOnForms, openTestDatabase, type TestDatabase } from "../../../support/databases.js";
import { storeChannel, storeLinks, storeTags, storeTagType } from "../../support.js";
import { expectExactCounts } from "./expectCounts.js";

// The moments at which one transaction must wait for another, or must not. Random writes meet them too rarely.

await describeOnForms("counters under two transactions", ["server"], (form) => {
  let test: TestDatabase;
  let [one, other]: PoolClient[] = [];
  let [channelId, elsewhere, linkId, carried, free] = ["", "", "", "", ""];

  beforeAll(async () => {
    test = await openTestDatabase(form);
  });
  afterAll(() => test?.close());

  beforeEach(async () => {
    const { database, pool } = test;
    const typeId = await storeTagType(database, newId());
    [channelId, elsewhere, linkId, carried, free] = [
      (await storeChannel(database)).id,
      (await storeChannel(database)).id,
      newId(),
      newId(),
      newId(),
    ];
    const tags = [carried, free].map((id) => ({ id, typeId, name: id }));
    await storeTags(database, channelId, tags);
    const flags = { isRevoked: false, isBotCreated: true, expireDate: null, creatorId: null };
    const link = { id: linkId, name: "Ad", createdAt: new Date(), cents: 700n, ...flags };
    await storeLinks(database, channelId, [{ ...link, tags: tags.slice(0, 1) }]);
    [one, other] = [await pool.connect(), await pool.connect()];
    await one.query("begin");
    await other.query("begin");
  });
  afterEach(() => {
    one?.release();
    other?.release();
  });

  const sessions = () => {
    if (!one || !other) throw new TypeError("No session was opened.");
    return { one, other };
  };
  const take = (session: PoolClient) =>
    session.query("delete from invite_link_tag where link_id = $1 and tag_id = $2", [linkId, carried]);
  const add = (session: PoolClient, url: string) =>
    session.query(
      "insert into invite_link (id, channel_id, url, budget, created_at) values ($1, $2, $3, 5, now())",
      [newId(), channelId, url],
    );

  async function isWaitingForLock(): Promise<boolean> {
    const { rows } = await test.pool.query(
      "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
    );
    return rows.length > 0;
  }

  /** Commits the first transaction once the second waits for it or has ended its statement, then the second. */
  async function finish(waiting: Promise<unknown>): Promise<void> {
    const { one, other } = sessions();
    const done = waiting.then(
      () => true,
      () => true,
    );
    const mayCommit = () => Promise.race([done, isWaitingForLock()]);
    while (!(await mayCommit())) await delay(10);
    await one.query("commit");
    await waiting;
    await other.query("commit");
    await expectExactCounts(test);
  }

  it("the counters are exact when one transaction gives a link a tag of a type and the other takes one of the type", async () => {
    const { one, other } = sessions();
    await one.query(
      `insert into invite_link_tag (link_id, tag_id, channel_id, type_id, created_at)
      select l.id, t.id, t.channel_id, t.type_id, l.created_at from invite_link l, tag t where l.id = $1 and t.id = $2`,
      [linkId, free],
    );
    await finish(take(other));
  });

  it("the counters are exact when one transaction moves a link to another channel and the other takes its tag", async () => {
    const { one, other } = sessions();
    await one.query("update invite_link set channel_id = $2 where id = $1", [linkId, elsewhere]);
    await finish(take(other));
  });

  it("the counters are exact when one transaction takes a link's tag and the other moves the link to another channel", async () => {
    const { one, other } = sessions();
    await take(one);
    await finish(other.query("update invite_link set channel_id = $2 where id = $1", [linkId, elsewhere]));
  });

  it("the counters are exact when one transaction gives a tag and the other moves the tag to another type", async () => {
    const { one, other } = sessions();
    const typeId = await storeTagType(test.database, newId());
    await one.query(
      `insert into invite_link_tag (link_id, tag_id, channel_id, type_id, created_at)
      select l.id, t.id, t.channel_id, t.type_id, l.created_at from invite_link l, tag t where l.id = $1 and t.id = $2`,
      [linkId, free],
    );
    await finish(other.query("update tag set type_id = $2 where id = any($1)", [[carried, free], typeId]));
  });

  it("two transactions add links to a channel without waiting for each other", async () => {
    const { one, other } = sessions();
    await add(one, "https://t.me/+one");
    await other.query("set local lock_timeout = '5s'");
    await add(other, "https://t.me/+other");
    await other.query("commit");
    await one.query("commit");
    await expectExactCounts(test);
    const { rows } = await test.pool.query(
      "select sum(bit_count(links))::int as links from link_block where channel_id = $1",
      [channelId],
    );
    expect(rows).toEqual([{ links: 3 }]);
  });
});
