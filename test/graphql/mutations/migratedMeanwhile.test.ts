import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { CHANNEL, PLATFORM, startTestServer, type TestServer } from "../../support/server.js";
import { mutating } from "./mutating.js";

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server?.stop());
beforeEach(() => server.sandbox.control.clearFaults());

/** A group with one of everything that a mutation can change by its id. */
async function makeGroup() {
  const { control } = server.sandbox;
  const mutate = mutating(server);
  const chatId = control.addChat({ type: "group", title: "Growing" });
  const link = async (settings: object = {}) => {
    const input = { channelId: chatId, name: "A link", ...settings };
    return (await mutate("createInviteLink", input, "inviteLink { id url channel { id } }")).inviteLink;
  };
  const [one, other, asking] = [await link(), await link(), await link({ createsJoinRequest: true })];
  const { tag } = await mutate(
    "createTag",
    { channelId: chatId, tagTypeId: PLATFORM, name: randomUUID(), color: "#112233" },
    "tag { id }",
  );
  const { webhook } = await mutate(
    "createWebhook",
    { url: "https://93.184.216.34/hook", eventTypes: ["MEMBER_JOINED"], channelIds: [chatId] },
    "webhook { id }",
  );
  const { apiToken } = await mutate(
    "createApiToken",
    { name: "Of the group", role: "VIEWER", channelIds: [chatId] },
    "apiToken { id }",
  );
  control.join(chatId, { id: 7_000_000, is_bot: false, first_name: "Asker" }, { url: asking.url });
  const requests = async () => {
    const { data } = await server.ask(`{ joinRequests(channelId: ${chatId}) { nodes { id } } }`);
    return data.joinRequests.nodes;
  };
  await expect.poll(requests, { interval: 20 }).toHaveLength(1);
  const ids = {
    link: one.id,
    askingLink: asking.id,
    channel: one.channel.id,
    tag: tag.id,
    webhook: webhook.id,
    apiToken: apiToken.id,
    joinRequest: (await requests())[0].id,
  };
  return { chatId, ids, other: other.id as string };
}
type Ids = Awaited<ReturnType<typeof makeGroup>>["ids"];

const MUTATIONS: Readonly<Record<string, (ids: Ids, newChatId: number) => object>> = {
  updateInviteLink: ({ link }) => ({ id: link, name: "Moved" }),
  revokeInviteLink: ({ link }) => ({ id: link }),
  setInviteLinkTags: ({ link, tag }) => ({ ids: [link], addTagIds: [tag] }),
  setJoinRequestPolicy: ({ askingLink }) => ({
    inviteLinkId: askingLink,
    decider: "AUTOMATIC",
    approveAfterSeconds: 3600,
  }),
  decideJoinRequests: ({ joinRequest }) => ({ ids: [joinRequest], decision: "APPROVE" }),
  updateTag: ({ tag }) => ({ id: tag, color: "#445566" }),
  deleteTag: ({ tag }) => ({ id: tag }),
  updateChannel: ({ channel }) => ({ id: channel, currency: "EUR" }),
  updateWebhook: ({ webhook }) => ({ id: webhook, isEnabled: false }),
  deleteWebhook: ({ webhook }) => ({ id: webhook }),
  revokeApiToken: ({ apiToken }) => ({ id: apiToken }),
  createInviteLink: (_ids, channelId) => ({ channelId, name: "By the new id" }),
  createTag: (_ids, channelId) => ({
    channelId,
    tagTypeId: PLATFORM,
    name: randomUUID(),
    color: "#112233",
  }),
};

/** What is shown of a result beside its type. */
const SELECTIONS: Readonly<Record<string, string>> = {
  updateInviteLink: "inviteLink { channelId channel { telegramId } }",
  decideJoinRequests: "results { joinRequest { state inviteLink { id } } error { code } }",
};

describe("a request that began before another one followed a chat migration", () => {
  test.each(Object.entries(MUTATIONS))("%s goes on with the chat's new id", async (name, inputOf) => {
    const { control } = server.sandbox;
    const { chatId, ids, other } = await makeGroup();
    const token = await server.makeToken({ role: "ADMIN", channelIds: [CHANNEL, chatId] });
    const type = `${name[0]?.toUpperCase()}${name.slice(1)}`;
    const newChatId = control.upgrade(chatId);
    const release = control.hold({ method: "createChatInviteLink" });
    const called = control.nextCall("createChatInviteLink");
    const answer = server.ask(
      `mutation ($input: ${type}Input!) {
        first: createInviteLink(input: { channelId: ${CHANNEL}, name: "Slow" }) { __typename }
        then: ${name}(input: $input) {
          __typename
          ... on UserError { message }
          ... on ${type}Success { ${SELECTIONS[name] ?? "__typename"} }
        }
      }`,
      { input: inputOf(ids, newChatId) },
      token,
    );
    await Promise.race([called, answer.then(({ errors }) => expect(errors).toBeUndefined())]);
    const followed = await mutating(server)("updateInviteLink", { id: other, name: "First to know" });
    expect(followed).toMatchObject({ __typename: "UpdateInviteLinkSuccess" });
    release();
    const { data, errors } = await answer;
    expect(errors).toBeUndefined();
    expect(data.then).toMatchObject({ __typename: `${type}Success` });
    if (name === "updateInviteLink")
      expect(data.then.inviteLink).toEqual({
        channelId: newChatId,
        channel: { telegramId: newChatId },
      });
    if (name === "decideJoinRequests")
      expect(data.then.results).toEqual([
        { joinRequest: { state: "APPROVED", inviteLink: { id: ids.askingLink } }, error: null },
      ]);
  });
});
