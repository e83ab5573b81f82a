import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { UpdateIngestion } from "../../../src/domain/members/updateIngestion.js";
import { chatOf, LINKS, received, type SeedUpdate, telegramUpdate } from "../../domain/members/updates.js";
import { newChatId } from "../../domain/support.js";
import { startTestServer, type TestServer } from "../../support/server.js";
import { fieldsOf, globalId, MISSING_ID, mutating } from "./mutating.js";

const BOT_ID = 7_000_000_001;
const [CHAT, OTHER_CHAT] = [newChatId(), newChatId()];
const PERSON = 123_456_001;
const UNLUCKY = 123_456_002;
const JOINED = Date.parse("2026-10-25T00:30:00Z") / 1000;

let server: TestServer;
let mutate: ReturnType<typeof mutating>;
/** Tokens that may not administrate members. */
const others: Record<string, string> = {};

let updateId = 1000;
const seed = (chat: number, user: number, kind: SeedUpdate["kind"], link: number | null = 0): object => {
  updateId += 1;
  const date = JOINED + updateId;
  const usual = { isByAdmin: false, isByRequest: false, isByFolder: false };
  return telegramUpdate({ updateId, chat, user, kind, date, link, ...usual });
};

beforeAll(async () => {
  server = await startTestServer({}, undefined, async (database) => {
    const ingestion = new UpdateIngestion({ database, botId: BOT_ID, notifies: false });
    const ingest = (...updates: readonly object[]) => ingestion.ingest(updates.map(received), null);
    const refuse = `alter table membership add constraint unlucky check (user_id <> ${UNLUCKY})`;
    await database.prisma.$executeRawUnsafe(refuse);
    await ingest(
      seed(CHAT, PERSON, "join"),
      seed(CHAT, PERSON, "leave"),
      seed(CHAT, PERSON, "join"),
      seed(CHAT, 2, "join"),
      seed(OTHER_CHAT, PERSON, "request"),
      seed(CHAT, UNLUCKY, "join"),
      {
        update_id: 5_000,
        chat_member: { chat: chatOf(CHAT), from: { id: PERSON, first_name: "A" }, date: "today" },
      },
    );
    await database.prisma.$executeRawUnsafe("alter table membership drop constraint unlucky");
  });
  mutate = mutating(server);
  others["VIEWER"] = await server.makeToken({ role: "VIEWER" });
  others["EDITOR"] = await server.makeToken({ role: "EDITOR" });
  others["ADMIN of one channel"] = await server.makeToken({ role: "ADMIN", channelIds: [CHAT] });
});
afterAll(() => server?.stop());

const FAILED =
  "failedUpdates { totalCount nodes { id updateId receivedAt reason body } pageInfo { hasNextPage } }";
const failedUpdates = async () => (await server.ask(`{ ${FAILED} }`)).data.failedUpdates;
const numbers = async () => {
  const { data } = await server.ask(`{
    channel(telegramId: ${CHAT}) { activity { joinCount leaveCount } }
    inviteLinks(channelId: ${CHAT}) { nodes { url stats { joinCount leaveCount activeCount uniqueJoinCount } } }
  }`);
  return data;
};
const eventsOf = async (chat: number, userId: number) => {
  const { data } = await server.ask(
    `query ($user: TelegramID!) { memberEvents(channelId: ${chat}, filter: { userId: $user }) {
      totalCount nodes { kind userId inviteLink { url } } } }`,
    { user: userId },
  );
  return data.memberEvents;
};

