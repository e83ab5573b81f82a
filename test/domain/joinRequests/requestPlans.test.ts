import { afterAll, beforeAll, expect, it } from "vitest";
import { JoinRequests } from "../../../src/domain/joinRequests/joinRequests.js";
import { ALL_FORMS, describeOnForms, openTestDatabase, type TestDatabase } from "../../support/databases.js";
import { type PlanKind, planOf, rowsRead, statementsOf } from "../../support/plans.js";
import { callerOf, type StoredChannel, storeChannel } from "../support.js";

const REQUESTS = 20_000;
const PENDING = 1000;
const PAGE = 10;
const KINDS: PlanKind[] = ["custom", "generic"];

await describeOnForms("the list of requests to join", ALL_FORMS, (form) => {
  let test: TestDatabase;
  let channel: StoredChannel;

  beforeAll(async () => {
    test = await openTestDatabase(form);
    channel = await storeChannel(test.database);
    await test.pool.query(
      `insert into join_request (channel_id, id, user_id, attribution, requested_at, update_id, sequence, state)
      select $1, gen_random_uuid(), n, 'NONE', '2026-03-01'::timestamptz + n * interval '1 minute', n, n,
        (case when n <= $3::int then 'PENDING' else 'APPROVED' end)::join_request_state
      from generate_series(1, $2::int) n`,
      [channel.id, REQUESTS, PENDING],
    );
    await test.pool.query("analyze join_request");
  });
  afterAll(() => test?.close());

  it.each(KINDS)("reads no decided requests for a page of old pending ones (%s plan)", async (kind) => {
    const requests = new JoinRequests(test.database, callerOf());
    const statements = await statementsOf(test, async () => {
      const page = await requests.page({
        chatId: channel.chatId,
        filter: { states: ["PENDING"] },
        first: PAGE,
      });
      expect(page.edges).toHaveLength(PAGE);
    });
    expect(statements).not.toEqual([]);
    for (const statement of statements) {
      const read = rowsRead(await planOf(test.pool, statement, kind));
      // The count reads the pending ones alone.
      expect(read.get("join_request") ?? 0).toBeLessThanOrEqual(PENDING);
    }
  });
});
