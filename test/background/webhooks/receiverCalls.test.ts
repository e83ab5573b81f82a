import { createServer, type Socket } from "node:net";
import { afterEach, beforeEach, expect, it, onTestFinished } from "vitest";
import { NameLookups } from "../../../src/background/webhooks/nameLookups.js";
import { MAX_CONNECTIONS, ReceiverCalls } from "../../../src/background/webhooks/receiverCalls.js";
import { allowedAddresses, type Resolve, resolveName } from "../../../src/domain/webhooks/addresses.js";
import { freePort } from "../../../tools/postgres.mjs";
import { PRIVATE_ADDRESSES } from "../../domain/webhooks/privateAddresses.js";
import { Receiver, until } from "./receiver.js";

const NEVER = new AbortController().signal;
const PRIVATE = "The address leads to a private or reserved network.";

let receiver: Receiver;
const opened: ReceiverCalls[] = [];

beforeEach(async () => {
  receiver = await Receiver.listen();
});
afterEach(async () => {
  await Promise.all(opened.splice(0).map((calls) => calls.close()));
  await receiver.close();
});

const resolveTo =
  (...addresses: string[]): Resolve =>
  async () =>
    addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 }));

function callsOf(allowPrivate: boolean, resolve: Resolve = resolveName): ReceiverCalls {
  const calls = new ReceiverCalls(allowPrivate, resolve);
  opened.push(calls);
  return calls;
}

const get = (calls: ReceiverCalls, url: string, signal = NEVER, webhookId = "a webhook") =>
  calls.call({ webhookId, url, method: "GET", headers: {}, body: null }, () => {}, signal);

it("an attempt is made to the address that was judged, under the receiver's name", async () => {
  let lookups = 0;
  const calls = callsOf(true, (name) => {
    lookups += 1;
    return resolveTo("127.0.0.1")(name);
  });
  for (let count = 0; count < 3; count += 1)
    expect(await get(calls, `http://name.example:${receiver.port}/a?b=c`)).toEqual({
      isDelivered: true,
      status: 204,
      error: null,
    });
  expect(receiver.received.map(({ path, headers }) => [path, headers.host])).toEqual(
    Array.from({ length: 3 }, () => ["/a?b=c", `name.example:${receiver.port}`]),
  );
  expect(lookups).toBe(3);
});

it("an attempt is refused without a connection if the name leads to a private address by now", async () => {
  for (const address of PRIVATE_ADDRESSES) {
    const calls = callsOf(false, resolveTo(address));
    const outcome = await get(calls, `https://name.example:${receiver.port}/`);
    expect({ address, ...outcome }).toEqual({ address, isDelivered: false, status: null, error: PRIVATE });
  }
  const port = receiver.port;
  const calls = callsOf(false);
  for (const url of [
    `https://127.0.0.1:${port}/`,
    `https://[::1]:${port}/`,
    `https://localhost:${port}/`,
    `http://8.8.8.8:${port}/`,
  ])
    expect(await get(calls, url)).toEqual({ isDelivered: false, status: null, error: PRIVATE });
  expect(receiver.received).toEqual([]);
});

it("an attempt leaves out the private addresses of a name that has public ones too", async () => {
  const url = new URL("https://name.example/");
  expect(await allowedAddresses(url, false, resolveTo("127.0.0.1", "8.8.8.8", "fd00::1"))).toEqual([
    { address: "8.8.8.8", family: 4 },
  ]);
});

it("errors name no address", async () => {
  const outcome = await get(callsOf(true), `http://127.0.0.1:${await freePort()}/?secret=1`);
  expect(outcome).toEqual({
    isDelivered: false,
    status: null,
    error: "The receiver could not be reached, or ended the connection (ECONNREFUSED).",
  });
  const unknown = callsOf(true, async () => {
    throw Object.assign(new Error("getaddrinfo ENOTFOUND name.example"), { code: "ENOTFOUND" });
  });
  expect(await get(unknown, "http://name.example/")).toMatchObject({
    error: "The receiver could not be reached, or ended the connection (ENOTFOUND).",
  });
});

it.each([201, 299, 300, 301, 302, 303, 304, 307, 308, 400, 404, 410, 429, 500, 599])(
  "a status of %i decides",
  async (status) => {
    receiver.usual = (_request, response) =>
      response.writeHead(status, { location: "http://127.0.0.1:1/" }).end("body");
    const outcome = await get(callsOf(true), receiver.url);
    expect(outcome).toMatchObject({ isDelivered: status < 300, status });
    expect(outcome.error === null).toBe(status < 300);
    expect(receiver.received).toHaveLength(1);
  },
);

/** Answers each connection with raw bytes. */
async function listenRaw(onConnection: (socket: Socket) => void): Promise<string> {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    onConnection(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.close();
  });
  const address = server.address();
  return `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}/`;
}

const OK_HEAD = "HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n";
const write = (text: string) => (socket: Socket) => {
  socket.on("data", () => socket.write(text));
};
/** Writes without an end, `everyMs`. */
const trickle = (begin: string, text: string, everyMs: number) => (socket: Socket) => {
  socket.once("data", () => {
    socket.write(begin);
    const timer = setInterval(() => socket.write(text), everyMs);
    socket.on("close", () => clearInterval(timer));
  });
};

