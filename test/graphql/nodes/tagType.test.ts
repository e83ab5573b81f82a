import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CHANNEL, GROUP, PLATFORM, startTestServer, type TestServer, YOUTUBE } from "../../support/server.js";
import { fieldsOf, globalId, MISSING_ID, mutating } from "../mutations/mutating.js";

let server: TestServer;
let mutate: ReturnType<typeof mutating>;
beforeAll(async () => {
  server = await startTestServer();
  mutate = mutating(server);
});
afterAll(() => server.stop());

const newType = async (name: string) =>
  (await mutate("createTagType", { name }, "tagType { id name }")).tagType as { id: string; name: string };
const rename = (id: string, name: string) => mutate("updateTagType", { id, name }, "tagType { id name }");
const remove = (id: string) => mutate("deleteTagType", { id }, "deletedTagTypeId");
const names = async () =>
  (await server.ask("{ tagTypes { name } }")).data.tagTypes.map(({ name }: { name: string }) => name);

describe("a tag type", () => {
  test("a tag type can be renamed, also to another case of its own name", async () => {
    const { id } = await newType("Season");
    const renamed = { __typename: "UpdateTagTypeSuccess", tagType: { id, name: "Time of year 🌷" } };
    expect(await rename(id, " Time  of year 🌷")).toEqual(renamed);
    expect(await rename(id, "Time of year 🌷")).toEqual(renamed);
    expect((await rename(id, "TIME OF YEAR 🌷")).tagType.name).toBe("TIME OF YEAR 🌷");
    expect(await names()).toContain("TIME OF YEAR 🌷");
    const { data } = await server.ask("query ($id: ID!) { node(id: $id) { ... on TagType { name } } }", {
      id,
    });
    expect(data.node).toEqual({ name: "TIME OF YEAR 🌷" });
  });

  test("a tag type keeps its name if the new name is taken in any case", async () => {
    const { id, name } = await newType("Kept");
    expect(fieldsOf(await rename(id, "ＰＬＡＴＦＯＲＭ"))).toEqual(["name"]);
    expect(await names()).toContain(name);
  });

  test("a tag type can be deleted once, and its name is free afterwards", async () => {
    const { id, name } = await newType("Brief");
    expect(await remove(id)).toEqual({ __typename: "DeleteTagTypeSuccess", deletedTagTypeId: id });
    expect((await remove(id)).__typename).toBe("NotFoundError");
    expect((await rename(id, "Risen")).__typename).toBe("NotFoundError");
    expect((await newType(name)).id).not.toBe(id);
  });

  test("a tag type cannot be deleted while any channel has tags of the type", async () => {
    const { id } = await newType("Used");
    const tags: string[] = [];
    for (const channelId of [CHANNEL, GROUP]) {
      const input = { channelId, name: "Uses it", color: "#000000", tagTypeId: id };
      tags.push((await mutate("createTag", input, "tag { id }")).tag.id);
    }
    expect((await remove(id)).fieldErrors).toEqual([
      { field: "id", message: expect.stringMatching(/\b2 tags\b/) },
    ]);
    await mutate("deleteTag", { id: tags[0] });
    expect((await remove(id)).fieldErrors).toEqual([
      { field: "id", message: expect.stringMatching(/\b1 tag\b/) },
    ]);
    await mutate("updateTag", { id: tags[1], tagTypeId: PLATFORM });
    expect((await remove(id)).__typename).toBe("DeleteTagTypeSuccess");
  });

  test.each([
    ["the id of a tag", globalId("Tag", YOUTUBE)],
    ["not an id", "nonsense"],
    ["too long", "A".repeat(10_000)],
  ])("a tag type's id is refused if it is %s", async (_what, id) => {
    expect(fieldsOf(await remove(id))).toEqual(["id"]);
    expect(fieldsOf(await rename(id, ""))).toEqual(["id", "name"]);
  });

  test("changing a missing tag type gives a NotFoundError", async () => {
    for (const id of [MISSING_ID, globalId("TagType", MISSING_ID), YOUTUBE]) {
      expect((await remove(id)).__typename).toBe("NotFoundError");
      expect((await rename(id, "Platform")).__typename).toBe("NotFoundError");
    }
  });
});
