import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Database } from "../../../src/database/database.js";
import { Problems } from "../../../src/domain/shared/errors.js";
import { newId } from "../../../src/domain/shared/ids.js";
import { codePoints, foldName, isStorable, tidyName } from "../../../src/domain/shared/text.js";
import {
  describeOnForms,
  openTestDatabase,
  type TestDatabase,
  USUAL_FORMS,
} from "../../support/databases.js";
import { propertyInTime } from "../../support/properties.js";
import { amount } from "../support.js";
import { CHAT, empty, exportText, importText, rowsOf } from "./support.js";

/** Character sequences that have a meaning in CSV files or spreadsheets. */
const SPECIAL = [
  "=",
  "'",
  "''=",
  "+1",
  "-",
  "@",
  "\t",
  "\r",
  "\n",
  '"',
  ",",
  ";",
  "|",
  "\\",
  "\\|",
  "tag:",
  " ",
];
const text = (maxLength: number) =>
  fc
    .array(fc.oneof(fc.constantFrom(...SPECIAL), fc.string({ unit: "grapheme", maxLength: 4 })), {
      maxLength,
    })
    .map((parts) => parts.join(""));

/** Names of tags. */
const tidy = text(6)
  .map((name) => tidyName(name, 64, "name", new Problems()))
  .filter((name) => {
    const problems = new Problems();
    tidyName(name, 64, "name", problems);
    return !problems.found;
  });
const unique = <T>(values: fc.Arbitrary<T>, nameOf: (value: T) => string, maxLength: number) =>
  fc.uniqueArray(values, { selector: (value) => foldName(nameOf(value)), maxLength });

const date = fc.date({
  min: new Date("0001-01-02T00:00:00Z"),
  max: new Date("9999-12-30T00:00:00Z"),
  noInvalidDate: true,
});
const link = fc.record({
  name: fc.option(
    text(12).filter((name) => name !== "" && isStorable(name) && codePoints(name) <= 255),
    { nil: null },
  ),
  budget: fc.bigInt({ min: 0n, max: 99_999_999_999_999n }).map(amount),
  createdAt: fc.oneof(fc.constantFrom(new Date(0), new Date(1)), date),
  creatorId: fc.option(fc.integer({ min: 1, max: 2 ** 52 - 1 }), { nil: null }),
  expireDate: fc.option(date, { nil: null }),
  memberLimit: fc.option(fc.integer({ min: 1, max: 99_999 }), { nil: null }),
  createsJoinRequest: fc.boolean(),
  subscriptionPrice: fc.option(fc.integer({ min: 1, max: 10_000 }), { nil: null }),
  isBotCreated: fc.boolean(),
  isRevoked: fc.boolean(),
  externalId: fc.option(
    text(12).filter((id) => isStorable(id) && codePoints(id) <= 250),
    { nil: null },
  ),
  /** Indexes of the tags that the link carries. */
  tags: fc.uniqueArray(fc.nat(11), { maxLength: 5 }),
});
const world = fc.record({
  types: unique(fc.record({ name: tidy, tags: unique(tidy, (name) => name, 4) }), ({ name }) => name, 3),
  links: fc.array(link, { maxLength: 12 }),
});
type World = typeof world extends fc.Arbitrary<infer T> ? T : never;

