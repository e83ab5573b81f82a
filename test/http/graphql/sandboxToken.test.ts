import { request } from "node:http";
import { buffer } from "node:stream/consumers";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startTestServer, type TestServer } from "../../support/server.js";

const ALLOWED_ORIGIN = "https://app.example";
let server: TestServer;
beforeAll(async () => {
  server = await startTestServer({ corsOrigins: [ALLOWED_ORIGIN], logLevel: "info" });
});
afterAll(() => server.stop());

async function load(path: string, headers: Record<string, string> = {}) {
  const { port } = new URL(server.origin);
  const answer = await new Promise<{ status: number; headers: Record<string, unknown>; body: Buffer }>(
    (resolve, reject) => {
      request(
        { port, host: "127.0.0.1", path, headers: { accept: "text/html,*/*;q=0.8", ...headers } },
        async (response) =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: await buffer(response),
          }),
      )
        .on("error", reject)
        .end();
    },
  );
  const encoding = answer.headers["content-encoding"];
  const html =
    encoding === "br"
      ? brotliDecompressSync(answer.body)
      : encoding === "gzip"
        ? gunzipSync(answer.body)
        : answer.body;
  return { ...answer, text: html.toString() };
}

describe.each([["/"], ["/graphql"]])("the page at %s", (path) => {
  test(`the page at ${path} contains the sandbox's token for a local request`, async () => {
    expect((await load(path)).text).toContain(server.token);
  });

  test.each([
    ["forwarded", "for=203.0.113.1"],
    ["via", "1.1 proxy"],
    ["x-forwarded", "for=203.0.113.1"],
    ["x-forwarded-for", "203.0.113.1"],
    ["x-forwarded-host", "localhost"],
    ["x-forwarded-proto", "https"],
    ["x-forwarded-port", "443"],
    ["x-forwarded-server", "proxy"],
    ["x-real-ip", "127.0.0.1"],
    ["X-Real-IP", ""],
    ["x-client-ip", "127.0.0.1"],
    ["true-client-ip", "127.0.0.1"],
    ["cf-connecting-ip", "127.0.0.1"],
    ["cf-ray", "1"],
    ["x-original-host", "a"],
    ["x-original-uri", "/"],
    ["origin", ALLOWED_ORIGIN],
    ["origin", "null"],
    ["host", "invite-links.example"],
  ])(`the page at ${path} contains no token for a request with the header %s: %s`, async (name, value) => {
    const { status, text } = await load(path, { [name]: value });
    expect(status).toBe(200);
    expect(text).not.toContain(server.token);
  });

  test(`the page at ${path} contains no token for a request with an absolute address, as sent to proxies`, async () => {
    for (const host of ["evil.example", new URL(server.origin).host]) {
      const { status, text } = await load(`http://${host}${path}`);
      expect(status).toBe(200);
      expect(text).not.toContain(server.token);
    }
  });

  test(`the page at ${path} cannot be read by a page of another origin, not even of an allowed origin`, async () => {
    const { headers } = await load(path, { origin: ALLOWED_ORIGIN });
    for (const name of Object.keys(headers)) expect(name).not.toMatch(/^access-control-/);
    expect(headers["cross-origin-resource-policy"]).toBe("same-origin");
    expect(headers["x-frame-options"]).toBe("DENY");
    expect(headers["content-security-policy"]).toContain("default-src 'none'");
  });
});

test("an operation from an allowed origin is answered with CORS headers", async () => {
  const answer = await fetch(server.url, {
    method: "POST",
    headers: {
      authorization: `Bearer ${server.token}`,
      "content-type": "application/json",
      origin: ALLOWED_ORIGIN,
    },
    body: '{"query":"{ viewer { name } }"}',
  });
  expect(answer.headers.get("access-control-allow-origin")).toBe(ALLOWED_ORIGIN);
});

describe("GraphiQL's page", () => {
  test.each([
    ["br", "gzip, br"],
    ["br", "gzip, deflate, br, zstd"],
    ["gzip", "gzip"],
    ["gzip", "br;q=0, *"],
    [undefined, "identity"],
    [undefined, ""],
  ])("GraphiQL's page has the content encoding %s for accept-encoding %j", async (encoding, accepted) => {
    const { headers, text, body } = await load("/graphql", { "accept-encoding": accepted });
    expect(headers["content-encoding"]).toBe(encoding);
    expect(headers["vary"]).toMatch(/accept-encoding/i);
    expect(text).toContain("<title>invite-links · GraphiQL</title>");
    if (encoding !== undefined) expect(body.length).toBeLessThan(3_000_000);
  });

  test("GraphiQL's page allows only its own scripts", async () => {
    const { headers } = await load("/graphql");
    const policy = String(headers["content-security-policy"]);
    expect(policy).toMatch(/script-src 'sha256-[^']+'( 'sha256-[^']+')*;/);
    expect(policy).not.toMatch(/script-src[^;]*(unsafe|\*|https?:)/);
  });

  test("GraphiQL's page is sent only to a client that prefers HTML to every media type of results", async () => {
    for (const accept of ["application/json, text/html;q=0.5", "text/html;q=0, */*", "*/*"])
      expect((await load("/graphql", { accept })).status).toBe(401);
    expect((await load("/graphql", { accept: "text/html" })).status).toBe(200);
  });
});
