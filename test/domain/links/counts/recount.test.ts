import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { recount } from "../../../../src/domain/links/counts/recount.js";
import { newId } from "../../../../src/domain/shared/ids.js";
import {
  ALL_FORMS,
  describeOnForms,
  openTestDatabase,
  type TestDatabase,
} from "../../../support/databases.js";
import { newChatId, storeChannel, storeTags, storeTagType } from "../../support.js";
import { expectExactCounts } from "./expectCounts.js";

/** The links of each channel. */
const LINKS = [300, 60, 5];

/** Ways in which counters can be wrong: a statement that damages them, and the table that differs then. */
const DAMAGES: readonly { readonly title: string; readonly statement: string; readonly counter: string }[] = [
  {
    title: "a link without a place",
    statement:
      "delete from link_place where link_id = (select id from invite_link where channel_id = $1 limit 1)",
    counter: "link_place",
  },
  {
    title: "no link has a place",
    statement: "delete from link_place where link_id in (select id from invite_link where channel_id = $1)",
    counter: "link_place",
  },
  {
    title: "a link in another channel's block",
    statement: `update link_place set block_id = (select min(id) from link_block where channel_id <> $1)
      where link_id = (select id from invite_link where channel_id = $1 limit 1)`,
    counter: "link_place",
  },
  {
    title: "a link in a block that does not exist",
    statement: `update link_place set block_id = 987654321
      where link_id = (select id from invite_link where channel_id = $1 limit 1)`,
    counter: "link_place",
  },
  {
    title: "a link at a place beyond its block",
    statement: `update link_place set place = 8192
      where link_id = (select id from invite_link where channel_id = $1 limit 1)`,
    counter: "link_place",
  },
  {
    title: "a link at a place below zero",
    statement: `update link_place set place = -1
      where link_id = (select id from invite_link where channel_id = $1 limit 1)`,
    counter: "link_place",
  },
  {
    title: "two links at one place",
    statement: `update link_place p set place = other.place, block_id = other.block_id
      from (select p.* from link_place p join invite_link l on l.id = p.link_id
        where l.channel_id = $1 order by p.block_id, p.place limit 1) other
      where p.link_id = (select p.link_id from link_place p join invite_link l on l.id = p.link_id
        where l.channel_id = $1 order by p.block_id desc, p.place desc limit 1)`,
    counter: "link_place",
  },
  {
    title: "two links have each other's places",
    statement: `with two as (
        select p.link_id, p.place, row_number() over (order by l.budget) as number
        from link_place p join invite_link l on l.id = p.link_id
        where p.block_id = (select min(id) from link_block where channel_id = $1 and bit_count(links) > 1)
        order by l.budget limit 2
      )
      update link_place p set place = theirs.place from two mine join two theirs on theirs.number = 3 - mine.number
      where p.link_id = mine.link_id`,
    counter: "block_budget",
  },
  {
    title: "a place of a link that does not exist",
    statement: `insert into link_place (link_id, block_id, place)
      select gen_random_uuid(), min(id), 8000 from link_block where channel_id = $1`,
    counter: "link_place",
  },
  {
    title: "fewer places given out than taken",
    statement: "update link_block set filled = 3 where channel_id = $1",
    counter: "link_place",
  },
  {
    title: "more places given out than there are",
    statement: "update link_block set filled = 9000 where channel_id = $1",
    counter: "link_block",
  },
  {
    title: "a block without one of its links",
    statement: `update link_block b set links = set_bit(links, (
        select min(p.place) from link_place p where p.block_id = b.id), 0)
      where channel_id = $1 and bit_count(links) > 0`,
    counter: "link_block",
  },
  {
    title: "a block with a link that it has not",
    statement:
      "update link_block set links = set_bit(links, 8191, 1 - get_bit(links, 8191)) where channel_id = $1",
    counter: "link_block",
  },
  {
    title: "no blocks",
    statement: "delete from link_block where channel_id = $1",
    counter: "link_place",
  },
  {
    title: "an empty block with marks of links",
    statement: `with made as (
        insert into link_block (channel_id, filled, links) values ($1, 0, 0::bit(8192)) returning id
      ) insert into block_tag (block_id, tag_id, links)
      select made.id, tag.id, ~(0::bit(8192)) from made, tag where tag.channel_id = $1`,
    counter: "block_tag",
  },
  ...(
    [
      ["block_tag", "a tag"],
      ["block_type", "a type"],
      ["block_budget", "a digit"],
    ] as const
  ).flatMap(([counter, what]) => {
    const own = "block_id in (select id from link_block where channel_id = $1)";
    return [
      {
        title: `a row of ${what} is missing`,
        statement: `delete from ${counter} where ctid = (
          select ctid from ${counter} where ${own} and bit_count(links) > 0 limit 1)`,
        counter,
      },
      {
        title: `all rows of ${what} are missing`,
        statement: `delete from ${counter} where ${own}`,
        counter,
      },
      {
        title: `a bit of ${what} is wrong`,
        statement: `update ${counter} set links = set_bit(links, 5, 1 - get_bit(links, 5)) where ${own}`,
        counter,
      },
      {
        title: `a bit of ${what} is set where no link is`,
        statement: `update ${counter} set links = set_bit(links, 8191, 1 - get_bit(links, 8191)) where ${own}`,
        counter,
      },
    ];
  }),
  {
    title: "a row of a tag of another channel",
    statement: `insert into block_tag (block_id, tag_id, links)
      select (select min(id) from link_block where channel_id = $1), id, set_bit(0::bit(8192), 2, 1)
      from tag where channel_id <> $1 limit 1`,
    counter: "block_tag",
  },
  {
    title: "a digit that no budget has",
    statement: `insert into block_budget (block_id, digit, links)
      select min(id), 60, set_bit(0::bit(8192), 2, 1) from link_block where channel_id = $1`,
    counter: "block_budget",
  },
  { title: "no day", statement: "delete from link_day where channel_id = $1", counter: "link_day" },
  {
    title: "a day with too many links",
    statement:
      "update link_day set links = links + 1 where id = (select min(id) from link_day where channel_id = $1)",
    counter: "link_day",
  },
  {
    title: "a day on which no link was created",
    statement: "insert into link_day (channel_id, day, links) values ($1, '1999-12-31', 4)",
    counter: "link_day",
  },
];

