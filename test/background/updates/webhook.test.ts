import fastify from "fastify";
import { expect, onTestFinished, test } from "vitest";
import { UpdateIntake } from "../../../src/background/updates/intake.js";
import { UpdateNotStoredError, WebhookUpdates } from "../../../src/background/updates/webhookUpdates.js";
import { DatabaseUnavailableError } from "../../../src/domain/shared/errors.js";
import { describeOnForms, USUAL_FORMS } from "../../support/databases.js";
import { NEWS, person, RecordingIngestion, UpdatesBed } from "./bed.js";

const SECRET = "the_secret-of-the-webhook";

/** A web server at a free port, as Telegram would reach it. */
async function listen(receive: (update: unknown) => Promise<number>) {
  const server = fastify();
  const secrets: unknown[] = [];
  server.post("/hook", async (request, reply) => {
    secrets.push(request.headers["x-telegram-bot-api-secret-token"]);
    return reply.code(await receive(request.body)).send();
  });
  const origin = await server.listen({ port: 0, host: "127.0.0.1" });
  onTestFinished(() => server.close());
  return { url: `${origin}/hook`, secrets };
}

await describeOnForms("the registration of the webhook", USUAL_FORMS, (form) => {
  test("the webhook is registered at the start, and again only when its address or secret changes", async () => {
    const bed = await UpdatesBed.prepare(form);
    const updates: unknown[] = [];
    const { url, secrets } = await listen(async (update) => {
      updates.push(update);
      return 200;
    });
    const registered = () => bed.control.calls("setWebhook").map(({ parameters }) => parameters);
    const transport = { mode: "webhook", url, secret: SECRET } as const;
    const one = await bed.start({ transport });
    expect(registered()).toEqual([
      {
        url,
        secret_token: SECRET,
        allowed_updates: ["chat_member", "my_chat_member", "chat_join_request"],
        max_connections: 100,
        drop_pending_updates: false,
      },
    ]);
    bed.control.join(NEWS, person(1));
    await expect.poll(() => updates).toHaveLength(1);
    expect(secrets).toEqual([SECRET]);
    expect(JSON.stringify(one.log)).not.toContain(SECRET);
    await one.stop();
    // It stays registered while no server runs.
    expect(bed.control.calls("deleteWebhook")).toEqual([]);

    const other = await bed.start({ transport });
    expect(registered()).toHaveLength(1);
    expect(other.receiver.status).toMatchObject({
      transport: "webhook",
      isPolling: false,
      pollingServer: null,
    });
    await other.stop();
    await (await bed.start({ transport: { ...transport, secret: "another-secret" } })).stop();
    expect(registered()).toHaveLength(2);
    await (await bed.start({ transport: { ...transport, url: `${url}2`, secret: "another-secret" } })).stop();
    expect(registered()).toHaveLength(3);
    expect(bed.control.calls("getUpdates")).toEqual([]);
  });

  test("a webhook that somebody else has changed is registered again, but not one of a newer server", async () => {
    const bed = await UpdatesBed.prepare(form);
    const registered = () => bed.control.calls("setWebhook").length;
    const transport = { mode: "webhook", url: "http://127.0.0.1:9/hook", secret: SECRET } as const;
    const { lease, log } = await bed.start({ transport, times: { webhookCheckMs: 100 } });
    await fetch(`${bed.telegram.apiRoot}/bot${bed.telegram.bot.token}/deleteWebhook`);
    // The log tells of it after the hash is stored.
    await expect.poll(() => log.some(({ msg }) => String(msg).endsWith("it is registered again"))).toBe(true);
    expect(registered()).toBe(2);

    await lease.storeWebhookHash(Buffer.from("of a newer server"));
    await fetch(`${bed.telegram.apiRoot}/bot${bed.telegram.bot.token}/deleteWebhook`);
    const [checks] = [bed.control.calls("getWebhookInfo").length];
    await expect.poll(() => bed.control.calls("getWebhookInfo").length).toBeGreaterThan(checks + 2);
    expect(registered()).toBe(2);
  });

  test("a webhook that cannot be registered is tried again, and the server starts without it", async () => {
    const bed = await UpdatesBed.prepare(form);
    bed.control.fail({ kind: "server-error" }, { method: "setWebhook", times: 3 });
    const transport = { mode: "webhook", url: "http://127.0.0.1:9/hook", secret: SECRET } as const;
    await bed.start({ transport, times: { startMs: 10 } });
    await expect.poll(() => bed.control.calls("setWebhook").length).toBe(4);
    await expect.poll(async () => (await bed.row())?.webhook_hash).not.toBeNull();
  });
});

