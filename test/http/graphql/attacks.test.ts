import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { schema } from "../../../src/graphql/schema.js";
import { globalId, MISSING_ID } from "../../graphql/mutations/mutating.js";
import { everyArgument } from "../../support/fuzzing.js";
import {
  CHANNEL,
  GROUP,
  GROUP_TAG,
  PLATFORM,
  startTestServer,
  type TestServer,
  YOUTUBE,
} from "../../support/server.js";

// Tries on a server in production what graphql-cop (github.com/dolevf/graphql-cop) and OWASP's GraphQL cheat sheet name, as
// far as no other test does. docs/security.md lists the other tests.

/** How long an update may take into the database. */
const WAIT = { timeout: 60_000, interval: 50 };

let server: TestServer;
/** Tokens that may use CHANNEL alone. */
let viewer: string;
let administrator: string;

beforeAll(async () => {
  server = await startTestServer({ production: true, graphiql: false, logLevel: "info" });
  viewer = await server.makeToken({ role: "VIEWER", channelIds: [CHANNEL] });
  administrator = await server.makeToken({ role: "ADMIN", channelIds: [CHANNEL] });
});
afterAll(() => server.stop());

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** Undefined for an answer that is not JSON. */
  // biome-ignore lint/suspicious/noExplicitAny: the shape of an answer depends on the request.
  readonly body: any;
}

/** Every answer of a test, each of which must show nothing of the inside. */
const answers: string[] = [];

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function send(
  path: string,
  init: RequestInit = {},
  token: string | null = server.token,
): Promise<Answer> {
  const response = await fetch(server.origin + path, {
    ...init,
    headers: { ...init.headers, ...(token !== null && { authorization: `Bearer ${token}` }) },
  });
  const text = await response.text();
  answers.push(text);
  return { status: response.status, headers: response.headers, text, body: parsed(text) };
}

const post = (body: unknown, token?: string | null): Promise<Answer> =>
  send(
    "/graphql",
    { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) },
    token,
  );
const codeOf = ({ body }: Answer): string => body.errors?.[0]?.extensions.code ?? "ok";

