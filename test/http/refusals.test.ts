import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type RawAnswer, RawConnection, sendRaw } from "../support/rawHttp.js";
import { startTestServer, type TestServer } from "../support/server.js";

// Requests that no endpoint can execute are refused in the endpoint's own form of errors.

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer({ logLevel: "info" });
});
afterAll(() => server.stop());

const ENDPOINTS = ["/graphql", "/graphql/", "/tags", "/invite_links/all"];
const isGraphQL = (path: string) => path.startsWith("/graphql");
const host = "host: 127.0.0.1";
const authorization = () => `authorization: Bearer ${server.token}`;
const QUERY = '{"query":"{ viewer { name } }"}';
const JSON_TYPE = "content-type: application/json";
const post = (path: string, headers: readonly string[]) =>
  sendRaw(server.origin, [`POST ${path} HTTP/1.1`, `content-length: ${QUERY.length}`, ...headers], QUERY);

/** Expects a refusal in the endpoint's form of errors. */
function expectRefusal(
  path: string,
  { status, headers, body }: RawAnswer,
  wanted: number,
  code: string,
): void {
  expect([path, status]).toEqual([path, wanted]);
  expect(headers["x-request-id"]).toBeTruthy();
  expect(headers["content-type"]).toBe("application/json; charset=utf-8");
  if (isGraphQL(path)) {
    const extensions = { code, requestId: headers["x-request-id"] };
    expect(body).toEqual({ errors: [{ message: expect.any(String), extensions }] });
  } else {
    expect(body.detail).toEqual(expect.any(String));
  }
}

describe.each(ENDPOINTS)("the endpoint %s", (path) => {
  const METHODS = ["PUT", "DELETE", "TRACE", "QUERY", "PROPFIND", "SEARCH", "LOCK", "REPORT", "M-SEARCH"];

  test.each(METHODS)("the method %s is refused with 405 and the accepted methods", async (method) => {
    for (const body of ["", QUERY]) {
      const head = [`${method} ${path} HTTP/1.1`, host, authorization(), `content-length: ${body.length}`];
      const answer = await sendRaw(server.origin, head, body);
      expectRefusal(path, answer, 405, "METHOD_NOT_ALLOWED");
      expect(answer.headers["allow"]).toMatch(/^(GET, )?POST$/);
    }
  });

  test("an Expect header other than 100-continue is refused with 417", async () => {
    for (const expectation of ["", "200-ok", "100-continue, else"]) {
      const connection = new RawConnection(server.origin);
      const head = [`POST ${path} HTTP/1.1`, host, authorization(), JSON_TYPE, `expect: ${expectation}`];
      connection.write(`${head.join("\r\n")}\r\ncontent-length: ${QUERY.length}\r\n\r\n${QUERY}`);
      await connection.answered();
      const answer = (await connection.answered()).find(({ status }) => status !== 100);
      if (answer === undefined) throw new Error(connection.received);
      expectRefusal(path, answer, 417, "EXPECTATION_FAILED");
      connection.socket.destroy();
    }
  });

  test("HTTP/1.1 without a Host header is refused with 400", async () => {
    expectRefusal(path, await post(path, [authorization(), JSON_TYPE]), 400, "BAD_REQUEST");
  });

  test("repeated Authorization or Content-Type headers are refused with 400, even equal ones", async () => {
    const twice = [
      [authorization(), authorization(), JSON_TYPE],
      [authorization(), "Authorization: Bearer wrong", JSON_TYPE],
      ["authorization: Bearer wrong", authorization(), JSON_TYPE],
      [authorization(), JSON_TYPE, JSON_TYPE],
      [authorization(), JSON_TYPE, "Content-Type: text/plain"],
    ];
    for (const headers of twice)
      expectRefusal(path, await post(path, [host, ...headers]), 400, "BAD_REQUEST");
  });

  test("invalid HTTP is refused with a code", async () => {
    const bad = await post(path, [host, authorization(), JSON_TYPE, "content-length: 3"]);
    expectRefusal(path, bad, 400, "BAD_REQUEST");
    const long = await sendRaw(server.origin, [`GET ${path}?x=${"x".repeat(20_000)} HTTP/1.1`, host]);
    expectRefusal(path, long, 431, "HEADERS_TOO_LARGE");
  });
});

test("HTTP/1.0 needs no Host header", async () => {
  const answer = await sendRaw(
    server.origin,
    ["POST /graphql HTTP/1.0", authorization(), JSON_TYPE, `content-length: ${QUERY.length}`],
    QUERY,
  );
  expect([answer.status, answer.body.data.viewer.name]).toEqual([200, "Sandbox"]);
});

test("HEAD returns the headers of the GraphiQL page", async () => {
  const headers = { accept: "text/html" };
  const [got, head] = await Promise.all(
    ["GET", "HEAD"].map((method) => fetch(server.url, { method, headers })),
  );
  expect([head?.status, head?.headers.get("content-type"), await head?.text()]).toEqual([
    200,
    "text/html; charset=utf-8",
    "",
  ]);
  expect(head?.headers.get("content-security-policy")).toBe(got?.headers.get("content-security-policy"));
});

test("a connection with the header Connection: close ends after an event stream", async () => {
  const connection = new RawConnection(server.origin);
  connection.write(
    [
      "GET /graphql?query={viewer{name}} HTTP/1.1",
      host,
      authorization(),
      "accept: text/event-stream",
      "connection: close",
      "",
      "",
    ].join("\r\n"),
  );
  await connection.ended;
  expect(connection.received).toMatch(/^connection: close\r$/im);
  expect(connection.received).toContain("event: complete");
});
