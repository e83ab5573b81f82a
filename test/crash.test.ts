import { randomInt } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import pg from "pg";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  CrashTestBed,
  type KillableServer,
  type LinkInput,
  type Outcome,
  type SignalPoint,
} from "./support/crashing.js";
import { describeOnForms, USUAL_FORMS } from "./support/databases.js";
import { CHANNEL } from "./support/server.js";

/** How many times servers are killed at random. If it is set, no point of a creation is left out. */
const { CRASH_ROUNDS } = process.env;
const ROUNDS = Number(CRASH_ROUNDS ?? 3);
/** Each kill costs a start of the server, so usual runs kill replicas at every fourth point only. */
const STRIDE = CRASH_ROUNDS === undefined ? 4 : 1;
/** Each kill costs a start of the server, so a run tests one form of the database. Replicas need the server form. */
const FORM = USUAL_FORMS[0] ?? "embedded";
const ON_SERVER = USUAL_FORMS.filter((form) => form === "server");
/** Starts are slow on a busy machine. */
const PATIENCE_MS = 120_000 + ROUNDS * 30_000;

/** Prints the progress of a long run. */
const report = (line: string): void => {
  if (CRASH_ROUNDS !== undefined) process.stdout.write(`${line}\n`);
};

let testBed: CrashTestBed;
afterEach(() => testBed.close());

/** The state of a creation when its server died, judged by its outcome after the restart. */
type Stage = "not sent" | "uncertain" | "stored";

/** The input of a link with a budget, a member limit and a tag. */
async function withTags(server: KillableServer): Promise<Omit<LinkInput, "name">> {
  const { connectChannel } = await server.ask(
    `mutation { connectChannel(input: { chat: "${CHANNEL}" }) { __typename } }`,
  );
  expect(connectChannel.__typename).toBe("ConnectChannelSuccess");
  const { createTagType } = await server.ask(
    `mutation { createTagType(input: { name: "Kind" }) { ... on CreateTagTypeSuccess { tagType { id } } } }`,
  );
  const { createTag } = await server.ask(
    `mutation ($input: CreateTagInput!) { createTag(input: $input) { ... on CreateTagSuccess { tag { id } } } }`,
    { input: { channelId: CHANNEL, name: "T", color: "#123456", tagTypeId: createTagType.tagType.id } },
  );
  return { channelId: CHANNEL, budget: "7.50", memberLimit: 3, tagIds: [createTag.tag.id] };
}

/** Repeats a creation whose server died, settles it if it is uncertain, and checks every answer. */
async function recover(server: KillableServer, input: LinkInput): Promise<Stage> {
  const { name, channelId = CHANNEL } = input;
  const [asked, made] = [testBed.asked(name), testBed.made(name, channelId)];
  const first = await server.create(input);
  const listed = (await server.uncertain()).filter((creation) => creation.name === name);
  if (first !== "uncertain") {
    expect(first, name).toEqual({ url: testBed.made(name, channelId)[0] });
    expect(listed).toEqual([]);
    expect(testBed.made(name, channelId)).toHaveLength(1);
    expect(await server.create(input)).toEqual(first);
    if (made.length === 0) expect(asked).toBe(0);
    return made.length === 0 ? "not sent" : "stored";
  }
  expect(listed).toEqual([
    expect.objectContaining({
      name,
      idempotencyKey: name,
      budget: input["budget"] ?? "0.00",
      reason: "the server stopped before Telegram answered",
      channel: { telegramId: channelId },
    }),
  ]);
  const again = await Promise.all(Array.from({ length: 3 }, () => server.create(input)));
  expect(again).toEqual(["uncertain", "uncertain", "uncertain"]);
  expect([testBed.asked(name), testBed.made(name, channelId)]).toEqual([asked, made]);

  const [url = null] = made;
  const resolution = await server.resolve(listed[0]?.id ?? "", url);
  expect(resolution).toEqual({ __typename: "ResolveCreationSuccess", inviteLink: url && { url } });
  const after = await server.create(input);
  expect(testBed.made(name, channelId)).toHaveLength(1);
  expect(after).toEqual({ url: testBed.made(name, channelId)[0] });
  expect((await server.uncertain()).filter((creation) => creation.name === name)).toEqual([]);
  return "uncertain";
}

