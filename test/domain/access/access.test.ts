import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Channels } from "../../../src/domain/channels/channels.js";
import type { InviteLink } from "../../../src/domain/links/inviteLink.js";
import { Links } from "../../../src/domain/links/query/linkQueries.js";
import { createLoaders } from "../../../src/domain/loaders.js";
import {
  type Caller,
  mayUseChannel,
  ROLES,
  requireChannel,
  requireEveryChannel,
  requireRole,
} from "../../../src/domain/shared/caller.js";
import { type FieldError, ForbiddenError, ValidationError } from "../../../src/domain/shared/errors.js";
import { globalId, newId } from "../../../src/domain/shared/ids.js";
import { Tags } from "../../../src/domain/tags/tagQueries.js";
import {
  describeOnForms,
  openTestDatabase,
  type TestDatabase,
  USUAL_FORMS,
} from "../../support/databases.js";
import {
  callerOf,
  type NewLink,
  type NewTag,
  newChatId,
  noKnownCallers,
  type StoredChannel,
  storeChannel,
  storeLinks,
  storeTags,
  storeTagType,
} from "../support.js";

describe("a caller", () => {
  it("a caller has the rights of its role and of the lesser roles", () => {
    for (const [have, role] of ROLES.entries()) {
      for (const [need, required] of ROLES.entries()) {
        const attempt = () => requireRole(callerOf(null, role), required);
        if (have >= need) expect(attempt).not.toThrow();
        else expect(attempt).toThrow(ForbiddenError);
      }
    }
  });

  it("a caller may use the granted channels, or every channel", () => {
    expect(
      [callerOf(), callerOf([1, 2]), callerOf([2]), callerOf([])].map((caller) => mayUseChannel(caller, 1)),
    ).toEqual([true, true, false, false]);
    expect(() => requireChannel(callerOf([2]), 1)).toThrow(ForbiddenError);
    expect(() => requireChannel(callerOf(), 1)).not.toThrow();
    expect(() => requireEveryChannel(callerOf())).not.toThrow();
    for (const some of [[], [1]]) expect(() => requireEveryChannel(callerOf(some))).toThrow(ForbiddenError);
  });
});

interface Side {
  readonly channel: StoredChannel;
  readonly tag: NewTag;
  readonly links: readonly NewLink[];
}

