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
} from "../support/server.js";
import { globalId, MISSING_ID } from "./mutations/mutating.js";

let server: TestServer;
/** One token of each role, all limited to CHANNEL. They have no rights in GROUP. */
let tokens: Record<"VIEWER" | "EDITOR" | "ADMIN", string>;
let foreign: { channel: string; link: string; tag: string; token: string; cursor: string };
let missing: { channel: string; link: string; tag: string; token: string };

beforeAll(async () => {
  server = await startTestServer();
  const limited = (role: string) => server.makeToken({ role, channelIds: [CHANNEL] });
  tokens = {
    VIEWER: await limited("VIEWER"),
    EDITOR: await limited("EDITOR"),
    ADMIN: await limited("ADMIN"),
  };
  const { data } = await server.ask(`{
    channel(telegramId: ${GROUP}) { id }
    inviteLinks(channelId: ${GROUP}, first: 1) { edges { cursor node { id } } }
    tag(id: "${GROUP_TAG}") { id }
    apiTokens { id name }
  }`);
  foreign = {
    channel: data.channel.id,
    link: data.inviteLinks.edges[0].node.id,
    cursor: data.inviteLinks.edges[0].cursor,
    tag: data.tag.id,
    token: data.apiTokens.find(({ name }: { name: string }) => name === "Sandbox").id,
  };
  missing = {
    channel: globalId("Channel", MISSING_ID),
    link: globalId("InviteLink", MISSING_ID),
    tag: globalId("Tag", MISSING_ID),
    token: globalId("ApiToken", MISSING_ID),
  };
});
afterAll(() => server.stop());

/** The data and errors of a response without the request ids, so that two responses can be compared. */
const comparable = ({ data, errors }: { data: unknown; errors?: readonly object[] }) =>
  JSON.stringify({ data, errors }).replace(/"requestId":"[^"]*"/g, "");

describe("tokens limited to one channel", () => {
  test.each(["VIEWER", "EDITOR", "ADMIN"] as const)(
    "a token with the role %s that is limited to one channel sees nothing of another channel",
    async (role) => {
      const ask = (query: string, variables = {}) => server.ask(query, variables, tokens[role]);
      const byId = `query ($channel: ID!, $link: ID!, $tag: ID!, $token: ID!) {
      nodes(ids: [$channel, $link, $tag, $token]) { id }
      node(id: $link) { id }
      inviteLink(id: $link) { id }
      tag(id: $tag) { id }
    }`;
      const nothing = { nodes: [null, null, null, null], node: null, inviteLink: null, tag: null };
      expect((await ask(byId, foreign)).data).toEqual(nothing);
      expect((await ask(byId, missing)).data).toEqual(nothing);
      expect((await ask(`{ inviteLink(id: "${foreign.link}", channelId: ${GROUP}) { id } }`)).data).toEqual({
        inviteLink: null,
      });

      for (const named of [
        `channel(telegramId: ${GROUP}) { id }`,
        `inviteLinks(channelId: ${GROUP}) { totalCount }`,
        `tags(channelId: ${GROUP}) { totalCount }`,
      ]) {
        const { errors } = await ask(`{ ${named} }`);
        expect(errors?.[0]?.extensions.code).toBe("FORBIDDEN");
        const unknown = await ask(`{ ${named.replace(String(GROUP), "-100999")} }`);
        expect(unknown.errors?.[0]?.extensions.code).toBe("FORBIDDEN");
      }

      const { data } = await ask(`{
      viewer { channelIds role }
      channels { totalCount nodes { telegramId } pageInfo { hasNextPage hasPreviousPage } }
      inviteLinks(channelId: ${CHANNEL}, filter: { ids: ["${foreign.link}"] }) { totalCount nodes { id } }
    }`);
      expect(data).toEqual({
        viewer: { channelIds: [CHANNEL], role },
        channels: {
          totalCount: 1,
          nodes: [{ telegramId: CHANNEL }],
          pageInfo: { hasNextPage: false, hasPreviousPage: false },
        },
        inviteLinks: { totalCount: 0, nodes: [] },
      });
    },
  );

  test("a token limited to one channel gets the same error for another channel's tag as for a missing tag", async () => {
    const filtered = (tagId: string) =>
      server.ask(
        `query ($type: ID!, $tag: ID!) {
          inviteLinks(channelId: ${CHANNEL}, filter: { tagGroups: [{ tagTypeId: $type, tagIds: [$tag] }] }) { totalCount }
        }`,
        { type: PLATFORM, tag: tagId },
        tokens.EDITOR,
      );
    const [own, other] = [await filtered(foreign.tag), await filtered(missing.tag)];
    expect(own.errors?.[0]?.extensions.code).toBe("BAD_USER_INPUT");
    expect(comparable(own)).toBe(comparable(other));
  });

  test("a token limited to one channel changes nothing outside that channel and causes no call to Telegram", async () => {
    const before = server.calls().length;
    const change = async (mutation: string, token: string) =>
      (await server.ask(`mutation { ${mutation} }`, {}, token)).data;
    const link = `createInviteLink(input: { channelId: ${GROUP}, name: "x" }) { __typename }`;
    const tag = `createTag(input: { channelId: ${GROUP}, name: "x", color: "#000000", tagTypeId: "${CREATIVE}" }) { __typename }`;
    const channel = `connectChannel(input: { chat: "${GROUP}" }) { __typename }`;
    const type = `createTagType(input: { name: "Mine" }) { __typename }`;
    const typeUpdate = `updateTagType(input: { id: "${CREATIVE}", name: "Mine" }) { __typename }`;
    const typeDeletion = `deleteTagType(input: { id: "${MISSING_ID}" }) { __typename }`;
    for (const [mutation, token] of [
      [link, tokens.EDITOR],
      [link, tokens.ADMIN],
      [tag, tokens.EDITOR],
      [tag, tokens.ADMIN],
      [channel, tokens.ADMIN],
      [type, tokens.ADMIN],
      [typeUpdate, tokens.ADMIN],
      [typeDeletion, tokens.ADMIN],
    ] as const) {
      expect(Object.values(await change(mutation, token))).toEqual([{ __typename: "ForbiddenError" }]);
    }
    expect(server.calls()).toHaveLength(before);
  });

  test("an administrator limited to one channel creates and revokes only tokens limited to that channel", async () => {
    const createToken = async (channelIds: unknown) => {
      const { data } = await server.ask(
        `mutation ($ids: [TelegramID!]) { createApiToken(input: { name: "t", role: ADMIN, channelIds: $ids }) { __typename } }`,
        { ids: channelIds },
        tokens.ADMIN,
      );
      return data.createApiToken.__typename;
    };
    expect(await createToken(null)).toBe("ForbiddenError");
    expect(await createToken([CHANNEL, GROUP])).toBe("ForbiddenError");
    expect(await createToken([CHANNEL])).toBe("CreateApiTokenSuccess");
    const revoke = (id: string) =>
      server.ask(`mutation { revokeApiToken(input: { id: "${id}" }) { __typename } }`, {}, tokens.ADMIN);
    expect((await revoke(foreign.token)).data.revokeApiToken.__typename).toBe("NotFoundError");
    const { data } = await server.ask(`{ apiTokens { channelIds } }`, {}, tokens.ADMIN);
    expect(data.apiTokens.length).toBeGreaterThan(0);
    expect(
      data.apiTokens.every(
        ({ channelIds }: { channelIds: number[] }) => channelIds.join() === String(CHANNEL),
      ),
    ).toBe(true);
  });
});

