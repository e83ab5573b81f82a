import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ALL_FORMS, describeOnForms } from "../../support/databases.js";
import {
  CHANNEL,
  CREATIVE,
  GROUP,
  GROUP_TAG,
  PLATFORM,
  startTestServer,
  type TestServer,
  YOUTUBE,
} from "../../support/server.js";
import { fieldsOf, globalId, MISSING_ID, mutating } from "../mutations/mutating.js";

const FIELDS = "id name color type { id name } channelId createdAt updatedAt";
const TAG = `tag { ${FIELDS} }`;
let server: TestServer;
let mutate: ReturnType<typeof mutating>;
let editor: string;
beforeAll(async () => {
  server = await startTestServer();
  mutate = mutating(server);
  editor = await server.makeToken({ role: "EDITOR", channelIds: [CHANNEL] });
});
afterAll(() => server.stop());

let made = 0;
const newTag = async (input: object = {}) => {
  made += 1;
  const plain = { channelId: CHANNEL, name: `Tag ${made}`, color: "#123456", tagTypeId: PLATFORM };
  const result = await mutate("createTag", { ...plain, ...input }, TAG);
  if (!result.tag) throw new Error(JSON.stringify(result));
  return result.tag;
};
const update = (input: object, token = server.token) => mutate("updateTag", input, TAG, token);
const remove = (id: string, token = server.token) => mutate("deleteTag", { id }, "deletedTagId", token);
const read = async (id: string) => {
  const { data } = await server.ask(`query ($id: ID!) { tag(id: $id) { ${FIELDS} } }`, { id });
  return data.tag;
};
const newLink = async (tagIds: readonly string[], name = "Carries") => {
  const { inviteLink } = await mutate(
    "createInviteLink",
    { channelId: CHANNEL, name, tagIds },
    "inviteLink { id }",
  );
  return inviteLink.id as string;
};
const linksOf = async (tagGroup: object) => {
  const { data } = await server.ask(
    `query ($group: TagGroupFilter!) { inviteLinks(channelId: ${CHANNEL}, first: 100, filter: { tagGroups: [$group] }) { nodes { id } } }`,
    { group: tagGroup },
  );
  return data.inviteLinks.nodes.map(({ id }: { id: string }) => id);
};

describe("updateTag", () => {
  test("updateTag changes only the given fields of a tag", async () => {
    const tag = await newTag();
    const renamed = await update({ id: tag.id, name: "  New \t name 🌷 " });
    expect(renamed).toEqual({
      __typename: "UpdateTagSuccess",
      tag: { ...tag, name: "New name 🌷", updatedAt: expect.any(String) },
    });
    const recolored = await update({ id: tag.id, color: "#abcdef" });
    expect(recolored.tag).toEqual({ ...renamed.tag, color: "#ABCDEF", updatedAt: expect.any(String) });
    const moved = await update({ id: tag.id, tagTypeId: CREATIVE });
    const type = { id: globalId("TagType", CREATIVE), name: "Creative" };
    expect(moved.tag).toEqual({ ...recolored.tag, type, updatedAt: expect.any(String) });
    const all = await update({
      id: tag.id,
      name: "All",
      color: "#000000",
      tagTypeId: globalId("TagType", PLATFORM),
    });
    expect(all.tag).toMatchObject({ name: "All", color: "#000000", type: { name: "Platform" } });
    expect(await read(tag.id)).toEqual(all.tag);
  });

  test("updateTag with the current values stores nothing", async () => {
    const tag = await newTag({ name: "Still" });
    for (const same of [
      {},
      { name: "Still" },
      { name: " Still\n" },
      { color: "#123456" },
      { tagTypeId: PLATFORM },
      { name: "Still", color: "#123456", tagTypeId: globalId("TagType", PLATFORM) },
    ]) {
      expect((await update({ id: tag.id, ...same })).tag).toEqual(tag);
    }
    expect(await read(tag.id)).toEqual(tag);
  });

  test("updateTag and deleteTag accept a tag's bare id", async () => {
    const tag = await newTag();
    const bare = Buffer.from(tag.id, "base64").toString().split(":")[1] as string;
    expect((await update({ id: bare.toUpperCase(), name: "By bare id" })).tag.id).toBe(tag.id);
    expect((await remove(bare)).deletedTagId).toBe(tag.id);
  });

  test("a tag can be renamed to another case of its own name", async () => {
    const tag = await newTag({ name: "ΟΔΟΣ street" });
    expect((await update({ id: tag.id, name: "Οδός STREET" })).__typename).toBe("UpdateTagSuccess");
    expect((await update({ id: tag.id, name: "οδός Street" })).tag.name).toBe("οδός Street");
  });

  test("links are found by a tag's new type after the tag has moved to it", async () => {
    const tag = await newTag({ tagTypeId: PLATFORM });
    const link = await newLink([tag.id]);
    expect(await linksOf({ tagTypeId: CREATIVE, withoutType: true })).toContain(link);
    await update({ id: tag.id, tagTypeId: CREATIVE });
    expect(await linksOf({ tagTypeId: CREATIVE, tagIds: [tag.id] })).toEqual([link]);
    expect(await linksOf({ tagTypeId: CREATIVE, withoutType: true })).not.toContain(link);
    expect(await linksOf({ tagTypeId: PLATFORM, withoutType: true })).toContain(link);
  });
});