const INSIDE = [
  /\n\s+at /,
  /node_modules|\.[jt]s:\d/,
  /\b(select|insert into|update|delete from) [\w".]+ (from|where|set|values)\b/i,
  /syntax error at|relation "|prisma|\bpg_/i,
  /127\.0\.0\.1|ECONN|ENOTFOUND/,
];

afterEach(() => {
  const texts = answers.splice(0);
  expect(texts.length).toBeGreaterThan(0);
  for (const inside of [...INSIDE, process.cwd()])
    expect(
      texts.filter((text) => (typeof inside === "string" ? text.includes(inside) : inside.test(text))),
    ).toEqual([]);
});

/** The checks of graphql-cop, each with the code of its refusal, or ok. */
const CHECKS: Record<string, [request: () => Promise<Answer>, code: string]> = {
  "alias overloading": [
    () =>
      post({ query: `{ ${Array.from({ length: 101 }, (_, index) => `a${index}: __typename`).join(" ")} }` }),
    "QUERY_TOO_MANY_ALIASES",
  ],
  "array batching": [
    () => post(Array.from({ length: 12 }, () => ({ query: "{ __typename }" }))),
    "BAD_REQUEST",
  ],
  "directive overloading": [
    () => post({ query: `{ __typename ${"@zz".repeat(10)} }` }),
    "QUERY_TOO_MANY_DIRECTIVES",
  ],
  "overloading with directives that exist": [
    () => post({ query: `{ __typename ${"@skip(if: false) ".repeat(10)} }` }),
    "QUERY_TOO_MANY_DIRECTIVES",
  ],
  "circular introspection": [
    () =>
      post({ query: `{ __schema { types { ${"fields { type { ".repeat(4)} name ${"} } ".repeat(4)} } } }` }),
    "GRAPHQL_VALIDATION_FAILED",
  ],
  "field duplication": [() => post({ query: `{ ${"__typename ".repeat(2000)} }` }), "QUERY_TOO_LONG"],
  "a field suggestion": [() => post({ query: "{ viewer { nam } }" }), "GRAPHQL_VALIDATION_FAILED"],
  "a mutation by GET": [
    () => send(`/graphql?${new URLSearchParams({ query: "mutation { __typename }" })}`),
    "METHOD_NOT_ALLOWED",
  ],
  "an url-encoded POST": [
    () => send("/graphql", { method: "POST", body: new URLSearchParams({ query: "{ __typename }" }) }),
    "UNSUPPORTED_MEDIA_TYPE",
  ],
  "an error that nobody handles": [() => post({ query: "nonsense of { mine }" }), "GRAPHQL_PARSE_FAILED"],
};

describe("graphql-cop's checks", () => {
  test.each(Object.entries(CHECKS))(
    "a server in production refuses %s with one error",
    async (_what, check) => {
      const [request, code] = check;
      const answer = await request();
      expect(answer.body).toEqual({
        errors: [expect.objectContaining({ extensions: { code, requestId: expect.any(String) } })],
      });
      expect(answer.text).not.toContain("Did you mean");
    },
  );

  test("a field that is repeated within the limits is answered once", async () => {
    const { text } = await post({ query: `{ ${"__typename ".repeat(500)} }` });
    expect(text).toBe('{"data":{"__typename":"Query"}}');
  });

  test("a server in production has no GraphiQL and no other page at /graphql", async () => {
    for (const path of [
      "/graphql",
      "/graphiql",
      "/playground",
      "/console",
      "/graphql/console",
      "/altair",
      "/voyager",
    ]) {
      const { status, text } = await send(path, { headers: { accept: "text/html" } }, null);
      // Every other address is the dashboard's.
      expect([path, status]).toEqual([path, path === "/graphql" ? 401 : 200]);
      expect(text).not.toMatch(/playground|graphiql\.min|swagger/i);
      if (path === "/graphql") expect(text).not.toContain("<html");
    }
  });

  test("a server in production shows its schema to nobody without a token", async () => {
    const query = "{ __schema { types { name fields { name } } } }";
    expect(codeOf(await post({ query }, null))).toBe("UNAUTHENTICATED");
    expect(codeOf(await post({ query }, "wrong"))).toBe("UNAUTHENTICATED");
    expect(codeOf(await post({ query }, viewer))).toBe("ok");
  });

  test("an answer has no trace of its execution", async () => {
    const { body } = await post({ query: "{ viewer { name } }", extensions: { tracing: true } });
    expect(Object.keys(body)).toEqual(["data"]);
  });
});

const HOSTILE = [
  "x' or '1'='1'); drop table tag; -- \"\\ #{7*7} {{7*7}} <script>alert(1)</script> ../../etc/passwd ;sleep 5",
  "%",
];

describe("OWASP's GraphQL cheat sheet", () => {
  const counts = async () => {
    const { body } = await post({
      query: `{ viewer { role } inviteLinks(channelId: ${CHANNEL}) { totalCount totals { budget } } apiTokens { id revokedAt } }`,
    });
    expect(body.errors).toBeUndefined();
    return body.data;
  };

  test("no argument is executed as SQL, a template or a command", { timeout: 300_000 }, async () => {
    const tags = `{ tags(channelId: ${CHANNEL}) { totalCount } }`;
    const before = [await counts(), (await post({ query: tags })).body.data.tags.totalCount > 0];
    const existing = { TelegramID: [CHANNEL] };
    for (const { what, query, variables } of everyArgument(schema, existing, HOSTILE)) {
      // These store what they are given.
      if (/^create(InviteLink|Tag|ApiToken)/.test(what)) continue;
      const { body } = await post({ query, variables });
      for (const { extensions } of body.errors ?? [])
        expect(extensions.code, what).not.toBe("INTERNAL_SERVER_ERROR");
    }
    expect([await counts(), (await post({ query: tags })).body.data.tags.totalCount > 0]).toEqual(before);
  });

  test("what is stored is a text and nothing else, however it is found", async () => {
    const name = "' or 1=1 -- %_\\";
    const { body } = await post({
      query: `mutation ($input: CreateTagInput!) { createTag(input: $input) {
        ... on CreateTagSuccess { tag { id name } } ... on UserError { message } } }`,
      variables: { input: { channelId: CHANNEL, name, color: "#000000", tagTypeId: PLATFORM } },
    });
    expect(body.data.createTag.tag.name).toBe(name);
    const found = async (part: string): Promise<string[]> =>
      (
        await post({
          query:
            "query ($channelId: TelegramID!, $part: String) { tags(channelId: $channelId, name: $part) { nodes { name } } }",
          variables: { channelId: CHANNEL, part },
        })
      ).body.data.tags.nodes.map((tag: { name: string }) => tag.name);
    for (const part of ["%", "_", "\\", "' or 1=1 --"]) expect(await found(part)).toEqual([name]);
  });

  test.each(["%", "%_%", "\\", "' or '1'='1", '" or ""="'])(
    "%s in a filter of links finds no link",
    async (part) => {
      for (const filter of [{ name: part }, { search: part }, { externalIds: [part] }]) {
        const { body } = await post({
          query: `query ($filter: InviteLinkFilter) { inviteLinks(channelId: ${CHANNEL}, filter: $filter) { totalCount } }`,
          variables: { filter },
        });
        expect([filter, body.data.inviteLinks.totalCount]).toEqual([filter, 0]);
      }
      const query = new URLSearchParams({ channel_id: String(CHANNEL), name: part });
      const { body } = await send(`/invite_links/all?${query}`, { method: "POST" });
      expect(body.total).toBe(0);
    },
  );

  test("names of the prototypes of JavaScript are ordinary names", async () => {
    const query = `query constructor($__proto__: ID!, $toString: Boolean!) {
      __proto__: tag(id: $__proto__) { constructor: __typename hasOwnProperty: name }
      valueOf: viewer { ...__proto__ }
    }
    fragment __proto__ on Viewer { __proto__: role toString: role @include(if: $toString) }`;
    const variables = JSON.parse(`{ "__proto__": "${YOUTUBE}", "toString": true }`);
    // JSON.stringify leaves nothing out, because JSON.parse makes __proto__ an ordinary property.
    const { text } = await post({ query, variables, operationName: "constructor" });
    expect(text).toMatch(
      /^\{"data":\{"__proto__":\{"constructor":"Tag","hasOwnProperty":"[^"]+"\},"valueOf":\{"__proto__":"ADMIN","toString":"ADMIN"\}\}\}$/,
    );
    const polluting = '{"__proto__":{"query":"{ viewer { name } }"},"constructor":{"prototype":{"a":1}}}';
    const headers = { "content-type": "application/json" };
    for (const path of ["/graphql", "/tags", "/invite_links", "/invite_links/all"])
      expect((await send(path, { method: "POST", headers, body: polluting })).status).toBeGreaterThanOrEqual(
        400,
      );
    expect(Object.getOwnPropertyNames(Object.prototype)).not.toContain("a");
  });

  test("thirty aliases of a mutation that the token may not use are thirty refusals", async () => {
    const create = (_: unknown, index: number) =>
      `a${index}: createApiToken(input: { name: "n${index}", role: ADMIN, channelIds: [${CHANNEL}] }) { __typename }`;
    const { body } = await post(
      { query: `mutation { ${Array.from({ length: 30 }, create).join(" ")} }` },
      viewer,
    );
    expect(
      new Set(Object.values(body.data).map((one) => (one as { __typename: string }).__typename)),
    ).toEqual(new Set(["ForbiddenError"]));
  });

  test("a failure of Telegram shows neither its address nor the bot's token", async () => {
    const input = { channelId: CHANNEL, name: "x" };
    const query = `mutation ($input: CreateInviteLinkInput!) { createInviteLink(input: $input) { __typename ... on UserError { message } } }`;
    for (const fault of [
      { kind: "cut", effect: "before" },
      { kind: "server-error", effect: "before" },
      { kind: "not-json" },
    ] as const) {
      server.sandbox.control.fail(fault, { method: "createChatInviteLink" });
      const { text, body } = await post({ query, variables: { input } });
      expect(body.data.createInviteLink.__typename).toBe("TelegramUnavailableError");
      expect(text).not.toContain(server.sandbox.bot.token);
    }
  });
});

describe("another team's ids", () => {
  /** The ids of everything that belongs to GROUP, by type. */
  let foreign: Record<string, string>;

  beforeAll(async () => {
    const { data } = await server.ask(`mutation {
      createInviteLinks(input: { channelId: ${GROUP}, links: [{ name: "Foreign" }] }) {
        ... on CreateInviteLinksSuccess { batch { id } } ... on UserError { message } }
      createInviteLink(input: { channelId: ${GROUP}, name: "Private", createsJoinRequest: true }) {
        ... on CreateInviteLinkSuccess { inviteLink { id url } } ... on UserError { message } }
      createWebhook(input: { url: "https://93.184.215.14/", eventTypes: [LINK_UPDATED], channelIds: [${GROUP}] }) {
        ... on CreateWebhookSuccess { webhook { id } } ... on UserError { message } }
    }`);
    const { inviteLink } = data.createInviteLink;
    await server.ask(
      `mutation { updateInviteLink(input: { id: "${inviteLink.id}", budget: "5" }) { __typename } }`,
    );
    const user = { id: 424_242, is_bot: false, first_name: "Somebody" };
    server.sandbox.control.join(GROUP, user, { url: inviteLink.url });
    server.sandbox.control.join(GROUP, { ...user, id: 424_243 });
    const read = async () =>
      (
        await server.ask(`{
          channel(telegramId: ${GROUP}) { id }
          joinRequests(channelId: ${GROUP}, first: 1) { nodes { id } }
          memberEvents(channelId: ${GROUP}, first: 1) { nodes { id } }
          webhooks { id deliveries(first: 1) { nodes { id } } }
          apiTokens { id name }
        }`)
      ).data;
    await vi.waitFor(async () => {
      const { joinRequests, memberEvents } = await read();
      expect([joinRequests.nodes.length, memberEvents.nodes.length]).toEqual([1, 1]);
    }, WAIT);
    const { channel, joinRequests, memberEvents, webhooks, apiTokens } = await read();
    foreign = {
      Channel: channel.id,
      InviteLink: inviteLink.id,
      Tag: globalId("Tag", GROUP_TAG),
      JoinRequest: joinRequests.nodes[0].id,
      MemberEvent: memberEvents.nodes[0].id,
      InviteLinkBatch: data.createInviteLinks.batch.id,
      Webhook: data.createWebhook.webhook.id,
      WebhookDelivery: webhooks[0].deliveries.nodes[0].id,
      ApiToken: apiTokens.find(({ name }: { name: string }) => name === "Sandbox").id,
    };
  });

  const missing = (kind: string): string => globalId(kind, MISSING_ID);

  test("no type of node can be read by its id, and each exists for those who may see it", async () => {
    const query = "query ($ids: [ID!]!) { nodes(ids: $ids) { __typename } }";
    const ids = Object.values(foreign);
    const own = await post({ query, variables: { ids } });
    expect(own.body.data.nodes.map(({ __typename }: { __typename: string }) => __typename)).toEqual(
      Object.keys(foreign),
    );
    for (const token of [viewer, administrator]) {
      const { body } = await post({ query, variables: { ids } }, token);
      expect(body.data.nodes).toEqual(ids.map(() => null));
    }
  });

  /** Every mutation that takes an id, with further fields that are acceptable. */
  const MUTATIONS: [mutation: string, kind: string, input: (id: string) => object][] = [
    ["cancelInviteLinkBatch", "InviteLinkBatch", (id) => ({ id })],
    ["decideJoinRequests", "JoinRequest", (id) => ({ ids: [id], decision: "APPROVE" })],
    ["deleteTag", "Tag", (id) => ({ id })],
    ["deleteWebhook", "Webhook", (id) => ({ id })],
    ["redeliver", "WebhookDelivery", (id) => ({ deliveryIds: [id] })],
    ["revokeApiToken", "ApiToken", (id) => ({ id })],
    ["revokeInviteLink", "InviteLink", (id) => ({ id })],
    ["setInviteLinkTags", "InviteLink", (id) => ({ ids: [id], addTagIds: [YOUTUBE] })],
    [
      "setJoinRequestPolicy",
      "InviteLink",
      (id) => ({ inviteLinkId: id, decider: "AUTOMATIC", approveAfterSeconds: 0 }),
    ],
    ["updateChannel", "Channel", (id) => ({ id, currency: "EUR" })],
    ["updateInviteLink", "InviteLink", (id) => ({ id, name: "Mine" })],
    ["updateTag", "Tag", (id) => ({ id, name: "Mine" })],
    ["updateWebhook", "Webhook", (id) => ({ id, isEnabled: false })],
  ];

  test.each(MUTATIONS)(
    "%s answers the id of another team's %s as one that does not exist",
    async (name, kind, input) => {
      const type = `${name.charAt(0).toUpperCase()}${name.slice(1)}`;
      const results =
        name === "decideJoinRequests" ? `... on ${type}Success { results { error { code message } } }` : "";
      const query = `mutation ($input: ${type}Input!) { ${name}(input: $input) {
      __typename ${results} ... on UserError { message code } ... on ValidationError { fieldErrors { field message } } } }`;
      const answer = async (id: string) => {
        const { body } = await post({ query, variables: { input: input(id) } }, administrator);
        expect(body.errors).toBeUndefined();
        return JSON.stringify(body.data[name]).replaceAll(id, "ID");
      };
      const refused = await answer(foreign[kind] ?? "");
      expect(refused).toBe(await answer(missing(kind)));
      expect(refused).toMatch(/NOT_FOUND|BAD_USER_INPUT|VALIDATION/);
    },
  );

  test("every list of another team's channel is refused", async () => {
    for (const list of ["inviteLinks", "tags", "joinRequests", "memberEvents", "inviteLinkBatches"])
      expect([
        list,
        codeOf(await post({ query: `{ ${list}(channelId: ${GROUP}) { totalCount } }` }, administrator)),
      ]).toEqual([list, "FORBIDDEN"]);
    const { body } = await post(
      { query: "{ webhooks { id } apiTokens { id } uncertainCreations { id } }" },
      administrator,
    );
    expect(JSON.stringify(body)).not.toContain(foreign["Webhook"]);
    expect(JSON.stringify(body)).not.toContain(foreign["ApiToken"]);
  });
});
