import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ALL_FORMS, describeOnForms } from "../../support/databases.js";
import { CHANNEL, GROUP, startTestServer, type TestServer, YOUTUBE } from "../../support/server.js";
import { fieldsOf, globalId, MISSING_ID, mutating } from "../mutations/mutating.js";

let server: TestServer;
let mutate: ReturnType<typeof mutating>;
let ids: { channel: string; group: string };
beforeAll(async () => {
  server = await startTestServer();
  mutate = mutating(server);
  const { data } = await server.ask(
    `{ channel(telegramId: ${CHANNEL}) { id } group: channel(telegramId: ${GROUP}) { id } }`,
  );
  ids = { channel: data.channel.id, group: data.group.id };
});
afterAll(() => server.stop());

const FIELDS = "id telegramId title currency botStatus createdAt";
const SELECTION = `channel { ${FIELDS} }`;
const update = (id: string, currency: string, token = server.token) =>
  mutate("updateChannel", { id, currency }, SELECTION, token);
const read = async (chatId: number) =>
  (await server.ask(`{ channel(telegramId: ${chatId}) { ${FIELDS} } }`)).data.channel;

describe("a channel's currency", () => {
  test("changing a channel's currency keeps the amounts of its budgets", async () => {
    const before = await read(CHANNEL);
    const { inviteLink } = await mutate(
      "createInviteLink",
      { channelId: CHANNEL, name: "Paid", budget: "10.50" },
      "inviteLink { id }",
    );
    expect(await update(ids.channel, " eur ")).toEqual({
      __typename: "UpdateChannelSuccess",
      channel: { ...before, currency: "EUR" },
    });
    const { data } = await server.ask(
      `query ($id: ID!) { inviteLink(id: $id) { budget channel { currency } } }`,
      inviteLink,
    );
    expect(data.inviteLink).toEqual({ budget: "10.50", channel: { currency: "EUR" } });
    const bare = Buffer.from(ids.channel, "base64").toString().split(":")[1] as string;
    expect((await update(bare, "USD")).channel).toEqual(before);
    expect((await update(bare, "USD")).channel).toEqual(before);
  });

  test("connecting a channel again changes its currency only if a currency is given", async () => {
    await update(ids.channel, "CHF");
    const connect = (input: object) =>
      mutate("connectChannel", { chat: String(CHANNEL), ...input }, SELECTION);
    expect((await connect({})).channel.currency).toBe("CHF");
    expect((await connect({ currency: null })).channel.currency).toBe("CHF");
    expect((await connect({ currency: "usd" })).channel.currency).toBe("USD");
  });

  test.each(["", "XX", "USDT", "€", "US\0", "\ud800", "000"])(
    "%j is refused as a channel's currency",
    async (currency) => {
      expect(fieldsOf(await update(ids.group, currency))).toEqual(["currency"]);
      expect((await read(GROUP)).currency).toBe("EUR");
    },
  );

  test("updateChannel accepts only the channel's own id and reports all invalid fields together", async () => {
    for (const id of [String(CHANNEL), globalId("Tag", YOUTUBE), globalId("Channel", String(CHANNEL)), ""]) {
      expect(fieldsOf(await update(id, "?"))).toEqual(["id", "currency"]);
    }
    expect((await update(YOUTUBE, "USD")).__typename).toBe("NotFoundError");
  });

  test("updateChannel gives a token limited to one channel the same error for another channel as for a missing one", async () => {
    const token = await server.makeToken({ role: "ADMIN", channelIds: [CHANNEL] });
    const foreign = await update(ids.group, "JPY", token);
    expect(foreign).toMatchObject({ __typename: "NotFoundError", code: "NOT_FOUND" });
    expect(await update(globalId("Channel", MISSING_ID), "JPY", token)).toEqual(foreign);
    expect((await read(GROUP)).currency).toBe("EUR");
    expect((await update(ids.channel, "JPY", token)).channel.currency).toBe("JPY");
  });
});

await describeOnForms("concurrent changes of a channel", ALL_FORMS, (form) => {
  let own: TestServer;
  beforeAll(async () => {
    own = await startTestServer({}, form);
  });
  afterAll(() => own.stop());

  test("concurrent requests connect and change one channel without a failure", async () => {
    const ask = mutating(own);
    const chatId = own.sandbox.control.addChat({ type: "channel", title: "Wanted by all" });
    const connect = () => ask("connectChannel", { chat: String(chatId) }, "channel { id }");
    const connected = await Promise.all(Array.from({ length: 12 }, connect));
    expect(new Set(connected.map((result) => result.channel?.id)).size).toBe(1);
    const { id } = connected[0].channel;
    const currencies = ["EUR", "CHF", "JPY"];
    const mixed = await Promise.all(
      Array.from({ length: 24 }, (_, place) =>
        place % 4 === 0 ? connect() : ask("updateChannel", { id, currency: currencies[place % 3] }),
      ),
    );
    expect(mixed.every(({ __typename }) => /Success$/.test(__typename))).toBe(true);
    const { data } = await own.ask(`{ channel(telegramId: ${chatId}) { id currency } }`);
    expect(data.channel).toEqual({ id, currency: expect.stringMatching(/^(EUR|CHF|JPY)$/) });
  });
});
