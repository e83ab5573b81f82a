// A simulated Bot API server that has as many updates as are asked for, so that the benchmark measures receiving them. By
// polling it answers at once; a webhook gets CALLS calls at a time, or RATE new ones a second, each repeated until it is
// answered 200. Environment: CHANNELS, the number of channels that the updates are about; FIRST, the id of the first one; RATE.

import http from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { countsOf, record } from "./latencies.mjs";
import { Updates } from "./updates.mjs";

const BOT = { id: 7000000001, is_bot: true, first_name: "Bench", username: "bench_bot" };
/** As many as Telegram answers with. */
const BATCH = 100;
/** Half of what Telegram makes at most. */
const CALLS = 50;

/** At a rate: all that Telegram makes at most. */
const MOST_CALLS = 100;

const first = Number(process.env["FIRST"]);
/** Calls a second; 0: always CALLS at a time. */
const rate = Number(process.env["RATE"] ?? 0);
const updates = new Updates({ first, channels: Number(process.env["CHANNELS"]) });
let acknowledged = first;
/** The updates that were sent and are not acknowledged. @type {any[]} */
let sent = [];
/** @type {{ url: string, secret: string } | null} */
let webhook = null;
/** From when an update is there until it is acknowledged. */
let latencies = countsOf();
const agent = new http.Agent({ keepAlive: true, maxSockets: rate === 0 ? CALLS : MOST_CALLS });

/** @param {{ url: string, secret: string }} to @param {string} body @returns {Promise<number | undefined>} */
const post = ({ url, secret }, body) =>
  new Promise((resolve) => {
    const headers = { "content-type": "application/json", "x-telegram-bot-api-secret-token": secret };
    const request = http.request(url, { method: "POST", agent, headers }, (response) => {
      response.resume();
      response.on("end", () => resolve(response.statusCode));
    });
    request.on("error", () => resolve(undefined)).end(body);
  });

/** @param {{ url: string, secret: string }} to @param {number} since when the update was there */
async function deliver(to, since) {
  const body = JSON.stringify(updates.next());
  while ((await post(to, body)) !== 200) await delay(100);
  acknowledged += 1;
  record(latencies, performance.now() - since);
}

/** One call after the other, until this process ends. @param {{ url: string, secret: string }} to */
async function deliverAlways(to) {
  for (;;) await deliver(to, performance.now());
}

/** `rate` calls a second, until this process ends. @param {{ url: string, secret: string }} to */
async function deliverAtRate(to) {
  const start = performance.now();
  for (let count = 0; ; count += 1) {
    const due = start + (count * 1000) / rate;
    if (due > performance.now()) await delay(due - performance.now());
    void deliver(to, due);
  }
}

/** @type {Record<string, (parameters: any) => unknown>} */
const METHODS = {
  getMe: () => BOT,
  getWebhookInfo: () => ({ url: webhook?.url ?? "", pending_update_count: 0 }),
  getChatMemberCount: () => 1000,
  deleteWebhook: () => true,
  setWebhook({ url, secret_token: secret }) {
    const to = { url, secret };
    if (webhook === null && rate > 0) void deliverAtRate(to);
    else if (webhook === null) for (let call = 0; call < CALLS; call += 1) void deliverAlways(to);
    webhook = to;
    return true;
  },
  getUpdates({ offset }) {
    if (offset !== undefined) {
      acknowledged = Math.max(acknowledged, Number(offset));
      sent = sent.filter(({ update_id }) => update_id >= Number(offset));
    }
    if (sent.length === 0) sent = updates.take(BATCH);
    return sent;
  },
};

const server = http.createServer((request, response) => {
  let body = "";
  request.setEncoding("utf8").on("data", (part) => {
    body += part;
  });
  request.on("end", () => {
    const path = request.url ?? "";
    response.setHeader("content-type", "application/json");
    const method = METHODS[path.slice(path.lastIndexOf("/") + 1)];
    if (path === "/acknowledged") {
      response.end(JSON.stringify({ count: acknowledged - first, latencies }));
      latencies = countsOf();
    } else if (method === undefined)
      response.writeHead(404).end(JSON.stringify({ ok: false, error_code: 404, description: "Not Found" }));
    else response.end(JSON.stringify({ ok: true, result: method(body === "" ? {} : JSON.parse(body)) }));
  });
});
server.listen(0, "127.0.0.1", () => {
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  console.error(`ready: http://127.0.0.1:${port}`);
});