describe("roles", () => {
  const link = `createInviteLink(input: { channelId: ${CHANNEL}, name: "x" }) { __typename }`;
  const tag = `createTag(input: { channelId: ${CHANNEL}, name: "By role", color: "#000000", tagTypeId: "${CREATIVE}" }) { __typename }`;
  const tagUpdate = `updateTag(input: { id: "${YOUTUBE}" }) { __typename }`;
  const tagDeletion = `deleteTag(input: { id: "${MISSING_ID}" }) { __typename }`;
  const channel = `connectChannel(input: { chat: "${CHANNEL}" }) { __typename }`;
  const channelUpdate = `updateChannel(input: { id: "${MISSING_ID}", currency: "EUR" }) { __typename }`;
  const token = `createApiToken(input: { name: "x", role: VIEWER, channelIds: [${CHANNEL}] }) { __typename }`;
  test.each([
    ["VIEWER", link, "ForbiddenError"],
    ["EDITOR", link, "CreateInviteLinkSuccess"],
    ["VIEWER", tag, "ForbiddenError"],
    ["EDITOR", tag, "CreateTagSuccess"],
    ["VIEWER", tagUpdate, "ForbiddenError"],
    ["EDITOR", tagUpdate, "UpdateTagSuccess"],
    ["VIEWER", tagDeletion, "ForbiddenError"],
    ["EDITOR", tagDeletion, "NotFoundError"],
    ["EDITOR", channelUpdate, "ForbiddenError"],
    ["ADMIN", channelUpdate, "NotFoundError"],
    ["EDITOR", channel, "ForbiddenError"],
    ["ADMIN", channel, "ConnectChannelSuccess"],
    ["EDITOR", token, "ForbiddenError"],
    ["ADMIN", token, "CreateApiTokenSuccess"],
  ] as const)("a caller with the role %s that sends %s gets a %s", async (role, mutation, expected) => {
    const { data } = await server.ask(`mutation { result: ${mutation} }`, {}, tokens[role]);
    expect(data.result.__typename).toBe(expected);
  });

  test("tag types are changed by editors of all channels and not by viewers", async () => {
    const results = async (role: string) => {
      const { data } = await server.ask(
        `mutation {
          a: createTagType(input: { name: "Of a role" }) { __typename }
          b: updateTagType(input: { id: "${CREATIVE}", name: "Creative" }) { __typename }
          c: deleteTagType(input: { id: "${MISSING_ID}" }) { __typename }
        }`,
        {},
        await server.makeToken({ role }),
      );
      return Object.values(data).map((result) => (result as { __typename: string }).__typename);
    };
    expect(await results("VIEWER")).toEqual(["ForbiddenError", "ForbiddenError", "ForbiddenError"]);
    expect(await results("EDITOR")).toEqual([
      "CreateTagTypeSuccess",
      "UpdateTagTypeSuccess",
      "NotFoundError",
    ]);
  });

  test("only an administrator can list the API tokens", async () => {
    const { errors } = await server.ask(`{ apiTokens { id } }`, {}, tokens.EDITOR);
    expect(errors?.[0]?.extensions.code).toBe("FORBIDDEN");
  });
});