/** The first letters of the stages. Later kills find later stages, and each of the three stages occurs. */
const inOrder = (stages: readonly Stage[]) => stages.map((stage) => stage[0]).join("");
const IN_ORDER = /^n+u+s+$/;

const expectOneToOne = async (server: KillableServer, channelIds: readonly number[]) => {
  for (const channelId of channelIds) expect(await server.links(channelId)).toEqual(testBed.links(channelId));
};

describe("a server killed during a creation and started again", () => {
  beforeEach(async () => {
    testBed = await CrashTestBed.prepare(FORM);
  });

  test("a server killed before each message to the database loses and repeats no creation", {
    timeout: PATIENCE_MS * 5,
  }, async () => {
    let server = await testBed.start();
    const link = await withTags(server);
    const stages: Stage[] = [];
    for (let count = 1; ; count += 1) {
      const input = { ...link, name: `Before ${count}` };
      const outcome = await server.create(input, `SIGKILL before ${count} own`);
      if (outcome !== "killed") break;
      await server.process.exited;
      server = await testBed.start();
      stages.push(await recover(server, input));
    }
    report(`${FORM}, killed before each message: ${inOrder(stages)}`);
    expect(inOrder(stages)).toMatch(IN_ORDER);
    await expectOneToOne(server, [CHANNEL]);
  });

  test("a server killed while Telegram has the call leaves an uncertain creation", {
    timeout: PATIENCE_MS,
  }, async () => {
    const { control } = testBed.telegram;
    const stages: Stage[] = [];
    let server = await testBed.start();
    for (const effect of ["before", "after"] as const) {
      const input = {
        name: `Hangs ${effect}`,
        channelId: control.addChat({ type: "channel", title: effect }),
      };
      control.fail({ kind: "hang", effect }, { method: "createChatInviteLink" });
      const called = control.nextCall("createChatInviteLink");
      const outcome = server.create(input);
      await called;
      await server.kill();
      expect(await outcome).toBe("killed");
      server = await testBed.start();
      stages.push(await recover(server, input));
      await expectOneToOne(server, [input.channelId]);
    }
    expect(stages).toEqual(["uncertain", "uncertain"]);
  });
});

test("a server that gets SIGTERM stores the results of the calls it has sent and sends no other", {
  timeout: PATIENCE_MS,
}, async () => {
  testBed = await CrashTestBed.prepare(FORM);
  const { control } = testBed.telegram;
  const inputs = Array.from({ length: 12 }, (_, index) => ({ name: `Ending ${index}` }));
  control.fail({ kind: "slow", ms: 200 }, { method: "createChatInviteLink", times: inputs.length });
  const first = await testBed.start();
  const called = control.nextCall("createChatInviteLink");
  const creating = Promise.all(inputs.map((input) => first.create(input)));
  await called;
  expect(await first.kill("SIGTERM")).toBe(0);
  const outcomes = await creating;

  const server = await testBed.start();
  expect(await server.uncertain()).toEqual([]);
  await expectOneToOne(server, [CHANNEL]);
  const again = await Promise.all(inputs.map((input) => server.create(input)));
  for (const [index, outcome] of outcomes.entries()) {
    if (outcome !== "killed") expect(outcome).toEqual(again[index]);
  }
  expect(inputs.map(({ name }) => testBed.made(name))).toEqual(
    again.map((outcome) => [(outcome as { url: string }).url]),
  );
  await expectOneToOne(server, [CHANNEL]);
});

