import { randomInt } from "node:crypto";
import type { ServerResponse } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import pg from "pg";
import { afterEach, beforeEach, expect, it, onTestFinished, test } from "vitest";
import { type Sandbox, startSandbox } from "../../../src/sandbox/sandbox.js";
import { freePort } from "../../../tools/postgres.mjs";
import { describeOnForms, prepareTestDatabase, USUAL_FORMS } from "../../support/databases.js";
import { LiveBed, type LiveServer, NEWS, OTHER } from "../../support/liveServers.js";
import { askAt, ServerProcess } from "../../support/process.js";
import { makeWebhook, showWebhook } from "./administration.js";
import { isSigned, MAX_ATTEMPTS, mostOvertaking, Receiver, until } from "./receiver.js";

const ROUNDS = Number(process.env["CRASH_ROUNDS"] ?? 3);
const BOT = { id: 123456789, token: "123456789:AA-secret-of-the-bot", username: "a_bot", firstName: "A" };
const CHATS = [-1001111111111, -1002222222222];
const ADMIN_TOKEN = "an-admin-token-of-the-tests";

/** A page of a chat's member events, of the first ones; the list has the latest first. */
const EVENTS = `query ($chatId: TelegramID!, $before: String) {
  memberEvents(channelId: $chatId, last: 100, before: $before) {
    nodes { id kind } pageInfo { startCursor hasPreviousPage }
  }
}`;

/** Each value once, where it stands first. */
const firsts = (values: readonly string[]): string[] => [...new Set(values)];

await describeOnForms("deliveries", USUAL_FORMS, (form) => {
  let bed: LiveBed;
  let server: LiveServer;
  const receivers: Receiver[] = [];
  const listen = async () => {
    const receiver = await Receiver.listen();
    receivers.push(receiver);
    return receiver;
  };

  beforeEach(async () => {
    bed = await LiveBed.prepare(form);
    server = await bed.start(0, { webhookAllowPrivate: true });
  });
  afterEach(async () => {
    await bed.close();
    await Promise.all(receivers.splice(0).map((receiver) => receiver.close()));
  });

  it("arrive in the order of their events, whatever the receiver answers and however many come at once", async () => {
    const receiver = await listen();
    receiver.usual = (_request, response) => {
      setTimeout(() => response.writeHead(randomInt(8) === 0 ? 503 : 200).end("ok"), randomInt(8));
    };
    await makeWebhook(server, receiver.url, ["MEMBER_JOINED"], { channelIds: [NEWS] });
    for (let count = 0; count < 300; count += 1) bed.telegram.control.join(NEWS, bed.newPerson());
    await until(() => firsts(receiver.received.map(({ body }) => body.id)).length === 300);
    const ids: string[] = [];
    let before: string | null = null;
    do {
      const { data } = await server.ask(EVENTS, { chatId: NEWS, before });
      ids.push(...data.memberEvents.nodes.map(({ id }: { id: string }) => id).reverse());
      before = data.memberEvents.pageInfo.hasPreviousPage ? data.memberEvents.pageInfo.startCursor : null;
    } while (before !== null);
    const arrived = firsts(receiver.received.map(({ body }) => body.id));
    expect(new Set(arrived)).toEqual(new Set(ids));
    expect(mostOvertaking(arrived.map((id) => ids.indexOf(id)))).toBeLessThan(MAX_ATTEMPTS);
  });

  it("are not held up by receivers that stall, close or do not listen", async () => {
    const [stalling, closing, good] = [await listen(), await listen(), await listen()];
    let ended = 0;
    stalling.usual = (_request, response) =>
      response.once("close", () => {
        ended += 1;
      });
    closing.usual = (_request, response) => response.destroy();
    const nowhere = `http://127.0.0.1:${await freePort()}/hook`;
    const types = ["MEMBER_JOINED"];
    const bad: string[] = [];
    for (const url of [stalling.url, closing.url, nowhere])
      for (let count = 0; count < 5; count += 1) bad.push((await makeWebhook(server, url, types)).id);
    const { id } = await makeWebhook(server, good.url, types);
    for (let count = 0; count < 30; count += 1) bed.telegram.control.join(OTHER, bed.newPerson());
    await good.got(30);
    // The first attempts of those that stall are still waiting, and none of them has another attempt beside it.
    expect(ended).toBe(0);
    expect(stalling.received.length).toBeLessThanOrEqual(5);
    await until(
      async () => (await showWebhook(server, id, "states: [DELIVERED]")).deliveries.totalCount === 30,
    );
    await until(async () => {
      const { nodes } = (await showWebhook(server, bad[10] ?? "")).deliveries;
      return nodes.some(({ error }) => error?.includes("ECONNREFUSED"));
    });
  });

  it("are sent twenty at a time to a receiver that is slow, without a warning of Node.js", async () => {
    const warnings: string[] = [];
    const note = ({ name }: Error) => warnings.push(name);
    process.on("warning", note);
    const receiver = await listen();
    const held: ServerResponse[] = [];
    // Each answer lets one more attempt begin beside the others, up to the most.
    receiver.usual = (_request, response) => {
      if (receiver.received.length <= 2 * MAX_ATTEMPTS) response.writeHead(204).end();
      else held.push(response);
    };
    await makeWebhook(server, receiver.url, ["MEMBER_JOINED"]);
    for (let count = 0; count < 100; count += 1) bed.telegram.control.join(NEWS, bed.newPerson());
    await until(() => held.length >= MAX_ATTEMPTS);
    // A further attempt would begin meanwhile.
    await delay(500);
    expect(held).toHaveLength(MAX_ATTEMPTS);
    receiver.usual = 204;
    for (const response of held) response.writeHead(204).end();
    await receiver.got(100);
    process.off("warning", note);
    expect(warnings).toEqual([]);
  });

  it("count as delivered whatever body follows, of which little is read", async () => {
    const receiver = await listen();
    let sent = 0;
    receiver.usual = (_request, response) => {
      response.writeHead(200);
      const write = () => {
        if (response.destroyed || sent > 50_000_000) return;
        sent += 65_536;
        if (response.write(Buffer.alloc(65_536))) setImmediate(write);
        else response.once("drain", write);
      };
      write();
    };
    const { id } = await makeWebhook(server, receiver.url, ["MEMBER_JOINED"]);
    bed.telegram.control.join(NEWS, bed.newPerson());
    await until(async () => (await showWebhook(server, id)).deliveries.nodes[0]?.state === "DELIVERED");
    await delay(100);
    expect(sent).toBeLessThan(20_000_000);
  });
});

