import { afterAll, beforeAll, expect, test } from "vitest";
import { newId } from "../../../src/domain/shared/ids.js";
import { exportLinks } from "../../../src/domain/transfer/exportLinks.js";
import { FORMATS, type Format } from "../../../src/import-export/files.js";
import {
  describeOnForms,
  openTestDatabase,
  type TestDatabase,
  USUAL_FORMS,
} from "../../support/databases.js";
import { storeMembers } from "../activity/history.js";
import { storeChannel, storeLinks } from "../support.js";
import { CHAT, importText } from "./support.js";

await describeOnForms("an export with the numbers of members", USUAL_FORMS, (form) => {
  let opened: TestDatabase;
  beforeAll(async () => {
    opened = await openTestDatabase(form);
    const channel = await storeChannel(opened.database, CHAT);
    const link = { createdAt: new Date("2026-01-01T00:00:00Z"), cents: 1_001n, creatorId: null, tags: [] };
    const settings = { isRevoked: false, isBotCreated: true, expireDate: null };
    const [first, second] = [newId(), newId()];
    await storeLinks(opened.database, channel.id, [
      { ...link, ...settings, id: first, name: "Ad" },
      { ...link, ...settings, id: second, name: null },
    ]);
    const stay = { linkId: first, isRemoval: false, isRejoin: false };
    const joinedAt = Date.parse("2026-02-01T10:00:00Z");
    await storeMembers(
      opened.database,
      channel.id,
      [
        { ...stay, id: newId(), userId: 1, isFirstByLink: true, joinedAt, leftAt: joinedAt + 1_000 },
        { ...stay, id: newId(), userId: 1, isFirstByLink: false, joinedAt: joinedAt + 5_000, leftAt: null },
      ],
      [{ userId: 2, linkId: first, at: joinedAt, isPending: true }],
      [],
    );
  });
  afterAll(() => opened?.close());

  const exported = async (format: Format, stats: boolean): Promise<string> => {
    let text = "";
    await exportLinks(
      opened.database,
      CHAT,
      async (links) => {
        for await (const part of FORMATS[format](links)) text += part;
      },
      { stats },
    );
    return text;
  };

  test("JSON lines have the numbers of a link in the object stats, and only if they are asked for", async () => {
    const [line = "", other = ""] = (await exported("jsonl", true)).split("\n");
    expect(JSON.parse(line).stats).toEqual({
      join_count: 2,
      leave_count: 1,
      removed_count: 0,
      active_count: 1,
      unique_join_count: 1,
      join_request_count: 1,
      pending_join_request_count: 1,
      cost_per_join: "5.01",
      cost_per_active_member: "10.01",
      first_join_at: "2026-02-01T10:00:00.000Z",
      last_join_at: "2026-02-01T10:00:05.000Z",
    });
    expect(JSON.parse(other).stats).toMatchObject({ join_count: 0, cost_per_join: null, last_join_at: null });
    expect(await exported("jsonl", false)).not.toContain("stats");
  });

  test("CSV has the numbers of a link in columns of their own", async () => {
    const [header, first] = (await exported("csv", true)).split("\r\n");
    expect(header?.endsWith(",cost_per_active_member,first_join_at,last_join_at")).toBe(true);
    expect(first).toContain(",2,1,0,1,1,1,1,5.01,10.01,2026-02-01T10:00:00.000Z,2026-02-01T10:00:05.000Z");
    expect(await exported("csv", false)).not.toContain("join_count");
  });

  test.each(["csv", "jsonl"] as const)("an import of %s ignores the numbers of members", async (format) => {
    const { counts } = await importText(opened.database, await exported(format, true), { update: true });
    expect(counts).toMatchObject({ created: 0, updated: 0, known: 2, skipped: 0 });
  });
});