await describeOnForms("a caller limited to some channels", USUAL_FORMS, (form) => {
  let test: TestDatabase;
  let typeId: string;
  let otherTypeId: string;
  let mine: Side;
  let foreign: Side;
  const granted = newChatId();
  const never = newChatId();

  async function storeSide(chatId: number): Promise<Side> {
    const channel = await storeChannel(test.database, chatId);
    const tag = { id: newId(), typeId, name: "Ad" };
    await storeTags(test.database, channel.id, [tag]);
    const links = [1, 2, 3].map(
      (): NewLink => ({
        id: newId(),
        name: "Ad",
        createdAt: new Date(),
        cents: 100n,
        creatorId: 7,
        isRevoked: false,
        isBotCreated: true,
        expireDate: null,
        tags: [tag],
      }),
    );
    await storeLinks(test.database, channel.id, links);
    return { channel, tag, links };
  }

  const request = (caller: Caller) => {
    const loaders = createLoaders(test.database, caller);
    return {
      loaders,
      links: new Links(test.database, caller, loaders),
      tags: new Tags(test.database, caller, loaders),
      channels: new Channels(
        { database: test.database, callerCache: noKnownCallers, gateway: null as never },
        caller,
        loaders,
      ),
    };
  };
  const limited = () => request(callerOf([mine.channel.chatId, granted]));

  beforeAll(async () => {
    test = await openTestDatabase(form);
    typeId = await storeTagType(test.database, "Source");
    otherTypeId = await storeTagType(test.database, "Country");
    mine = await storeSide(newChatId());
    foreign = await storeSide(newChatId());
  });
  afterAll(() => test?.close());

  it("a limited caller loads nothing of another channel, even beside its own in one batch", async () => {
    const { loaders } = limited();
    const [own, other] = [mine.links[0] as NewLink, foreign.links[0] as NewLink];
    const ids = await Promise.all([
      loaders.inviteLink.loadMany([own.id, other.id, newId()]),
      loaders.tag.loadMany([mine.tag.id, foreign.tag.id, newId()]),
      loaders.channel.loadMany([mine.channel.id, foreign.channel.id, newId()]),
      loaders.channelByChatId.loadMany([mine.channel.chatId, foreign.channel.chatId, granted]),
    ]);
    expect(ids.map((rows) => rows.map((row) => (row && "id" in row ? row.id : row)))).toEqual([
      [own.id, null, null],
      [mine.tag.id, null, null],
      [mine.channel.id, null, null],
      [mine.channel.id, null, null],
    ]);
    const link = await loaders.inviteLink.load(own.id);
    expect((await loaders.tagsOf(link as InviteLink)).map(({ id }) => id)).toEqual([mine.tag.id]);
    // Ids of foreign tags find nothing.
    const stolen = { ...(link as InviteLink), tagIds: [foreign.tag.id] };
    expect(await loaders.tagsOf(stolen)).toEqual([]);
    expect((await loaders.tagType.load(typeId))?.name).toBe("Source");
    // A caller that may use every channel sees it.
    expect((await request(callerOf()).loaders.inviteLink.load(other.id))?.id).toBe(other.id);
    expect(await request(callerOf([])).loaders.inviteLink.load(own.id)).toBeNull();
  });

  it("a limited caller finds links and tags of its own channels only", async () => {
    const { links, tags } = limited();
    const [own, other] = [mine.links[0] as NewLink, foreign.links[0] as NewLink];
    expect((await links.find(own.id))?.id).toBe(own.id);
    expect((await links.find(globalId("InviteLink", own.id), mine.channel.chatId))?.id).toBe(own.id);
    expect(await links.find(own.id, granted)).toBeNull();
    expect(await links.find(own.id, foreign.channel.chatId)).toBeNull();
    expect(await links.find(other.id)).toBeNull();
    expect(await links.find(other.id, foreign.channel.chatId)).toBeNull();
    expect(await links.find(other.id, mine.channel.chatId)).toBeNull();
    expect(await links.find(newId())).toBeNull();
    await expect(links.find(globalId("Tag", own.id))).rejects.toThrow(ValidationError);
    expect((await tags.find(mine.tag.id))?.id).toBe(mine.tag.id);
    expect(await tags.find(foreign.tag.id)).toBeNull();
    await expect(tags.find(globalId("InviteLink", own.id))).rejects.toThrow(ValidationError);
    // For a caller that may use every channel, a wrong channel still finds nothing.
    expect(await request(callerOf()).links.find(other.id, mine.channel.chatId)).toBeNull();
    expect((await request(callerOf()).links.find(other.id, foreign.channel.chatId))?.id).toBe(other.id);
  });

  it("a limited caller pages through its own channels and is refused others, whether they exist or not", async () => {
    const { links, tags, channels } = limited();
    const page = await links.page({
      chatId: mine.channel.chatId,
      filter: { ids: [...mine.links, ...foreign.links].map(({ id }) => id) },
    });
    expect(page.edges.map(({ node }) => node.id).sort()).toEqual(mine.links.map(({ id }) => id).sort());
    expect(await page.totalCount()).toBe(3);
    for (const chatId of [foreign.channel.chatId, never]) {
      await expect(links.page({ chatId })).rejects.toThrow(ForbiddenError);
      await expect(tags.page({ chatId })).rejects.toThrow(ForbiddenError);
      await expect(channels.find(chatId)).rejects.toThrow(ForbiddenError);
    }
    expect((await channels.page({})).edges.map(({ node }) => node.id)).toEqual([mine.channel.id]);
    expect((await tags.page({ chatId: mine.channel.chatId })).edges.map(({ node }) => node.id)).toEqual([
      mine.tag.id,
    ]);
  });

  it("a limited caller gets empty lists for a granted chat without a channel", async () => {
    const page = await limited().links.page({ chatId: granted, filter: { name: "Ad" } });
    expect([
      page.edges,
      await page.totalCount(),
      await page.hasNextPage(),
      await page.hasPreviousPage(),
    ]).toEqual([[], 0, false, false]);
    await expect(limited().links.page({ chatId: granted, after: "x" })).rejects.toThrow(ValidationError);
    await expect(limited().links.page({ chatId: granted, first: 101 })).rejects.toThrow(ValidationError);
  });

  it("a foreign tag in a filter is answered as a tag that does not exist", async () => {
    const answers: (readonly FieldError[])[] = [];
    for (const id of [foreign.tag.id, newId(), globalId("Tag", foreign.tag.id)]) {
      const group = { tagTypeId: typeId, withoutType: true, tagIds: [mine.tag.id, id] };
      const error: unknown = await limited()
        .links.page({ chatId: mine.channel.chatId, filter: { tagGroups: [group] } })
        .catch((caught: unknown) => caught);
      expect(error).toBeInstanceOf(ValidationError);
      answers.push((error as ValidationError).fieldErrors);
    }
    expect(answers).toEqual(
      answers.map(() => [
        { field: "filter.tagGroups.0.tagIds.1", message: "There is no such tag in this channel." },
      ]),
    );
    // A caller that may see the tag is told as well that it is not one of this channel.
    const group = { tagTypeId: typeId, withoutType: false, tagIds: [foreign.tag.id] };
    await expect(
      request(callerOf()).links.page({ chatId: mine.channel.chatId, filter: { tagGroups: [group] } }),
    ).rejects.toThrow(/filter\.tagGroups\.0\.tagIds\.0/);
  });

  it("each id in a filter that is not acceptable is reported", async () => {
    const { links } = limited();
    const fields = async (filter: Parameters<Links["page"]>[0]["filter"]) => {
      const error: unknown = await links
        .page({ chatId: mine.channel.chatId, filter })
        .catch((caught: unknown) => caught);
      if (!(error instanceof ValidationError)) throw error;
      return error.fieldErrors.map(({ field }) => field);
    };
    const group = (tagTypeId: string, tagIds: string[] = []) => ({ tagTypeId, withoutType: false, tagIds });
    expect(await fields({ tagGroups: [group("x"), group(globalId("Tag", typeId), ["y"])] })).toEqual([
      "filter.tagGroups.0.tagTypeId",
      "filter.tagGroups.1.tagTypeId",
      "filter.tagGroups.1.tagIds.0",
    ]);
    expect(await fields({ tagGroups: [group(newId())] })).toEqual(["filter.tagGroups.0.tagTypeId"]);
    expect(await fields({ tagGroups: [group(otherTypeId, [mine.tag.id])] })).toEqual([
      "filter.tagGroups.0.tagIds.0",
    ]);
    expect(await fields({ ids: [newId(), "x", globalId("Tag", newId())] })).toEqual([
      "filter.ids.1",
      "filter.ids.2",
    ]);
    expect(await fields({ name: "a\0b" })).toEqual(["filter.name"]);
    expect(await fields({ name: "\ud800", ids: ["x"] })).toEqual(["filter.name", "filter.ids.0"]);
  });
});