await describeOnForms("two replicas", ON_SERVER, () => {
  let watcher: pg.Client;
  const prepare = async (environment: Record<string, string> = {}) => {
    testBed = await CrashTestBed.prepare("server", environment);
    watcher = new pg.Client(testBed.database.url ?? "");
    await watcher.connect();
  };
  // Hooks run in the opposite order of their declaration, so this session ends before its database.
  afterEach(() => watcher.end());

  /** Process ids of the sessions that hold the servers' presence locks. */
  const presences = async (): Promise<number[]> => {
    const { rows } = await watcher.query<{ pid: number }>(
      `select pid from pg_locks join pg_stat_activity using (pid)
       where application_name = 'invite-links presence' and datname = current_database() and granted
         and locktype = 'advisory'`,
    );
    return rows.map(({ pid }) => pid);
  };

  test("a replica takes the batches over of a server that still answers while it stops", {
    timeout: PATIENCE_MS,
  }, async () => {
    await prepare({ SHUTDOWN_DELAY_MS: "600000" });
    const [server] = await Promise.all([testBed.start(), testBed.start()]);
    await withTags(server);
    // The batch has to wait for an hour.
    testBed.telegram.control.fail(
      { kind: "too-many-requests", retryAfter: 3600 },
      { method: "createChatInviteLink" },
    );
    const { createInviteLinks } = await server.ask(
      `mutation { createInviteLinks(input: { channelId: ${CHANNEL}, links: [{ name: "Waiting" }] }) { __typename } }`,
    );
    expect(createInviteLinks.__typename).toBe("CreateInviteLinksSuccess");
    const owner = async () => (await watcher.query("select owner_id from link_batch")).rows[0]?.owner_id;
    const before = await owner();
    server.process.child.kill("SIGTERM");
    await expect.poll(owner).toSatisfy((after) => after !== null && after !== before);
    expect(await server.ask("{ __typename }")).toEqual({ __typename: "Query" });
  });

  test("a replica completes the retry of a creation whose server was killed", {
    timeout: PATIENCE_MS * 5,
  }, async () => {
    await prepare();
    const other = await testBed.start();
    const link = await withTags(other);
    const stages: Stage[] = [];
    let next = testBed.start();
    for (let count = randomInt(1, STRIDE + 1); ; count += STRIDE) {
      const input = { ...link, name: `Answered ${count}` };
      const server = await next;
      const outcome = await server.create(input, `SIGKILL answered ${count} own`);
      if (outcome !== "killed") break;
      next = testBed.start();
      stages.push(await recover(other, input));
    }
    report(`server, killed when each was answered: ${inOrder(stages)}`);
    expect(inOrder(stages)).toMatch(STRIDE === 1 ? IN_ORDER : /^n+u+s*$/);
    await expectOneToOne(other, [CHANNEL]);
  });

  test("a replica completes the retry of a creation whose server was stopped and then continues", {
    timeout: PATIENCE_MS * 2,
  }, async () => {
    await prepare();
    const other = await testBed.start();
    const [lasting] = await presences();
    const server = await testBed.start();
    const link = await withTags(other);
    for (let count = 1; ; count += 1) {
      await expect.poll(presences).toHaveLength(2);
      const input = { ...link, name: `Stopped ${count}` };
      const point: SignalPoint = `SIGSTOP before ${count}`;
      const first = server.create(input, point);
      if (!(await server.wasSignalled(point, first))) break;
      for (const pid of await presences()) {
        if (pid !== lasting) await watcher.query("select pg_terminate_backend($1)", [pid]);
      }
      await expect.poll(presences).toEqual([lasting]);
      const second = other.create(input);
      // The request has to wait where the other replica stopped within a transaction.
      await Promise.race([second, delay(500)]);
      await server.continueUntil(first);
      const outcomes = await Promise.all([first, second]);
      const [url] = testBed.made(input.name);
      expect(await other.create(input), `${count}: ${JSON.stringify(outcomes)}`).toEqual({ url });
      expect(testBed.made(input.name)).toHaveLength(1);
      for (const outcome of outcomes) {
        const possible = [{ url }, "uncertain", { other: "IdempotencyConflictError" }];
        expect(possible, input.name).toContainEqual(outcome);
      }
    }
    expect(await other.uncertain()).toEqual([]);
    await expectOneToOne(other, [CHANNEL]);
  });

  test("a replica creates nothing while PostgreSQL still counts the dead server as present", {
    timeout: PATIENCE_MS,
  }, async () => {
    await prepare({ TELEGRAM_TIMEOUT_MS: "4000" });
    const { control } = testBed.telegram;
    const [server, other] = await Promise.all([testBed.start(), testBed.start()]);
    control.fail({ kind: "hang", effect: "after" }, { method: "createChatInviteLink" });
    const called = control.nextCall("createChatInviteLink");
    const input = { name: "Half dead" };
    const first = server.create(input);
    await called;
    // A machine that vanished leaves its connections open.
    server.process.child.kill("SIGSTOP");
    expect(await other.create(input)).toEqual({ other: "IdempotencyConflictError" });
    expect(await other.uncertain()).toEqual([]);
    await server.kill();
    expect(await first).toBe("killed");
    expect(await recover(other, input)).toBe("uncertain");
    await expectOneToOne(other, [CHANNEL]);
  });
});

