import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { BulkTagging } from "../../../../src/domain/links/tagging/bulkTagging.js";
import { createLoaders } from "../../../../src/domain/loaders.js";
import { UserError } from "../../../../src/domain/shared/errors.js";
import { newId } from "../../../../src/domain/shared/ids.js";
import { ALL_FORMS, describeOnForms } from "../../../support/databases.js";
import { testStatement } from "../../../support/statement.js";
import { callerOf, type NewTag, storeTags, storeTagType } from "../../support.js";
import { openWorkshop, type WorkingServer, type Workshop } from "../workshop.js";

await describeOnForms("bulk tagging", ALL_FORMS, (form) => {
  let workshop: Workshop;
  let servers: [WorkingServer, WorkingServer];
  let typeId: string;
  let links: string[];
  beforeAll(async () => {
    workshop = await openWorkshop(form);
    servers = [await workshop.serve(), await workshop.serve()];
    typeId = await storeTagType(workshop.test.database, "Many");
  });
  afterAll(() => workshop.close());
  beforeEach(async () => {
    links = await Promise.all(Array.from({ length: 12 }, () => workshop.makeLink()));
  });

  const makeTags = async (count: number): Promise<string[]> => {
    const tags: NewTag[] = Array.from({ length: count }, () => {
      const id = newId();
      return { id, name: id, typeId };
    });
    await storeTags(workshop.test.database, workshop.channelId, tags);
    return tags.map(({ id }) => id);
  };
  const carried = async () => {
    const rows = await workshop.test.database.prisma.inviteLinkTag.findMany({
      where: { linkId: { in: links } },
    });
    return links.map((id) =>
      rows
        .filter(({ linkId }) => linkId === id)
        .map(({ tagId }) => tagId)
        .sort(),
    );
  };
  const set = (server: 0 | 1, ids: readonly string[], addTagIds: string[], removeTagIds: string[] = []) =>
    servers[server].tags().set({ ids, addTagIds, removeTagIds });

  test("bulk tagging adds tags in the channel into which a chat migration merged the links' own", async () => {
    const { channelId, chatId } = workshop;
    const { database } = workshop.test;
    const [tag = ""] = await makeTags(1);
    const caller = callerOf(null, "EDITOR");
    const loaders = createLoaders(database, caller);
    await Promise.all([loaders.inviteLink.loadMany(links), loaders.tag.load(tag)]);
    const became = newId();
    const other = { id: became, chatId: BigInt(chatId - 1), kind: "CHANNEL", title: "B" } as const;
    await database.prisma.channel.create({ data: { ...other, createdAt: new Date() } });
    const moveTo = async (id: string) => {
      await database.prisma.tag.update({ where: { id: tag }, data: { channelId: id } });
      await database.prisma.inviteLink.updateMany({ where: { id: { in: links } }, data: { channelId: id } });
    };
    await moveTo(became);
    await new BulkTagging(database, caller, loaders).set({ ids: links, addTagIds: [tag], removeTagIds: [] });
    expect(await carried()).toEqual(links.map(() => [tag]));
    await moveTo(channelId);
  });

  test("bulk taggings of the same links in opposite orders do not deadlock, and the last one wins", async () => {
    const [a = "", b = "", c = "", d = ""] = await makeTags(4);
    const backwards = [...links].reverse();
    await Promise.all(
      Array.from({ length: 12 }, (_, index) =>
        index % 2 === 0 ? set(0, links, [a, b], [c]) : set(1, backwards, [c], [b, a]),
      ),
    );
    const [first = [], ...others] = await carried();
    expect([[a, b].sort(), [c]]).toContainEqual(first);
    for (const other of others) expect(other).toEqual(first);
    // Edits that replace the tags of single links take part.
    await Promise.all([
      set(0, backwards, [d]),
      ...links.map((id, index) => servers[index % 2 === 0 ? 0 : 1].editor().update({ id, tagIds: [a, d] })),
      set(1, links, [d], [c]),
    ]);
    for (const tags of await carried()) expect(tags).toEqual(expect.arrayContaining([d]));
  });

  test("bulk tagging while tags are deleted does not deadlock, and no link keeps a deleted tag", async () => {
    for (let attempt = 0; attempt < 6; attempt += 1) {
      const [kept = "", deleted = "", taken = ""] = await makeTags(3);
      await set(0, links, [taken]);
      const answers = await Promise.allSettled([
        set(0, links, [kept, deleted], [taken]),
        workshop.test.database.query(
          testStatement`delete from tag where id = ${attempt % 2 ? deleted : taken}::uuid`,
        ),
        set(1, [...links].reverse(), [deleted, kept]),
        workshop.test.database.query(
          testStatement`delete from tag where id = ${attempt % 2 ? taken : deleted}::uuid`,
        ),
      ]);
      for (const answer of answers) {
        // The tag was deleted before the request looked it up.
        if (answer.status === "rejected") expect(answer.reason).toBeInstanceOf(UserError);
      }
      for (const tags of await carried()) {
        expect(tags).not.toContain(deleted);
        expect(tags).not.toContain(taken);
      }
    }
  });

  test("bulk tagging stores an audit entry for each link that changed, with its changed tags", async () => {
    const [a = "", b = "", c = ""] = await makeTags(3);
    const [tagged = "", bare = "", other = ""] = links;
    await set(0, [tagged], [a, c]);
    const { database } = workshop.test;
    await database.prisma.auditEntry.deleteMany();
    await set(0, [tagged, bare], [a, b], [c]);
    await set(1, [tagged, bare, other], [a], [c]);
    const entries = await database.prisma.auditEntry.findMany({ orderBy: { id: "asc" } });
    const byLink = (linkId: string) =>
      entries
        .filter(({ subjectId }) => subjectId === linkId)
        .map(({ action, caller, channelId, change }) => ({ action, caller, channelId, change }));
    const entry = (change: object) => ({
      action: "inviteLink.setTags",
      caller: "token:00000000-0000-7000-8000-000000000001",
      channelId: workshop.channelId,
      change,
    });
    expect(byLink(tagged)).toEqual([entry({ addTagIds: [b], removeTagIds: [c] })]);
    expect(byLink(bare)).toEqual([
      entry({
        addTagIds: expect.toSatisfy((ids: string[]) => [...ids].sort().join() === [a, b].sort().join()),
        removeTagIds: [],
      }),
    ]);
    expect(byLink(other)).toEqual([entry({ addTagIds: [a], removeTagIds: [] })]);
    expect(entries).toHaveLength(3);
  });
});
