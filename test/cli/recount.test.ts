import { cp, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, inject, test } from "vitest";
import { createDatabase } from "../../src/database/database.js";
import { lockFolder } from "../../src/database/folder.js";
import { newChatId, storeChannel } from "../domain/support.js";
import { openPool } from "../support/databases.js";
import { run } from "./support.js";

let dataDir: string;
let folder: string;
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "invite links "));
  folder = join(dataDir, "sandbox");
  await mkdir(folder, { mode: 0o700 });
  await cp(inject("embeddedTemplate"), folder, { recursive: true });
});
afterEach(() => rm(dataDir, { recursive: true, force: true }));

const recount = (...options: string[]) => run(["recount", ...options], { DATA_DIR: dataDir });

/** Each test starts several processes, each of which takes half a minute on a very busy machine. */
const PATIENT = { timeout: 300_000 };

test(
  "recount --check exits with 1 if a counter differs, and recount repairs the counter",
  PATIENT,
  async () => {
    const pool = await openPool({ url: null, dataDir: folder });
    const database = createDatabase(pool);
    const chatId = newChatId();
    const { id } = await storeChannel(database, chatId);
    await pool.pool.query("insert into link_day (channel_id, day, links) values ($1, '1999-12-31', 4)", [id]);
    await database.close();

    const differences = [expect.objectContaining({ counter: "link_day", channelId: chatId, rows: 1 })];
    const checked = await recount("--check");
    expect([checked.code, checked.stderr]).toEqual([1, ""]);
    expect(JSON.parse(checked.stdout)).toEqual({ differences, repaired: false });
    const repaired = await recount("--channel", String(chatId));
    expect([repaired.code, repaired.stderr]).toEqual([0, ""]);
    expect(JSON.parse(repaired.stdout)).toEqual({ differences, repaired: true });
    const again = await recount("--check");
    expect([again.code, JSON.parse(again.stdout)]).toEqual([0, { differences: [], repaired: false }]);

    const reopened = await openPool({ url: null, dataDir: folder });
    const { rows } = await reopened.pool.query("select caller, action, subject_id, change from audit_entry");
    await createDatabase(reopened).close();
    const counters = [{ counter: "link_day", problem: expect.any(String), rows: 1 }];
    expect(rows).toEqual([
      { caller: "cli", action: "channel.recount", subject_id: id, change: { counters } },
    ]);
  },
);

test("recount refuses an embedded database that a running server uses, in one line", async () => {
  const lock = lockFolder(folder);
  try {
    const { code, stdout, stderr } = await recount("--check");
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(/^error: The database in [^\n]* is used by a running server\. [^\n]*\n$/);
  } finally {
    lock.release();
  }
});

test("recount refuses an unknown channel", async () => {
  const { code, stderr } = await recount("--channel", "-1009999999999");
  expect([code, stderr]).toEqual([
    1,
    "error: There is no channel with the id -1009999999999 in the database.\n",
  ]);
});
