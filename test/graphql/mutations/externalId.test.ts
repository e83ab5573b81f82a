import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { CHANNEL, GROUP, startTestServer, type TestServer } from "../../support/server.js";
import { fieldsOf, mutating } from "./mutating.js";

let server: TestServer;
let mutate: ReturnType<typeof mutating>;
beforeAll(async () => {
  server = await startTestServer({ telegramTimeoutMs: 2000 });
  mutate = mutating(server);
});
afterAll(() => server.stop());
afterEach(() => server.sandbox.control.clearFaults());

const LINK = "inviteLink { id externalId name }";
const create = (input: object) =>
  mutate("createInviteLink", { channelId: CHANNEL, name: "Ad", ...input }, LINK);
const update = (input: object) => mutate("updateInviteLink", input, LINK);
const linkCount = () => server.sandbox.control.links(CHANNEL).length;
const found = async (externalIds: string[]) => {
  const { data } = await server.ask(
    `query ($filter: InviteLinkFilter) { inviteLinks(channelId: ${CHANNEL}, filter: $filter) { nodes { externalId } } }`,
    { filter: { externalIds } },
  );
  return data.inviteLinks.nodes.map(({ externalId }: { externalId: string }) => externalId).sort();
};

describe("the external id of a link", () => {
  test("a link is created with an external id, found by it, and not created twice in a channel", async () => {
    expect((await create({ externalId: "Click 1" })).inviteLink.externalId).toBe("Click 1");
    expect((await create({ externalId: "click 1" })).inviteLink.externalId).toBe("click 1");
    expect((await create({})).inviteLink.externalId).toBeNull();
    const links = linkCount();
    expect(fieldsOf(await create({ externalId: "Click 1" }))).toEqual(["externalId"]);
    expect(linkCount()).toBe(links);
    expect((await create({ channelId: GROUP, externalId: "Click 1" })).inviteLink.externalId).toBe("Click 1");
    expect(await found(["Click 1", "missing"])).toEqual(["Click 1"]);
    expect(await found([])).toEqual([]);
  });

  test("an external id has 1 to 255 characters of well-formed Unicode", async () => {
    const links = linkCount();
    for (const externalId of ["", "😀".repeat(256), "a\0b", "\ud800"])
      expect(fieldsOf(await create({ externalId }))).toEqual(["externalId"]);
    expect(linkCount()).toBe(links);
    const longest = "😀".repeat(255);
    expect((await create({ externalId: longest })).inviteLink.externalId).toBe(longest);
  });

  test("an external id is changed and cleared without a call to Telegram, and free again then", async () => {
    const { id } = (await create({ externalId: "first" })).inviteLink;
    const other = (await create({ externalId: "other" })).inviteLink.id;
    const calls = server.sandbox.control.calls().length;
    expect((await update({ id, externalId: "second" })).inviteLink.externalId).toBe("second");
    expect((await update({ id, externalId: "second" })).inviteLink.externalId).toBe("second");
    expect(fieldsOf(await update({ id, externalId: "other" }))).toEqual(["externalId"]);
    expect(fieldsOf(await update({ id, externalId: "" }))).toEqual(["externalId"]);
    expect((await update({ id, externalId: null })).inviteLink.externalId).toBeNull();
    expect((await update({ id: other, externalId: "second" })).inviteLink.externalId).toBe("second");
    expect(server.sandbox.control.calls()).toHaveLength(calls);
  });

  test("an external id is changed together with a name, or neither is", async () => {
    const { id } = (await create({ externalId: "both" })).inviteLink;
    expect((await update({ id, name: "New", externalId: "changed" })).inviteLink).toMatchObject({
      name: "New",
      externalId: "changed",
    });
    await create({ externalId: "both" });
    expect(fieldsOf(await update({ id, name: "Newer", externalId: "both" }))).toEqual(["externalId"]);
    const { data } = await server.ask("query ($id: ID!) { inviteLink(id: $id) { name externalId } }", { id });
    expect(data.inviteLink).toEqual({ name: "New", externalId: "changed" });
  });

  test("of many creations with one external id at once all links that Telegram created are stored, one with the id", async () => {
    const links = linkCount();
    const results = await Promise.all(Array.from({ length: 5 }, () => create({ externalId: "race" })));
    const made = results.filter(({ __typename }) => __typename === "CreateInviteLinkSuccess");
    expect(made.filter(({ inviteLink }) => inviteLink.externalId === "race")).toHaveLength(1);
    expect(linkCount() - links).toBe(made.length);
    const { data } = await server.ask(`{ inviteLinks(channelId: ${CHANNEL}, first: 100) { nodes { id } } }`);
    const ids = data.inviteLinks.nodes.map(({ id }: { id: string }) => id);
    expect(ids).toEqual(expect.arrayContaining(made.map(({ inviteLink }) => inviteLink.id)));
  });

  test("a repeated creation with an idempotency key has its external id, and another one is a conflict", async () => {
    const input = { externalId: "kept", idempotencyKey: "key" };
    const { inviteLink } = await create(input);
    expect((await create(input)).inviteLink).toEqual(inviteLink);
    expect((await create({ ...input, externalId: "else" })).__typename).toBe("IdempotencyConflictError");
  });
});
