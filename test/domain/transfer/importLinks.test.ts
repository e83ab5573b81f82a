import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Database } from "../../../src/database/database.js";
import {
  describeOnForms,
  openTestDatabase,
  type TestDatabase,
  USUAL_FORMS,
} from "../../support/databases.js";
import { CHAT, empty, exportText, importText, jsonLines, newImport, rowsOf } from "./support.js";

const url = (name: string) => `https://t.me/+${name}`;
const link = (name: string, more: object = {}) => ({ channel_id: CHAT, url: url(name), ...more });
const linksOf = async (database: Database) =>
  (await exportText(database, "jsonl"))
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));

await describeOnForms("an import", USUAL_FORMS, (form) => {
  let opened: TestDatabase;
  let database: Database;
  beforeAll(async () => {
    opened = await openTestDatabase(form);
    database = opened.database;
  });
  afterAll(() => opened.close());
  beforeEach(() => empty(database));

  test("an import plans a batch again when a link of it is deleted meanwhile", async () => {
    await importText(database, jsonLines(link("going", { name: "Before" })));
    // The first update finds no row, as when another transaction has just deleted it.
    for (const statement of [
      "create sequence goings",
      `create function go() returns trigger language plpgsql as
         $$ begin if nextval('goings') < 3 then return null; end if; return new; end $$`,
      "create trigger going before update on invite_link for each row execute function go()",
    ])
      await database.prisma.$executeRawUnsafe(statement);
    try {
      const { counts } = await importText(database, jsonLines(link("going", { name: "After" })), {
        update: true,
      });
      expect(counts).toMatchObject({ updated: 1, created: 0 });
      expect(await linksOf(database)).toMatchObject([{ name: "After" }]);
    } finally {
      for (const statement of [
        "drop trigger going on invite_link",
        "drop function go()",
        "drop sequence goings",
      ])
        await database.prisma.$executeRawUnsafe(statement);
    }
  });

  test("an import keeps the fields of a link exactly", async () => {
    const { counts } = await importText(
      database,
      jsonLines(
        link("all", {
          name: "A name of far more than the thirty-two characters that Telegram has",
          budget: 999999999999.99,
          created_at: "2024-01-31T23:30:00.123456+03:00",
          creator_id: "4503599627370495",
          expire_date: "2024-02-29",
          member_limit: 0,
          creates_join_request: true,
          subscription_price: null,
          is_bot_created: "no",
          is_revoked: true,
          external_id: "Click 1",
          tags: [
            { type: "Platform", name: "  You   Tube ", color: "#ff0000" },
            { type: "PLATFORM", name: "you tube" },
          ],
        }),
        link("little"),
      ),
    );
    expect(counts).toMatchObject({ created: 2, channels: 1, tagTypes: 1, tags: 1 });
    const [all, little] = await linksOf(database);
    expect(all).toEqual({
      channel_id: CHAT,
      url: url("all"),
      name: "A name of far more than the thirty-two characters that Telegram has",
      budget: "999999999999.99",
      created_at: "2024-01-31T20:30:00.123Z",
      creator_id: 4503599627370495,
      expire_date: "2024-02-29T00:00:00.000Z",
      member_limit: null,
      creates_join_request: true,
      subscription_price: null,
      is_bot_created: false,
      is_revoked: true,
      external_id: "Click 1",
      tags: [{ type: "Platform", name: "You Tube", color: "#FF0000" }],
    });
    expect(little).toMatchObject({ name: null, budget: "0.00", is_bot_created: true, tags: [] });
    const stored = await database.prisma.inviteLink.findFirstOrThrow({ where: { url: url("little") } });
    expect([stored.botId, stored.updatedAt]).toEqual([null, null]);
    expect(await database.prisma.channel.findFirstOrThrow()).toMatchObject({
      kind: "CHANNEL",
      title: String(CHAT),
      botStatus: "UNKNOWN",
    });
  });

  test("an import recognises a link in every spelling of its address, and stores Telegram's spelling", async () => {
    const spellings = [
      "HTTP://T.me/joinchat/Aa-1",
      "https://telegram.me/+Aa-1",
      "https://t.me/+Aa-1/",
      url("Aa-1"),
    ];
    const another = [url("aA-1"), url("Aa-1...")];
    const records = [...spellings, ...another].map((address) => ({ channel_id: CHAT, url: address }));
    const { counts } = await importText(database, jsonLines(...records));
    expect(counts).toMatchObject({ created: 3, known: 3, skipped: 0 });
    const addresses = (await linksOf(database)).map((stored) => stored.url);
    expect(addresses.sort()).toEqual([url("Aa-1"), ...another].sort());
  });

  test("an import skips a link whose external id another link of the channel has, in a dry run as well", async () => {
    await importText(database, jsonLines(link("a", { external_id: "one" })));
    const records = [
      link("b", { external_id: "one" }),
      link("c", { external_id: "two" }),
      link("d", { external_id: "two" }),
      link("a", { external_id: "three" }),
      link("e", { external_id: "x".repeat(256) }),
    ];
    for (const dryRun of [true, false]) {
      const { counts, skipped } = await importText(database, jsonLines(...records), { update: true, dryRun });
      expect(counts).toMatchObject({ created: 1, updated: 1, skipped: 3 });
      expect(skipped.map(({ place, problems }) => [place, problems[0]?.field])).toEqual(
        expect.arrayContaining([
          ["line 1", "external_id"],
          ["line 3", "external_id"],
          ["line 5", "external_id"],
        ]),
      );
    }
    const stored = await linksOf(database);
    expect(stored.map(({ url: address, external_id }) => [address, external_id])).toEqual(
      expect.arrayContaining([
        [url("a"), "three"],
        [url("c"), "two"],
      ]),
    );
  });

  test("an import stores an audit entry for every change", async () => {
    await importText(database, jsonLines(link("a", { tags: [{ type: "T", name: "N" }] })));
    await importText(database, jsonLines(link("a", { name: "Ad", budget: 5, tags: [] })), { update: true });
    const entries = await database.prisma.auditEntry.findMany({ orderBy: { id: "asc" } });
    expect(entries.map(({ action }) => action)).toEqual([
      "channel.import",
      "tagType.create",
      "tag.create",
      "inviteLink.import",
      "inviteLink.update",
    ]);
    const tag = await database.prisma.tag.findFirstOrThrow();
    expect(entries.at(-1)).toMatchObject({
      caller: "test",
    });
    expect(entries.at(-1)?.change).toEqual({
      name: { from: null, to: "Ad" },
      budget: { from: "0.00", to: "5.00" },
      removeTagIds: [tag.id],
    });
  });

  test("an import changes existing links only with the option update", async () => {
    await importText(
      database,
      jsonLines(link("a", { name: "Old", budget: 1, tags: [{ type: "T", name: "N" }] })),
    );
    const changed = jsonLines(link("a", { name: "New", tags: [{ type: "T", name: "M" }] }), link("b"));
    expect((await importText(database, changed)).counts).toMatchObject({ created: 1, known: 1, tags: 0 });
    expect(await linksOf(database)).toMatchObject([{ name: "Old", tags: [{ name: "N" }] }, {}]);

    const { counts } = await importText(database, changed, { update: true });
    expect(counts).toMatchObject({ created: 0, updated: 1, known: 1 });
    // A field that is left out, as the budget here, keeps its value; null clears a field.
    expect(await linksOf(database)).toMatchObject([
      { name: "New", budget: "1.00", tags: [{ name: "M" }] },
      {},
    ]);
    const none = jsonLines(link("a", { name: null, tags: null, budget: null }));
    expect((await importText(database, none, { update: true })).counts.updated).toBe(1);
    expect(await linksOf(database)).toMatchObject([{ name: null, budget: "1.00", tags: [] }, {}]);
  });

  test("an import updates only budget and tags of the bot's own links", async () => {
    await importText(database, jsonLines(link("a", { name: "Telegram's", member_limit: 5 })));
    await database.prisma.inviteLink.updateMany({ data: { botId: 1n } });
    const changed = jsonLines(link("a", { name: "Other", member_limit: null, budget: "7.5" }));
    expect((await importText(database, changed, { update: true })).counts.updated).toBe(1);
    expect(await linksOf(database)).toMatchObject([{ name: "Telegram's", member_limit: 5, budget: "7.50" }]);
  });

  test("an import of a table replaces only tags of the types that have a column", async () => {
    const tags = [
      { type: "A", name: "1" },
      { type: "B", name: "2" },
    ];
    await importText(database, jsonLines(link("a", { tags })));
    const table = `url,channel_id,tag:a\n${url("a")},${CHAT},3 | 4\n`;
    expect((await importText(database, table, { update: true })).counts).toMatchObject({
      updated: 1,
      tags: 2,
    });
    const [{ tags: names }] = await linksOf(database);
    expect(names.map(({ name }: { name: string }) => name)).toEqual(["3", "4", "2"]);
  });

  test("an import skips a row that is not acceptable, reports everything wrong with it, and goes on", async () => {
    const { counts, skipped } = await importText(
      database,
      `${jsonLines(
        link("a"),
        { url: "https://example.com/+a", budget: "-1" },
        link("b", {
          budget: 0.125,
          created_at: "2023-02-29T00:00:00Z",
          creator_id: 1.5,
          is_revoked: "perhaps",
        }),
        link("c", { name: "a\0b" }),
        link("d", { tags: [{ type: "T", name: "", color: "red" }, 5] }),
        link("e", { color: 1 }),
        link("f", { channel_id: 5, expire_date: "10000-01-01", member_limit: 100_000 }),
        link("g", { name: "ﷺ".repeat(255) }),
      )}[1]\n{half\n\n${jsonLines(link("z"))}`,
    );
    expect(counts).toMatchObject({ created: 2, skipped: 9 });
    expect(skipped.map(({ place, problems }) => [place, problems.map(({ field }) => field).sort()])).toEqual([
      ["line 2", ["budget", "channel_id", "url"]],
      ["line 3", ["budget", "created_at", "creator_id", "is_revoked"]],
      ["line 4", ["name"]],
      ["line 5", ["tags.0.color", "tags.0.name", "tags.1"]],
      ["line 6", ["row"]],
      ["line 7", ["channel_id", "expire_date", "member_limit"]],
      ["line 8", ["name"]],
      ["line 9", ["row"]],
      ["line 10", ["row"]],
    ]);
    expect(skipped[0]?.url).toBe("https://example.com/+a");
    expect(await rowsOf(database)).toMatchObject({ links: 2, types: 0 });
  });

  test("an import into one channel skips the links of another channel", async () => {
    const { counts, skipped } = await importText(
      database,
      jsonLines({ url: url("a") }, link("b"), link("c", { channel_id: CHAT - 1 })),
      { chatId: CHAT },
    );
    expect([counts.created, skipped.map(({ place }) => place)]).toEqual([2, ["line 3"]]);
  });

  test("an import takes the same address in two channels for two links", async () => {
    const rows = jsonLines(link("a"), link("a", { channel_id: -5 }), link("a", { name: "again" }));
    expect((await importText(database, rows)).counts).toMatchObject({ created: 2, known: 1, channels: 2 });
    expect(await database.prisma.channel.findUniqueOrThrow({ where: { chatId: -5n } })).toMatchObject({
      kind: "GROUP",
    });
  });

  test("a dry run writes nothing and counts as a real import does", async () => {
    const tags = [{ type: "T", name: "N" }];
    const rows = jsonLines(link("a", { tags }), link("b", { tags }), link("a"), { url: "no" });
    const dry = await importText(database, rows, { dryRun: true, batchSize: 1 });
    expect(Object.values(await rowsOf(database)).every((count) => count === 0)).toBe(true);
    const wet = await importText(database, rows, { batchSize: 1 });
    expect(dry).toEqual(wet);
    expect(wet.counts).toMatchObject({ created: 2, known: 1, skipped: 1, channels: 1, tagTypes: 1, tags: 1 });
  });

  test("an import stores the rows that it read before its source failed, and throws the source's error", async () => {
    const source = (async function* () {
      yield { place: "1", record: link("a") };
      throw new Error("gone");
    })();
    await expect(newImport(database).run(source)).rejects.toThrow("gone");
    expect(await rowsOf(database)).toMatchObject({ links: 1 });
  });

  test("an import that is aborted stops after the batch at hand", async () => {
    const controller = new AbortController();
    const rows = jsonLines(link("a"), link("b"), link("c"), link("d"));
    const stopped = importText(database, rows, {
      batchSize: 1,
      signal: controller.signal,
      onProgress: ({ created }) => created === 2 && controller.abort(new Error("enough")),
    });
    await expect(stopped).rejects.toThrow("enough");
    const { links } = await rowsOf(database);
    expect(links).toBeLessThan(4);
    expect((await importText(database, rows)).counts.created).toBe(4 - (links ?? 0));
  });

  test("imports of the same links at once create each link once", async () => {
    const names = Array.from({ length: 30 }, (_, index) => String(index));
    const rows = (order: readonly string[]) =>
      jsonLines(...order.map((name) => link(name, { tags: [{ type: `T${Number(name) % 3}`, name }] })));
    const runs = await Promise.all(
      [rows(names), rows(names), rows(names)].map((text) => importText(database, text, { batchSize: 7 })),
    );
    expect(runs.reduce((sum, { counts }) => sum + counts.created, 0)).toBe(30);
    expect(await rowsOf(database)).toMatchObject({ channels: 1, types: 3, tags: 30, links: 30, carried: 30 });
  });
});

describe("an import of bytes that are not text", () => {
  test("an import of bytes that are not text is refused", async () => {
    const { readFileOfLinks } = await import("../../../src/import-export/files.js");
    const utf16 = async function* () {
      yield Buffer.from("\ufeffurl;name\n", "utf16le");
    };
    await expect(readFileOfLinks(utf16()).next()).rejects.toThrow(/UTF-8/);
  });
});
