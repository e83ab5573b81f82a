import { createServer, type Server } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { Readable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, describe, expect, test } from "vitest";
import { EventStreams, type StreamLimits } from "../../../src/http/graphql/eventStreams.js";

const PATIENCE = { timeout: 20_000, interval: 5 };
const LONG_MS = 600_000;

interface Tracked {
  /** Whether the body's source was cancelled. */
  isCancelled: boolean;
  isClosed: boolean;
}

let server: Server | null = null;
let client: Socket | null = null;
afterEach(() => {
  client?.destroy();
  server?.closeAllConnections();
  server?.close();
});

/** A client of one stream that sends a chunk of `bytes` whenever there is room, with a pause of `pauseMs` before. */
async function open(limits: StreamLimits, bytes: number, pauseMs: number) {
  const streams = new EventStreams(limits);
  const tracked: Tracked = { isCancelled: false, isClosed: false };
  server = createServer((_request, response) => {
    const body = new ReadableStream<Uint8Array>({
      async pull(controller) {
        await delay(pauseMs);
        if (!tracked.isCancelled) controller.enqueue(new Uint8Array(bytes));
      },
      cancel: () => {
        tracked.isCancelled = true;
      },
    });
    response.once("close", () => {
      tracked.isClosed = true;
    });
    const readable = Readable.fromWeb(streams.track(body, response) as never);
    readable.on("error", () => {});
    response.once("close", () => readable.destroy());
    readable.pipe(response);
  });
  const started = server;
  await new Promise<void>((resolve) => started.listen(0, "127.0.0.1", resolve));
  const socket = connect((started.address() as AddressInfo).port, "127.0.0.1");
  client = socket;
  socket.write("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  return { streams, tracked, socket };
}

describe("a response with an event stream", () => {
  test("is cut off when its client has stopped reading", async () => {
    const { tracked } = await open({ stallMs: 500, endMs: LONG_MS }, 65_536, 0);
    await expect.poll(() => tracked.isClosed, PATIENCE).toBe(true);
    await expect.poll(() => tracked.isCancelled, PATIENCE).toBe(true);
  });

  test("goes on as long as its client reads", async () => {
    const { tracked, socket } = await open({ stallMs: 500, endMs: LONG_MS }, 3, 50);
    socket.resume();
    await delay(1500);
    expect(tracked).toEqual({ isCancelled: false, isClosed: false });
  });

  test("is cut off soon after the server has closed when its client does not read", async () => {
    const { streams, tracked } = await open({ stallMs: LONG_MS, endMs: 300 }, 65_536, 0);
    await delay(500);
    expect(tracked.isClosed).toBe(false);
    streams.close();
    await expect.poll(() => tracked.isClosed, PATIENCE).toBe(true);
    expect(tracked.isCancelled).toBe(true);
  });

  test("ends properly when the server closes and its client reads late", async () => {
    const { streams, tracked, socket } = await open({ stallMs: LONG_MS, endMs: LONG_MS }, 65_536, 0);
    await delay(500);
    streams.close();
    await delay(100);
    let last = "";
    socket.on("data", (chunk: Buffer) => {
      last = (last + chunk.toString("latin1")).slice(-5);
    });
    await expect.poll(() => tracked.isClosed, PATIENCE).toBe(true);
    await expect.poll(() => last, PATIENCE).toBe("0\r\n\r\n");
  });
});
