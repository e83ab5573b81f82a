import { afterAll, beforeAll, expect, it } from "vitest";
import { NotFoundError, ValidationError } from "../../../src/domain/shared/errors.js";
import { newId } from "../../../src/domain/shared/ids.js";
import { TagCommands } from "../../../src/domain/tags/tagCommands.js";
import { TagTypes } from "../../../src/domain/tags/tagTypes.js";
import { describeOnForms, openTestDatabase, type TestDatabase } from "../../support/databases.js";
import { callerOf, type NewLink, storeChannel, storeLinks, storeTags, storeTagType } from "../support.js";

/** Awaits a command that must succeed or throw a user error. @returns the fields of a ValidationError. */
const fieldsOf = async (work: Promise<unknown>): Promise<string[] | "done"> => {
  try {
    await work;
    return "done";
  } catch (error) {
    if (error instanceof ValidationError) return error.fieldErrors.map(({ field }) => field);
    throw error;
  }
};

await describeOnForms("tag commands beside an open transaction", ["server"], (form) => {
  let test: TestDatabase;
  let tags: TagCommands;
  let types: TagTypes;
  beforeAll(async () => {
    test = await openTestDatabase(form);
    tags = new TagCommands(test.database, callerOf(null, "EDITOR"));
    types = new TagTypes(test.database, callerOf(null, "EDITOR"));
  });
  afterAll(() => test?.close());

  let made = 0;
  const setUp = async () => {
    made += 1;
    const channel = await storeChannel(test.database);
    const [typeId, otherTypeId] = [
      await storeTagType(test.database, `Type ${made}`),
      await storeTagType(test.database, `Other type ${made}`),
    ];
    const tag = { id: newId(), typeId: otherTypeId, name: "There" };
    await storeTags(test.database, channel.id, [tag]);
    const input = { chatId: channel.chatId, name: "New", color: "#000000", tagTypeId: typeId };
    return { channel, typeId, tag, input };
  };

  /** Runs a statement in another session's transaction, then `work` until it waits for that session, and then commits. */
  async function meanwhile<T>(
    statement: string,
    ids: readonly string[],
    work: () => Promise<T>,
    end = "commit",
  ) {
    const client = await test.pool.connect();
    try {
      const { rows } = await client.query("select pg_backend_pid() as pid");
      await client.query("begin");
      await client.query(statement, [...ids]);
      const pending = work();
      pending.catch(() => {});
      const waiting = "select from pg_stat_activity where $1 = any(pg_blocking_pids(pid))";
      await expect
        .poll(async () => (await test.pool.query(waiting, [rows[0].pid])).rowCount, { interval: 5 })
        .toBe(1);
      await client.query(end);
      return await pending;
    } finally {
      client.release();
    }
  }
  const deleteType = "delete from tag_type where id = $1";
  const insertTag = `insert into tag (id, channel_id, type_id, name, name_key, color, created_at)
    values ($1, $2, $3, 'New', 'new', '#000000', now())`;

  it("a tag is neither created in nor moved to a type that another transaction deletes", async () => {
    const { typeId, tag, input } = await setUp();
    expect(await meanwhile(deleteType, [typeId], () => fieldsOf(tags.create(input)), "rollback")).toBe(
      "done",
    );
    await test.database.prisma.tag.deleteMany({ where: { typeId } });
    expect(await meanwhile(deleteType, [typeId], () => fieldsOf(tags.create(input)))).toEqual(["tagTypeId"]);
    const again = await setUp();
    const move = { id: again.tag.id, tagTypeId: again.typeId };
    expect(await meanwhile(deleteType, [again.typeId], () => fieldsOf(tags.update(move)))).toEqual([
      "tagTypeId",
    ]);
    expect(await fieldsOf(tags.update({ id: tag.id, name: "Still there" }))).toBe("done");
  });

  it("a tag is not created in a channel that another transaction deletes", async () => {
    const { channel, input } = await setUp();
    const deleteChannel = "delete from channel where id = $1";
    expect(await meanwhile(deleteChannel, [channel.id], () => fieldsOf(tags.create(input)))).toEqual([
      "channelId",
    ]);
  });

  it("a type is not deleted while another transaction creates a tag of it", async () => {
    const { channel, typeId } = await setUp();
    const [inserted, remove] = [[newId(), channel.id, typeId], () => fieldsOf(types.delete({ id: typeId }))];
    expect(await meanwhile(insertTag, inserted, remove)).toEqual(["id"]);
    const { channel: other, typeId: free } = await setUp();
    const undone = [newId(), other.id, free];
    expect(await meanwhile(insertTag, undone, () => fieldsOf(types.delete({ id: free })), "rollback")).toBe(
      "done",
    );
  });

  it("a tag gets no name that another transaction has just taken", async () => {
    const { channel, typeId, tag, input } = await setUp();
    const taking = [newId(), channel.id, typeId];
    expect(await meanwhile(insertTag, taking, () => fieldsOf(tags.create(input)))).toEqual(["name"]);
    const second = await setUp();
    await tags.update({ id: second.tag.id, name: "New" });
    const move = { id: second.tag.id, tagTypeId: second.typeId };
    const takingThere = [newId(), second.channel.id, second.typeId];
    expect(await meanwhile(insertTag, takingThere, () => fieldsOf(tags.update(move)))).toEqual(["tagTypeId"]);
    const rename = "update tag_type set name_key = 'mine' where id = $1";
    expect(
      await meanwhile(rename, [tag.typeId], () => fieldsOf(types.update({ id: typeId, name: "MINE" }))),
    ).toEqual(["name"]);
  });

  it("deleting a tag leaves an audit entry for each link that carried it, as if it were taken from the links", async () => {
    const { channel, typeId, tag } = await setUp();
    const kept = { id: newId(), typeId, name: "Kept" };
    await storeTags(test.database, channel.id, [kept]);
    const links = [[tag], [kept], [tag, kept]].map(
      (carried): NewLink => ({
        id: newId(),
        name: null,
        createdAt: new Date(),
        cents: 0n,
        creatorId: null,
        isRevoked: false,
        isBotCreated: true,
        expireDate: null,
        tags: carried,
      }),
    );
    await storeLinks(test.database, channel.id, links);
    await tags.delete({ id: tag.id });
    const entries = await test.database.prisma.auditEntry.findMany({
      where: { channelId: channel.id, action: "inviteLink.setTags" },
    });
    const carriers = [links[0]?.id, links[2]?.id];
    expect(entries.map(({ subjectId }) => subjectId).sort()).toEqual(carriers.sort());
    const change = { addTagIds: [], removeTagIds: [tag.id] };
    for (const entry of entries)
      expect(entry).toMatchObject({ caller: callerOf(null, "EDITOR").key, change });
    // Entries are ordered by their ids.
    const ids = [tag.id, ...entries.map(({ id }) => id).sort(), newId()];
    expect([...ids].sort()).toEqual(ids);
    for (const id of ids)
      expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });

  it("a tag that another transaction deletes is not found", async () => {
    const [{ tag, typeId }, deleteTag] = [await setUp(), "delete from tag where id = $1"];
    const update = () => tags.update({ id: tag.id, name: "Late" });
    await expect(meanwhile(deleteTag, [tag.id], update)).rejects.toThrow(NotFoundError);
    const second = (await setUp()).tag.id;
    await expect(meanwhile(deleteTag, [second], () => tags.delete({ id: second }))).rejects.toThrow(
      NotFoundError,
    );
    await expect(meanwhile(deleteType, [typeId], () => types.delete({ id: typeId }))).rejects.toThrow(
      NotFoundError,
    );
  });

  it("a tag is updated from the state that another transaction commits", async () => {
    const { tag } = await setUp();
    const recolor = "update tag set color = '#FFFFFF' where id = $1";
    const renamed = await meanwhile(recolor, [tag.id], () => tags.update({ id: tag.id, name: "Renamed" }));
    expect(renamed).toMatchObject({ name: "Renamed", color: "#FFFFFF" });
    const { change } = await test.database.prisma.auditEntry.findFirstOrThrow({
      where: { subjectId: tag.id },
    });
    expect(change).toEqual({ name: { from: "There", to: "Renamed" } });
  });
});
