import { afterAll, beforeAll, describe, expect, test } from "vitest";
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

const SET = `mutation ($input: SetInviteLinkTagsInput!) {
  result: setInviteLinkTags(input: $input) {
    __typename
    ... on SetInviteLinkTagsSuccess {
      inviteLinks { id name updatedAt tags { id name } channel { telegramId } }
    }
    ... on UserError { code message }
    ... on ValidationError { fieldErrors { field message } }
  }
}`;
const INSTAGRAM = "01991000-0000-7000-8000-000000000014";
const VK = "01991000-0000-7000-8000-000000000016";
const MISSING_ID = "01991000-0000-7000-8000-00000000ffff";

const globalId = (kind: string, id: string) => Buffer.from(`${kind}:${id}`).toString("base64");
const bareId = (id: string) => Buffer.from(id, "base64").toString().split(":")[1] as string;

let server: TestServer;
beforeAll(async () => {
  // The caches are off because they would save some of the statements that are counted.
  server = await startTestServer({ cache: false });
});
afterAll(() => server.stop());

interface SetLink {
  readonly id: string;
  readonly name: string;
  readonly updatedAt: string | null;
  readonly tags: readonly { readonly id: string; readonly name: string }[];
}

const setTags = async (input: object, token?: string) => {
  const { data, errors } = await server.ask(SET, { input }, token);
  if (errors) throw new Error(JSON.stringify(errors));
  return data.result;
};
/** Creates objects in as few operations as the limit on aliases allows. Returns their ids. */
const createBatch = async (count: number, one: (n: number) => string): Promise<string[]> => {
  const ids: string[] = [];
  for (let made = 0; made < count; made += 14) {
    const numbers = Array.from({ length: Math.min(14, count - made) }, (_, index) => made + index);
    const { data } = await server.ask(`mutation { ${numbers.map((n) => `m${n}: ${one(n)}`).join(" ")} }`);
    for (const n of numbers) ids.push(data[`m${n}`].made.id);
  }
  return ids;
};
const create = (count: number, { channelId = CHANNEL, tagIds = [] as string[] } = {}) =>
  createBatch(
    count,
    (
      n,
    ) => `createInviteLink(input: { channelId: ${channelId}, name: "Tagged ${n}", tagIds: ${JSON.stringify(tagIds)} }) {
      ... on CreateInviteLinkSuccess { made: inviteLink { id } } }`,
  );
const makeTags = (count: number, prefix: string) =>
  createBatch(
    count,
    (
      n,
    ) => `createTag(input: { channelId: ${CHANNEL}, name: "${prefix} ${n}", color: "#000000", tagTypeId: "${CREATIVE}" }) {
      ... on CreateTagSuccess { made: tag { id } } }`,
  );
const namesOf = (links: readonly SetLink[]) => links.map(({ tags }) => tags.map(({ name }) => name));
const read = async (ids: readonly string[]): Promise<SetLink[]> =>
  (
    await server.ask(
      `query ($ids: [ID!]!) { nodes(ids: $ids) { ... on InviteLink { id name updatedAt tags { id name } channel { telegramId } } } }`,
      { ids },
    )
  ).data.nodes;
const fields = (answer: { fieldErrors?: { field: string }[] }) =>
  answer.fieldErrors?.map(({ field }) => field);