const storageGuard = { requireWritable() {}, recordFailure() {}, trackStoring() {} };

const joined = (updateId: number) => ({
  update_id: updateId,
  chat_member: {
    chat: { id: NEWS, type: "channel" },
    from: person(updateId),
    date: 1_790_000_000,
    old_chat_member: { user: person(updateId), status: "left" },
    new_chat_member: { user: person(updateId), status: "member" },
  },
});

function receiving(waitMs?: number) {
  const ingestion = new RecordingIngestion();
  let nameless = 0;
  const intake = new UpdateIntake({
    ingestion,
    onBatch: () => {},
    onNameless: () => {
      nameless += 1;
    },
  });
  const updates = new WebhookUpdates({ intake, storageGuard, ...(waitMs === undefined ? {} : { waitMs }) });
  return { ingestion, updates, nameless: () => nameless };
}

test("webhook calls that arrive together share a transaction, and those that arrive meanwhile the next one", async () => {
  const { ingestion, updates } = receiving();
  let release = () => {};
  let begun = () => {};
  const storing = new Promise<void>((resolve) => {
    begun = resolve;
  });
  const stored = new Promise<void>((resolve) => {
    release = resolve;
  });
  ingestion.before = () => {
    begun();
    return stored;
  };
  const first = Array.from({ length: 50 }, (_, index) => updates.receive(joined(index)));
  await storing;
  const second = Array.from({ length: 1500 }, (_, index) => updates.receive(joined(100 + index)));
  release();
  await Promise.all([...first, ...second]);
  expect(ingestion.batches.map(({ length }) => length)).toEqual([50, 1000, 500]);
});

test("an update that is not stored in time is refused, and not stored later if it still waited", async () => {
  const { ingestion, updates } = receiving(1000);
  let release = () => {};
  const stored = new Promise<void>((resolve) => {
    release = resolve;
  });
  ingestion.before = () => stored;
  const first = updates.receive(joined(1));
  await expect(first).rejects.toThrow("cannot be stored now");
  await expect(updates.receive(joined(2))).rejects.toThrow("cannot be stored now");
  release();
  await updates.receive(joined(3));
  expect(ingestion.ids).toEqual([1, 3]);
});

test("while the database is known to be away an update is refused at once; other failures are reported as they are", async () => {
  const { ingestion, updates } = receiving();
  ingestion.before = () => {
    throw Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" });
  };
  await expect(updates.receive(joined(1))).rejects.toThrow(UpdateNotStoredError);
  ingestion.before = () => {
    throw new TypeError("a fault of the program");
  };
  await expect(updates.receive(joined(2))).rejects.toThrow(TypeError);

  const away = new WebhookUpdates({
    intake: new UpdateIntake({ ingestion, onBatch: () => {}, onNameless: () => {} }),
    storageGuard: {
      ...storageGuard,
      requireWritable() {
        throw new DatabaseUnavailableError("diskFull");
      },
    },
  });
  await expect(away.receive(joined(3))).rejects.toThrow(UpdateNotStoredError);
  expect(ingestion.batches).toEqual([]);
});

test("a body without an update id is accepted and dropped, so that Telegram does not repeat it", async () => {
  const { ingestion, updates, nameless } = receiving();
  for (const value of [null, 7, [], {}, { update_id: "1" }, { update_id: 1.5 }]) await updates.receive(value);
  expect([ingestion.batches, nameless()]).toEqual([[], 6]);
});
