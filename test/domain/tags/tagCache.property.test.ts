import fc from "fast-check";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { TagGroup } from "../../../src/domain/links/query/filter.js";
import { Links } from "../../../src/domain/links/query/linkQueries.js";
import { createLoaders } from "../../../src/domain/loaders.js";
import { ValidationError } from "../../../src/domain/shared/errors.js";
import { newId } from "../../../src/domain/shared/ids.js";
import type { Tag } from "../../../src/domain/tags/tag.js";
import { TagCache } from "../../../src/domain/tags/tagCache.js";
import {
  describeOnForms,
  openTestDatabase,
  type TestDatabase,
  USUAL_FORMS,
} from "../../support/databases.js";
import { propertyInTime } from "../../support/properties.js";
import { callerOf, newChatId, storeChannel, storeLinks, storeTags, storeTagType } from "../support.js";

/** Changes that any program may make to the tables. $1 is a new name, $2 the channel, $3 chooses the row. */
const CHANGES = {
  rename:
    "update tag set name = $1, name_key = $1 where id = (select id from tag where channel_id = $2 order by id offset $3 limit 1)",
  recolor: "update tag set color = '#' || upper(substr(md5($1), 1, 6)) where channel_id = $2 and $3 >= 0",
  renameType:
    "update tag_type set name = $1, name_key = $1 where id = (select id from tag_type where $2::uuid is not null order by id offset $3 limit 1)",
  move: `update tag set name = $1, name_key = $1,
      type_id = (select id from tag_type where tag_type.id <> tag.type_id order by id desc limit 1)
    where id = (select id from tag where channel_id = $2 order by id offset $3 limit 1)`,
  delete:
    "delete from tag where $1 <> '' and id = (select id from tag where channel_id = $2 order by id offset $3 + 2 limit 1)",
  take: `delete from invite_link_tag where $1 <> '' and tag_id =
    (select id from tag where channel_id = $2 order by id offset $3 limit 1)`,
  give: `insert into invite_link_tag (link_id, tag_id, channel_id, type_id, created_at)
    select l.id, t.id, t.channel_id, t.type_id, l.created_at from invite_link l join tag t on t.channel_id = l.channel_id
    where l.channel_id = $2 and $1 <> '' and $3 >= 0 on conflict do nothing`,
  migrate:
    "update channel set chat_id = -2000000000000 - $3 - (random() * 1000000000000)::bigint where id = $2 and $1 <> ''",
  retitle: "update channel set title = $1 where id = $2 and $3 >= 0",
} as const;

const step = fc.record({
  change: fc.constantFrom(...(Object.keys(CHANGES) as (keyof typeof CHANGES)[])),
  place: fc.nat(2),
  reader: fc.nat(1),
});