describe("bulk tagging", () => {
  test("bulk tagging adds and removes tags and returns each link once, in the requested order, with its new tags", async () => {
    const [a = "", b = "", c = ""] = await create(3, { tagIds: [YOUTUBE] });
    const { inviteLinks } = await setTags({
      ids: [c, a, bareId(c), b, a],
      addTagIds: [VK, globalId("Tag", INSTAGRAM), VK],
      removeTagIds: [YOUTUBE, YOUTUBE],
    });
    expect(inviteLinks.map(({ id }: SetLink) => id)).toEqual([c, a, b]);
    expect(namesOf(inviteLinks)).toEqual(Array.from({ length: 3 }, () => ["Instagram", "VK"]));
    expect(await read([c, a, b])).toEqual(inviteLinks);
  });

  test("bulk tagging changes only the links whose tags differ from the request", async () => {
    const [tagged = "", bare = ""] = [...(await create(1, { tagIds: [YOUTUBE] })), ...(await create(1))];
    const { inviteLinks } = await setTags({ ids: [tagged, bare], addTagIds: [YOUTUBE], removeTagIds: [VK] });
    expect(namesOf(inviteLinks)).toEqual([["YouTube"], ["YouTube"]]);
    expect(inviteLinks.map(({ updatedAt }: SetLink) => updatedAt)).toEqual([null, expect.any(String)]);
    expect((await setTags({ ids: [tagged, bare], addTagIds: [YOUTUBE] })).inviteLinks).toEqual(inviteLinks);
    expect((await setTags({ ids: [tagged], removeTagIds: [YOUTUBE] })).inviteLinks).toMatchObject([
      { tags: [], updatedAt: expect.any(String) },
    ]);
  });

  test("bulk tagging of no links returns no links", async () => {
    expect(await setTags({ ids: [] })).toEqual({ __typename: "SetInviteLinkTagsSuccess", inviteLinks: [] });
    expect((await setTags({ ids: [], addTagIds: [YOUTUBE] })).inviteLinks).toEqual([]);
  });

  test("bulk tagging accepts 250 ids, counting repeated ids", async () => {
    const [id = ""] = await create(1);
    const { inviteLinks } = await setTags({ ids: Array.from({ length: 250 }, () => id), addTagIds: [VK] });
    expect(namesOf(inviteLinks)).toEqual([["VK"]]);
  });

  test("bulk tagging causes no call to Telegram, also for expired and revoked links", async () => {
    const { data } = await server.ask(`{
      expired: inviteLinks(channelId: ${CHANNEL}, first: 1, filter: { isExpired: true }) { nodes { id } }
      revoked: inviteLinks(channelId: ${CHANNEL}, first: 1, filter: { isRevoked: true }) { nodes { id } }
    }`);
    const before = server.calls().length;
    const ids = [data.expired.nodes[0].id, data.revoked.nodes[0].id];
    expect((await setTags({ ids, addTagIds: [VK] })).__typename).toBe("SetInviteLinkTagsSuccess");
    expect(server.calls()).toHaveLength(before);
  });

  test("bulk tagging takes as many statements for many links as for two", async () => {
    const { data } = await server.ask(`{ inviteLinks(channelId: ${CHANNEL}, first: 100) { nodes { id } } }`);
    const ids = data.inviteLinks.nodes.map(({ id }: SetLink) => id);
    expect(ids.length).toBeGreaterThan(20);
    const mutation = `mutation ($ids: [ID!]!, $add: [ID!]!, $remove: [ID!]!) {
      setInviteLinkTags(input: { ids: $ids, addTagIds: $add, removeTagIds: $remove }) {
        ... on SetInviteLinkTagsSuccess { inviteLinks { id name tags { name type { name } } channel { title } } }
        ... on UserError { message }
      }
    }`;
    const [one = "", other = ""] = await makeTags(2, "Counted");
    const few = await server.statementsOf(mutation, { ids: ids.slice(0, 2), add: [one], remove: [other] });
    const many = await server.statementsOf(mutation, { ids, add: [other], remove: [one] });
    expect(many).toHaveLength(few.length);
    expect(namesOf(await read(ids))).toEqual(ids.map(() => expect.arrayContaining(["Counted 1"])));
  });
});