describe("refused changes of a tag", () => {
  test("updateTag refuses null values and reports all invalid fields together", async () => {
    const { id } = await newTag();
    const refused = await update({ id, name: null, color: null, tagTypeId: null });
    expect(fieldsOf(refused)).toEqual(["name", "color", "tagTypeId"]);
    expect(fieldsOf(await update({ id: "x", name: "", color: "red", tagTypeId: MISSING_ID }))).toEqual([
      "id",
      "name",
      "color",
      "tagTypeId",
    ]);
  });

  test.each([
    ["a tag's global id as the id of a tag type", { tagTypeId: globalId("Tag", YOUTUBE) }, "tagTypeId"],
    ["a missing tag type", { tagTypeId: globalId("TagType", MISSING_ID) }, "tagTypeId"],
    ["a tag's bare id as the id of a tag type", { tagTypeId: YOUTUBE }, "tagTypeId"],
    ["a color of five digits", { color: "#12345" }, "color"],
    ["a color followed by a line break", { color: "#123456\n" }, "color"],
    ["a color with digits of another script", { color: "#１２３４５６" }, "color"],
    ["the id of a tag type as a tag's id", { id: globalId("TagType", PLATFORM) }, "id"],
    ["the id of a channel as a tag's id", { id: globalId("Channel", MISSING_ID) }, "id"],
    ["an id with text after the UUID", { id: globalId("Tag", `${YOUTUBE}:1`) }, "id"],
  ])("updateTag refuses %s", async (_what, input, field) => {
    expect(fieldsOf(await update({ id: YOUTUBE, ...input }))).toEqual([field]);
    expect((await read(YOUTUBE)).updatedAt).toBeNull();
  });

  test("a tag is refused a name that another tag of its channel and type has", async () => {
    await newTag({ name: "Taken" });
    const other = await newTag({ name: "TAKEN", tagTypeId: CREATIVE });
    const third = await newTag({ name: "Third" });
    const elsewhere = await newTag({ name: "taken", channelId: GROUP });
    const color = "#999999";
    expect(fieldsOf(await update({ id: third.id, name: "ｔａｋｅｎ", color }))).toEqual(["name"]);
    expect(fieldsOf(await update({ id: other.id, tagTypeId: PLATFORM, color }))).toEqual(["tagTypeId"]);
    expect(fieldsOf(await update({ id: other.id, name: "taken", tagTypeId: PLATFORM }))).toEqual(["name"]);
    expect(fieldsOf(await update({ id: third.id, name: "tAKEN", tagTypeId: CREATIVE }))).toEqual(["name"]);
    for (const tag of [other, third, elsewhere]) expect(await read(tag.id)).toEqual(tag);
    expect((await update({ id: other.id, name: "Free", tagTypeId: PLATFORM })).tag.name).toBe("Free");
    expect((await update({ id: third.id, name: "Taken", tagTypeId: CREATIVE })).tag.name).toBe("Taken");
  });
});

describe("deleteTag", () => {
  test("a deleted tag is removed from every link, and nothing else of the link changes", async () => {
    const [gone, stays] = [await newTag(), await newTag({ tagTypeId: CREATIVE })];
    const links = [await newLink([gone.id, stays.id]), await newLink([gone.id])];
    const all = (selection: string) =>
      server.ask(`query ($ids: [ID!]!) { nodes(ids: $ids) { ... on InviteLink { ${selection} } } }`, {
        ids: links,
      });
    const before = await all("id name updatedAt budget");
    expect(await remove(gone.id)).toEqual({ __typename: "DeleteTagSuccess", deletedTagId: gone.id });
    expect((await all("tags { id }")).data.nodes).toEqual([{ tags: [{ id: stays.id }] }, { tags: [] }]);
    expect((await all("id name updatedAt budget")).data).toEqual(before.data);
    expect(await linksOf({ tagTypeId: PLATFORM, withoutType: true })).toEqual(expect.arrayContaining(links));
    expect(
      (await server.ask("query ($id: ID!) { node(id: $id) { id } }", { id: gone.id })).data.node,
    ).toBeNull();
  });

  test("a deleted tag can be neither deleted again nor changed, and its name is free", async () => {
    const { id, name } = await newTag();
    expect((await remove(id)).__typename).toBe("DeleteTagSuccess");
    expect((await remove(id)).__typename).toBe("NotFoundError");
    expect((await update({ id, name: "Risen" })).__typename).toBe("NotFoundError");
    expect((await newTag({ name })).id).not.toBe(id);
  });
});