describe("failed updates over HTTP", () => {
  test("an administrator sees the updates that were set aside, without more of a person than the id", async () => {
    const { totalCount, nodes, pageInfo } = await failedUpdates();
    expect([totalCount, pageInfo]).toEqual([2, { hasNextPage: false }]);
    const [unlucky, broken] = [1006, 5_000].map((id) =>
      nodes.find((node: { updateId: number }) => node.updateId === id),
    );
    expect(unlucky.reason).toMatch(/SQLSTATE 23514/);
    expect(unlucky.body.chat_member.new_chat_member.user).toEqual({ id: UNLUCKY, is_bot: false });
    expect(broken.reason).toMatch(/^chat_member: /);
    expect(broken.body.chat_member).toMatchObject({
      chat: { id: CHAT },
      date: "today",
      from: { id: PERSON },
    });
    expect(JSON.stringify(nodes)).not.toMatch(/first_name|secret/);
    const { data } = await server.ask("query ($id: ID!) { node(id: $id) { __typename id } }", {
      id: broken.id,
    });
    expect(data.node).toEqual({ __typename: "FailedUpdate", id: broken.id });
  });

  test("failed updates are read by their ids in one statement", async () => {
    const ids = (await failedUpdates()).nodes.map(({ id }: { id: string }) => id);
    const query = "query ($ids: [ID!]!) { nodes(ids: $ids) { ... on FailedUpdate { updateId } } }";
    const sent = await server.statementsOf(query, { ids });
    expect(sent.filter((text) => text.includes("failed_update"))).toHaveLength(1);
    const { data } = await server.ask(query, { ids: [...ids].reverse() });
    expect(data.nodes.map(({ updateId: id }: { updateId: number }) => id)).toEqual(
      (await failedUpdates()).nodes.map(({ updateId: id }: { updateId: number }) => id).reverse(),
    );
  });

  test("failed updates page from either end", async () => {
    const page = async (args: string) =>
      (
        await server.ask(
          `{ failedUpdates(${args}) { nodes { id } pageInfo { endCursor startCursor hasNextPage } } }`,
        )
      ).data.failedUpdates;
    const first = await page("first: 1");
    const second = await page(`first: 1, after: "${first.pageInfo.endCursor}"`);
    expect([first.pageInfo.hasNextPage, second.pageInfo.hasNextPage]).toEqual([true, false]);
    expect((await page("last: 2")).nodes).toEqual([...first.nodes, ...second.nodes]);
  });

  test.each(["VIEWER", "EDITOR", "ADMIN of one channel"])(
    "the token of a %s neither sees nor retries failed updates, and erases nobody",
    async (who) => {
      const token = others[who] as string;
      const { errors } = await server.ask(`{ ${FAILED} }`, {}, token);
      expect(errors?.map(({ extensions }) => extensions.code)).toEqual(["FORBIDDEN"]);
      const [{ id }] = (await failedUpdates()).nodes;
      const { data } = await server.ask("query ($id: ID!) { node(id: $id) { id } }", { id }, token);
      expect(data.node).toBeNull();
      const retried = await mutate("retryFailedUpdates", { ids: [id] }, "succeededCount", token);
      expect(retried).toMatchObject({ __typename: "ForbiddenError", code: "FORBIDDEN" });
      const erased = await mutate("eraseMember", { userId: PERSON }, "eventCount", token);
      expect(erased).toMatchObject({ __typename: "ForbiddenError", code: "FORBIDDEN" });
      expect((await failedUpdates()).totalCount).toBe(2);
    },
  );

  test("an update that can be stored by now counts after a retry, and one that cannot stays set aside", async () => {
    expect((await numbers()).channel.activity.joinCount).toBe(3);
    const ids = (await failedUpdates()).nodes.map(({ id }: { id: string }) => id);
    const retry = () => mutate("retryFailedUpdates", { ids }, "succeededCount failedCount");
    expect(await retry()).toMatchObject({ succeededCount: 1, failedCount: 1 });
    const { channel, inviteLinks } = await numbers();
    expect(channel.activity.joinCount).toBe(4);
    expect(inviteLinks.nodes).toEqual([
      { url: LINKS[0]?.address, stats: { joinCount: 4, leaveCount: 1, activeCount: 3, uniqueJoinCount: 3 } },
    ]);
    expect((await eventsOf(CHAT, UNLUCKY)).nodes).toMatchObject([{ kind: "JOINED", userId: UNLUCKY }]);
    expect((await failedUpdates()).nodes).toMatchObject([{ updateId: 5_000 }]);
    // What is not set aside any more was stored.
    expect(await retry()).toMatchObject({ succeededCount: 1, failedCount: 1 });
    expect((await numbers()).channel.activity.joinCount).toBe(4);
  });

  test("ids of another type and too many ids are refused", async () => {
    const retry = (ids: string[]) => mutate("retryFailedUpdates", { ids }, "succeededCount failedCount");
    expect(fieldsOf(await retry([globalId("Tag", MISSING_ID)]))).toEqual(["ids.0"]);
    expect(fieldsOf(await retry(Array<string>(101).fill(MISSING_ID)))).toEqual(["ids"]);
    expect(await retry([])).toMatchObject({ succeededCount: 0, failedCount: 0 });
  });
});

describe("erasing a person over HTTP", () => {
  test("only the id of a person is accepted", async () => {
    for (const userId of [0, -5])
      expect(fieldsOf(await mutate("eraseMember", { userId }))).toEqual(["userId"]);
  });

  test("an erased person is found by no id, has one negative number, and every count is as before", async () => {
    const before = await numbers();
    const members = async () =>
      (
        await server.ask(
          `{ inviteLinks(channelId: ${CHAT}) { nodes { members(first: 10) { totalCount nodes { userId joinedAt leftAt } } } } }`,
        )
      ).data.inviteLinks.nodes[0].members;
    const membersBefore = await members();
    expect(await mutate("eraseMember", { userId: PERSON }, "eventCount")).toMatchObject({ eventCount: 4 });
    expect(await numbers()).toEqual(before);
    for (const chat of [CHAT, OTHER_CHAT])
      expect(await eventsOf(chat, PERSON)).toEqual({ totalCount: 0, nodes: [] });
    const stays = (await members()).nodes as { userId: number }[];
    const numbersOf = stays.map(({ userId }) => userId).filter((userId) => userId < 0);
    expect(numbersOf).toHaveLength(2);
    expect(new Set(numbersOf).size).toBe(1);
    const shown = ({ userId: _, ...stay }: { userId: number }) => stay;
    expect(stays.map(shown)).toEqual(membersBefore.nodes.map(shown));
    const [erased] = numbersOf;
    expect((await eventsOf(CHAT, erased as number)).totalCount).toBe(3);
    expect((await eventsOf(OTHER_CHAT, erased as number)).nodes).toMatchObject([{ kind: "JOIN_REQUESTED" }]);
    expect(JSON.stringify(await failedUpdates())).not.toContain(String(PERSON));
    // Asked again, there is nobody to erase.
    expect(await mutate("eraseMember", { userId: PERSON }, "eventCount")).toMatchObject({ eventCount: 0 });
  });

  test("neither the log nor an audit entry names the person", async () => {
    const lines = server.log.filter(({ msg }) => msg !== "sql").map((line) => JSON.stringify(line));
    expect(lines.filter((line) => line.includes(String(PERSON)))).toEqual([]);
    const metrics = await (await fetch(`${server.origin}/metrics`)).text();
    expect(metrics).not.toContain(String(PERSON));
  });
});
