import { afterAll, beforeAll, expect, it } from "vitest";
import { AuditEntries, type AuditFilter } from "../../../src/domain/audit/auditEntries.js";
import { createLoaders } from "../../../src/domain/loaders.js";
import { ALL_FORMS, describeOnForms, openTestDatabase, type TestDatabase } from "../../support/databases.js";
import { planOf, rowsRead, statementsOf, tablesReadWhole } from "../../support/plans.js";
import { callerOf, type StoredChannel, storeChannel } from "../support.js";

const ENTRIES = 20_000;
const CHANNELS = 20;
const PAGE = 10;
const SUBJECT = "01991000-0000-7000-8000-00000000abcd";
/** A few old entries have these. */
const RARE = { caller: "token:rare", action: "tag.delete" };
/** The chat migrations, which are read to find channels that have become part of others. */
const MERGES = 1;

await describeOnForms("the list of audit entries", ALL_FORMS, (form) => {
  let test: TestDatabase;
  const channels: StoredChannel[] = [];

  beforeAll(async () => {
    test = await openTestDatabase(form);
    for (let index = 0; index < CHANNELS; index += 1) channels.push(await storeChannel(test.database));
    // The first channel has all of the oldest entries and none of the others.
    await test.pool.query(
      `insert into audit_entry (id, at, caller, action, subject_id, channel_id, change)
      select gen_random_uuid(), '2026-03-01'::timestamptz + n * interval '1 second',
        case when n < 50 then $4::text else 'token:' || n % 7 end,
        case when n < 50 then $5::text when n % 3 = 0 then 'inviteLink.create' else 'inviteLink.update' end,
        case when n < 50 then $3::uuid else gen_random_uuid() end,
        ($1::uuid[])[case when n < 1000 then 1 else 2 + n % ($6::int - 1) end], '{}'
      from generate_series(1, $2::int) n`,
      [channels.map(({ id }) => id), ENTRIES, SUBJECT, RARE.caller, RARE.action, CHANNELS],
    );
    await test.pool.query(
      `insert into audit_entry (id, at, caller, action, subject_id, channel_id, change)
      values (gen_random_uuid(), '2026-02-01', 'server', 'channel.migrate', $1, $1, '{"merged": "${SUBJECT}"}')`,
      [channels[1]?.id],
    );
    await test.pool.query("analyze audit_entry");
  });
  afterAll(() => test?.close());

  const from = new Date("2026-03-01T00:00:30Z");
  const filters: [string, () => AuditFilter | null][] = [
    ["no filter", () => null],
    ["a period", () => ({ from, to: new Date("2026-03-01T00:10:00Z") })],
    ["a channel", () => ({ channelId: channels[0]?.chatId })],
    [
      "a channel and a period",
      () => ({ channelId: channels[2]?.chatId, from, to: new Date("2026-03-01T05:00:00Z") }),
    ],
    ["a subject", () => ({ subjectId: SUBJECT })],
    ["a caller", () => ({ caller: RARE.caller })],
    ["an action", () => ({ actions: [RARE.action] })],
    ["actions", () => ({ actions: [RARE.action, "inviteLink.create", "tag.create"] })],
  ];
  const limited = [
    ["a token for every channel", () => callerOf(null, "ADMIN")],
    [
      "a token for some channels",
      () =>
        callerOf(
          channels.slice(0, 3).map(({ chatId }) => chatId),
          "ADMIN",
        ),
    ],
  ] as const;

  for (const [who, callerFor] of limited)
    it.each(filters)(`reads little more than the page, by %s and ${who}`, async (name, filterFor) => {
      const filter = filterFor();
      // What channels have done under a condition of its own is read whole, which the costs include.
      if (who === "a token for some channels" && (filter?.caller || filter?.actions || name === "a period"))
        return;
      const caller = callerFor();
      const entries = () => new AuditEntries(test.database, caller, createLoaders(test.database, caller));
      const { edges } = await entries().page({ filter, first: 3 });
      for (const place of [{ first: PAGE }, { first: PAGE, after: edges[2]?.cursor }, { last: PAGE }]) {
        const statements = await statementsOf(test, () => entries().page({ filter, ...place }));
        for (const statement of statements.filter(({ text }) => text.includes("audit_entry a"))) {
          const plan = await planOf(test.pool, statement, "custom");
          const read = rowsRead(plan).get("audit_entry") ?? 0;
          const parts = who === "a token for some channels" ? 3 : (filter?.actions?.length ?? 1);
          const most = filter?.subjectId ? 50 : parts * (PAGE + 1);
          expect([name, tablesReadWhole(plan).includes("audit_entry")]).toEqual([name, false]);
          expect(read).toBeLessThanOrEqual(most + 2 * MERGES + PAGE);
        }
      }
    });
});
