import { mkdtemp, rm } from "node:fs/promises";
import { request as sendRequest } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { addDashboard } from "../../src/http/dashboard.js";
import { createServer } from "../../src/http/server.js";
import { createLog } from "../../src/log.js";
import { buildDashboard } from "../support/dashboard.js";
import { startTestServer, type TestServer } from "../support/server.js";

let server: TestServer;
beforeAll(async () => {
  await buildDashboard();
  server = await startTestServer();
});
afterAll(() => server.stop());

const get = (path: string, init: RequestInit = {}) => fetch(`${server.origin}${path}`, init);
const assetsOf = (page: string): string[] =>
  [...page.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path]) => path ?? "");

describe("the dashboard's page", () => {
  test("the page is not cached and may load from and call this server only", async () => {
    const response = await get("/");
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toBe("text/html; charset=utf-8");
    expect(response.headers.get("cache-control")).toBe("no-store");
    const policy = response.headers.get("content-security-policy") ?? "";
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("script-src 'self';");
    expect(policy).not.toContain("unsafe");
    const page = await response.text();
    expect(page).not.toMatch(/<style|style=|<script(?![^>]* src=)| on\w+=/);
    expect(assetsOf(page).length).toBeGreaterThan(2);
    for (const path of assetsOf(page)) expect(path).toMatch(/^\/assets\/[\w-]+-[\w-]{8}\.(js|css|svg)$/);
  });

  test("the page answers HEAD requests", async () => {
    const response = await get("/?channel=1", { method: "HEAD" });
    expect([response.status, await response.text()]).toEqual([200, ""]);
  });

  /** Sends a request with any Host header, which fetch() does not allow. */
  const asked = async (headers: Record<string, string>): Promise<string> => {
    const request = sendRequest(server.origin, { headers });
    const answered = new Promise<string>((resolve, reject) => {
      request.on("response", (response) => resolve(text(response)));
      request.on("error", reject);
    });
    request.end();
    return answered;
  };

  test.each(["localhost:4000", "127.0.0.1", "[::1]:80"])(
    "the page contains the sandbox's token for the host %s",
    async (host) => {
      expect(await asked({ host })).toContain(`<meta name="sandbox-token" content="${server.token}" />`);
    },
  );

  test.each([
    ["another name", { host: "invite-links.example" }],
    ["a name that only begins like this machine's", { host: "localhost.example" }],
    ["a proxy", { host: "localhost", "x-forwarded-for": "192.0.2.1" }],
    ["a proxy that says so the standard way", { host: "localhost", forwarded: "for=192.0.2.1" }],
  ])(
    "the page contains no token for a request through %s",
    async (_what, headers: Record<string, string>) => {
      const page = await asked(headers);
      expect(page).toContain('<meta name="sandbox-token" content="" />');
      expect(page).not.toContain(server.token);
    },
  );

  test("the page contains no token if other machines can reach the server", async () => {
    const open = await startTestServer({ host: "0.0.0.0" });
    try {
      const page = await (await fetch(`${open.origin}/`)).text();
      expect(page).toContain('<meta name="sandbox-token" content="" />');
      expect(page).not.toContain(open.token);
    } finally {
      await open.stop();
    }
  });
});

describe("the dashboard's files", () => {
  test("the dashboard's files are cached for a year, because their names change with their content", async () => {
    for (const path of assetsOf(await (await get("/")).text())) {
      const response = await get(path);
      expect([response.status, response.headers.get("cache-control")]).toEqual([
        200,
        "public, max-age=31536000, immutable",
      ]);
      expect(response.headers.get("x-content-type-options")).toBe("nosniff");
    }
  });

  test.each([
    ["br", "gzip, deflate, br"],
    ["gzip", "gzip"],
    [null, "identity"],
  ])("the dashboard's scripts are sent with the content encoding %s", async (encoding, accepted) => {
    const script = assetsOf(await (await get("/")).text()).find((path) => path.endsWith(".js")) ?? "";
    const plain = await get(script, { headers: { "accept-encoding": "identity" } });
    const response = await get(script, { headers: { "accept-encoding": accepted } });
    expect(response.headers.get("content-encoding")).toBe(encoding);
    expect(response.headers.get("content-type")).toMatch(/^(text|application)\/javascript/);
    expect(response.headers.get("vary")).toMatch(/accept-encoding/i);
    expect(await response.text()).toBe(await plain.text());
  });

  test.each(["/requests", "/settings/tokens", "/no/such/page"])(
    "a browser that asks for %s gets the dashboard's page",
    async (path) => {
      const response = await get(path, { headers: { accept: "text/html,application/xhtml+xml" } });
      expect(response.status).toBe(200);
      expect(response.headers.get("content-security-policy")).toContain("default-src 'none'");
      expect(await response.text()).toBe(await (await get("/")).text());
    },
  );

  test("what a browser sends to an unknown address is not answered with the page", async () => {
    const response = await get("/no/such/page", { method: "POST", headers: { accept: "text/html" } });
    expect([response.status, await response.json()]).toMatchObject([404, { requestId: expect.any(String) }]);
  });

  test.each([
    "/assets/",
    "/assets/none.js",
    "/assets/..%2findex.html",
    "/assets/..%2f..%2fmain.js",
    "/index.html",
    "/links",
  ])("the address %s is answered with 404 in JSON", async (path) => {
    const response = await get(path);
    expect(response.status).toBe(404);
    expect(await response.json()).toEqual({
      detail: "There is nothing at this address.",
      requestId: response.headers.get("x-request-id"),
    });
  });
});

test("the page of a dashboard that was not built says how to build it", async () => {
  const folder = await mkdtemp(join(tmpdir(), "invite-links-dashboard-"));
  const log = createLog({ level: "silent", format: null, secrets: [], write: () => {} });
  const bare = await createServer({ log, corsOrigins: [], onFinished: () => {} });
  try {
    expect(await addDashboard(bare, { sandboxToken: null, folder })).toBe(false);
    const response = await bare.inject("/");
    expect(response.statusCode).toBe(404);
    expect(response.json().detail).toContain("npm run build");
  } finally {
    await bare.close();
    await rm(folder, { recursive: true });
  }
});