it("an attempt ends after 15 s whatever comes instead of a status", async () => {
  const reactions = [
    () => {},
    write("HTTP/1.1 200 OK\r\nx-a: b\r\n"),
    trickle("HTTP/1.1 200 OK\r\nx-a: ", "b", 1000),
    trickle("", "HTTP/1.1 103 Early Hints\r\n\r\n", 500),
  ];
  const calls = callsOf(true);
  const outcomes = await Promise.all(
    reactions.map(async (react, index) => get(calls, await listenRaw(react), NEVER, `webhook ${index}`)),
  );
  const late = { isDelivered: false, status: null, error: "No answer came within 15 s." };
  expect(outcomes).toEqual(reactions.map(() => late));
});

it.each([
  ["stalls after the head", write(OK_HEAD)],
  ["sends one byte a second", trickle(OK_HEAD, "b", 1000)],
  ["never ends its body", trickle("HTTP/1.1 200 OK\r\n\r\n", "b".repeat(65_536), 1)],
  ["ends the connection within its body", (socket: Socket) => socket.once("data", () => socket.end(OK_HEAD))],
  ["has sent a provisional answer", write(`HTTP/1.1 103 Early Hints\r\n\r\n${OK_HEAD}`)],
])("a receiver that answers 200 and %s has got the delivery, and is called anew", async (_what, react) => {
  const ends: Promise<unknown>[] = [];
  const url = await listenRaw((socket) => {
    ends.push(new Promise((resolve) => socket.on("close", resolve)));
    react(socket);
  });
  const calls = callsOf(true);
  for (let count = 0; count < 2; count += 1)
    expect(await get(calls, url)).toEqual({ isDelivered: true, status: 200, error: null });
  // The connections are given up without waiting for the rest.
  await Promise.all(ends);
  expect(ends.length).toBeGreaterThan(0);
});

it.each([
  ["closes at once", (socket: Socket) => socket.destroy(), "could not be reached, or ended"],
  [
    "resets the connection",
    (socket: Socket) => socket.on("data", () => socket.resetAndDestroy()),
    "could not be reached, or ended",
  ],
  ["is no HTTP server", write("502 5.5.2 mail.example\r\n"), "was not valid HTTP"],
  [
    "sends an endless head",
    trickle("HTTP/1.1 200 OK\r\n", `x: ${"b".repeat(9000)}\r\n`, 1),
    "was not valid HTTP",
  ],
  [
    "switches the protocol",
    write("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n"),
    "could not be reached, or ended",
  ],
])("an attempt at a receiver that %s fails at once and says so", async (_what, react, message) => {
  const url = await listenRaw(react);
  const calls = callsOf(true);
  for (let count = 0; count < 2; count += 1)
    expect(await get(calls, url)).toEqual({
      isDelivered: false,
      status: null,
      error: expect.stringContaining(message),
    });
});

it("an attempt waits for no other webhook of the same receiver", async () => {
  receiver.usual = ({ path }, response) => {
    if (path === "/quick") response.writeHead(204).end();
  };
  const calls = callsOf(true);
  const url = receiver.url;
  const ended = new AbortController();
  const stalled = Array.from({ length: MAX_CONNECTIONS }, () => get(calls, url, ended.signal, "one"));
  await receiver.got(MAX_CONNECTIONS);
  const quick = get(calls, new URL("/quick", url).href, NEVER, "other");
  const first = await Promise.race([quick, ...stalled]);
  expect(first).toEqual({ isDelivered: true, status: 204, error: null });
  ended.abort();
});

/** Lookups of which those of names that begin with "slow" last until they are released. */
function lookupsOf(slowMs: number) {
  const waiting: (() => void)[] = [];
  const asked: string[] = [];
  const lookups = new NameLookups(async (name) => {
    asked.push(name);
    if (name.startsWith("slow")) await new Promise<void>((resolve) => waiting.push(resolve));
    return [{ address: "127.0.0.1", family: 4 }];
  }, slowMs);
  const release = () => {
    for (const resolve of waiting.splice(0)) resolve();
  };
  return { lookUp: lookups.lookUp, asked, release };
}

it("names that are slow to look up, even if not very slow, hold up no other name", async () => {
  const { lookUp, asked, release } = lookupsOf(60_000);
  const waiting = [lookUp("slow.example"), lookUp("slow.example"), lookUp("slow2.example")];
  await lookUp("quick.example");
  await lookUp("other.example");
  expect(asked).toEqual(["slow.example", "slow2.example", "quick.example", "other.example"]);
  release();
  await Promise.all(waiting);
});

it("names that have been slow to look up wait for each other", async () => {
  const { lookUp, asked, release } = lookupsOf(0);
  const lookUpBoth = () => [lookUp("slow.example"), lookUp("slow2.example")];
  const first = lookUpBoth();
  await until(() => asked.length === 2);
  release();
  await Promise.all(first);
  const second = lookUpBoth();
  await lookUp("quick.example");
  expect(new Set(asked.slice(2))).toEqual(new Set(["slow.example", "quick.example"]));
  for (const found of second) {
    release();
    await found;
    await until(() => asked.length === 5);
  }
});