describe("tags and tokens limited to one channel", () => {
  test.each(["updateTag", "deleteTag"])(
    "%s gives a token limited to one channel the same error for another channel's tag as for a missing one",
    async (mutation) => {
      const ids = [GROUP_TAG, globalId("Tag", GROUP_TAG), MISSING_ID, globalId("Tag", MISSING_ID)];
      const answers = await Promise.all(ids.map((id) => mutate(mutation, { id }, "__typename", editor)));
      expect(answers[0]).toMatchObject({ __typename: "NotFoundError", code: "NOT_FOUND" });
      for (const answer of answers) expect(answer).toEqual(answers[0]);
      // A name that is taken in the other channel and invalid values give the same error.
      const { name } = await read(GROUP_TAG);
      for (const input of [{ name }, { name: "Free there" }, { color: "#ffffff" }, { tagTypeId: CREATIVE }]) {
        expect(await mutate("updateTag", { id: GROUP_TAG, ...input }, "__typename", editor)).toEqual(
          answers[0],
        );
      }
      expect(await read(GROUP_TAG)).toMatchObject({ name, updatedAt: null });
    },
  );

  test("a token limited to one channel changes and deletes the tags of that channel", async () => {
    const { id } = await newTag();
    expect((await update({ id, name: "Its own" }, editor)).__typename).toBe("UpdateTagSuccess");
    expect((await remove(id, editor)).__typename).toBe("DeleteTagSuccess");
  });
});

describe("names of tags and tag types", () => {
  const tag = (name: string) =>
    mutate("createTag", { channelId: CHANNEL, name, color: "#000000", tagTypeId: CREATIVE }, TAG);

  test.each([
    ["64 emoji", "🌷".repeat(64), "🌷".repeat(64)],
    ["an emoji of seven code points", "👨‍👩‍👧‍👦", "👨‍👩‍👧‍👦"],
    ["marks of direction that do not override it", "\u200fعربي\u200e", "\u200fعربي\u200e"],
    [
      "letters that grow to eighteen times their length when folded",
      "\ufdfa".repeat(64),
      "\ufdfa".repeat(64),
    ],
    ["64 letters surrounded by white space", ` \u3000${"x".repeat(64)}\u00a0\n`, "x".repeat(64)],
    ["a letter with two combining marks", "a\u0301\u0302", "a\u0301\u0302"],
    ["the highest code point", "\u{10ffff}x", "\u{10ffff}x"],
    ["a text that looks like SQL", "'; drop table tag; --", "'; drop table tag; --"],
  ])("a tag's name is stored without loss: %s", async (_what, given, kept) => {
    const made = await tag(given);
    expect(made.tag?.name).toBe(kept);
    expect(await read(made.tag.id)).toEqual(made.tag);
    expect((await update({ id: made.tag.id, name: given })).tag).toEqual(made.tag);
    const { data } = await server.ask(
      `query ($name: String!) { tags(channelId: ${CHANNEL}, name: $name, typeId: "${CREATIVE}") { nodes { id } } }`,
      { name: kept },
    );
    expect(data.tags.nodes).toContainEqual({ id: made.tag.id });
  });

  test.each([
    ["65 emoji", "🌷".repeat(65)],
    ["an empty text", ""],
    ["only white space", " \u3000\n"],
    ["only invisible characters", "\u200b\u2060\u3164\u2800\ufe0f"],
    ["NUL", "a\0b"],
    ["a control character", "a\u0085b"],
    ["a lone surrogate", "\ud83c"],
    ["surrogates in the wrong order", "\udf37\ud83c"],
    ["an override of direction", "abc\u202egpj"],
    ["an isolate of direction", "\u2067abc\u2069"],
  ])("the name of a tag or a tag type is refused: %s", async (_what, name) => {
    expect(fieldsOf(await tag(name))).toEqual(["name"]);
    expect(fieldsOf(await update({ id: YOUTUBE, name }))).toEqual(["name"]);
    expect(fieldsOf(await mutate("createTagType", { name }))).toEqual(["name"]);
    expect(fieldsOf(await mutate("updateTagType", { id: PLATFORM, name }))).toEqual(["name"]);
  });

  test.each([
    ["ß", "ẞ"],
    ["ΑΣ Α", "ας α"],
    ["Ας.", "ΑΣ."],
    ["é1", "E\u03011"],
    ["ﬁle", "FILE"],
    ["ｗide", "Wide"],
    ["\u212bngstrom", "ångstrom"],
    ["Ж", "ж"],
    ["𐐀", "𐐨"],
  ])("the names %s and %s are equal", async (one, other) => {
    expect((await tag(one)).__typename).toBe("CreateTagSuccess");
    expect(fieldsOf(await tag(other))).toEqual(["name"]);
  });

  test.each([
    ["Maße", "Masse"],
    ["ıx", "ix"],
    ["e", "é"],
    ["Ω1", "O1"],
  ])("the names %s and %s are different", async (one, other) => {
    expect((await tag(one)).__typename).toBe("CreateTagSuccess");
    expect((await tag(other)).__typename).toBe("CreateTagSuccess");
  });

  test("a filter by a name that no tag can have is refused with BAD_USER_INPUT", async () => {
    for (const name of ["\0", "a\ud800"]) {
      const { errors } = await server.ask(
        `query ($name: String!) { tags(channelId: ${CHANNEL}, name: $name) { totalCount } }`,
        { name },
      );
      expect(errors?.[0]?.extensions).toMatchObject({
        code: "BAD_USER_INPUT",
        fieldErrors: [{ field: "name" }],
      });
    }
  });
});

