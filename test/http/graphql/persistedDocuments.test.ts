import { createHash } from "node:crypto";
import type { Page, Request } from "playwright-core";
import { beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { BATCH_DOCUMENTS } from "../../../src/batchDocuments.js";
import { describeInChromium, launchChromium, watchPage } from "../../support/chromium.js";
import { buildDashboard } from "../../support/dashboard.js";
import { CHANNEL, startTestServer, type TestServer } from "../../support/server.js";

const hashOf = (text: string): string => createHash("sha256").update(text).digest("hex");
const persisted = (sha256Hash: unknown, version: unknown = 1) => ({
  persistedQuery: { version, sha256Hash },
});

let server: TestServer;
const headers = () => ({ authorization: `Bearer ${server.token}`, "content-type": "application/json" });
const post = async (body: object, accept = "application/json") => {
  const init = { method: "POST", headers: { ...headers(), accept }, body: JSON.stringify(body) };
  const response = await fetch(server.url, init);
  // biome-ignore lint/suspicious/noExplicitAny: the shape of the data depends on the document.
  return { status: response.status, ...((await response.json()) as any) };
};
const get = async (parameters: Record<string, string>) => {
  const response = await fetch(`${server.url}?${new URLSearchParams(parameters)}`, { headers: headers() });
  // biome-ignore lint/suspicious/noExplicitAny: the shape of the data depends on the document.
  return { status: response.status, ...((await response.json()) as any) };
};
interface Refusal {
  readonly status: number;
  readonly data?: unknown;
  readonly errors: readonly { readonly extensions: { readonly code: string } }[];
}
const codeOf = ({ status, data, errors }: Refusal) => {
  expect(data).toBeUndefined();
  return [status, errors[0]?.extensions.code];
};

/** A page in a browser of its own, until the test has ended. */
async function newPage(): Promise<Page> {
  const browser = await launchChromium();
  onTestFinished(() => browser.close());
  return browser.newPage();
}

const NAME = "query Name { viewer { name } }";

describe("automatic persisted queries", () => {
  beforeAll(async () => {
    server = await startTestServer();
    return () => server.stop();
  });

  test("a document is asked for once, and from then on its hash is enough, by POST and by GET", async () => {
    const extensions = persisted(hashOf(NAME));
    const unknown = await post({ extensions });
    expect(codeOf(unknown)).toEqual([200, "PERSISTED_QUERY_NOT_FOUND"]);
    expect(unknown.errors[0].message).toBe("PersistedQueryNotFound");
    expect((await post({ extensions }, "application/graphql-response+json")).status).toBe(400);
    expect((await get({ extensions: JSON.stringify(extensions) })).errors[0].message).toBe(
      "PersistedQueryNotFound",
    );

    const { data } = await post({ query: NAME, extensions });
    expect(data.viewer.name).toEqual(expect.any(String));
    expect((await post({ extensions })).data).toEqual(data);
    expect((await post({ extensions: persisted(hashOf(NAME).toUpperCase()) })).data).toEqual(data);
    expect((await post({ query: null, extensions })).data).toEqual(data);
    expect((await get({ extensions: JSON.stringify(extensions) })).data).toEqual(data);
  });

  test("variables and the name of an operation go with a hash", async () => {
    const query = `query One { viewer { role } }
      query Count($channelId: TelegramID!) { inviteLinks(channelId: $channelId) { totalCount } }`;
    const rest = {
      operationName: "Count",
      variables: { channelId: CHANNEL },
      extensions: persisted(hashOf(query)),
    };
    const { data } = await post({ query, ...rest });
    expect(data.inviteLinks.totalCount).toBeGreaterThan(0);
    expect((await post(rest)).data).toEqual(data);
  });

  test("a document under the hash of another one is refused, and is not remembered", async () => {
    const hash = hashOf("query Other { viewer { role } }");
    expect(codeOf(await post({ query: NAME, extensions: persisted(hash) }))).toEqual([
      400,
      "PERSISTED_QUERY_MISMATCH",
    ]);
    expect(codeOf(await post({ extensions: persisted(hash) }))).toEqual([200, "PERSISTED_QUERY_NOT_FOUND"]);
  });

  test("a document that is not valid is not remembered", async () => {
    const query = "query Broken { nothing }";
    const extensions = persisted(hashOf(query));
    expect(codeOf(await post({ query, extensions }))).toEqual([200, "GRAPHQL_VALIDATION_FAILED"]);
    expect(codeOf(await post({ extensions }))).toEqual([200, "PERSISTED_QUERY_NOT_FOUND"]);
  });

  test.each([
    ["another version", persisted(hashOf(NAME), 2)],
    ["no version", { persistedQuery: { sha256Hash: hashOf(NAME) } }],
    ["a hash that is a number", persisted(5)],
    ["an empty hash", persisted("")],
    ["a list", { persistedQuery: [] }],
    ["a text", { persistedQuery: "x" }],
  ])("%s is refused, with a document and without", async (_name, extensions) => {
    expect(codeOf(await post({ extensions }))).toEqual([400, "BAD_REQUEST"]);
    expect(codeOf(await post({ query: NAME, extensions }))).toEqual([400, "BAD_REQUEST"]);
  });

  test("a hash of a mutation is not executed by GET, and no hash is read without a token", async () => {
    const query = `mutation Make { createTagType(input: { name: "By hash" }) { __typename } }`;
    const extensions = persisted(hashOf(query));
    expect((await post({ query, extensions })).data.createTagType.__typename).toBe("CreateTagTypeSuccess");
    expect(codeOf(await get({ extensions: JSON.stringify(extensions) }))).toEqual([
      405,
      "METHOD_NOT_ALLOWED",
    ]);
    const init = {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ extensions }),
    };
    expect((await fetch(server.url, init)).status).toBe(401);
  });
});

