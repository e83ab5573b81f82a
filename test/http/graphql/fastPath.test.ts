import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startTestServer, type TestServer } from "../../support/server.js";

// A body with an unknown key does not take the fast path, so Yoga handles the request. The value null leaves its meaning
// unchanged.

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server?.stop());

const RANGES = [
  "*/*",
  "application/*",
  "application/json",
  "application/graphql-response+json",
  "text/event-stream",
  "text/html",
  "multipart/mixed",
];
const PARAMETERS = [
  "",
  "",
  "",
  ";q=0.9",
  ";q=0",
  "; charset=utf-8",
  ";charset=latin1",
  ";q=0.1;charset=utf-8",
];
const range = fc
  .tuple(fc.constantFrom(...RANGES), fc.constantFrom(...PARAMETERS))
  .map(([type, parameters]) => type + parameters);
const accept = fc.oneof(
  fc.constantFrom(...RANGES, "", "APPLICATION/JSON", "application/json, */*;q=0.5"),
  fc.array(range, { minLength: 1, maxLength: 3 }).map((ranges) => ranges.join(", ")),
);

const content = fc.constantFrom<object>(
  { query: "{ viewer { name } }" },
  { query: "query A { viewer { name } } query B { viewer { role } }", operationName: "B" },
  { query: "query A { viewer { name } } query B { viewer { role } }" },
  { query: "query ($id: ID!) { tag(id: $id) { name } }", variables: { id: "no id" } },
  { query: "query ($id: ID!) { tag(id: $id) { name } }", variables: {} },
  { query: "{ viewer { name } }", variables: null, operationName: null, extensions: {} },
  { query: "{ viewer { name } }", extensions: { persistedQuery: { version: 1 } } },
  { query: "{ viewer {", variables: {} },
  { query: "{ nothing }" },
  { query: "" },
  { query: 'mutation { revokeApiToken(input: { id: "x" }) { __typename } }' },
);

async function send(body: object, accept: string) {
  const response = await fetch(server.url, {
    method: "POST",
    headers: {
      authorization: `Bearer ${server.token}`,
      "content-type": "application/json",
      "x-request-id": "same",
      accept,
    },
    body: JSON.stringify(body),
  });
  return { status: response.status, type: response.headers.get("content-type"), text: await response.text() };
}

test("a request that bypasses Yoga gets the same response as a request through Yoga", async () => {
  await fc.assert(
    fc.asyncProperty(content, accept, async (body, accept) => {
      expect(await send(body, accept)).toEqual(await send({ ...body, unknownKey: null }, accept));
    }),
    { numRuns: 300 },
  );
});
