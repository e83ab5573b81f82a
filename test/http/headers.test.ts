import { request } from "node:http";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buildDashboard } from "../support/dashboard.js";
import { CHANNEL, startTestServer, type TestServer } from "../support/server.js";

let server: TestServer;
beforeAll(async () => {
  await buildDashboard();
  server = await startTestServer({ logLevel: "info" });
});
afterAll(() => server.stop());

async function get(path: string, headers: Record<string, string> = {}): Promise<Response> {
  const response = await fetch(server.origin + path, {
    headers: { authorization: `Bearer ${server.token}`, ...headers },
  });
  await response.arrayBuffer();
  return response;
}

describe("the headers of answers", () => {
  test("no cache may store an answer, except for files that are the same for everybody", async () => {
    const graphql = `/graphql?${new URLSearchParams({ query: "{ viewer { name } }" })}`;
    for (const path of [
      graphql,
      "/graphql",
      "/tags/types",
      `/export?channel_id=${CHANNEL}`,
      "/invite_links/nothing",
      "/",
      "/healthz",
      "/readyz",
      "/metrics",
    ]) {
      const { headers } = await get(path);
      expect([path, headers.get("cache-control")]).toEqual([path, "no-store"]);
    }
    expect((await get("/graphql", { authorization: "" })).headers.get("cache-control")).toBe("no-store");
  });

  test("no page can be shown in a frame, and none loads a script from elsewhere", async () => {
    for (const path of ["/", "/docs", "/docs/"]) {
      const { headers } = await get(path, { accept: "text/html" });
      const policy = headers.get("content-security-policy") ?? "";
      expect([path, headers.get("x-content-type-options")]).toEqual([path, "nosniff"]);
      expect(policy).toContain("default-src 'none'; script-src 'self';");
      expect(policy).toContain("frame-ancestors 'none'");
      expect(policy).toContain("base-uri 'none'; form-action 'none'");
    }
  });
});

test("no file outside of the folders of the pages is sent", async () => {
  /** fetch() would resolve the dots. */
  const answerTo = (path: string) =>
    new Promise<[status: number | undefined, body: string]>((resolve, reject) => {
      request(server.origin, { path }, (response) => {
        text(response).then((body) => resolve([response.statusCode, body]), reject);
      })
        .on("error", reject)
        .end();
    });
  for (const folder of ["/assets", "/docs/static"]) {
    for (const up of ["..", "%2e%2e", "..%2f..", "%2e%2e%2f%2e%2e", "..%5c..", "%252e%252e"]) {
      for (const file of ["documents.json", "package.json", "main.js", "etc/passwd"]) {
        const [status, body] = await answerTo(`${folder}/${up}/${file}`);
        expect([400, 403, 404]).toContain(status);
        expect(JSON.parse(body)).toEqual(expect.objectContaining({ detail: expect.any(String) }));
      }
    }
  }
});