describe("API tokens", () => {
  test("a granted chat without a channel has no links, and no tag can be created for it before it is connected", async () => {
    const chatId = -1_002_002_002_002;
    const token = await server.makeToken({ role: "EDITOR", channelIds: [chatId] });
    const { data } = await server.ask(
      `{ channel(telegramId: ${chatId}) { id } channels { totalCount } inviteLinks(channelId: ${chatId}) { totalCount nodes { id } }
         tags(channelId: ${chatId}) { totalCount nodes { id } } }`,
      {},
      token,
    );
    expect(data).toEqual({
      channel: null,
      channels: { totalCount: 0 },
      inviteLinks: { totalCount: 0, nodes: [] },
      tags: { totalCount: 0, nodes: [] },
    });
    const created = await server.ask(
      `mutation { createTag(input: { channelId: ${chatId}, name: "x", color: "#000000", tagTypeId: "${CREATIVE}" }) {
        ... on ValidationError { fieldErrors { field message } } } }`,
      {},
      token,
    );
    expect(created.data.createTag.fieldErrors).toEqual([
      { field: "channelId", message: expect.stringContaining("connectChannel") },
    ]);
  });

  test("an API token is listed without its secret and is refused after it was revoked", async () => {
    const { data } = await server.ask(`mutation {
      createApiToken(input: { name: " Two  words ", role: VIEWER, channelIds: [] }) {
        ... on CreateApiTokenSuccess { secret apiToken { id name role channelIds createdAt lastUsedAt revokedAt } }
      }
    }`);
    const { secret, apiToken } = data.createApiToken;
    expect(secret).toMatch(/^invl_[\w-]{43}$/);
    expect(apiToken).toMatchObject({
      name: "Two words",
      role: "VIEWER",
      channelIds: [],
      lastUsedAt: null,
      revokedAt: null,
    });
    expect((await server.ask("{ viewer { name channelIds } }", {}, secret)).data.viewer).toEqual({
      name: "Two words",
      channelIds: [],
    });
    const node = await server.ask(`query ($id: ID!) { node(id: $id) { ... on ApiToken { name } } }`, {
      id: apiToken.id,
    });
    expect(node.data.node).toEqual({ name: "Two words" });

    const revoke = () =>
      server.ask(
        `mutation ($id: ID!) { revokeApiToken(input: { id: $id }) { ... on RevokeApiTokenSuccess { apiToken { revokedAt channelIds } } } }`,
        { id: apiToken.id },
      );
    const first = await revoke();
    expect(first.data.revokeApiToken.apiToken).toEqual({ revokedAt: expect.any(String), channelIds: [] });
    expect((await revoke()).data).toEqual(first.data);
    expect((await server.ask("{ viewer { name } }", {}, secret)).status).toBe(401);
    expect(JSON.stringify(server.log)).not.toContain(secret);
  });

  test("the ADMIN_TOKEN is accepted, and no bootstrap token is created beside it", async () => {
    const own = await startTestServer({ adminToken: "an-admin-token-of-my-own" });
    const { data } = await own.ask("{ viewer { name role channelIds } apiTokens { id } }");
    expect(data).toEqual({ viewer: { name: "ADMIN_TOKEN", role: "ADMIN", channelIds: null }, apiTokens: [] });
    await own.stop();
  });

  test("names of tags and tag types that differ only in case are refused, also in concurrent requests", async () => {
    const type = (name: string) =>
      server.ask(`mutation ($name: String!) { createTagType(input: { name: $name }) { __typename } }`, {
        name,
      });
    const answers = await Promise.all(["Straße X", "STRASSE x", "straße x"].map((name) => type(name)));
    const made = answers.map(({ data }) => data.createTagType.__typename).sort();
    expect(made).toEqual(["CreateTagTypeSuccess", "CreateTagTypeSuccess", "ValidationError"]);
    const tag = (name: string) =>
      server.ask(
        `mutation ($name: String!) { createTag(input: { channelId: ${CHANNEL}, name: $name, color: "#abcdef", tagTypeId: "${PLATFORM}" }) {
          __typename ... on CreateTagSuccess { tag { color channelId type { name } } } ... on ValidationError { fieldErrors { field } } } }`,
        { name },
      );
    expect((await tag("YOUTUBE")).data.createTag).toEqual({
      __typename: "ValidationError",
      fieldErrors: [{ field: "name" }],
    });
    expect((await tag("Threads")).data.createTag.tag).toEqual({
      color: "#ABCDEF",
      channelId: CHANNEL,
      type: { name: "Platform" },
    });
    expect((await server.ask(`{ tag(id: "${YOUTUBE}") { name } }`)).data.tag.name).toBe("YouTube");
  });
});