describe("refused bulk tagging", () => {
  let ids: string[];
  beforeAll(async () => {
    ids = await create(2, { tagIds: [YOUTUBE] });
  });

  test.each<[string, () => object, readonly string[]]>([
    ["251 links", () => ({ ids: Array.from({ length: 251 }, () => ids[0]) }), ["ids"]],
    [
      "ids that cannot be read",
      () => ({ ids: [ids[0], "x"], addTagIds: ["", VK], removeTagIds: [VK, "x"] }),
      ["ids.1", "addTagIds.0", "removeTagIds.1"],
    ],
    [
      "ids of other types",
      () => ({ ids: [globalId("Tag", VK)], addTagIds: [globalId("TagType", PLATFORM)] }),
      ["ids.0", "addTagIds.0"],
    ],
    [
      "missing tags",
      () => ({ ids, addTagIds: [VK, MISSING_ID], removeTagIds: [MISSING_ID.replace(/f$/, "e")] }),
      ["addTagIds.1", "removeTagIds.0"],
    ],
    ["adding another channel's tags", () => ({ ids, addTagIds: [VK, GROUP_TAG] }), ["addTagIds.1"]],
    ["removing another channel's tags", () => ({ ids, removeTagIds: [GROUP_TAG] }), ["removeTagIds.0"]],
    [
      "both adding and removing the same tag",
      () => ({ ids, addTagIds: [VK, INSTAGRAM], removeTagIds: [YOUTUBE, INSTAGRAM, globalId("Tag", VK)] }),
      ["removeTagIds.1", "removeTagIds.2"],
    ],
    [
      "more tags than a link can carry",
      () => ({ ids, addTagIds: Array.from({ length: 101 }, () => VK) }),
      ["addTagIds"],
    ],
  ])("bulk tagging refuses %s and changes no link", async (_what, input, expected) => {
    const before = await read(ids);
    const answer = await setTags({ addTagIds: [], ...input() });
    expect(answer).toMatchObject({ __typename: "ValidationError", code: "BAD_USER_INPUT" });
    expect(fields(answer)).toEqual(expected);
    expect(await read(ids)).toEqual(before);
  });

  test("bulk tagging refuses links of two channels", async () => {
    const [foreign = ""] = await create(1, { channelId: GROUP });
    const answer = await setTags({ ids: [...ids, foreign], addTagIds: [VK] });
    expect(fields(answer)).toEqual(["ids"]);
    expect((await read([foreign]))[0]?.tags).toEqual([]);
  });

  test("bulk tagging changes no link if one of the links is missing", async () => {
    const before = await read(ids);
    expect(
      await setTags({ ids: [...ids, globalId("InviteLink", MISSING_ID)], addTagIds: [VK] }),
    ).toMatchObject({
      __typename: "NotFoundError",
    });
    expect(await read(ids)).toEqual(before);
  });

  test("bulk tagging changes no link if one of them would carry more than a hundred tags", async () => {
    const [full = "", bare = ""] = await create(2);
    const tags = await makeTags(100, "Full");
    expect((await setTags({ ids: [full], addTagIds: tags })).inviteLinks[0].tags).toHaveLength(100);
    const before = await read([full, bare]);
    expect(fields(await setTags({ ids: [bare, full], addTagIds: [VK] }))).toEqual(["addTagIds"]);
    expect(await read([full, bare])).toEqual(before);
    // One tag is removed for the one that is added, so the full link stays at a hundred tags.
    const changed = await setTags({ ids: [bare, full], addTagIds: [VK], removeTagIds: [tags[7]] });
    expect(changed.inviteLinks.map(({ tags: carried }: SetLink) => carried.length)).toEqual([1, 100]);
  });

  test("bulk tagging refuses null for a list of tags that has a default", async () => {
    const { errors } = await server.ask(SET, { input: { ids, addTagIds: null } });
    expect(errors?.[0]?.extensions.code).toBe("BAD_USER_INPUT");
  });
});

test("bulk tagging is forbidden for viewers and treats links and tags outside the token's grant as missing", async () => {
  const [id = ""] = await create(1);
  const [foreign = ""] = await create(1, { channelId: GROUP });
  const viewer = await server.makeToken({ role: "VIEWER" });
  const limited = await server.makeToken({ role: "EDITOR", channelIds: [CHANNEL] });
  expect((await setTags({ ids: [id], addTagIds: [VK] }, viewer)).__typename).toBe("ForbiddenError");
  const unseen = await setTags({ ids: [id, foreign], addTagIds: [VK] }, limited);
  expect(unseen.__typename).toBe("NotFoundError");
  expect(await setTags({ ids: [globalId("InviteLink", MISSING_ID)], addTagIds: [VK] }, limited)).toEqual(
    unseen,
  );
  expect(fields(await setTags({ ids: [id], addTagIds: [GROUP_TAG] }, limited))).toEqual(["addTagIds.0"]);
  expect(namesOf(await read([id, foreign]))).toEqual([[], []]);
  expect((await setTags({ ids: [id], addTagIds: [VK] }, limited)).inviteLinks).toMatchObject([
    { tags: [{ name: "VK" }], channel: { telegramId: CHANNEL } },
  ]);
});
