import type { FastifyRequest } from "fastify";
import { afterEach, describe, expect, test } from "vitest";
import type { Caller } from "../../../src/domain/shared/caller.js";
import { BearerTokens } from "../../../src/http/lifecycle/bearer.js";
import { startTestServer, type TestServer } from "../../support/server.js";

let server: TestServer | undefined;
afterEach(async () => {
  await server?.stop();
  server = undefined;
});

type Send = (token: string, headers?: Record<string, string>) => Promise<Response>;

const sendTo = (one: TestServer): Record<"GraphQL" | "REST", Send> => ({
  GraphQL: (token, headers = {}) =>
    fetch(one.url, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json", ...headers },
      body: '{"query":"{ viewer { name } }"}',
    }),
  REST: (token, headers = {}) =>
    fetch(`${one.origin}/tags/types`, { headers: { authorization: `Bearer ${token}`, ...headers } }),
});

const statusesOf = async (send: Send, count: number, headers: Record<string, string> = {}) => {
  const statuses: number[] = [];
  for (let index = 0; index < count; index += 1)
    statuses.push((await send(`wrong-${index}`, headers)).status);
  return statuses;
};

test("one address may send thirty wrong tokens a minute to both endpoints together", async () => {
  server = await startTestServer({ logLevel: "info" });
  const { GraphQL, REST } = sendTo(server);
  expect(await statusesOf(GraphQL, 15)).toEqual(Array(15).fill(401));
  expect(await statusesOf(REST, 15)).toEqual(Array(15).fill(401));

  const refused = await GraphQL("wrong");
  expect(refused.status).toBe(429);
  expect(Number(refused.headers.get("retry-after"))).toBeGreaterThanOrEqual(1);
  expect(Number(refused.headers.get("retry-after"))).toBeLessThanOrEqual(60);
  expect(await refused.json()).toEqual({
    errors: [
      {
        message: expect.any(String),
        extensions: { code: "RATE_LIMITED", requestId: refused.headers.get("x-request-id") },
      },
    ],
  });
  const rest = await REST("wrong", { "x-request-id": "one-too-many" });
  expect([rest.status, await rest.json()]).toEqual([
    429,
    { detail: expect.any(String), code: "RATE_LIMITED" },
  ]);
  expect(Number(rest.headers.get("retry-after"))).toBeGreaterThanOrEqual(1);

  // A valid token always passes, a missing token is not a wrong one, and a claimed address is ignored.
  expect((await GraphQL(server.token)).status).toBe(200);
  expect((await REST(server.token)).status).toBe(200);
  expect((await fetch(`${server.origin}/tags/types`)).status).toBe(401);
  expect((await REST("wrong", { "x-forwarded-for": "203.0.113.9" })).status).toBe(429);

  const { log } = server;
  await expect
    .poll(() => log.find((line) => line["requestId"] === "one-too-many"))
    .toMatchObject({ status: 429, codes: ["RATE_LIMITED"], path: "/tags/types" });
  const metrics = await (await fetch(`${server.origin}/metrics`)).text();
  expect(metrics).toMatch(/http_requests_total\{route="\/graphql",method="POST",status="429"\} 1/);
});

test("clients behind a proxy in TRUST_PROXY are limited by their own addresses", async () => {
  server = await startTestServer({ logLevel: "info", trustProxy: ["127.0.0.0/8"] });
  const { REST } = sendTo(server);
  const from = (address: string) => ({ "x-forwarded-for": address });
  expect(await statusesOf(REST, 31, from("203.0.113.1"))).toEqual([...Array(30).fill(401), 429]);
  expect((await REST("wrong", from("203.0.113.2"))).status).toBe(401);
  // Entries before the proxy's own entry come from the client and are ignored.
  expect((await REST("wrong", from("198.51.100.1, 203.0.113.1"))).status).toBe(429);
});

describe("the address of a client", () => {
  const request = (ip: string): FastifyRequest =>
    ({
      ip,
      headers: { authorization: "Bearer wrong" },
      raw: { socket: { remoteAddress: "192.0.2.1" } },
    }) as unknown as FastifyRequest;
  const noCaller: Caller | null = null;
  const tokens = (now: () => number = () => 0) =>
    new BearerTokens({ authenticate: async () => noCaller }, now);
  const isRefused = (bearer: BearerTokens, ip: string) =>
    bearer.findCaller(request(ip)).then(
      () => false,
      () => true,
    );
  const exhaust = async (bearer: BearerTokens, ip: string) => {
    for (let count = 0; count < 30; count += 1) expect(await isRefused(bearer, ip)).toBe(false);
  };

  test("an IPv6 address counts by its first 64 bits, and an IPv4 address in IPv6 as the IPv4 address", async () => {
    const bearer = tokens();
    await exhaust(bearer, "2001:db8:0:1::1");
    expect(await isRefused(bearer, "2001:db8:0:1:ffff::2")).toBe(true);
    expect(await isRefused(bearer, "2001:db8:0:2::1")).toBe(false);
    await exhaust(bearer, "::ffff:203.0.113.7");
    expect(await isRefused(bearer, "203.0.113.7")).toBe(true);
    expect(await isRefused(bearer, "203.0.113.8")).toBe(false);
  });

  test("a forwarded text that is not an address counts as the proxy's address", async () => {
    const bearer = tokens();
    await exhaust(bearer, "unknown");
    expect(await isRefused(bearer, "another text")).toBe(true);
    expect(await isRefused(bearer, "192.0.2.1")).toBe(true);
  });

  test("an address may send another wrong token whenever one becomes a minute old", async () => {
    let now = 0;
    const bearer = tokens(() => now);
    for (let count = 0; count < 30; count += 1) {
      now = count * 1000;
      expect(await isRefused(bearer, "203.0.113.1")).toBe(false);
    }
    await expect(bearer.findCaller(request("203.0.113.1"))).rejects.toMatchObject({
      headers: { "retry-after": "31" },
    });
    now = 59_999;
    expect(await isRefused(bearer, "203.0.113.1")).toBe(true);
    now = 60_000;
    expect(await isRefused(bearer, "203.0.113.1")).toBe(false);
    expect(await isRefused(bearer, "203.0.113.1")).toBe(true);
  });
});
