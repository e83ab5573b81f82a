import { createServer, type Server } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, describe, expect, test } from "vitest";
import type { Json } from "../../../src/graphql/executor/json.js";
import {
  EventStreams,
  type Results,
  type StreamCut,
  type StreamLimits,
} from "../../../src/http/graphql/eventStreams.js";

const PATIENCE = { timeout: 60_000, interval: 5 };
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

const NEVER: StreamLimits = {
  maxWaiting: Number.POSITIVE_INFINITY,
  commentMs: LONG_MS,
  stallMs: LONG_MS,
  endMs: LONG_MS,
};

interface Given {
  /** The size of each result, in bytes. */
  readonly bytes: number;
  /** Milliseconds before each result. */
  readonly pauseMs: number;
  /** How many results there are; without a number, results without an end. */
  readonly count?: number;
  readonly isLive?: boolean;
}

/** A client of one stream, which reads nothing yet. */
async function open(limits: Partial<StreamLimits>, { bytes, pauseMs, count, isLive = false }: Given) {
  /** Of the streams that have closed. */
  const cuts: (StreamCut | null)[] = [];
  const report = { onOpen() {}, onClose: (cut: StreamCut | null) => cuts.push(cut) };
  const streams = new EventStreams(report, { ...NEVER, ...limits });
  const tracked: Tracked = { isCancelled: false, isClosed: false };
  let given = 0;
  const results: Results = {
    isLive,
    isInterrupted: false,
    isRevoked: false,
    async next() {
      await delay(pauseMs);
      if (given === count) return { done: true, value: undefined };
      given += 1;
      return { done: false, value: { data: JSON.stringify("x".repeat(bytes)) as Json } };
    },
    async return() {
      tracked.isCancelled = true;
    },
  };
  server = createServer((_request, response) => {
    response.once("close", () => {
      tracked.isClosed = true;
    });
    const body = streams.open(results, response);
    body.on("error", () => {});
    response.once("close", () => body.destroy());
    body.pipe(response);
  });
  const started = server;
  await new Promise<void>((resolve) => started.listen(0, "127.0.0.1", resolve));
  const socket = connect((started.address() as AddressInfo).port, "127.0.0.1");
  client = socket;
  socket.write("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  return { streams, tracked, cuts, socket, given: () => given };
}

const MEBIBYTE = 1_048_576;

describe("a response with an event stream", () => {
  test("is cut off when its client has stopped reading", async () => {
    const { tracked, cuts } = await open({ stallMs: 500 }, { bytes: 65_536, pauseMs: 0 });
    await expect.poll(() => tracked.isClosed, PATIENCE).toBe(true);
    await expect.poll(() => tracked.isCancelled, PATIENCE).toBe(true);
    await expect.poll(() => cuts, PATIENCE).toEqual(["slow"]);
  });

  test("goes on as long as its client reads", async () => {
    const { tracked, socket, given } = await open({ stallMs: 1000 }, { bytes: 3, pauseMs: 50 });
    socket.resume();
    // Takes at least three times as long as a client may stop reading.
    await expect.poll(given, PATIENCE).toBe(60);
    expect(tracked).toEqual({ isCancelled: false, isClosed: false });
  });

  test("is cut off soon after the server has closed when its client does not read", async () => {
    const { streams, tracked, cuts } = await open({ endMs: 300 }, { bytes: 65_536, pauseMs: 0 });
    await delay(500);
    expect(tracked.isClosed).toBe(false);
    streams.close();
    await expect.poll(() => tracked.isClosed, PATIENCE).toBe(true);
    expect(tracked.isCancelled).toBe(true);
    await expect.poll(() => cuts, PATIENCE).toEqual(["shutdown"]);
  });

  test("ends properly when the server closes and its client reads late", async () => {
    const { streams, tracked, socket } = await open({}, { bytes: 65_536, pauseMs: 0 });
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

  test("is cut off when more than a mebibyte of live results waits, and no more than that is taken from the source", async () => {
    const given = { bytes: 65_536, pauseMs: 0, isLive: true };
    const { tracked, cuts, socket, given: count } = await open({ maxWaiting: MEBIBYTE }, given);
    await expect.poll(() => tracked.isClosed, PATIENCE).toBe(true);
    expect(tracked.isCancelled).toBe(true);
    await expect.poll(() => cuts, PATIENCE).toEqual(["slow"]);
    // What the operating system's buffers hold is not counted.
    let read = 0;
    socket.on("data", (chunk: Buffer) => {
      read += chunk.length;
    });
    await expect.poll(() => socket.destroyed, PATIENCE).toBe(true);
    expect(count() * 65_536 - read).toBeLessThan(2 * MEBIBYTE + 65_536);
  });

  test("is not cut off while a client takes its time over what happened before, and takes no more than the client reads", async () => {
    const { tracked, socket, given } = await open({ maxWaiting: MEBIBYTE }, { bytes: 65_536, pauseMs: 0 });
    for (let before = -1; before <= 0 || before !== given(); await delay(500)) before = given();
    const stalled = given();
    expect(tracked).toEqual({ isCancelled: false, isClosed: false });
    socket.resume();
    await expect.poll(given, PATIENCE).toBeGreaterThan(stalled + 100);
  });

  test("has a comment whenever nothing was sent for a while, and none among results that wait", async () => {
    const { socket, cuts } = await open({ commentMs: 50 }, { bytes: 3, pauseMs: 400, count: 2 });
    let text = "";
    socket.on("data", (chunk: Buffer) => {
      text += chunk.toString("latin1");
    });
    await new Promise((resolve) => socket.once("close", resolve));
    const parts = text.split(/\r\n[0-9a-f]+\r\n/).slice(1);
    expect(parts.filter((part) => part.startsWith(":")).length).toBeGreaterThanOrEqual(4);
    expect(parts.filter((part) => part.startsWith("event: next"))).toHaveLength(2);
    expect(text).toContain("event: complete");
    expect(cuts).toEqual([null]);
  });
});
