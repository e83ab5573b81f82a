// The part `live`: how soon subscribers see member events, for several servers on one database. Telegram's updates come by
// webhook, one a call, and go to the servers in turn.

import { randomUUID } from "node:crypto";
import http from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import pg from "pg";
import { countsOf, percentile, record } from "./latencies.mjs";
import { machine } from "./machine.mjs";
import { cpuOf, makeToken, migrate, startThisServer } from "./processes.mjs";
import { startTelegram, telegramEnvironment } from "./servers.mjs";

const SECRET = "the_secret-of-the-webhook";
const FIRST_CHAT = -1_001_000_000_000;
/** Users are numbered from here in the order in which they join, so that an event tells when it was sent. */
const FIRST_USER = 5_000_000_000;
const EVERY_MS = 10;
const DOCUMENT =
  "subscription ($channelId: TelegramID!) { memberEvents(channelId: $channelId) { id kind userId occurredAt inviteLink { id name } } }";

/** @param {Iterable<number>} latencies */
function summary(latencies) {
  const counts = countsOf();
  for (const latency of latencies) record(counts, latency);
  return { p50: percentile([counts], 0.5), p99: percentile([counts], 0.99) };
}

/** @param {number} chat @param {number} user @param {number} id */
function joinOf(chat, user, id) {
  const person = { id: user, is_bot: false, first_name: "Somebody" };
  return JSON.stringify({
    update_id: id,
    chat_member: {
      chat: { id: chat, type: "channel", title: `Channel ${chat}` },
      from: person,
      date: Math.floor(Date.now() / 1000),
      old_chat_member: { user: person, status: "left" },
      new_chat_member: { user: person, status: "member" },
      invite_link: {
        invite_link: `https://t.me/+live${-chat}`,
        creator: { id: 7_000_000_001, is_bot: true, first_name: "Bench" },
        name: "A link",
        creates_join_request: false,
        is_primary: false,
        is_revoked: false,
      },
    },
  });
}

/**
 * Opens an event stream. Resolves when it has begun.
 * @param {URL} server @param {string} token @param {number} chat
 * @param {(user: number) => void} onEvent
 * @returns {Promise<{ end: () => void, cutOff: Promise<never> }>}
 */
function subscribe(server, token, chat, onEvent) {
  return new Promise((resolve, reject) => {
    const request = http.request(
      new URL("/graphql", server),
      {
        method: "POST",
        agent: false,
        headers: {
          authorization: `Bearer ${token}`,
          accept: "text/event-stream",
          "content-type": "application/json",
        },
      },
      (response) => {
        let rest = "";
        let isOver = false;
        response.setEncoding("latin1");
        const cutOff = new Promise((_resolve, fail) => {
          response.on("close", () => {
            if (!isOver) fail(new Error("An event stream has ended."));
          });
        });
        cutOff.catch(() => {});
        response.on("data", (/** @type {string} */ text) => {
          const events = (rest + text).split("\n\n");
          rest = events.pop() ?? "";
          for (const event of events) {
            const user = /"userId":(\d+)/.exec(event)?.[1];
            if (user !== undefined) onEvent(Number(user));
          }
        });
        response.once("data", () =>
          resolve({
            end() {
              isOver = true;
              request.destroy();
            },
            cutOff: /** @type {Promise<never>} */ (cutOff),
          }),
        );
      },
    );
    request.on("error", reject);
    request.end(JSON.stringify({ query: DOCUMENT, variables: { channelId: chat } }));
  });
}

/** @param {URL} server @param {http.Agent} agent @param {string} body @returns {Promise<number>} the answer's status */
function send(server, agent, body) {
  return new Promise((resolve, reject) => {
    const headers = { "content-type": "application/json", "x-telegram-bot-api-secret-token": SECRET };
    const request = http.request(
      new URL("/telegram/webhook", server),
      { method: "POST", agent, headers },
      (response) => {
        response.resume();
        response.on("end", () => resolve(response.statusCode ?? 0));
      },
    );
    request.on("error", reject);
    request.end(body);
  });
}

/**
 * @param {string} postgres
 * @param {{ servers: number, channels: number, subscribers: number, rates: readonly number[], milliseconds: number,
 *   say: (line: string) => void }} options
 */
