import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { CHANNEL, GROUP, startTestServer, type TestServer } from "../../support/server.js";
import { fieldsOf, mutating } from "./mutating.js";

let server: TestServer;
let mutate: ReturnType<typeof mutating>;
beforeAll(async () => {
  server = await startTestServer();
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
    const calls = server.calls().length;
    expect((await update({ id, externalId: "second" })).inviteLink.externalId).toBe("second");
    expect((await update({ id, externalId: "second" })).inviteLink.externalId).toBe("second");
    expect(fieldsOf(await update({ id, externalId: "other" }))).toEqual(["externalId"]);
    expect(fieldsOf(await update({ id, externalId: "" }))).toEqual(["externalId"]);
    expect((await update({ id, externalId: null })).inviteLink.externalId).toBeNull();
    expect((await update({ id: other, externalId: "second" })).inviteLink.externalId).toBe("second");
    expect(server.calls()).toHaveLength(calls);
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

  test("of many creations with one external id at once one creates a link", async () => {
    const links = linkCount();
    const results = await Promise.all(Array.from({ length: 5 }, () => create({ externalId: "race" })));
    const refused = results.filter(({ __typename }) => __typename === "ValidationError");
    expect(refused.map(fieldsOf)).toEqual([["externalId"], ["externalId"], ["externalId"], ["externalId"]]);
    expect(linkCount() - links).toBe(1);
    expect(await found(["race"])).toEqual(["race"]);
  });

  test("of creations, batches, edits and imports that ask for one external id at once, one gets it", async () => {
    const { id } = (await create({})).inviteLink;
    for (let round = 0; round < 5; round += 1) {
      const externalId = `contested ${round}`;
      const file = JSON.stringify({ url: `t.me/+contested0000${round}`, external_id: externalId });
      const results = await Promise.all([
        create({ externalId }),
        mutate(
          "createInviteLinks",
          { channelId: CHANNEL, links: [{ name: "Ad", externalId }] },
          "batch { id }",
        ),
        update({ id, externalId }),
        fetch(`${server.origin}/import?channel_id=${CHANNEL}`, {
          method: "POST",
          headers: { "content-type": "application/x-ndjson", authorization: `Bearer ${server.token}` },
          body: file,
        })
          .then((response) => response.json())
          .then(({ created }) => ({ __typename: created === 1 ? "ImportSuccess" : "ValidationError" })),
      ]);
      const winners = results.filter(({ __typename }) => __typename !== "ValidationError");
      expect(winners, JSON.stringify(results)).toHaveLength(1);
      await expect.poll(() => found([externalId])).toEqual([externalId]);
    }
  });

  test("of many calls with one idempotency key and one external id at once, each gives the same link or batch", async () => {
    const links = linkCount();
    const input = { externalId: "repeated", idempotencyKey: "repeated" };
    const made = await Promise.all(Array.from({ length: 20 }, () => create(input)));
    expect(new Set(made.map(({ inviteLink }) => inviteLink?.id)).size).toBe(1);
    expect(made[0].inviteLink.externalId).toBe("repeated");
    expect(linkCount() - links).toBe(1);
    const many = {
      channelId: CHANNEL,
      idempotencyKey: "many",
      links: [{ name: "Ad", externalId: "of a batch" }],
    };
    const batches = await Promise.all(
      Array.from({ length: 20 }, () => mutate("createInviteLinks", many, "batch { id }")),
    );
    expect(new Set(batches.map(({ batch }) => batch?.id)).size).toBe(1);
    expect(batches[0].batch.id).toBeTypeOf("string");
  });

  test("an external id that waits in a batch is not given to another link", async () => {
    const { id } = (await create({})).inviteLink;
    const called = server.sandbox.control.nextCall("createChatInviteLink");
    const release = server.sandbox.control.hold({ method: "createChatInviteLink" });
    const links = [{ name: "Ad" }, { name: "Ad", externalId: "waiting" }];
    await mutate("createInviteLinks", { channelId: CHANNEL, links }, "batch { id }");
    await called;
    expect(fieldsOf(await create({ externalId: "waiting" }))).toEqual(["externalId"]);
    expect(fieldsOf(await update({ id, externalId: "waiting" }))).toEqual(["externalId"]);
    for (const dryRun of [true, false]) {
      const response = await fetch(`${server.origin}/import?channel_id=${CHANNEL}&dry_run=${dryRun}`, {
        method: "POST",
        headers: { "content-type": "text/csv", authorization: `Bearer ${server.token}` },
        body: "url,external_id\nt.me/+waiting000001,waiting\n",
      });
      expect(await response.json()).toMatchObject({
        created: 0,
        skipped: 1,
        firstSkipped: [{ place: "line 2", problems: [{ field: "external_id" }] }],
      });
    }
    release();
    await expect.poll(() => found(["waiting"])).toEqual(["waiting"]);
  });

  test("a repeated creation with an idempotency key has its external id, and another one is a conflict", async () => {
    const input = { externalId: "kept", idempotencyKey: "key" };
    const { inviteLink } = await create(input);
    expect((await create(input)).inviteLink).toEqual(inviteLink);
    expect((await create({ ...input, externalId: "else" })).__typename).toBe("IdempotencyConflictError");
  });
});
