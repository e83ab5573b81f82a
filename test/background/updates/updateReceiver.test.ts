import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Telegram } from "telegraf";
import { expect, onTestFinished, test } from "vitest";
import { POLLER_TIMES } from "../../../src/background/updates/poller.js";
import { UPDATE_KINDS } from "../../../src/telegram/updates.js";
import { caller } from "../../sandbox/support.js";
import { ALL_FORMS, describeOnForms } from "../../support/databases.js";
import { BOT, NEWS, person, type TestReceiver, UpdatesBed } from "./bed.js";

/** An error as the database gives it while it is not reachable. */
const unreachable = () => Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" });

const messages = ({ log }: TestReceiver, level: string) =>
  log.filter((line) => line.level === level).map(({ msg }) => msg);

await describeOnForms("receiving by polling", ALL_FORMS, (form) => {
  test("the server's start waits until Telegram was asked for exactly the three kinds of updates", async () => {
    const bed = await UpdatesBed.prepare(form);
    await bed.start();
    expect(bed.control.calls("getUpdates")[0]?.parameters).toEqual({
      limit: 100,
      timeout: 0,
      allowed_updates: [...UPDATE_KINDS],
    });
    bed.control.join(NEWS, person(1));
    expect(bed.pending).toHaveLength(1);
  });

  test("updates are received in order, and acknowledged only after they are stored", async () => {
    const bed = await UpdatesBed.prepare(form);
    const { ingestion } = await bed.start();
    let release = () => {};
    const stored = new Promise<void>((resolve) => {
      release = resolve;
    });
    let begun = () => {};
    const storing = new Promise<void>((resolve) => {
      begun = resolve;
    });
    ingestion.before = () => {
      begun();
      return stored;
    };
    for (let id = 1; id <= 5; id += 1) bed.control.join(NEWS, person(id));
    await storing;
    const sent = bed.pending;
    expect(sent).toHaveLength(5);
    release();
    await ingestion.received(5);
    await expect.poll(() => bed.pending).toEqual([]);
    expect(bed.control.calls("getUpdates").at(-1)?.parameters).toMatchObject({
      offset: (sent.at(-1) ?? 0) + 1,
    });
    expect(ingestion.ids).toEqual(sent);
    expect(ingestion.batches.flat().map(({ content }) => content)).toMatchObject(
      [1, 2, 3, 4, 5].map((userId) => ({ kind: "member", userId, wasIn: false, isIn: true })),
    );
  });

  test("while the database is away nothing is acknowledged, and nothing is lost", async () => {
    const bed = await UpdatesBed.prepare(form);
    const { ingestion } = await bed.start();
    let tries = 0;
    ingestion.before = () => {
      tries += 1;
      if (tries <= 3) throw unreachable();
    };
    bed.control.join(NEWS, person(1));
    await ingestion.received(1);
    expect(tries).toBe(4);
    // The same batch is stored again without asking Telegram.
    expect(ingestion.batches).toHaveLength(1);
    await expect.poll(() => bed.pending).toEqual([]);
  });

  test("after an unexpected failure of storing, updates are tried again and the log tells once", async () => {
    const bed = await UpdatesBed.prepare(form);
    const receiver = await bed.start();
    let tries = 0;
    receiver.ingestion.before = () => {
      tries += 1;
      if (tries <= 3) throw new TypeError("a fault of the program");
    };
    bed.control.join(NEWS, person(1));
    await receiver.ingestion.received(1);
    expect(messages(receiver, "error")).toEqual(["updates could not be stored and are tried again"]);
  });

  test("what is no update, and answers of another form, do not stop the others", async () => {
    const bed = await UpdatesBed.prepare(form);
    // The update without an id keeps the offset from going on: asked again sooner, the sandbox gives only that one, as
    // Telegram does.
    const { ingestion } = await bed.start({ times: { sameOffsetMs: POLLER_TIMES.sameOffsetMs } });
    const deep = `${"[".repeat(200_000)}${"]".repeat(200_000)}`;
    bed.control.fail({ kind: "not-json" }, { method: "getUpdates" });
    bed.control.fail({ kind: "half-body" }, { method: "getUpdates" });
    bed.control.fail({ kind: "cut", effect: "after" }, { method: "getUpdates" });
    bed.control.inject({ update_id: Number.NaN, chat_member: {} });
    bed.control.inject({ chat_member: { odd: true } });
    bed.control.inject({ chat_member: JSON.parse(deep.slice(199_000, 201_000)) });
    bed.control.join(NEWS, person(1));
    await ingestion.received(3);
    const kinds = new Map(ingestion.batches.flat().map(({ updateId, content }) => [updateId, content.kind]));
    expect([...kinds.values()]).toEqual(["unreadable", "unreadable", "member"]);
    await expect.poll(() => bed.pending.filter((id) => !Number.isNaN(id))).toEqual([]);
  });

  test("a revoked token, server errors and a silent Telegram are waited out", async () => {
    const bed = await UpdatesBed.prepare(form);
    const { ingestion, calls } = await bed.start();
    const method = "getUpdates";
    const restore = bed.control.fail({ kind: "unauthorized" }, { method });
    bed.control.join(NEWS, person(1));
    await expect
      .poll(() => calls.filter(({ failure }) => failure?.kind === "unauthorized").length)
      .toBeGreaterThan(2);
    bed.control.join(NEWS, person(2));
    restore();
    await ingestion.received(2);
    bed.control.fail({ kind: "server-error", status: 502, body: "html" }, { method, times: 3 });
    bed.control.join(NEWS, person(3));
    await ingestion.received(3);
    await expect.poll(() => calls.filter(({ failure }) => failure?.kind === "unavailable").length).toBe(3);
    bed.control.join(NEWS, person(4));
    await ingestion.received(4);
    expect(new Set(ingestion.ids).size).toBe(4);
  });

  test("a 429 is obeyed for its time by getUpdates alone", async () => {
    const bed = await UpdatesBed.prepare(form);
    await bed.start();
    bed.control.fail({ kind: "too-many-requests", retryAfter: 1 }, { method: "getUpdates" });
    const first = await bed.control.nextCall("getUpdates");
    const second = await bed.control.nextCall("getUpdates");
    expect(second.at.getTime() - first.at.getTime()).toBeGreaterThanOrEqual(900);
    expect(second.parameters).toEqual(first.parameters);
  });

  test("somebody else's polling is shown as a conflict, waited out, and over when it ends", async () => {
    const bed = await UpdatesBed.prepare(form);
    const one = await bed.start({ times: { longPollSeconds: 1 } });
    const call = caller(new Telegram(BOT.token, { apiRoot: bed.telegram.apiRoot }));
    expect(one.receiver.status.conflict).toBe(false);
    await expect
      .poll(async () => {
        await call("getUpdates", { offset: 1 });
        return one.receiver.status.conflict;
      })
      .toBe(true);
    bed.control.join(NEWS, person(1));
    await one.ingestion.received(1);
    await expect.poll(() => one.receiver.status.conflict).toBe(false);
    expect(messages(one, "error")).toEqual([expect.stringContaining("somebody else polls")]);
    expect(messages(one, "info")).toContainEqual(expect.stringContaining("nobody else receives"));
  });

  test("a start with polling removes a webhook and drops nothing; a webhook that is set later stays", async () => {
    const bed = await UpdatesBed.prepare(form);
    const call = caller(new Telegram(BOT.token, { apiRoot: bed.telegram.apiRoot }));
    // The port that nothing listens on.
    await call("setWebhook", { url: "http://127.0.0.1:9/hook", allowed_updates: ["chat_member"] });
    bed.control.join(NEWS, person(1));
    const one = await bed.start({ times: { longPollSeconds: 1 } });
    await one.ingestion.received(1);
    expect(await call("getWebhookInfo")).toMatchObject({ url: "" });
    expect(bed.control.calls("deleteWebhook").map(({ parameters }) => parameters)).toEqual([
      { drop_pending_updates: false },
    ]);
    expect(messages(one, "warn")).toEqual([expect.stringContaining("webhook was removed")]);
    expect(one.receiver.status.conflict).toBe(false);

    await call("setWebhook", { url: "http://127.0.0.1:9/hook" });
    await expect.poll(() => one.receiver.status.conflict).toBe(true);
    expect(await call("getWebhookInfo")).toMatchObject({ url: "http://127.0.0.1:9/hook" });
    await call("deleteWebhook");
    await expect.poll(() => one.receiver.status.conflict).toBe(false);
  });

  test("after six quiet days a lower id is received, because no offset is sent", async () => {
    const bed = await UpdatesBed.prepare(form);
    const { ingestion } = await bed.start({ times: { quietMs: 500, longPollSeconds: 1 } });
    bed.control.join(NEWS, person(1));
    await ingestion.received(1);
    const [high = 0] = ingestion.ids;
    await expect
      .poll(async () => (await bed.control.nextCall("getUpdates")).parameters["offset"])
      .toBeUndefined();
    bed.control.setNextUpdateId(7);
    bed.control.join(NEWS, person(2));
    await ingestion.received(2);
    expect(ingestion.ids).toEqual([high, 7]);
    await expect.poll(() => bed.pending).toEqual([]);
  });

  test("an unchanged offset is not asked again at once", async () => {
    const bed = await UpdatesBed.prepare(form);
    await bed.start({ times: { longPollSeconds: 0, sameOffsetMs: 300 } });
    const first = await bed.control.nextCall("getUpdates");
    const second = await bed.control.nextCall("getUpdates");
    expect(second.at.getTime() - first.at.getTime()).toBeGreaterThanOrEqual(290);
  });

  test("more than a day without asking Telegram is a coverage gap of all channels", async () => {
    const bed = await UpdatesBed.prepare(form);
    await bed.query(
      `insert into update_receiver (bot_id, last_asked_at) values ($1, now() - interval '30 hours')`,
      [BOT.id],
    );
    await bed.start();
    await expect
      .poll(() =>
        bed.query(`select channel_id, reason, round(extract(epoch from now() - from_at) / 3600)::int as "from",
          round(extract(epoch from now() - to_at) / 3600)::int as "to" from coverage_gap`),
      )
      .toEqual([{ channel_id: null, reason: "NOT_RECEIVING", from: 30, to: 24 }]);
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(await bed.query("select from coverage_gap")).toHaveLength(1);
  });

  test("nothing is asked of Telegram with TELEGRAM_UPDATES=off, and jobs that need no lease run", async () => {
    const bed = await UpdatesBed.prepare(form);
    const ran: string[] = [];
    const job = (name: string, needsLease: boolean) => ({
      name,
      everyMs: 50,
      needsLease,
      run: async () => {
        ran.push(name);
      },
    });
    const { receiver } = await bed.start({
      transport: { mode: "off" },
      jobs: [job("alone", true), job("anywhere", false)],
    });
    await expect.poll(() => ran.length).toBeGreaterThan(1);
    expect(new Set(ran)).toEqual(new Set(["anywhere"]));
    expect(receiver.status).toMatchObject({ transport: "off", isPolling: false, pollingServer: null });
    for (const method of ["getUpdates", "deleteWebhook", "setWebhook", "getWebhookInfo"])
      expect(bed.control.calls(method)).toEqual([]);
    expect((await bed.row())?.owner_id).toBeNull();
  });

  test("a Telegram that does not answer does not keep the server from starting, and the token is not logged", async () => {
    const bed = await UpdatesBed.prepare(form);
    const page = createServer((_request, response) => {
      response.writeHead(403, { "content-type": "text/html" }).end("<html>");
    });
    page.listen(0, "127.0.0.1");
    await once(page, "listening");
    onTestFinished(() => {
      page.close();
      page.closeAllConnections();
    });
    const one = await bed.start({
      apiRoot: `http://127.0.0.1:${(page.address() as AddressInfo).port}`,
      times: { startMs: 200 },
    });
    await expect.poll(() => one.calls.length).toBeGreaterThan(1);
    expect(JSON.stringify([one.log, one.calls])).not.toContain("AA-secret");
  });
});
