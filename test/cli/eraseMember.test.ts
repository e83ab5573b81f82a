import { cp, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, inject, test } from "vitest";
import { createDatabase } from "../../src/database/database.js";
import { lockFolder } from "../../src/database/folder.js";
import { UpdateIngestion } from "../../src/domain/members/updateIngestion.js";
import { audit, SERVER } from "../../src/domain/shared/audit.js";
import { newId } from "../../src/domain/shared/ids.js";
import { received, telegramUpdate } from "../domain/members/updates.js";
import { newChatId } from "../domain/support.js";
import { openPool } from "../support/databases.js";
import { run } from "./support.js";

const PERSON = 123_456_789;

let dataDir: string;
let folder: string;
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "invite links "));
  folder = join(dataDir, "sandbox");
  await mkdir(folder, { mode: 0o700 });
  await cp(inject("embeddedTemplate"), folder, { recursive: true });
});
afterEach(() => rm(dataDir, { recursive: true, force: true }));

const eraseMember = (...options: string[]) => run(["erase-member", ...options], { DATA_DIR: dataDir });

async function onDatabase<Result>(work: (opened: Awaited<ReturnType<typeof openPool>>) => Promise<Result>) {
  const pool = await openPool({ url: null, dataDir: folder });
  const database = createDatabase(pool);
  try {
    return await work(pool);
  } finally {
    await database.close();
  }
}

/** The test starts several processes, each of which takes half a minute on a very busy machine. */
const PATIENT = { timeout: 300_000 };

test(
  "erase-member takes a person out of everything that is stored and leaves the counts",
  PATIENT,
  async () => {
    const pool = await openPool({ url: null, dataDir: folder });
    const database = createDatabase(pool);
    const ingestion = new UpdateIngestion({ database, botId: 1, notifies: false });
    const usual = { link: 0, isByAdmin: false, isByRequest: false, isByFolder: false, chat: newChatId() };
    const updates = (["request", "join", "leave"] as const).map((kind, index) =>
      telegramUpdate({ ...usual, kind, user: PERSON, updateId: 10 + index, date: 1_780_000_000 + index }),
    );
    await ingestion.ingest(updates.map(received), null);
    const others = [PERSON * 10, -PERSON];
    await database.transaction((unit) =>
      audit(
        unit,
        SERVER,
        ...[PERSON, { from: PERSON, to: null }, ...others].map((creatorId) => ({
          action: "inviteLink.update" as const,
          subjectId: newId(),
          change: { creatorId },
        })),
      ),
    );
    await database.close();

    const erased = await eraseMember("--user", String(PERSON));
    expect([erased.code, erased.stderr]).toEqual([0, ""]);
    expect(JSON.parse(erased.stdout)).toEqual({ eventCount: 3 });
    const again = await eraseMember(`--user=${PERSON}`);
    expect(JSON.parse(again.stdout)).toEqual({ eventCount: 0 });

    await onDatabase(async ({ pool: sessions }) => {
      for (const table of ["membership", "member_event", "join_request", "telegram_update", "audit_entry"]) {
        const { rows } = await sessions.query<{ row: string }>(
          `select to_jsonb(t)::text as row from ${table} t`,
        );
        expect(rows.length, table).toBeGreaterThan(0);
        const named = rows.filter(({ row }) => new RegExp(`(?<![-\\d])${PERSON}(?!\\d)`).test(row));
        expect(named).toEqual([]);
      }
      const { rows: creators } = await sessions.query(
        "select change -> 'creatorId' as creator from audit_entry where action = 'inviteLink.update' order by id",
      );
      const anybody = expect.toSatisfy((id) => id < 0 && id !== -PERSON);
      expect(creators.map(({ creator }) => creator)).toEqual([
        anybody,
        { from: anybody, to: null },
        ...others,
      ]);
      const { rows } = await sessions.query("select join_count, leave_count from link_activity");
      expect(rows).toEqual([{ join_count: 1, leave_count: 1 }]);
      const { rows: entries } = await sessions.query(
        "select action, caller from audit_entry where action like 'member.%'",
      );
      expect(entries).toEqual([
        { action: "member.erase", caller: "cli" },
        { action: "member.erase", caller: "cli" },
      ]);
    });
  },
);

test("erase-member names the mutation to use if a running server uses the embedded database", async () => {
  const lock = lockFolder(folder);
  try {
    const { code, stdout, stderr } = await eraseMember("--user", "5");
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(/^error: [^\n]*running server\. [^\n]*eraseMember[^\n]*\n$/);
  } finally {
    lock.release();
  }
});

test.each([
  ["no person", []],
  ["a name in place of an id", ["--user", "@somebody"]],
  ["a number that is no person's", ["--user", "-5"]],
  ["a number beyond 52 bits", ["--user", "4503599627370496"]],
])("erase-member treats %s as wrong usage", async (_name, options) => {
  const { code, stdout, stderr } = await eraseMember(...options);
  expect([code, stdout]).toEqual([2, ""]);
  expect(stderr).toMatch(/^error: [^\n]*\n$/);
});