test("each change of a tag in one operation, and its selection, sees the changes before it", async () => {
  const [tag, other] = [await newTag({ name: "At first" }), await newTag()];
  const link = await newLink([tag.id, other.id]);
  const links = "inviteLinks { totalCount nodes { id tags { name color type { name } } } }";
  const { data, errors } = await server.ask(
    `mutation ($tag: ID!, $other: ID!) {
      a: updateTag(input: { id: $tag, name: "Then" }) { ... on UpdateTagSuccess { tag { name ${links} } } }
      b: updateTag(input: { id: $tag, color: "#00ff00", tagTypeId: "${CREATIVE}" }) { ... on UpdateTagSuccess { tag { name ${links} } } }
      c: updateTagType(input: { id: "${CREATIVE}", name: "Work" }) { ... on UpdateTagTypeSuccess { tagType { name } } }
      d: deleteTag(input: { id: $other }) { ... on DeleteTagSuccess { deletedTagId } }
      e: updateTag(input: { id: $tag }) { ... on UpdateTagSuccess { tag { name ${links} } } }
      f: deleteTag(input: { id: $tag }) { ... on DeleteTagSuccess { deletedTagId } }
      g: deleteTag(input: { id: $tag }) { __typename }
      h: updateTagType(input: { id: "${CREATIVE}", name: "Creative" }) { __typename }
    }`,
    { tag: tag.id, other: other.id },
  );
  expect(errors).toBeUndefined();
  const carried = (tags: object[]) => ({ inviteLinks: { totalCount: 1, nodes: [{ id: link, tags }] } });
  const type = { name: "Platform" };
  const second = { name: other.name, color: "#123456", type };
  const green = { name: "Then", color: "#00FF00" };
  expect(data).toEqual({
    a: { tag: { name: "Then", ...carried([{ name: "Then", color: "#123456", type }, second]) } },
    b: { tag: { name: "Then", ...carried([{ ...green, type: { name: "Creative" } }, second]) } },
    c: { tagType: { name: "Work" } },
    d: { deletedTagId: other.id },
    e: { tag: { name: "Then", ...carried([{ ...green, type: { name: "Work" } }]) } },
    f: { deletedTagId: tag.id },
    g: { __typename: "NotFoundError" },
    h: { __typename: "UpdateTagTypeSuccess" },
  });
});

