import fc from "fast-check";
import sql from "sql-template-tag";
import { afterAll, beforeAll, expect, test } from "vitest";
import { recount } from "../../../src/domain/links/counts/recount.js";
import { UpdateIngestion } from "../../../src/domain/members/updateIngestion.js";
import { ALL_FORMS, describeOnForms, openTestDatabase, type TestDatabase } from "../../support/databases.js";
import { propertyInTime } from "../../support/properties.js";
import {
  BOT_ID,
  LINKS,
  type ModelRequest,
  type ModelStay,
  model,
  received,
  telegramUpdate,
  updateSeeds,
} from "./updates.js";

const CHATS = [-1001, -1002];

const unix = (at: string | null): number | null => (at === null ? null : Date.parse(at) / 1000);

const TABLES =
  "channel, membership, member_event, join_request, telegram_update, failed_update, coverage_gap, link_quarter, channel_quarter, audit_entry";

/** Forgets everything, so that each run begins anew. */
async function clear({ pool }: TestDatabase): Promise<void> {
  await pool.query(
    TABLES.split(", ")
      .map((table) => `delete from ${table}`)
      .join("; "),
  );
}

const indexOf = (address: string | null): number | null => {
  if (address === null) return null;
  return LINKS.findIndex((link) => link.address === address);
};

async function storedStays({ database }: TestDatabase): Promise<ModelStay[]> {
  const rows = await database.query<Record<string, never>>(sql`
    select c.chat_id as chat, m.user_id as user, m.joined_at as joined, m.left_at as left, l.url as link,
      m.is_removal as "isRemoval", m.is_inferred_leave as "isInferred", m.is_rejoin as "isRejoin",
      m.is_first_by_link as "isFirstByLink", m.path
    from membership m join channel c on c.id = m.channel_id left join invite_link l on l.id = m.link_id
    where m.joined_at is not null or not m.is_inferred_leave`);
  return rows.map((row) => ({
    ...(row as unknown as ModelStay),
    joined: unix(row["joined"] ?? null),
    left: unix(row["left"] ?? null),
    link: indexOf(row["link"] ?? null),
  }));
}

async function storedRequests({ database }: TestDatabase): Promise<ModelRequest[]> {
  const rows = await database.query<Record<string, never>>(sql`
    select c.chat_id as chat, r.user_id as user, r.requested_at as requested, l.url as link, r.state
    from join_request r join channel c on c.id = r.channel_id left join invite_link l on l.id = r.link_id`);
  return rows.map((row) => ({
    ...(row as unknown as ModelRequest),
    requested: unix(row["requested"] ?? null) ?? 0,
    link: indexOf(row["link"] ?? null),
  }));
}

const sorted = <Row>(rows: readonly Row[]): string[] =>
  rows.map((row) => JSON.stringify(Object.entries(row as object).sort())).sort();

await describeOnForms("storing updates", ALL_FORMS, (form) => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await openTestDatabase(form);
  });
  afterAll(() => database.close());

  test("updates in any order, repeated and in any batches, mean what a plain model says", async () => {
    const ingestion = new UpdateIngestion({
      database: database.database,
      botId: BOT_ID,
      notifies: form === "server",
    });
    await fc.assert(
      propertyInTime(
        updateSeeds(CHATS),
        fc.infiniteStream(fc.nat()),
        fc.integer({ min: 1, max: 12 }),
        async (seeds, numbers, size) => {
          await clear(database);
          // Some updates come twice, and all of them in any order.
          const keyed = [...seeds, ...seeds.filter(() => (numbers.next().value ?? 0) % 3 === 0)].map(
            (seed) => [numbers.next().value ?? 0, seed] as const,
          );
          const arriving = keyed
            .sort(([one], [other]) => one - other)
            .map(([, seed]) => received(telegramUpdate(seed)));
          for (let from = 0; from < arriving.length; from += size)
            await ingestion.ingest(arriving.slice(from, from + size), null);
          const expected = model(seeds);
          expect(sorted(await storedStays(database))).toEqual(sorted(expected.stays));
          expect(sorted(await storedRequests(database))).toEqual(sorted(expected.requests));
          expect(await recount(database.database, { chatId: null, checkOnly: true })).toEqual([]);
        },
      ),
      { numRuns: 100 },
    );
  }, 60_000);
});
