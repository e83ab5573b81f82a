import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { followMigration } from "../../../src/domain/channels/chatMigration.js";
import { recount } from "../../../src/domain/links/counts/recount.js";
import { UpdateIngestion } from "../../../src/domain/members/updateIngestion.js";
import { ALL_FORMS, describeOnForms, openTestDatabase, type TestDatabase } from "../../support/databases.js";
import { propertyInTime } from "../../support/properties.js";
import { testStatement } from "../../support/statement.js";
import { callerOf, noKnownCallers } from "../support.js";
import {
  BOT_ID,
  LINKS,
  type ModelRequest,
  type ModelStay,
  model,
  received,
  type SeedUpdate,
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
  const rows = await database.query<Record<string, never>>(testStatement`
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
  const rows = await database.query<Record<string, never>>(testStatement`
    select c.chat_id as chat, r.user_id as user, r.requested_at as requested, l.url as link, r.state
    from join_request r join channel c on c.id = r.channel_id left join invite_link l on l.id = r.link_id`);
  return rows.map((row) => ({
    ...(row as unknown as ModelRequest),
    requested: unix(row["requested"] ?? null) ?? 0,
    link: indexOf(row["link"] ?? null),
  }));
}

interface Event {
  readonly chat: number;
  readonly user: number;
  readonly kind: string;
  readonly at: number;
  readonly link: number | null;
  readonly path: string | null;
  readonly isRemoval: boolean;
  readonly isRejoin: boolean;
  readonly isInferred: boolean;
  /** Whether the event of a leave names who did it. */
  readonly hasActor: boolean;
}

async function storedEvents({ database }: TestDatabase): Promise<Event[]> {
  const rows = await database.query<Record<string, never>>(testStatement`
    select c.chat_id as chat, e.user_id as user, e.kind, e.occurred_at as at, l.url as link, e.path,
      e.is_removal as "isRemoval", e.is_rejoin as "isRejoin", e.is_inferred as "isInferred",
      e.kind = 'LEFT' and e.actor_id is not null as "hasActor"
    from member_event e join channel c on c.id = e.channel_id left join invite_link l on l.id = e.link_id`);
  return rows.map((row) => ({
    ...(row as unknown as Event),
    at: unix(row["at"] ?? null) ?? 0,
    link: indexOf(row["link"] ?? null),
  }));
}

/** The events that stays and requests are told by. */
function eventsOf({ stays, requests }: ReturnType<typeof model>): Event[] {
  const none = { path: null, isRemoval: false, isRejoin: false, isInferred: false, hasActor: false };
  return [
    ...stays.flatMap(({ chat, user, joined, left, link, path, isRemoval, isRejoin, isInferred }) => [
      ...(joined === null ? [] : [{ ...none, chat, user, kind: "JOINED", at: joined, link, path, isRejoin }]),
      ...(left === null
        ? []
        : [
            { ...none, chat, user, kind: "LEFT", at: left, link, isRemoval, isInferred, hasActor: isRemoval },
          ]),
    ]),
    ...requests.map(({ chat, user, link, requested }) => ({
      ...none,
      chat,
      user,
      kind: "JOIN_REQUESTED",
      at: requested,
      link,
    })),
  ];
}

const sorted = <Row>(rows: readonly Row[]): string[] =>
  rows.map((row) => JSON.stringify(Object.entries(row as object).sort())).sort();

await describeOnForms("storing updates", ALL_FORMS, (form) => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await openTestDatabase(form);
  });
  afterAll(() => database.close());

  /** Compares everything that is stored with a plain model of updates. */
  async function expectMeaning(seeds: readonly SeedUpdate[]): Promise<void> {
    const expected = model(seeds);
    expect(sorted(await storedStays(database))).toEqual(sorted(expected.stays));
    expect(sorted(await storedRequests(database))).toEqual(sorted(expected.requests));
    expect(sorted(await storedEvents(database))).toEqual(sorted(eventsOf(expected)));
    expect(await recount(database.database, { chatId: null, checkOnly: true })).toEqual([]);
  }

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
          await expectMeaning(seeds);
        },
      ),
      { numRuns: 100 },
    );
  }, 60_000);

  test("updates under both ids of a group that becomes a supergroup mean what the model says of one chat", async () => {
    const ingestion = new UpdateIngestion({
      database: database.database,
      botId: BOT_ID,
      notifies: form === "server",
    });
    const [group, supergroup] = [-2001, -2002] as const;
    await fc.assert(
      propertyInTime(
        updateSeeds([group, supergroup]),
        fc.infiniteStream(fc.nat()),
        fc.integer({ min: 1, max: 6 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.boolean(),
        async (seeds, numbers, size, migratesAfter, isConnected) => {
          await clear(database);
          const random = (): number => numbers.next().value ?? 0;
          const read = (seed: SeedUpdate) => {
            const type = seed.chat === group ? "group" : "supergroup";
            return received(telegramUpdate(seed, type));
          };
          // The group is known. The supergroup may be, because somebody has connected it.
          const seen = { kind: "stay", user: 11, date: 1_780_000_000, link: null } as const;
          const flags = { isByAdmin: false, isByRequest: false, isByFolder: false };
          await ingestion.ingest([read({ ...seen, ...flags, chat: group, updateId: 1 })], null);
          if (isConnected) {
            await ingestion.ingest([read({ ...seen, ...flags, chat: supergroup, updateId: 2 })], null);
            await database.pool.query("update audit_entry set action = 'channel.store'");
          }
          // Late updates of the group come after the migration as well.
          const arriving = [...seeds, ...seeds.filter(() => random() % 3 === 0)]
            .map((seed) => [random(), seed] as const)
            .sort(([one], [other]) => one - other)
            .map(([, seed]) => read(seed));
          const migratesAt = Math.floor(migratesAfter * arriving.length);
          const ingest = async (updates: typeof arriving) => {
            for (let from = 0; from < updates.length; from += size)
              await ingestion.ingest(updates.slice(from, from + size), null);
          };
          await ingest(arriving.slice(0, migratesAt));
          const shared = { database: database.database, callerCache: noKnownCallers };
          await followMigration(shared, callerOf(), group, supergroup);
          await ingest(arriving.slice(migratesAt));
          await expectMeaning(seeds.map((seed) => ({ ...seed, chat: supergroup })));
        },
      ),
      { numRuns: 100 },
    );
  }, 60_000);
});