await describeOnForms("the tag cache", USUAL_FORMS, (form) => {
  let test: TestDatabase;
  beforeAll(async () => {
    test = await openTestDatabase(form);
  });
  afterAll(() => test?.close());

  async function world() {
    const channel = await storeChannel(test.database, newChatId());
    const types = await Promise.all([1, 2].map(() => storeTagType(test.database, newId())));
    const tags = [0, 1, 2, 3, 4, 5].map((place) => ({
      id: newId(),
      typeId: types[place % 2] as string,
      name: `Tag ${place}`,
    }));
    await storeTags(test.database, channel.id, tags);
    const link = {
      id: newId(),
      name: null,
      createdAt: new Date(),
      cents: 0n,
      creatorId: null,
      isRevoked: false,
      isBotCreated: true,
      expireDate: null,
    };
    await storeLinks(test.database, channel.id, [{ ...link, tags: tags.slice(0, 4) }]);
    return { channel, link, types, tags };
  }

  /** A server's request for the tags of a link. */
  async function read(cache: TagCache | null, linkId: string): Promise<readonly Tag[]> {
    const loaders = createLoaders(test.database, callerOf(), cache);
    const link = await loaders.inviteLink.load(linkId);
    if (!link) throw new Error("The link is there.");
    return loaders.tagsOf(link);
  }

  /** A server's request for a page under groups: its links and their tags, or what is wrong with the groups. */
  async function readPage(
    cache: TagCache | null,
    chatId: number,
    tagGroups: readonly TagGroup[],
  ): Promise<unknown> {
    const loaders = createLoaders(test.database, callerOf(), cache);
    try {
      const { edges } = await new Links(test.database, callerOf(), loaders).page({
        chatId: chatId,
        filter: { tagGroups },
      });
      return await Promise.all(edges.map(async ({ node }) => [node.id, await loaders.tagsOf(node)]));
    } catch (error) {
      if (error instanceof ValidationError) return error.fieldErrors;
      throw error;
    }
  }

  it("a change of a tag by any program is shown at once", async () => {
    await fc.assert(
      propertyInTime(fc.array(step, { minLength: 1, maxLength: 12 }), async (steps) => {
        const { channel, link } = await world();
        const servers = [new TagCache(), new TagCache()] as const;
        for (const [index, { change, place, reader }] of steps.entries()) {
          await read(servers[reader === 0 ? 0 : 1], link.id);
          await test.pool.query(CHANGES[change], [`${index} ${newId()}`, channel.id, place]);
          const shown = await Promise.all(servers.map((cache) => read(cache, link.id)));
          const fresh = await read(null, link.id);
          expect(shown).toEqual([fresh, fresh]);
        }
      }),
      { numRuns: 40 },
    );
  });

  it("a change of a tag by any program affects filters at once", async () => {
    const asked = fc.array(fc.record({ type: fc.nat(1), tags: fc.integer({ min: 1, max: 7 }) }), {
      minLength: 1,
      maxLength: 2,
    });
    let found = 0;
    await fc.assert(
      propertyInTime(
        fc.array(step, { minLength: 1, maxLength: 8 }),
        asked,
        fc.boolean(),
        async (steps, groups, hasOther) => {
          const { channel, link, types, tags } = await world();
          const tagGroups = groups.map(({ type, tags: some }) => ({
            tagTypeId: types[type] as string,
            withoutType: false,
            tagIds: tags
              .filter((tag, place) => (hasOther || tag.typeId === types[type]) && (some >> (place % 3)) & 1)
              .map(({ id }) => id),
          }));
          const [cache, fresh] = [new TagCache(), null];
          for (const [index, { change, place }] of steps.entries()) {
            await read(cache, link.id);
            await test.pool.query(CHANGES[change], [`${index} ${newId()}`, channel.id, place]);
            const { chatId } = await test.database.prisma.channel.findUniqueOrThrow({
              where: { id: channel.id },
            });
            for (const chat of [Number(chatId), channel.chatId]) {
              const page = await readPage(cache, chat, tagGroups);
              expect(page).toEqual(await readPage(fresh, chat, tagGroups));
              if (Array.isArray(page) && Array.isArray(page[0])) found += 1;
            }
          }
        },
      ),
      { numRuns: 40 },
    );
    expect(found).toBeGreaterThan(10);
  });

  it("a page under groups of cached tags takes one statement, which proves that the tags are current", async () => {
    const { channel, link, types, tags } = await world();
    const cache = new TagCache();
    await read(cache, link.id);
    const groups = [0, 1].map((place) => ({
      tagTypeId: types[place] as string,
      withoutType: false,
      tagIds: [tags[place]?.id as string],
    }));
    const statements = async (by: TagCache | null) => {
      test.statements.length = 0;
      await readPage(by, channel.chatId, groups);
      return test.statements.length;
    };
    expect(await statements(cache)).toBe(1);
    // The tags of the groups, the page, the tags of its links.
    expect(await statements(null)).toBe(3);
  });

  it("cached tags are not read again while nothing changes", async () => {
    const { link } = await world();
    const cache = new TagCache();
    const first = await read(cache, link.id);
    test.statements.length = 0;
    expect(await read(cache, link.id)).toEqual(first);
    expect(test.statements).toHaveLength(1);
    test.statements.length = 0;
    await read(null, link.id);
    expect(test.statements).toHaveLength(2);
  });
});
