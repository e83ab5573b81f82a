import { createServer, type Server } from "node:net";
import { afterEach, beforeEach, expect, it } from "vitest";
import { NameLookups } from "../../../src/background/webhooks/nameLookups.js";
import { ReceiverCalls } from "../../../src/background/webhooks/receiverCalls.js";
import { allowedAddresses, type Resolve } from "../../../src/domain/webhooks/addresses.js";
import { PRIVATE_ADDRESSES } from "../../domain/webhooks/privateAddresses.js";
import { Receiver } from "./receiver.js";

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

function callsOf(allowPrivate: boolean, resolve?: Resolve): ReceiverCalls {
  const calls = new ReceiverCalls(allowPrivate, resolve);
  opened.push(calls);
  return calls;
}

const get = (calls: ReceiverCalls, url: string, signal = NEVER) =>
  calls.call({ url, method: "GET", headers: {}, body: null }, () => {}, signal);

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
  const { port } = receiver;
  await receiver.close();
  receiver = await Receiver.listen();
  const outcome = await get(callsOf(true), `http://127.0.0.1:${port}/?secret=1`);
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

it.each([199, 201, 299, 300, 301, 307, 400, 404, 410, 500, 599].filter((status) => status >= 200))(
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

it("an attempt ends after 15 s without an answer, also if only its head or nothing of it comes", async () => {
  const half: Server = createServer((socket) => socket.write("HTTP/1.1 200 OK\r\nx-a: b\r\n"));
  await new Promise<void>((resolve) => half.listen(0, "127.0.0.1", resolve));
  const address = half.address();
  const port = typeof address === "object" ? address?.port : 0;
  receiver.usual = () => {};
  const calls = callsOf(true);
  const outcomes = await Promise.all([get(calls, receiver.url), get(calls, `http://127.0.0.1:${port}/`)]);
  const late = { isDelivered: false, status: null, error: "No answer came within 15 s." };
  expect(outcomes).toEqual([late, late]);
  await calls.close();
  half.close();
});

it("a name that is slow to look up holds up no other name", async () => {
  let release = (): void => {};
  const slow = new Promise<void>((resolve) => {
    release = resolve;
  });
  const asked: string[] = [];
  const lookups = new NameLookups(async (name) => {
    asked.push(name);
    if (name.startsWith("slow")) await slow;
    return [{ address: "127.0.0.1", family: 4 }];
  }, 5);
  const waiting = [lookups.lookUp("slow.example"), lookups.lookUp("slow.example")];
  await lookups.lookUp("quick.example");
  await lookups.lookUp("other.example");
  expect(asked).toEqual(["slow.example", "quick.example", "other.example"]);
  release();
  await Promise.all(waiting);
});
