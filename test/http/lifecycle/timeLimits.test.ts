import { Writable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import type { FastifyInstance } from "fastify";
import { pino } from "pino";
import { afterEach, beforeEach, expect, test } from "vitest";
import { allowLongBody } from "../../../src/http/lifecycle/clientErrors.js";
import { createServer, type FinishedRequest } from "../../../src/http/server.js";
import { RawConnection } from "../../support/rawHttp.js";

/** The limits, instead of 10 and 30 seconds: long enough for whole headers, even where other processes keep the machine busy. */
const [HEADERS_MS, REQUEST_MS] = [1000, 2000];

// A late request is answered with 408 and its connection ends.

let server: FastifyInstance;
let origin: string;
let events: FinishedRequest[];
let lines: { level: number; msg: string }[];
beforeEach(async () => {
  events = [];
  lines = [];
  const log = new Writable({
    write(line, _encoding, done) {
      lines.push(JSON.parse(String(line)));
      done();
    },
  });
  server = await createServer({
    log: pino(log),
    corsOrigins: [],
    onFinished: (event) => events.push(event),
    timeLimits: { headersMs: HEADERS_MS, requestMs: REQUEST_MS, checkMs: 20 },
  });
  server.post("/taken", async (request) => request.body);
  server.addContentTypeParser("text/plain", { parseAs: "string" }, (_request, body, done) =>
    done(null, body),
  );
  server.post("/long", { onRequest: async (request) => allowLongBody(request) }, (request) => ({
    length: String(request.body).length,
  }));
  origin = await server.listen({ port: 0, host: "127.0.0.1" });
});
afterEach(() => server.close());

const HEAD = "POST /taken HTTP/1.1\r\nhost: a\r\ncontent-type: text/plain\r\ncontent-length: 100000\r\n";

/** Keeps sending single bytes until the connection ends, so that no limit for idle connections can end it. */
async function drip(connection: RawConnection, bytes: string): Promise<number> {
  const started = performance.now();
  const timer = setInterval(() => connection.write(bytes), 10);
  await connection.ended;
  clearInterval(timer);
  return performance.now() - started;
}

test("headers that arrive slowly are refused with 408 before the limit for whole requests", async () => {
  const connection = new RawConnection(origin);
  connection.write("POST /taken HTTP/1.1\r\nhost: a\r\n");
  const lasted = await drip(connection, "x-slow: 1\r\n");
  expect(lasted).toBeGreaterThan(HEADERS_MS * 0.9);
  const [answer] = connection.answers;
  expect([answer?.status, answer?.body]).toEqual([
    408,
    { detail: expect.any(String), code: "REQUEST_TIMEOUT", requestId: answer?.headers["x-request-id"] },
  ]);
  expect(events).toMatchObject([{ status: 408, route: "unknown", codes: ["REQUEST_TIMEOUT"] }]);
});

test("a body that arrives slowly is refused with 408 by its route and reported once", async () => {
  const connection = new RawConnection(origin);
  connection.write(`${HEAD}x-request-id: slow-body\r\n\r\n`);
  const lasted = await drip(connection, "x");
  expect(lasted).toBeGreaterThan(REQUEST_MS * 0.9);
  const [answer] = connection.answers;
  expect([answer?.status, answer?.body]).toEqual([
    408,
    { detail: expect.any(String), code: "REQUEST_TIMEOUT", requestId: "slow-body" },
  ]);
  expect(answer?.headers["x-request-id"]).toBe("slow-body");
  await expect
    .poll(() => events)
    .toMatchObject([{ status: 408, route: "/taken", method: "POST", codes: ["REQUEST_TIMEOUT"] }]);
  expect(lines.filter(({ level }) => level > 30)).toEqual([]);
});

test("a route for long bodies is exempt from the limit for whole requests", async () => {
  const connection = new RawConnection(origin);
  connection.write(`${HEAD.replace("/taken", "/long").replace("100000", "15")}\r\n`);
  for (let count = 0; count < 15; count += 1) {
    connection.write("x");
    await delay(REQUEST_MS / 10);
  }
  const [answer] = await connection.answered();
  expect([answer?.status, answer?.body]).toEqual([200, { length: 15 }]);
  // The limit applies to the next request of the connection again.
  connection.write(`${HEAD}\r\n`);
  await drip(connection, "x");
  expect(connection.answers.map(({ status }) => status)).toEqual([200, 408]);
});

test("an unused connection is closed without a log line", async () => {
  const connection = new RawConnection(origin);
  await connection.ended;
  expect([connection.received, events]).toEqual(["", []]);
});

test.each([
  ["no HTTP", "nonsense\r\n\r\n", 400, "BAD_REQUEST"],
  [
    "headers that are too large",
    `GET / HTTP/1.1\r\nx: ${"x".repeat(20_000)}\r\n\r\n`,
    431,
    "HEADERS_TOO_LARGE",
  ],
])("%s is refused with a code and a request id", async (_what, bytes, status, code) => {
  const connection = new RawConnection(origin);
  connection.write(bytes);
  const [answer] = await connection.answered();
  expect([answer?.status, answer?.body]).toEqual([
    status,
    { detail: expect.any(String), code, requestId: answer?.headers["x-request-id"] },
  ]);
  await connection.ended;
  expect(events).toMatchObject([{ status, codes: [code] }]);
});
