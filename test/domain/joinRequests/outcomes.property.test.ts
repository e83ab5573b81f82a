import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { followMigration } from "../../../src/domain/channels/chatMigration.js";
import { storeOutcome } from "../../../src/domain/joinRequests/storeOutcome.js";
import { recount } from "../../../src/domain/links/counts/recount.js";
import { UpdateIngestion } from "../../../src/domain/members/updateIngestion.js";
import { ALL_FORMS, describeOnForms, openTestDatabase, type TestDatabase } from "../../support/databases.js";
import { propertyInTime } from "../../support/properties.js";
import { testStatement } from "../../support/statement.js";
import { BOT_ID, model, received, type SeedUpdate, telegramUpdate, updateSeeds } from "../members/updates.js";
import { callerOf, noKnownCallers } from "../support.js";

const CHATS = [-1001, -1002];
const [GROUP, SUPERGROUP] = [-2001, -2002] as const;
const CALLER = { key: "test" };
const TABLES =
  "channel, membership, member_event, join_request, telegram_update, failed_update, coverage_gap, link_quarter, channel_quarter, audit_entry";

/** What Telegram answers about some request, before the update of an index is stored. */
const answers = fc.array(
  fc.record({
    before: fc.nat({ max: 30 }),
    request: fc.nat({ max: 30 }),
    outcome: fc.constantFrom("APPROVED" as const, "DECLINED" as const, "GONE" as const),
  }),
  { maxLength: 8 },
);

/** Changes nothing but that the group is known. */
const STAY_OF_GROUP: SeedUpdate = {
  kind: "stay",
  chat: GROUP,
  user: 11,
  date: 1_780_000_000,
  link: null,
  updateId: 1,
  isByAdmin: false,
  isByRequest: false,
  isByFolder: false,
};

interface Answer {
  readonly before: number;
  readonly request: number;
  readonly outcome: "APPROVED" | "DECLINED" | "GONE";
}

/** The requests whose sequences are not those of their member events, and the channels whose sequences have holes. */
const WITHOUT_THEIR_EVENTS = testStatement`
  select r.id::text from join_request r
    left join member_event e on e.channel_id = r.channel_id and e.sequence = r.sequence
    left join member_event d on d.channel_id = r.channel_id and d.sequence = r.decline_sequence
  where (e.kind, e.user_id) is distinct from ('JOIN_REQUESTED', r.user_id)
    or (r.state = 'DECLINED') <> (r.decline_sequence is not null)
    or r.decline_sequence is not null and (d.kind, d.user_id) is distinct from ('JOIN_REQUEST_DECLINED', r.user_id)
  union all
  select channel_id::text from member_event group by channel_id having max(sequence) <> count(*)`;

interface Row {
  readonly id: string;
  readonly updateId: number;
  readonly state: string;
}