/** What a caller was answered about a creation. Later answers must agree with it; null if no answer came. */
type Answered = { readonly url: string } | "uncertain" | "resolving" | null;

await describeOnForms("servers killed at random", USUAL_FORMS, (form) => {
  const KINDS = ["before", "sent", "answered"] as const;

  test("servers killed at random times during many creations and resolutions lose and repeat no creation", {
    timeout: PATIENCE_MS,
  }, async () => {
    testBed = await CrashTestBed.prepare(form);
    const { control } = testBed.telegram;
    const other = form === "server" ? await testBed.start() : null;
    let server = await testBed.start();
    const answered = new Map<LinkInput, Answered>();
    const counts = { killed: 0, uncertain: 0, made: 0 };

    const expectAgreement = (input: LinkInput, outcome: Outcome, where: string) => {
      const before = answered.get(input) ?? null;
      expect(testBed.made(input.name, input.channelId).length, where).toBeLessThan(2);
      if (outcome === "killed") return;
      if (outcome === "uncertain") {
        expect(["uncertain", "resolving", null], where).toContain(before);
        answered.set(input, before ?? "uncertain");
        return;
      }
      expect(outcome, where).toEqual({ url: testBed.made(input.name, input.channelId)[0] });
      if (before !== "resolving" && before !== null) expect(before, where).toEqual(outcome);
      answered.set(input, outcome as { url: string });
    };

    for (let round = 0; round < ROUNDS; round += 1) {
      const point: SignalPoint = `SIGKILL ${KINDS[randomInt(KINDS.length)] ?? "before"} ${randomInt(1, 70)}`;
      const where = `round ${round}, ${point}`;
      const fresh = Array.from({ length: 4 }, (_, index) => ({
        name: `Random ${round}.${index}`,
        channelId: index === 0 ? control.addChat({ type: "channel", title: `${round}` }) : CHANNEL,
      }));
      for (const input of fresh) answered.set(input, null);
      const open = [...answered.keys()].filter((input) => typeof answered.get(input) !== "object");
      const uncertainCreations = await server.uncertain();
      const resolved = uncertainCreations.filter((_, index) => index % 2 === 0);
      for (const input of open) {
        if (resolved.some(({ name }) => name === input.name)) answered.set(input, "resolving");
      }
      const creating = [...fresh, ...open].map(async (input, index) => {
        const outcome = await server.create(input, index === 0 ? point : undefined);
        expectAgreement(input, outcome, where);
      });
      const elsewhere = other
        ? fresh.map(async (input) => expectAgreement(input, await other.create(input), where))
        : [];
      const resolving = resolved.map(async ({ id, name, channel }) => {
        const [url = null] = testBed.made(name, channel.telegramId);
        const answer = await server.resolve(id, url).catch((error: Error) => error.message);
        if (answer !== "fetch failed")
          expect(answer, where).toMatchObject({ __typename: "ResolveCreationSuccess" });
      });
      await Promise.all([...creating, ...elsewhere, ...resolving]);
      if (server.process.child.signalCode !== null) counts.killed += 1;
      await server.kill();

      const started = testBed.start();
      const survivor = other ?? (await started);
      for (const input of answered.keys()) {
        if (answered.get(input) === null || typeof answered.get(input) === "string") {
          expectAgreement(input, await survivor.create(input), `after ${where}`);
        }
      }
      server = await started;
      const all = [...answered.keys()];
      await Promise.all(
        all.slice(-20).map(async (input) => expectAgreement(input, await server.create(input), where)),
      );
      const uncertain = (await survivor.uncertain()).map(({ name }) => name);
      const believed = all.filter((input) => typeof answered.get(input) === "string").map(({ name }) => name);
      expect(uncertain.sort(), where).toEqual(believed.sort());
      counts.uncertain += believed.length;
    }

    for (const { id, name, channel } of await server.uncertain()) {
      await server.resolve(id, testBed.made(name, channel.telegramId)[0] ?? null);
    }
    for (const input of answered.keys()) {
      const outcome = await server.create(input);
      expect(outcome).toEqual({ url: testBed.made(input.name, input.channelId)[0] });
      counts.made += 1;
    }
    await expectOneToOne(server, [
      ...new Set([...answered.keys()].map(({ channelId = CHANNEL }) => channelId)),
    ]);
    report(`${form}: ${JSON.stringify(counts)}`);
  });
});