const COUNT = `query Count($channelId: TelegramID!) {
  inviteLinks(channelId: $channelId) { totalCount }
}`;
const CHANGED = `subscription Changed { inviteLinkUpdated(channelId: ${CHANNEL}) { id } }`;
const OUTDATED = "query Outdated { nothing }";

describe("trusted documents", () => {
  beforeAll(async () => {
    await buildDashboard();
    const manifest = [NAME, CHANGED, OUTDATED].map((text) => [hashOf(text), text] as const);
    server = await startTestServer({ trustedDocuments: new Map([...manifest, ["count@1", COUNT]]) });
    return () => server.stop();
  });

  test("a document of the manifest runs by its key and as its whole text, by POST, by GET and as a subscription", async () => {
    for (const request of [
      { query: NAME },
      { extensions: persisted(hashOf(NAME)) },
      { query: NAME, extensions: persisted(hashOf(NAME)) },
    ]) {
      expect((await post(request)).data.viewer.name).toEqual(expect.any(String));
    }
    expect((await get({ extensions: JSON.stringify(persisted(hashOf(NAME))) })).status).toBe(200);
    const variables = { channelId: CHANNEL };
    expect(
      (await post({ variables, extensions: persisted("count@1") })).data.inviteLinks.totalCount,
    ).toBeGreaterThan(0);
    const body = JSON.stringify({ extensions: persisted(hashOf(CHANGED)) });
    const closed = new AbortController();
    const stream = await fetch(server.url, {
      method: "POST",
      headers: { ...headers(), accept: "text/event-stream" },
      body,
      signal: closed.signal,
    });
    expect([stream.status, stream.headers.get("content-type")]).toEqual([200, "text/event-stream"]);
    closed.abort();
  });

  test.each([
    ["another document", { query: "query Role { viewer { role } }" }],
    ["a trusted document with another space", { query: `${NAME} ` }],
    [
      "a trusted document beside another operation",
      { query: `${NAME} query B { viewer { role } }`, operationName: "Name" },
    ],
    ["introspection", { query: "{ __schema { queryType { name } } }" }],
    ["an unknown hash", { extensions: persisted(hashOf("x")) }],
    [
      "another document under a trusted hash",
      { query: "{ viewer { role } }", extensions: persisted(hashOf(NAME)) },
    ],
    ["a trusted document under an unknown hash", { query: NAME, extensions: persisted(hashOf("x")) }],
    ["a document that does not parse", { query: "{" }],
    ["the name of a property of every object", { extensions: persisted("constructor") }],
  ])("%s is refused with 400 in every media type", async (_name, request) => {
    for (const accept of ["application/json", "application/graphql-response+json"])
      expect(codeOf(await post(request, accept))).toEqual([400, "DOCUMENT_NOT_TRUSTED"]);
    const { query, extensions } = request as { query?: string; extensions?: object };
    const parameters = {
      ...(query && { query }),
      ...(extensions && { extensions: JSON.stringify(extensions) }),
    };
    expect(codeOf(await get(parameters))).toEqual([400, "DOCUMENT_NOT_TRUSTED"]);
    const response = await fetch(server.url, {
      method: "POST",
      headers: { ...headers(), accept: "text/event-stream" },
      body: JSON.stringify(request),
    });
    expect(await response.text()).toContain("DOCUMENT_NOT_TRUSTED");
  });

  test("the start names the trusted documents that do not fit the schema", async () => {
    const named = server.log.filter(({ msg }) => msg === "a trusted document does not fit the schema");
    expect(named.map(({ hash }) => hash)).toEqual([hashOf(OUTDATED)]);
    expect(codeOf(await post({ query: OUTDATED }))).toEqual([200, "GRAPHQL_VALIDATION_FAILED"]);
  });

  test("the command create may send its documents", async () => {
    const { errors } = await post({ query: BATCH_DOCUMENTS.tags, variables: { channelId: CHANNEL } });
    expect(errors).toBeUndefined();
    for (const query of Object.values(BATCH_DOCUMENTS)) {
      const { errors: refused } = await post({ query });
      expect(refused?.[0].extensions.code).not.toBe("DOCUMENT_NOT_TRUSTED");
    }
  });

  describeInChromium("in Chromium", () => {
    test("the dashboard asks for nothing that is not trusted, on each of its pages", async () => {
      const page = await newPage();
      const problems = await watchPage(page, server.origin);
      const answers: Promise<string>[] = [];
      let asked = 0;
      const isOperation = (request: Request) =>
        request.url().endsWith("/graphql") && !request.headers()["accept"]?.includes("event-stream");
      page.on("request", (request) => {
        if (isOperation(request)) asked++;
      });
      const answerTo = async (request: Request) => (await (await request.response())?.text()) ?? "";
      page.on("requestfinished", (request) => {
        if (isOperation(request)) answers.push(answerTo(request));
      });
      // A page that is left cancels what it asked for, even while an answer arrives.
      let cancelled = 0;
      page.on("requestfailed", (request) => {
        if (isOperation(request)) cancelled++;
      });
      const subscribed = page.waitForResponse(
        (response) => response.headers()["content-type"]?.includes("event-stream") === true,
      );
      await page.goto(server.origin);
      await page.locator("tbody tr").first().waitFor();
      await subscribed;
      for (const name of ["Performance", "Requests", "Many at once", "Settings"]) {
        const link = page.getByRole("navigation").getByRole("link", { name }).first();
        const before = asked;
        await link.click();
        await expect.poll(() => asked).toBeGreaterThan(before);
        await expect.poll(() => asked - cancelled - answers.length).toBe(0);
      }
      expect(answers.length).toBeGreaterThan(5);
      expect((await Promise.all(answers)).join()).not.toContain("DOCUMENT_NOT_TRUSTED");
      expect(problems).toEqual({ foreignRequests: [], consoleMessages: [] });
    });

    test("GraphiQL reads the schema and runs its examples", async () => {
      const page = await newPage();
      await page.goto(server.url);
      const tab = page.locator(".graphiql-tab-button").getByText("Links", { exact: true });
      await tab.click();
      const answered = page.waitForResponse(
        (response) => response.request().postDataJSON()?.operationName === "Links",
      );
      await page.getByRole("button", { name: "Execute query" }).click();
      expect((await (await answered).json()).data.inviteLinks.totalCount).toBeGreaterThan(0);
      await page.getByRole("button", { name: "Show Documentation Explorer" }).click();
      await page.getByText("inviteLinks", { exact: true }).first().waitFor();
    });
  });
});