await describeOnForms("concurrent changes of tags and tag types", ALL_FORMS, (form) => {
  let own: TestServer;
  let ask: ReturnType<typeof mutating>;
  beforeAll(async () => {
    own = await startTestServer({}, form);
    ask = mutating(own);
  });
  afterAll(() => own.stop());

  const concurrently = <T>(count: number, work: (place: number) => Promise<T>) =>
    Promise.all(Array.from({ length: count }, (_, place) => work(place)));
  const resultCounts = (results: readonly { __typename: string }[]) => {
    const counts: Record<string, number> = {};
    for (const { __typename } of results) counts[__typename] = (counts[__typename] ?? 0) + 1;
    return counts;
  };
  const create = (name: string, input: object = {}) =>
    ask(
      "createTag",
      { channelId: CHANNEL, name, color: "#000000", tagTypeId: PLATFORM, ...input },
      "tag { id }",
    );

  test("concurrent creations with equal names create one tag and one tag type", async () => {
    const cases = ["one", "ONE", "oNe", "ｏne"];
    const tags = await concurrently(24, (place) => create(cases[place % cases.length] as string));
    expect(resultCounts(tags)).toEqual({ CreateTagSuccess: 1, ValidationError: 23 });
    const types = await concurrently(24, (place) =>
      ask("createTagType", { name: cases[place % cases.length] }),
    );
    expect(resultCounts(types)).toEqual({ CreateTagTypeSuccess: 1, ValidationError: 23 });
  });

  test("concurrent renames to one name succeed for one tag and one tag type", async () => {
    const tags = await concurrently(12, (place) => create(`Rename ${place}`));
    const renamed = await concurrently(12, (place) =>
      ask("updateTag", { id: tags[place].tag.id, name: "Prize" }),
    );
    expect(resultCounts(renamed)).toEqual({ UpdateTagSuccess: 1, ValidationError: 11 });
    expect(new Set(renamed.map(fieldsOf).filter(Boolean).flat())).toEqual(new Set(["name"]));
    const types = await concurrently(12, (place) =>
      ask("createTagType", { name: `Rename ${place}` }, "tagType { id }"),
    );
    const named = await concurrently(12, (place) =>
      ask("updateTagType", { id: types[place].tagType.id, name: "Prize" }),
    );
    expect(resultCounts(named)).toEqual({ UpdateTagTypeSuccess: 1, ValidationError: 11 });
  });

  test("two tags cannot take each other's name concurrently", async () => {
    const [a, b] = [(await create("Swap a")).tag.id, (await create("Swap b")).tag.id];
    const swapped = await concurrently(8, (place) =>
      ask("updateTag", { id: place % 2 ? a : b, name: place % 2 ? "Swap b" : "Swap a" }),
    );
    expect(swapped.map(({ __typename }) => __typename)).not.toContain("UpdateTagSuccess");
  });

  test("a tag can be changed, moved and deleted while links with the tag are created", async () => {
    for (let round = 0; round < 4; round += 1) {
      const { id } = (await create(`Contended ${round}`)).tag;
      const results = await concurrently(24, (place) =>
        place === 9
          ? ask("deleteTag", { id })
          : place % 4 === 0
            ? ask("createInviteLink", { channelId: CHANNEL, name: "Takes", tagIds: [id] })
            : ask("updateTag", {
                id,
                name: `Contended ${round} ${place}`,
                tagTypeId: place % 2 ? CREATIVE : PLATFORM,
              }),
      );
      const { DeleteTagSuccess, UpdateTagSuccess = 0, NotFoundError = 0, ...others } = resultCounts(results);
      expect([DeleteTagSuccess, UpdateTagSuccess + NotFoundError]).toEqual([1, 17]);
      // A link that is created after the deletion gets the error that the tag does not exist.
      expect(
        Object.keys(others).every((name) => ["CreateInviteLinkSuccess", "ValidationError"].includes(name)),
      ).toBe(true);
    }
  });

  test("deleting a tag type while its tags are created either succeeds or keeps the type with its tags", async () => {
    for (let round = 0; round < 4; round += 1) {
      const { id } = (await ask("createTagType", { name: `Fleeting ${round}` }, "tagType { id }")).tagType;
      const moving = (await create(`Moves ${round}`)).tag.id;
      const results = await concurrently(12, (place) =>
        place === round * 3
          ? ask("deleteTagType", { id })
          : place === 5
            ? ask("updateTag", { id: moving, tagTypeId: id })
            : create(`Comes ${place}`, { tagTypeId: id }),
      );
      const deleted = results[round * 3];
      const came = results.filter((_, place) => place !== round * 3);
      if (deleted.__typename === "DeleteTagTypeSuccess") {
        expect(came.map(fieldsOf)).toEqual(came.map(() => ["tagTypeId"]));
      } else {
        expect(fieldsOf(deleted)).toEqual(["id"]);
        expect(resultCounts(came)).toEqual({ CreateTagSuccess: came.length - 1, UpdateTagSuccess: 1 });
      }
    }
  });
});