export async function measureLive(postgres, { servers, channels, subscribers, rates, milliseconds, say }) {
  const name = `live_${randomUUID().replaceAll("-", "")}`;
  const admin = new pg.Client(postgres);
  await admin.connect();
  await admin.query(`create database ${name}`);
  const url = new URL(postgres);
  url.pathname = name;
  const telegram = startTelegram();
  const environment = {
    ...telegramEnvironment(await telegram.ready()),
    DATABASE_URL: url.href,
    TELEGRAM_UPDATES: "webhook",
    TELEGRAM_WEBHOOK_URL: "https://bench.example.com/telegram/webhook",
    TELEGRAM_WEBHOOK_SECRET: SECRET,
    SHUTDOWN_DELAY_MS: "0",
  };
  await migrate(environment);
  const token = await makeToken(environment);
  const processes = Array.from({ length: servers }, () => startThisServer(environment));
  const agent = new http.Agent({ keepAlive: true, maxSockets: 64 });
  const chats = Array.from({ length: channels }, (_, index) => FIRST_CHAT - index);
  /** By number of the event, in the order of sending. @type {number[]} */
  const sentAt = [];
  /** @type {number[]} */
  const storedAt = [];
  /** @type {[number, number][]} */
  let seen = [];
  try {
    const addresses = await Promise.all(processes.map((server) => server.ready()));
    const address = (/** @type {number} */ index) => /** @type {URL} */ (addresses[index % servers]);
    const sendNext = async () => {
      const number = sentAt.length;
      const chat = /** @type {number} */ (chats[number % channels]);
      sentAt.push(performance.now());
      const status = await send(address(number), agent, joinOf(chat, FIRST_USER + number, number + 1));
      if (status !== 200) throw new Error(`An update was answered ${status}.`);
      storedAt[number] = performance.now();
    };
    // The channels and their links become known before anybody subscribes.
    for (const _ of chats) await sendNext();
    say(`live: ${subscribers} subscribers of ${channels} channels on ${servers} server(s)`);
    const streams = await Promise.all(
      Array.from({ length: subscribers }, (_, index) =>
        subscribe(address(index), token, /** @type {number} */ (chats[index % channels]), (user) =>
          seen.push([user - FIRST_USER, performance.now()]),
        ),
      ),
    );
    const cutOff = Promise.race(streams.map((stream) => stream.cutOff));
    const cpuOfServers = () => processes.reduce((sum, { pid }) => sum + cpuOf(pid), 0);
    /** @param {number} rate @param {number} duration */
    const phase = async (rate, duration) => {
      seen = [];
      const from = sentAt.length;
      const cpu = cpuOfServers();
      const began = performance.now();
      const sending = [];
      while (performance.now() - began < duration) {
        const due = Math.floor(((performance.now() - began) / 1000) * rate);
        while (sentAt.length - from < due) sending.push(sendNext());
        await Promise.race([delay(EVERY_MS), cutOff]);
      }
      await Promise.all(sending);
      const events = sentAt.length - from;
      const deliveries = (events * subscribers) / channels;
      const deadline = performance.now() + 10_000;
      while (seen.length < deliveries && performance.now() < deadline)
        await Promise.race([delay(EVERY_MS), cutOff]);
      const spent = cpuOfServers() - cpu;
      const missing = deliveries - seen.length;
      const times = (/** @type {number[]} */ since) =>
        summary(seen.map(([number, time]) => Math.max(0, time - (since[number] ?? Number.NaN))));
      return {
        rate,
        events,
        deliveries: seen.length,
        missing,
        sentToStored: summary(
          sentAt.slice(from).map((time, index) => (storedAt[from + index] ?? Number.NaN) - time),
        ),
        sentToSeen: times(sentAt),
        storedToSeen: times(storedAt),
        cpuOfServers: spent / (performance.now() - began),
      };
    };
    await phase(rates[0] ?? 100, 2000);
    const phases = [];
    for (const rate of rates) {
      const measured = await phase(rate, milliseconds);
      phases.push(measured);
      const { storedToSeen, sentToSeen, missing } = measured;
      say(
        `live: ${rate} events/s: stored to seen p50 ${storedToSeen.p50.toFixed(1)} ms, p99 ${storedToSeen.p99.toFixed(1)} ms; sent to seen p99 ${sentToSeen.p99.toFixed(1)} ms; ${missing} missing`,
      );
    }
    for (const stream of streams) stream.end();
    return {
      kind: "live",
      servers,
      channels,
      subscribers,
      milliseconds,
      ...(await machine(url.href)),
      phases,
    };
  } finally {
    agent.destroy();
    await Promise.all(processes.map((server) => server.stop()));
    await telegram.stop();
    await admin.query(`drop database ${name} with (force)`);
    await admin.end();
  }
}