await describeOnForms("servers that are killed while deliveries are sent", ["server"], (form) => {
  test("lose none and keep their order", { timeout: 180_000 + ROUNDS * 60_000 }, async () => {
    const database = await prepareTestDatabase(form);
    const telegram: Sandbox = await startSandbox({
      bot: BOT,
      initial: { chats: CHATS.map((id) => ({ id, type: "channel" as const, title: `Chat ${id}` })) },
    });
    const client = new pg.Client(database.url ?? "");
    await client.connect();
    const receiver = await Receiver.listen();
    receiver.usual = (_request, response) => {
      if (randomInt(50) === 0) response.destroy();
      else setTimeout(() => response.writeHead(200).end(), randomInt(20));
    };
    const processes: ServerProcess[] = [];
    onTestFinished(async () => {
      await Promise.all(processes.map((server) => server.end("SIGKILL")));
      await client.end();
      await telegram.close();
      await receiver.close();
      await database.remove();
    });
    const start = async () => {
      const server = new ServerProcess({
        DATABASE_URL: database.url ?? "",
        TELEGRAM_BOT_TOKEN: BOT.token,
        TELEGRAM_API_ROOT: telegram.apiRoot,
        ADMIN_TOKEN,
        WEBHOOK_ALLOW_PRIVATE: "on",
      });
      processes.push(server);
      return { server, url: await server.ready() };
    };
    let servers = [await start(), await start()];
    const ask = (query: string, variables = {}) =>
      askAt(servers[0]?.url ?? "", ADMIN_TOKEN, query, { variables }) as never;
    const { secret } = await makeWebhook({ ask }, receiver.url, ["MEMBER_JOINED", "MEMBER_LEFT"]);
    let person = 0;
    for (let round = 0; round < ROUNDS; round += 1) {
      const end = Date.now() + 1500 + randomInt(1000);
      while (Date.now() < end) {
        for (const chat of CHATS) {
          person += 1;
          telegram.control.join(chat, { id: person, is_bot: false, first_name: "Somebody" });
          if (person % 3 === 0) telegram.control.leave(chat, person);
        }
        await delay(randomInt(15));
      }
      const victim = servers[randomInt(servers.length)];
      await victim?.server.end("SIGKILL");
      servers = [...servers.filter((server) => server !== victim), await start()];
    }
    await until(() => telegram.control.pendingUpdates().length === 0);
    const events = await client.query<{ id: string; channel: string }>(
      "select id, channel_id as channel from member_event where kind in ('JOINED', 'LEFT') order by channel_id, sequence",
    );
    const globalIds = events.rows.map(({ id, channel }) => ({
      id: Buffer.from(`MemberEvent:${id}`).toString("base64"),
      channel,
    }));
    const hurry = async () => {
      await client.query(
        "update webhook_delivery set due_at = now() where state = 'SCHEDULED' and due_at > now()",
      );
      const { rows } = await client.query(
        "select 1 from webhook_delivery where state in ('QUEUED', 'SCHEDULED') limit 1",
      );
      return rows.length === 0;
    };
    await until(hurry);
    expect(receiver.received.every((request) => isSigned(request, secret))).toBe(true);
    const arrived = firsts(receiver.received.map(({ body }) => body.id));
    const place = new Map(arrived.map((id, index) => [id, index]));
    expect(new Set(arrived)).toEqual(new Set(globalIds.map(({ id }) => id)));
    for (const channel of new Set(globalIds.map((event) => event.channel))) {
      const places = globalIds
        .filter((event) => event.channel === channel)
        .map(({ id }) => place.get(id) ?? -1);
      expect(mostOvertaking(places)).toBeLessThan(MAX_ATTEMPTS);
    }
    const repeated = receiver.received.filter(
      (request, index) => receiver.received.findIndex((other) => other.body.id === request.body.id) < index,
    );
    for (const request of repeated) {
      const first = receiver.received.find((other) => other.body.id === request.body.id);
      expect(request.text).toBe(first?.text);
      expect(request.headers["webhook-id"]).toBe(first?.headers["webhook-id"]);
    }
  });
});