await describeOnForms("recount", ALL_FORMS, (form) => {
  let test: TestDatabase;
  const channels: { id: string; chatId: number }[] = [];

  beforeAll(async () => {
    test = await openTestDatabase(form);
    const { database, pool } = test;
    const typeIds = [await storeTagType(database, "Source"), await storeTagType(database, "Buyer")];
    for (const [index, links] of LINKS.entries()) {
      const chatId = newChatId();
      const { id } = await storeChannel(database, chatId);
      channels.push({ id, chatId });
      const tags = [0, 1, 2].map((tag) => ({
        id: newId(),
        typeId: typeIds[tag % 2] ?? "",
        name: `Tag ${tag}`,
      }));
      await storeTags(database, id, tags);
      await pool.query(
        `insert into invite_link (id, channel_id, url, budget, created_at)
        select gen_random_uuid(), $1, 'https://t.me/+' || $2::text || '_' || n, n / 100.0,
          '2026-03-01'::timestamptz + n * interval '5 hours' from generate_series(1, $3::int) n`,
        [id, String(index), links],
      );
      await pool.query(
        `insert into invite_link_tag (link_id, tag_id, channel_id, type_id, created_at)
        select l.id, t.id, t.channel_id, t.type_id, l.created_at from invite_link l
        join tag t on t.channel_id = l.channel_id where l.channel_id = $1 and hashtext(l.url || t.name) % 3 = 0`,
        [id],
      );
    }
    await expectExactCounts(test);
  });
  afterAll(() => test?.close());

  const check = (chatId: number | null = null) => recount(test.database, { chatId, checkOnly: true });
  const repair = (chatId: number | null = null) => recount(test.database, { chatId, checkOnly: false });

  it("recount finds no difference in counters that nobody damaged", async () => {
    expect(await check()).toEqual([]);
    expect(await repair()).toEqual([]);
  });

  describe("one by one", () => {
    it.each(DAMAGES)("recount finds and repairs $title", async ({ statement, counter }) => {
      const [damaged, , other] = channels;
      if (!damaged || !other) throw new TypeError("The channels were not made.");
      const { rowCount } = await test.pool.query(statement, [damaged.id]);
      expect(rowCount).toBeGreaterThan(0);
      const found = await check();
      expect(found).toContainEqual(expect.objectContaining({ counter, chatId: damaged.chatId }));
      // A check changes nothing, and a channel alone has no others' differences.
      expect(await check()).toEqual(found);
      expect(await check(other.chatId)).toEqual([]);
      expect(await repair(other.chatId)).toEqual([]);
      expect(await repair(damaged.chatId)).toEqual(found);
      expect(await check()).toEqual([]);
      await expectExactCounts(test);
    });
  });

  it("recount removes places of links and blocks that do not exist", async () => {
    await test.pool.query("insert into link_place values (gen_random_uuid(), 987654321, 0)");
    expect(await check()).toEqual([
      expect.objectContaining({ counter: "link_place", chatId: null, rows: 1 }),
    ]);
    expect(await repair()).toHaveLength(1);
    expect(await check()).toEqual([]);
  });

  it("recount repairs all kinds of damage at once", async () => {
    const [one, two] = channels;
    for (const id of [one?.id, two?.id]) {
      for (const { statement } of DAMAGES) await test.pool.query(statement, [id]);
    }
    expect((await check()).length).toBeGreaterThan(4);
    await repair();
    expect(await check()).toEqual([]);
    await expectExactCounts(test);
  });

  it("recount gives places to more links than a block has", async () => {
    const chatId = newChatId();
    const { id } = await storeChannel(test.database, chatId);
    await test.pool.query(
      `insert into invite_link (id, channel_id, url, budget, created_at)
      select gen_random_uuid(), $1, 'https://t.me/+many_' || n, n / 100.0, '2026-03-01' from generate_series(1, 9000) n`,
      [id],
    );
    await test.pool.query(
      "delete from link_place where link_id in (select id from invite_link where channel_id = $1)",
      [id],
    );
    expect(await repair(chatId)).toContainEqual(
      expect.objectContaining({ counter: "link_place", chatId, rows: 9000 }),
    );
    expect(await check()).toEqual([]);
    await expectExactCounts(test);
  });

  it("recount refuses a channel that is not known", async () => {
    await expect(check(newChatId())).rejects.toThrow("There is no such channel.");
  });
});