/** Stores a world in an empty database, without the code under test. */
async function store({ prisma }: Database, { types, links }: World): Promise<void> {
  const channelId = newId();
  const createdAt = new Date();
  await prisma.channel.create({
    data: { id: channelId, chatId: BigInt(CHAT), kind: "CHANNEL", title: "World", createdAt },
  });
  const tags: { id: string; typeId: string }[] = [];
  for (const type of types) {
    const typeId = newId();
    await prisma.tagType.create({
      data: { id: typeId, name: type.name, nameKey: foldName(type.name), createdAt },
    });
    for (const [index, name] of type.tags.entries()) {
      const tag = { id: newId(), typeId };
      tags.push(tag);
      const color = `#00000${index}`;
      await prisma.tag.create({
        data: { ...tag, channelId, name, nameKey: foldName(name), color, createdAt },
      });
    }
  }
  for (const [index, { tags: carried, creatorId, externalId: text, ...columns }] of links.entries()) {
    // Unique in the channel.
    const externalId = text === null ? null : `${text}${index}`;
    const externalIdKey = externalId === null ? null : foldName(externalId);
    const id = newId();
    const url = `https://t.me/+${index}`;
    const nameKey = columns.name === null ? null : foldName(columns.name);
    const creator = creatorId === null ? null : BigInt(creatorId);
    await prisma.inviteLink.create({
      data: { ...columns, id, channelId, url, nameKey, externalId, externalIdKey, creatorId: creator },
    });
    const given = carried.flatMap((place) => tags[place] ?? []);
    await prisma.inviteLinkTag.createMany({
      data: given.map((tag) => ({
        linkId: id,
        tagId: tag.id,
        channelId,
        typeId: tag.typeId,
        createdAt: columns.createdAt,
      })),
    });
  }
}

class Crash extends Error {}

/** A database whose process crashes after this number of transactions. */
const crashing = (database: Database, after: number): Database => {
  let left = after;
  return {
    ...database,
    transaction: (work) => {
      left -= 1;
      return left < 0 ? Promise.reject(new Crash()) : database.transaction(work);
    },
  };
};

await describeOnForms("export and import", USUAL_FORMS, (form) => {
  let opened: TestDatabase;
  let database: Database;
  beforeAll(async () => {
    opened = await openTestDatabase(form);
    database = opened.database;
  });
  afterAll(() => opened.close());

  const format = fc.constantFrom("csv" as const, "jsonl" as const);

  test("an export that is imported into an empty database exports the same again, and a second import changes nothing", async () => {
    await fc.assert(
      propertyInTime(world, format, async (seed, format) => {
        await empty(database);
        await store(database, seed);
        const exported = await exportText(database, format);
        await empty(database);
        const { counts, skipped } = await importText(database, exported);
        expect([skipped, counts.created]).toEqual([[], seed.links.length]);
        if (seed.links.length === 0) return;
        expect(await exportText(database, format)).toBe(exported);

        const rows = await rowsOf(database);
        for (const update of [false, true]) {
          const again = await importText(database, exported, { update });
          expect(again.counts).toMatchObject({ created: 0, updated: 0, known: seed.links.length });
        }
        expect(await rowsOf(database)).toEqual(rows);
      }),
      { numRuns: 30 },
    );
  });

  test("an import that crashes anywhere and is repeated gives the same as one that does not crash", async () => {
    const seeds = fc.tuple(world, world, format, fc.nat(6), fc.integer({ min: 1, max: 4 }), fc.boolean());
    await fc.assert(
      propertyInTime(seeds, async ([before, seed, format, crashAt, batchSize, update]) => {
        await empty(database);
        await store(database, seed);
        const exported = await exportText(database, format);
        const runs: unknown[] = [];
        for (const crashes of [false, true]) {
          await empty(database);
          await store(database, before);
          if (crashes) {
            const crash = importText(crashing(database, crashAt), exported, { batchSize, update });
            await crash.catch((error: unknown) => expect(error).toBeInstanceOf(Crash));
          }
          const dry = await importText(database, exported, { batchSize, update, dryRun: true });
          const { counts } = await importText(database, exported, { batchSize, update });
          expect(dry.counts).toEqual(counts);
          runs.push([await exportText(database, "jsonl"), await rowsOf(database)]);
        }
        expect(runs[1]).toEqual(runs[0]);
      }),
      { numRuns: 20 },
    );
  });
});

describe("generated texts", () => {
  test("generated texts contain every special character sequence", () => {
    const seen = fc.sample(text(12), 200).join("");
    for (const part of SPECIAL) expect(seen).toContain(part);
  });
});
