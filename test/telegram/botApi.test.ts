import { beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { TelegramCallError, type TelegramFailure } from "../../src/telegram/failures.js";
import {
  type CallEvent,
  type Deadline,
  type SendObserver,
  TelegramGateway,
} from "../../src/telegram/gateway.js";
import type { Hold, HoldStore } from "../../src/telegram/holds.js";
import { CHANNEL, type Setup, SUPERGROUP, setup } from "../sandbox/support.js";

let control: Setup["sandbox"]["control"];
let bot: Setup["sandbox"]["bot"];
let apiRoot: string;
const events: CallEvent[] = [];
beforeEach(async () => {
  const { sandbox } = await setup();
  ({ control, bot, apiRoot } = sandbox);
  events.length = 0;
});

const gateway = (timeoutMs = 10_000, holdStore?: HoldStore) =>
  new TelegramGateway({
    token: bot.token,
    botId: bot.id,
    apiRoot,
    timeoutMs,
    onCall: (event) => events.push(event),
    ...(holdStore && { holdStore }),
  });
/** Records its calls. */
class SendLog implements SendObserver {
  readonly lines: string[] = [];
  async beforeSend() {
    this.lines.push("begins");
  }
  async rateLimited() {
    this.lines.push("put off");
  }
}
const settings = { name: "n", createsJoinRequest: false, expireDate: null, memberLimit: null };
const outcome = async (call: Promise<unknown>): Promise<TelegramFailure | null> => {
  try {
    await call;
    return null;
  } catch (error) {
    expect(error).toBeInstanceOf(TelegramCallError);
    return (error as TelegramCallError).failure;
  }
};
interface Asked {
  readonly chatId?: number;
  readonly sending?: SendObserver;
  readonly deadline?: Deadline;
}
const create = (
  telegram: TelegramGateway,
  { chatId = CHANNEL, sending = new SendLog(), deadline = telegram.deadline() }: Asked = {},
) => outcome(telegram.createInviteLink(chatId, settings, deadline, sending));
const methods = () => control.calls().map(({ method }) => method);
const tooMany = (retryAfter: number) => control.fail({ kind: "too-many-requests", retryAfter });
const heard429 = () =>
  expect.poll(() => events.at(-1)?.failure?.kind, { interval: 5 }).toBe("tooManyRequests");
const waitingOf = (telegram: TelegramGateway) => expect.poll(() => telegram.waiting, { interval: 5 });
/** A failure by a 429 of so many seconds, of which some may have passed. */
const limitedFor = (seconds: number) => ({
  kind: "tooManyRequests",
  retryAfterSeconds: expect.toSatisfy((left: number) => left > seconds / 2 && left <= seconds),
});

describe("a 429", () => {
  test("holds every call back, and its own call is sent again afterwards", async () => {
    const telegram = gateway();
    const [own, other] = [new SendLog(), new SendLog()];
    tooMany(5);
    const first = create(telegram, { sending: own });
    await heard429();
    const others = [
      create(telegram, { chatId: SUPERGROUP, sending: other }),
      outcome(telegram.getChat(SUPERGROUP, telegram.deadline())),
      outcome(telegram.getMe()),
    ];
    await waitingOf(telegram).toBe(4);
    expect([methods(), own.lines, other.lines]).toEqual([
      ["createChatInviteLink"],
      ["begins", "put off"],
      [],
    ]);
    expect(await Promise.all([first, ...others])).toEqual([null, null, null, null]);
    expect([methods().length, telegram.waiting]).toEqual([5, 0]);
    expect([own.lines, other.lines]).toEqual([["begins", "put off", "begins"], ["begins"]]);
  });

  test("holds back a call that was about to be sent", async () => {
    const telegram = gateway();
    const sendLog = new SendLog();
    let recorded = () => {};
    const slow: SendObserver = {
      async beforeSend() {
        await sendLog.beforeSend();
        if (sendLog.lines.length === 1) {
          await new Promise<void>((resolve) => {
            recorded = resolve;
          });
        }
      },
      rateLimited: () => sendLog.rateLimited(),
    };
    const late = create(telegram, { chatId: SUPERGROUP, sending: slow });
    tooMany(5);
    const early = create(telegram);
    await heard429();
    recorded();
    await waitingOf(telegram).toBe(2);
    expect(methods()).toHaveLength(1);
    expect(await Promise.all([early, late])).toEqual([null, null]);
    expect(sendLog.lines).toEqual(["begins", "put off", "begins"]);
  });

  test("of five seconds is the answer to every call with an earlier deadline, at once", async () => {
    const telegram = gateway(2000);
    const [own, other] = [new SendLog(), new SendLog()];
    tooMany(5);
    const limited = limitedFor(5);
    expect(await create(telegram, { sending: own })).toEqual(limited);
    expect(await create(telegram, { chatId: SUPERGROUP, sending: other })).toEqual(limited);
    expect([methods().length, own.lines, other.lines]).toEqual([1, ["begins"], []]);
  });

  test("of more than five seconds holds only its method in its chat", async () => {
    const telegram = gateway();
    tooMany(30);
    const limited = limitedFor(30);
    expect(await create(telegram)).toEqual(limited);
    const sendLog = new SendLog();
    expect(await create(telegram, { sending: sendLog })).toEqual(limited);
    expect(sendLog.lines).toEqual([]);
    expect(await create(telegram, { chatId: SUPERGROUP })).toBeNull();
    expect(await outcome(telegram.getChat(CHANNEL, telegram.deadline()))).toBeNull();
    expect(methods()).toEqual(["createChatInviteLink", "createChatInviteLink", "getChat"]);
  });

  test("of more than five seconds slows its method in other chats to one call at a time", async () => {
    const telegram = gateway();
    tooMany(30);
    const limited = create(telegram, { deadline: { at: Date.now() + 10_000 } });
    expect(await limited).toMatchObject({ kind: "tooManyRequests" });
    const release = control.hold({ method: "createChatInviteLink" });
    const called = control.nextCall("createChatInviteLink");
    const others = Array.from({ length: 3 }, () => create(telegram, { chatId: SUPERGROUP }));
    await called;
    expect(telegram.waiting).toBe(2);
    // Calls of another method do not wait.
    expect(await outcome(telegram.getChat(SUPERGROUP, telegram.deadline()))).toBeNull();
    release();
    expect(await Promise.all(others)).toEqual([null, null, null]);
  });

  test("stored by another server slows its method here as well", async () => {
    const stored = [{ method: "createChatInviteLink", chat: String(CHANNEL), milliseconds: 60_000 }];
    const telegram = gateway(10_000, { live: async () => stored, add: async () => stored });
    const release = control.hold({ method: "createChatInviteLink" });
    const called = control.nextCall("createChatInviteLink");
    const sendLog = new SendLog();
    const others = Array.from({ length: 3 }, () =>
      create(telegram, { chatId: SUPERGROUP, sending: sendLog }),
    );
    await called;
    expect([methods(), sendLog.lines]).toEqual([["createChatInviteLink"], ["begins"]]);
    release();
    expect(await Promise.all(others)).toEqual([null, null, null]);
    expect(await create(telegram)).toMatchObject({ kind: "tooManyRequests" });
    expect(methods()).toHaveLength(3);
  });

  test("to a method in a second chat holds the method in every chat for the longer wait", async () => {
    const telegram = gateway();
    tooMany(60);
    tooMany(30);
    expect(await create(telegram)).toMatchObject(limitedFor(60));
    expect(await create(telegram, { chatId: SUPERGROUP })).toMatchObject(limitedFor(60));
    expect(await create(telegram, { chatId: -1005 })).toMatchObject(limitedFor(60));
    expect(await outcome(telegram.getChat(CHANNEL, telegram.deadline()))).toBeNull();
    // A second method.
    tooMany(20);
    expect(await outcome(telegram.getChat(CHANNEL, telegram.deadline()))).toMatchObject(limitedFor(60));
    expect(await outcome(telegram.getMe())).toMatchObject(limitedFor(60));
    expect(methods()).toEqual(["createChatInviteLink", "createChatInviteLink", "getChat", "getChat"]);
  });

  test("of more than five seconds to two methods in one chat leaves other chats alone", async () => {
    const telegram = gateway();
    tooMany(60);
    tooMany(30);
    expect(await create(telegram)).toMatchObject(limitedFor(60));
    expect(await outcome(telegram.getChat(CHANNEL, telegram.deadline()))).toMatchObject(limitedFor(30));
    expect(await create(telegram, { chatId: SUPERGROUP })).toBeNull();
    expect(await outcome(telegram.getChat(SUPERGROUP, telegram.deadline()))).toBeNull();
  });

  test("to getMe holds every call", async () => {
    const telegram = gateway();
    tooMany(30);
    const limited = limitedFor(30);
    expect(await outcome(telegram.getMe())).toEqual(limited);
    expect(await create(telegram)).toEqual(limited);
    expect(methods()).toEqual(["getMe"]);
  });

  test("to another server keeps the order of a chat's calls, also if its wait ends while it is learned", async () => {
    const hold = (milliseconds: number): Hold[] => [{ method: null, chat: null, milliseconds }];
    // Both calls wait for the first hold. The first call learns of the second hold when it would begin.
    const reads = [hold(50), [], hold(3)];
    const clock = performance.now.bind(performance);
    let passed = 0;
    let step = 0;
    vi.spyOn(performance, "now").mockImplementation(() => {
      passed += step;
      return clock() + passed;
    });
    onTestFinished(() => void vi.restoreAllMocks());
    const live = async () => {
      const read = reads.shift() ?? [];
      if (reads.length === 0) step = 1;
      return read;
    };
    const telegram = gateway(10_000, { live, add: async () => [] });
    const begun: string[] = [];
    const sendingOf = (name: string): SendObserver => ({
      beforeSend: async () => void begun.push(name),
      rateLimited: async () => {},
    });
    const calls = ["first", "second"].map((name) => create(telegram, { sending: sendingOf(name) }));
    expect([await Promise.all(calls), begun]).toEqual([
      [null, null],
      ["first", "second"],
    ]);
  });

  test("with an extreme wait holds calls for one day at most", async () => {
    tooMany(1e308);
    expect(await create(gateway())).toEqual(limitedFor(86_400));
  });
});

describe("a client that has left", () => {
  test("has its waiting call dropped without a trace", async () => {
    const telegram = gateway();
    tooMany(5);
    const first = create(telegram);
    await heard429();
    const leaving = new AbortController();
    const deadline = telegram.forClient(leaving.signal).deadline();
    const sendLog = new SendLog();
    const dropped = create(telegram, { sending: sendLog, deadline });
    await waitingOf(telegram).toBe(2);
    leaving.abort();
    const clientLeft = { kind: "unavailable", carriedOut: "no", reason: "the client has left" };
    expect([await dropped, sendLog.lines, telegram.waiting]).toEqual([clientLeft, [], 1]);
    expect(await first).toBeNull();
    expect(await create(telegram, { sending: sendLog, deadline })).toEqual(clientLeft);
    expect([methods().length, events.length, sendLog.lines]).toEqual([2, 2, []]);
  });

  test("does not interrupt a call that was sent", async () => {
    const telegram = gateway();
    const leaving = new AbortController();
    control.fail({ kind: "slow", ms: 100 });
    const called = control.nextCall();
    const sent = create(telegram, { deadline: telegram.forClient(leaving.signal).deadline() });
    await called;
    leaving.abort();
    expect(await sent).toBeNull();
  });
});

describe("a Telegram that does not answer", () => {
  const silent = () => control.fail({ kind: "hang", effect: "before" }, { times: Number.POSITIVE_INFINITY });
  const inTime = async (telegram: TelegramGateway, count: number) => {
    for (let index = 0; index < count; index += 1) {
      // A call that the deadline cuts short would not count.
      const deadline = { at: Date.now() + 10_000 };
      expect(await create(telegram, { deadline })).toMatchObject({
        kind: "unavailable",
        carriedOut: "maybe",
      });
    }
  };
  const total = {
    kind: "unavailable",
    carriedOut: "no",
    reason: "Telegram does not answer at all",
    timedOut: true,
  };

  test("opens the circuit after three calls, and one probe decides for all waiting calls", async () => {
    const telegram = gateway(1500);
    silent();
    await inTime(telegram, 3);
    const sendLog = new SendLog();
    const together = Array.from({ length: 5 }, () => create(telegram, { sending: sendLog }));
    expect(await Promise.all(together)).toEqual(Array(5).fill(total));
    expect([methods().slice(3), sendLog.lines]).toEqual([["getMe"], []]);
    expect(await create(telegram)).toEqual(total);
    control.clearFaults();
    expect(await create(telegram)).toBeNull();
    expect(await create(telegram)).toBeNull();
    expect(methods().slice(4)).toEqual(["getMe", "getMe", "createChatInviteLink", "createChatInviteLink"]);
  });

  test("costs waiting calls no time limit of their own", async () => {
    const telegram = gateway(400);
    silent();
    const deadline = { at: Date.now() + 10_000 };
    const failures = await Promise.all(Array.from({ length: 100 }, () => create(telegram, { deadline })));
    // Ten calls at once, and two more before three of them were without an answer.
    expect(
      failures.filter((failure) => failure?.kind === "unavailable" && failure.carriedOut === "maybe").length,
    ).toBeLessThanOrEqual(12);
    expect(failures.slice(12)).toEqual(Array(88).fill(total));
    expect(methods().filter((method) => method === "getMe")).toHaveLength(1);
  });

  test("closes the circuit with any answer", async () => {
    const telegram = gateway(1500);
    silent();
    await inTime(telegram, 3);
    control.clearFaults();
    await telegram.getMe();
    expect(methods().slice(3)).toEqual(["getMe"]);
    silent();
    await inTime(telegram, 2);
    control.clearFaults();
    control.fail({ kind: "server-error" });
    await inTime(telegram, 1);
    silent();
    await inTime(telegram, 3);
    expect(methods().slice(4)).toEqual(Array(6).fill("createChatInviteLink"));
  });

  test("holds every call back if its first answer is a 429", async () => {
    const telegram = gateway(1500);
    silent();
    await inTime(telegram, 3);
    control.clearFaults();
    tooMany(30);
    const sendLog = new SendLog();
    expect(await create(telegram, { sending: sendLog })).toEqual(limitedFor(30));
    expect([methods().slice(3), sendLog.lines]).toEqual([["getMe"], []]);
  });
});
