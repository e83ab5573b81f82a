import { PassThrough } from "node:stream";
import { pino } from "pino";
import { afterEach, expect, onTestFinished, test, vi } from "vitest";
import { createServer } from "../../../src/http/server.js";
import { RawConnection } from "../../support/rawHttp.js";
import { CHANNEL, startTestServer, type TestServer } from "../../support/server.js";

let server: TestServer;
let stopped: Promise<void> | undefined;
const connections: RawConnection[] = [];
const start = async (shutdownDelayMs: number) => {
  stopped = undefined;
  server = await startTestServer({ shutdownDelayMs });
};
const stop = () => {
  stopped ??= server.stop();
  return stopped;
};
afterEach(async () => {
  for (const connection of connections.splice(0)) connection.socket.destroy();
  await stop();
});
const connect = (origin = server.origin) => {
  const connection = new RawConnection(origin);
  connections.push(connection);
  return connection;
};

const get = (path: string) =>
  `GET ${path} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer ${server.token}\r\n\r\n`;
const creating = (name: string) => {
  const body = JSON.stringify({ channel_id: CHANNEL, name });
  return `POST /invite_links HTTP/1.1\r\nhost: a\r\nauthorization: Bearer ${server.token}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
};

test("during SHUTDOWN_DELAY_MS /readyz answers 503 and requests are served as usual", async () => {
  // Longer than all requests of this test together take on a busy machine.
  await start(10_000);
  const kept = connect();
  kept.write(get("/readyz"));
  expect((await kept.answered())[0]).toMatchObject({ status: 200, headers: { connection: "keep-alive" } });
  const idle = connect();
  idle.write(get("/healthz"));
  await idle.answered();

  const ended = stop();
  const ready = await fetch(`${server.origin}/readyz`);
  expect([ready.status, await ready.json()]).toMatchObject([503, { status: "stopping" }]);
  expect(ready.headers.get("connection")).toBe("close");
  expect((await fetch(`${server.origin}/healthz`)).status).toBe(200);

  // A connection that was kept alive gets one more answer, with the header Connection: close.
  kept.write(creating("While stopping"));
  const [, made] = await kept.answered(2);
  expect([made?.status, made?.headers["connection"]]).toEqual([201, "close"]);
  await kept.ended;
  const { data } = await server.ask("{ viewer { name } }");
  expect(data.viewer.name).toBe("Sandbox");

  await ended;
  await idle.ended;
  await expect(fetch(`${server.origin}/healthz`)).rejects.toThrow();
});

test("requests that are already in sockets when the server stops are answered", async () => {
  await start(0);
  const opened = Array.from({ length: 20 }, () => connect());
  for (const connection of opened) connection.write(get("/healthz"));
  for (const connection of opened) await connection.answered();
  server.sandbox.control.fail({ kind: "slow", ms: 100 }, { method: "createChatInviteLink" });
  // Requests on connections that are kept alive, on new ones, and several on one connection. The event loop accepts one new
  // connection in each turn.
  const fresh = Array.from({ length: 5 }, () => connect());
  const waiting = Array.from({ length: 60 }, () => connect());
  await Promise.all(
    [...fresh, ...waiting].map(({ socket }) => new Promise((resolve) => socket.once("connect", resolve))),
  );
  for (const [index, connection] of opened.entries()) connection.write(creating(`Kept alive ${index}`));
  for (const connection of fresh) connection.write(get("/healthz") + creating("Second") + get("/tags/types"));
  for (const connection of waiting) connection.write(get("/healthz"));
  await new Promise((resolve) => setImmediate(resolve));
  await stop();
  for (const connection of waiting) {
    await connection.ended;
    expect(connection.answers.map(({ status }) => status)).toEqual([200]);
  }
  for (const connection of opened) {
    await connection.ended;
    expect(connection.answers.map(({ status }) => status)).toEqual([200, 201]);
    expect(connection.answers[1]?.headers["connection"]).toBe("close");
  }
  for (const connection of fresh) {
    await connection.ended;
    expect(connection.answers.map(({ status }) => status)).toEqual([200, 201, 200]);
  }
});

test("a stopping server waits for the body of a request", async () => {
  await start(0);
  const whole = creating("Late body");
  const late = connect();
  late.write(whole.slice(0, -10));
  const half = connect();
  half.write(get("/healthz").slice(0, -10));
  // Both requests have arrived, because a later request of another connection was answered.
  await expect
    .poll(() => server.log.filter(({ sql }) => String(sql).includes("api_token")).length)
    .toBeGreaterThan(0);
  expect((await fetch(`${server.origin}/healthz`)).status).toBe(200);
  const ended = stop();
  await expect
    .poll(() =>
      fetch(`${server.origin}/healthz`).then(
        () => "open",
        () => "closed",
      ),
    )
    .toBe("closed");
  late.write(whole.slice(-10));
  half.write(get("/healthz").slice(-10));
  await ended;
  expect(late.answers.map(({ status }) => status)).toEqual([201]);
  expect(half.answers.map(({ status }) => status)).toEqual([200]);
});

test("an incomplete request does not keep a stopping server running", async () => {
  await start(0);
  const half = connect();
  half.write(creating("Never").slice(0, -10));
  await expect
    .poll(() => server.log.filter(({ sql }) => String(sql).includes("api_token")).length)
    .toBeGreaterThan(0);
  await stop();
  await half.ended;
  expect(half.answers).toEqual([]);
});

test("a connection ends after an answer that began before the server stopped, however long the answer takes", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  onTestFinished(() => void vi.useRealTimers());
  const log = pino({ level: "silent" });
  const streaming = await createServer({ log, corsOrigins: [], onFinished: () => {} });
  const body = new PassThrough();
  streaming.get("/", (_request, reply) => reply.send(body));
  const connection = connect(await streaming.listen({ port: 0, host: "127.0.0.1" }));
  connection.write("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
  body.write("first");
  await expect.poll(() => connection.received).toContain("first");
  stopped = streaming.close();
  await expect.poll(() => streaming.server.listening).toBe(false);
  vi.advanceTimersByTime(60_000);
  body.end("last");
  await connection.ended;
  expect(connection.received).toMatch(/connection: keep-alive.*first.*last/is);
  await stopped;
});
