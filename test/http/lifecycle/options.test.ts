import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startTestServer, type TestServer, YOUTUBE } from "../../support/server.js";

describe.each([[[]], [["https://app.example"]]])(
  "methods of paths with CORS_ORIGINS %j",
  (corsOrigins: string[]) => {
    let server: TestServer;
    beforeAll(async () => {
      server = await startTestServer({ corsOrigins, logLevel: "info" });
    });
    afterAll(() => server.stop());

    test.each([
      ["/graphql", "GET, HEAD, OPTIONS, POST"],
      ["/invite_links", "OPTIONS, POST"],
      ["/invite_links/all", "OPTIONS, POST"],
      ["/tags", "GET, HEAD, OPTIONS, POST"],
      [`/tags/${YOUTUBE}`, "GET, HEAD, OPTIONS, PATCH"],
      [`/tags/${YOUTUBE}/`, "GET, HEAD, OPTIONS, PATCH"],
      ["/healthz", "GET, HEAD, OPTIONS"],
      ["/", "GET, HEAD, OPTIONS"],
    ])("OPTIONS %s without preflight headers lists the accepted methods", async (path, allow) => {
      const ways: Record<string, string>[] = [
        {},
        { authorization: `Bearer ${server.token}` },
        { authorization: "Bearer wrong" },
        { "access-control-request-method": "POST" },
        { accept: "image/png", "content-type": "text/plain" },
      ];
      for (const headers of ways) {
        const answer = await fetch(server.origin + path, { method: "OPTIONS", headers });
        expect([answer.status, answer.headers.get("allow"), await answer.text()]).toEqual([204, allow, ""]);
        expect(answer.headers.get("x-request-id")).toBeTruthy();
      }
      const fromPage = await fetch(server.origin + path, {
        method: "OPTIONS",
        headers: { origin: "https://evil.example" },
      });
      expect([fromPage.status, fromPage.headers.get("access-control-allow-origin")]).toEqual([204, null]);
    });

    test("OPTIONS for an unknown path is a 404", async () => {
      const answer = await fetch(`${server.origin}/nothing`, { method: "OPTIONS" });
      expect([answer.status, await answer.json()]).toEqual([
        404,
        { detail: expect.any(String), requestId: expect.any(String) },
      ]);
    });

    test("a preflight is allowed if CORS_ORIGINS names the origin", async () => {
      for (const path of ["/graphql", "/tags"]) {
        const answer = await fetch(server.origin + path, {
          method: "OPTIONS",
          headers: { origin: "https://app.example", "access-control-request-method": "POST" },
        });
        expect([answer.status, answer.headers.get("access-control-allow-origin")]).toEqual([
          204,
          corsOrigins[0] ?? null,
        ]);
      }
    });

    test("the Allow header of a refused method lists only accepted methods", async () => {
      const answer = await fetch(`${server.origin}/tags`, {
        method: "DELETE",
        headers: { authorization: `Bearer ${server.token}` },
      });
      expect([answer.status, answer.headers.get("allow")]).toEqual([405, "GET, POST"]);
    });
  },
);
