import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { AutomaticApprovals } from "../../../src/background/updates/automaticApprovals.js";
import { DatabaseUnavailableError } from "../../../src/domain/shared/errors.js";
import type { SandboxFault } from "../../../src/sandbox/sandbox.js";
import { RequestBed } from "../../domain/joinRequests/bed.js";

const METHOD = "approveChatJoinRequest";
const IN_TIME = { interval: 20 };

let bed: RequestBed;
let approvals: AutomaticApprovals;
let requireWritable: () => void;
let earlierCalls = 0;
/** By how much the clocks are ahead, and the time of day in addition, in milliseconds. */
let skipped = 0;
let dayAhead = 0;

beforeAll(async () => {
  bed = await RequestBed.open();
});
afterAll(() => bed?.close());
beforeEach(async () => {
  const { database, telegram, log } = bed;
  await database.prisma.joinRequestPolicy.deleteMany();
  await database.prisma.joinRequest.deleteMany();
  earlierCalls = telegram.control.calls(METHOD).length;
  skipped = dayAhead = 0;
  for (const clock of [Date, performance]) {
    const now = clock.now.bind(clock);
    vi.spyOn(clock, "now").mockImplementation(() => now() + skipped + (clock === Date ? dayAhead : 0));
  }
  requireWritable = () => {};
  approvals = new AutomaticApprovals({
    ...bed.services(),
    session: { query: (statement) => database.query(statement), close: () => {} },
    log,
    storageGuard: { requireWritable: () => requireWritable(), recordFailure() {}, trackStoring() {} },
  });
});
afterEach(() => {
  vi.restoreAllMocks();
  bed.telegram.control.clearFaults();
});

const run = () => approvals.run(new AbortController().signal);
const calls = () => bed.telegram.control.calls(METHOD).length - earlierCalls;
const states = async (): Promise<string[]> => {
  const requests = await bed.database.prisma.joinRequest.findMany({ orderBy: { id: "asc" } });
  return requests.map(({ state }) => state);
};

/** Some people ask to join a new channel, by a link whose requests the server approves at once. */
async function askIn(title: string, count = 1): Promise<number> {
  const { chatId, link } = await bed.askIn(title, count);
  await bed.database.prisma.joinRequestPolicy.create({
    data: { linkId: link.id, channelId: link.channelId, approveAfterSeconds: 0 },
  });
  return chatId;
}

const refusal = (description: string): SandboxFault => ({ kind: "error", error_code: 400, description });

test("the requests of a channel are approved as soon as the bot has got its right back", async () => {
  const { control } = bed.telegram;
  const chatId = await askIn("C");
  control.setBot(chatId, { status: "administrator", can_invite_users: false });
  await bed.receive();
  await run();
  await run();
  // The channel is left alone for a while.
  expect(calls()).toBe(1);
  control.setBot(chatId, { status: "administrator", can_invite_users: true });
  await bed.receive();
  await run();
  expect(calls()).toBe(2);
  expect(await states()).toEqual(["APPROVED"]);
});

describe("after a failure", () => {
  test("a flood is waited for exactly as long as Telegram asks, however often it comes", async () => {
    await askIn("C");
    for (let round = 1; round <= 5; round += 1) {
      bed.telegram.control.fail({ kind: "too-many-requests", retryAfter: 30 }, { method: METHOD });
      await run();
      expect(calls()).toBe(round);
      skipped += 25_000;
      await run();
      expect(calls()).toBe(round);
      skipped += 5_000;
    }
    await run();
    expect(await states()).toEqual(["APPROVED"]);
  });

  test.each<SandboxFault>([
    { kind: "cut", effect: "before" },
    { kind: "server-error", effect: "before" },
    { kind: "unauthorized" } as SandboxFault,
  ])("an outage ($kind) costs a short pause that does not grow", async (fault) => {
    await askIn("C", 3);
    for (let round = 1; round <= 5; round += 1) {
      const disarm = bed.telegram.control.fail(fault, { method: METHOD, times: 100 });
      const before = calls();
      await run();
      const tried = calls();
      expect(tried).toBeGreaterThan(before);
      // At most as many as are on their way together.
      expect(tried - before).toBeLessThanOrEqual(2);
      await run();
      expect(calls()).toBe(tried);
      disarm();
      skipped += 5_000;
    }
    await run();
    expect(await states()).toEqual(["APPROVED", "APPROVED", "APPROVED"]);
  });

  test("an outage costs a short pause, though the clock is set back an hour", async () => {
    await askIn("C");
    dayAhead = 3_600_000;
    bed.telegram.control.fail({ kind: "cut", effect: "before" }, { method: METHOD });
    await run();
    expect(calls()).toBe(1);
    dayAhead = 0;
    skipped += 5_000;
    await run();
    expect(await states()).toEqual(["APPROVED"]);
  });

  test("a request that Telegram rejects is left alone for longer each time, and the others are approved", async () => {
    await askIn("C", 2);
    bed.telegram.control.fail(refusal("Bad Request: CHANNELS_TOO_MUCH"), { method: METHOD });
    await run();
    expect((await states()).sort()).toEqual(["APPROVED", "PENDING"]);
    skipped += 5_000;
    bed.telegram.control.fail(refusal("Bad Request: CHANNELS_TOO_MUCH"), { method: METHOD });
    await run();
    expect(calls()).toBe(3);
    skipped += 5_000;
    await run();
    expect(calls()).toBe(3);
    skipped += 5_000;
    await run();
    expect(await states()).toEqual(["APPROVED", "APPROVED"]);
  });

  test("nothing is sent while nothing can be stored, not even what was found due before", async () => {
    await askIn("C", 4);
    let looks = 0;
    requireWritable = () => {
      looks += 1;
      if (looks > 1) throw new DatabaseUnavailableError("readOnly");
    };
    await run();
    skipped += 5_000;
    await run();
    expect(calls()).toBe(0);
    requireWritable = () => {};
    await run();
    expect(await states()).toEqual(Array(4).fill("APPROVED"));
  });
});

test("a channel whose calls hang does not hold up what becomes due in another one", async () => {
  const { control } = bed.telegram;
  const hanging = await askIn("Hanging", 20);
  const release = control.hold({ method: METHOD, chatId: hanging, times: 100 });
  const first = control.nextCall(METHOD);
  const running = run();
  await first;
  const other = await askIn("Other");
  await expect
    .poll(() => control.calls(METHOD).map(({ parameters }) => String(parameters["chat_id"])), IN_TIME)
    .toContain(String(other));
  await expect.poll(states, IN_TIME).toContain("APPROVED");
  release();
  await running;
});