await describeOnForms("what Telegram answers about requests", ALL_FORMS, (form) => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await openTestDatabase(form);
  });
  afterAll(() => database.close());

  const requests = () =>
    database.database.query<Row>(
      testStatement`select id, update_id as "updateId", state from join_request order by update_id`,
    );

  /** Stores updates in the order of their first numbers, and what Telegram answers in between. */
  async function check(
    arriving: readonly (readonly [number, SeedUpdate])[],
    given: readonly Answer[],
    migration: { readonly before: number } | null,
  ): Promise<void> {
    const ingestion = new UpdateIngestion({
      database: database.database,
      botId: BOT_ID,
      notifies: form === "server",
    });
    await database.pool.query(
      TABLES.split(", ")
        .map((table) => `delete from ${table}`)
        .join("; "),
    );
    // The group is known before it becomes a supergroup.
    if (migration) await ingestion.ingest([received(telegramUpdate(STAY_OF_GROUP, "group"))], null);
    const isDue = ({ before }: { readonly before: number }, index: number): boolean =>
      before % (arriving.length + 1) === index;
    /** The decisions that took effect, by update id. */
    const decisions = new Map<number, "APPROVED" | "DECLINED">();
    const gone = new Set<number>();
    for (let index = 0; index <= arriving.length; index += 1) {
      if (migration && isDue(migration, index)) {
        const shared = { database: database.database, callerCache: noKnownCallers };
        await followMigration(shared, callerOf(), GROUP, SUPERGROUP);
      }
      for (const answer of given.filter((one) => isDue(one, index))) {
        const stored = await requests();
        const request = stored[answer.request % Math.max(1, stored.length)];
        if (!request) continue;
        const { outcome } = answer;
        await ingestion.change(async (transaction) => {
          const told = { requestId: request.id, answer: outcome, mark: null };
          const changed = await storeOutcome(transaction, CALLER, told, "2026-08-01T00:00:00.000Z");
          return changed === null ? [] : [changed];
        });
        if (decisions.has(request.updateId)) continue;
        const isOpen = request.state === "PENDING" || (request.state === "GONE" && outcome !== "GONE");
        if (!isOpen && !(request.state === "APPROVED" && outcome === "APPROVED")) continue;
        if (outcome === "GONE") gone.add(request.updateId);
        else decisions.set(request.updateId, outcome);
      }
      const [, seed] = arriving[index] ?? [];
      if (!seed) continue;
      const type = seed.chat === GROUP ? "group" : seed.chat === SUPERGROUP ? "supergroup" : undefined;
      await ingestion.ingest([received(telegramUpdate(seed, type))], null);
    }
    const seeds = arriving.map(([, seed]) => (migration ? { ...seed, chat: SUPERGROUP } : seed));
    const expected = new Map(
      model(seeds).requests.map((request) => [
        `${request.chat} ${request.user} ${request.requested}`,
        request,
      ]),
    );
    const found = await database.database.query<{
      key: string;
      updateId: number;
      state: string;
    }>(testStatement`
      select c.chat_id || ' ' || r.user_id || ' ' || extract(epoch from r.requested_at)::bigint as key,
        r.update_id as "updateId", r.state
      from join_request r join channel c on c.id = r.channel_id`);
    for (const { key, updateId, state } of found) {
      const decided = decisions.get(updateId);
      if (decided !== undefined) expect(state).toBe(decided);
      // Two requests of a second have one key.
      else if (found.filter((other) => other.key === key).length === 1) {
        const { state: plain } = expected.get(key) ?? {};
        expect(state).toBe(plain === "PENDING" && gone.has(updateId) ? "GONE" : plain);
      }
    }
    const declined = await database.database.query(
      testStatement`select from member_event where kind = 'JOIN_REQUEST_DECLINED'`,
    );
    expect(declined).toHaveLength([...decisions.values()].filter((one) => one === "DECLINED").length);
    expect(await database.database.query(WITHOUT_THEIR_EVENTS)).toEqual([]);
    expect(await recount(database.database, { chatId: null, checkOnly: true })).toEqual([]);
  }

  const inOrder = (seeds: readonly SeedUpdate[], order: Iterator<number>) =>
    seeds.map((seed) => [order.next().value ?? 0, seed] as const).sort(([one], [other]) => one - other);

  test("stands, whatever updates come before and after, and the numbers follow", async () => {
    await fc.assert(
      propertyInTime(updateSeeds(CHATS), answers, fc.infiniteStream(fc.nat()), (seeds, given, order) =>
        check(inOrder(seeds, order), given, null),
      ),
      { numRuns: 100 },
    );
  }, 60_000);

  test("stands when the channels of a group and of its supergroup become one", async () => {
    await fc.assert(
      propertyInTime(
        updateSeeds([GROUP, SUPERGROUP]),
        answers,
        fc.infiniteStream(fc.nat()),
        fc.nat({ max: 30 }),
        (seeds, given, order, before) => check(inOrder(seeds, order), given, { before }),
      ),
      { numRuns: 100 },
    );
  }, 60_000);
});
