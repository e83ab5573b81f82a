import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { CHANNEL, startTestServer, type TestServer } from "../support/server.js";
import { ADDRESSES, AMOUNTS, CHAT_IDS, HASH, INSTANTS } from "../support/spellings.js";
import { callerOf } from "./rest/support.js";

// Runs the table of spellings through the whole server, because each endpoint must accept exactly what its parser accepts.

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer({ telegramTimeoutMs: 5000 });
});
afterAll(() => server.stop());
afterEach(() => server.sandbox.control.clearFaults());
const rest = callerOf(() => server);

const seconds = (instant: string | null) => instant && `${new Date(instant).toISOString().slice(0, 19)}Z`;

describe("values in GraphQL", () => {
  const CREATED = `__typename
    ... on CreateInviteLinkSuccess { inviteLink { budget expireDate } }
    ... on ValidationError { fieldErrors { field } }`;

  /** The stored value of one field of a new link; null if the value is refused with BAD_USER_INPUT. */
  async function storedOf(
    field: "budget" | "expireDate",
    scalar: string,
    text: string,
    by: "variable" | "literal",
  ) {
    const value = by === "variable" ? "$value" : JSON.stringify(text);
    const header = by === "variable" ? `mutation ($value: ${scalar}!)` : "mutation";
    const { data, errors } = await server.ask(
      `${header} { result: createInviteLink(input: { channelId: ${CHANNEL}, name: "n", ${field}: ${value} }) { ${CREATED} } }`,
      by === "variable" ? { value: text } : {},
    );
    if (errors) {
      expect(errors.map(({ extensions }) => extensions.code)).toEqual(["BAD_USER_INPUT"]);
      return null;
    }
    expect(data.result.__typename).toBe("CreateInviteLinkSuccess");
    return data.result.inviteLink[field] as string;
  }

  test.each(INSTANTS)("the instant $text is accepted only in RFC 3339", async ({ text, iso, grammar }) => {
    for (const by of ["variable", "literal"] as const) {
      const stored = await storedOf("expireDate", "DateTime", text, by);
      expect(seconds(stored), by).toBe(grammar === "rfc3339" ? iso : null);
    }
  });

  test.each(AMOUNTS)(
    "the amount $text is accepted only as a plain decimal",
    async ({ text, amount, isPlain }) => {
      for (const by of ["variable", "literal"] as const) {
        expect(await storedOf("budget", "Decimal", text, by), by).toBe(isPlain ? amount : null);
      }
    },
  );

  test.each(CHAT_IDS)("the id %j is read as %j, as a TelegramID and as a chat", async (text, id) => {
    const list =
      "query ($channelId: TelegramID!) { inviteLinks(channelId: $channelId, first: 1) { totalCount } }";
    const { errors } = await server.ask(list, { channelId: text });
    expect(errors?.map(({ extensions }) => extensions.code) ?? null).toEqual(
      id === null ? ["BAD_USER_INPUT"] : null,
    );
    const { data } = await server.ask(
      `mutation ($chat: String!) { result: connectChannel(input: { chat: $chat }) {
        __typename ... on ConnectChannelSuccess { channel { telegramId } } ... on ValidationError { fieldErrors { field } }
      } }`,
      { chat: text },
    );
    if (id === null) expect(data.result).toMatchObject({ fieldErrors: [{ field: "chat" }] });
    else if (id === CHANNEL) expect(data.result).toMatchObject({ channel: { telegramId: id } });
    else expect(data.result.__typename).toBe("BotNotInChannelError");
  });

  let lost = 0;
  /** Creates a link whose answer from Telegram is lost. @returns the id of the uncertain creation */
  async function lose(): Promise<string> {
    lost += 1;
    const name = `Lost ${lost}`;
    server.sandbox.control.fail({ kind: "cut", effect: "before" }, { method: "createChatInviteLink" });
    const { data } = await server.ask(
      "mutation ($input: CreateInviteLinkInput!) { result: createInviteLink(input: $input) { __typename } }",
      { input: { channelId: CHANNEL, name } },
    );
    expect(data.result.__typename).toBe("TelegramUnavailableError");
    const { data: listed } = await server.ask("{ uncertainCreations { id name } }");
    const found = listed.uncertainCreations.find((creation: { name: string }) => creation.name === name);
    return found.id;
  }

  test.each(ADDRESSES)("a creation is resolved by the address %j, read as %j", async (text, url) => {
    const own = `${HASH.slice(0, 4)}_${lost}-x`;
    const id = await lose();
    const resolve = (given: string) =>
      server.ask(
        `mutation ($input: ResolveCreationInput!) { result: resolveCreation(input: $input) {
          __typename ... on ResolveCreationSuccess { inviteLink { url } } ... on ValidationError { fieldErrors { field } }
        } }`,
        { input: { id, url: given } },
      );
    const { data, errors } = await resolve(text.replace(HASH, own));
    if (url !== null) {
      expect(data.result).toMatchObject({ inviteLink: { url: `https://t.me/+${own}` } });
      return;
    }
    const refusal = errors ? errors[0]?.extensions.code : data.result;
    expect([refusal]).toContainEqual(
      errors ? "BAD_USER_INPUT" : { __typename: "ValidationError", fieldErrors: [{ field: "url" }] },
    );
    // The creation is still uncertain.
    expect((await resolve(`https://t.me/+${own}`)).data.result.__typename).toBe("ResolveCreationSuccess");
  });
});

describe("values in REST", () => {
  const create = (body: object) =>
    rest("POST", "/invite_links", { body: { channel_id: CHANNEL, name: "n", ...body } });

  test.each(INSTANTS)("the instant $text is accepted only in RFC 3339", async ({ text, iso, grammar }) => {
    const { status, body } = await create({ expire_date: text });
    if (iso !== null && grammar === "rfc3339") {
      expect([status, seconds(body.expire_date)]).toEqual([201, iso]);
    } else expect([status, body.detail[0].loc]).toEqual([422, ["body", "expire_date"]]);
  });

  test.each(AMOUNTS)("the amount $text is accepted only as a number", async ({ text, amount, isPlain }) => {
    expect((await create({ budget: text })).body.detail[0].loc).toEqual(["body", "budget"]);
    // JSON numbers have no groups of digits, and 1500.5000 and 1.500 are the same numbers as 1500.5 and 1.5.
    if (!isPlain || amount === null) return;
    const { status, body } = await rest("POST", "/invite_links", {
      body: `{"channel_id": ${CHANNEL}, "name": "n", "budget": ${text}}`,
    });
    expect([status, body.budget]).toEqual([201, Number(amount)]);
  });

  test.each(["0.30000000000000004", "1000000000000", "-1"])("the amount %s is refused", async (number) => {
    const { status, body } = await rest("POST", "/invite_links", {
      body: `{"channel_id": ${CHANNEL}, "name": "n", "budget": ${number}}`,
    });
    expect([status, body.detail[0].loc]).toEqual([422, ["body", "budget"]]);
  });

  test.each(CHAT_IDS)("the id %j is read as %j in bodies and in addresses", async (text, id) => {
    const query = await rest("GET", `/tags?channel_id=${encodeURIComponent(text)}`);
    const body = await create({ channel_id: text });
    if (id === null) {
      expect([query.status, query.body.detail[0].loc]).toEqual([422, ["query", "channel_id"]]);
      expect([body.status, body.body.detail[0].loc]).toEqual([422, ["body", "channel_id"]]);
    } else {
      expect(query.status).toBe(200);
      expect(body.status).toBe(id === CHANNEL ? 201 : 409);
    }
  });
});
