import * as fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { CallQueue, ClientAbortedError, type Slot, SlotTimeoutError } from "../../src/telegram/callQueue.js";

const AT_ONCE = 10;
const LONG = 1_000_000;

let queue: CallQueue;
/** The outcome of each request, in the order of the outcomes. */
let begun: { readonly name: string; readonly slot: Slot }[];
let refused: { readonly name: string; readonly error: Error }[];
beforeEach(() => {
  vi.useFakeTimers();
  queue = new CallQueue();
  begun = [];
  refused = [];
});
afterEach(() => {
  vi.useRealTimers();
});

/** Holds all calls. */
const hold = (milliseconds: number) => queue.hold([{ method: null, chat: null, milliseconds }]);
const ANY = { method: "create", chat: "chat" };
const pass = (milliseconds: number) => vi.advanceTimersByTimeAsync(milliseconds);
interface Asked {
  readonly chat?: string;
  readonly method?: string;
  readonly isUrgent?: boolean;
  readonly isPatient?: boolean;
  readonly milliseconds?: number;
  readonly signal?: AbortSignal;
}
async function ask(name: string, asked: Asked = {}, again?: Slot) {
  const { chat = "chat", method = "create", isUrgent, isPatient, milliseconds = LONG, signal } = asked;
  queue.slot({ method, chat, isUrgent, isPatient, milliseconds, signal }, again).then(
    (slot) => begun.push({ name, slot }),
    (error) => refused.push({ name, error }),
  );
  await pass(0);
}
async function askMany(count: number, asked: Asked = {}) {
  for (let index = 0; index < count; index += 1) await ask(`${asked.chat ?? "chat"}${index}`, asked);
}
const names = () => begun.map(({ name }) => name);
async function end(name: string, succeeded = true) {
  const index = names().lastIndexOf(name);
  begun[index]?.slot.end(succeeded);
  await pass(0);
}
const retries = () => refused.map(({ name, error }) => [name, (error as SlotTimeoutError).retryAfterSeconds]);
const nothingIsLeft = () => expect([queue.waiting, vi.getTimerCount()]).toEqual([0, 0]);

test("ten slots are in use at once, and each freed slot is given again", async () => {
  await askMany(12);
  expect([names().length, queue.waiting]).toEqual([AT_ONCE, 2]);
  await end("chat3", false);
  expect([names().at(-1), queue.waiting]).toEqual(["chat10", 1]);
  await end("chat10");
  expect(names().at(-1)).toBe("chat11");
  nothingIsLeft();
});

describe("a fair call queue", () => {
  test("serves a single call of one key before a thousand waiting calls of another key", async () => {
    await askMany(1010, { chat: "busy" });
    await ask("alone", { chat: "calm" });
    await end("busy0");
    await end("busy1");
    expect(names().slice(AT_ONCE)).toEqual(["busy10", "alone"]);
  });

  test("serves keys in slot for every order of requests, ends and aborts", async () => {
    const step = fc.oneof(
      { weight: 4, arbitrary: fc.record({ ask: fc.constantFrom("a", "b", "c", "d") }) },
      { weight: 3, arbitrary: fc.record({ end: fc.nat() }) },
      { weight: 1, arbitrary: fc.record({ leave: fc.nat() }) },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 120 }), async (steps) => {
        queue = new CallQueue();
        const inUse: Slot[] = [];
        const served: { chat: string; number: number }[] = [];
        const left: number[] = [];
        // The model: the waiting requests, each with the other chats that were served since it became the first of its chat.
        let waiting: { chat: string; number: number; leaving: AbortController; passedBy: string[] }[] = [];
        const firstOf = (chat: string) => waiting.find((one) => one.chat === chat);
        let number = 0;
        for (const now of steps) {
          if ("ask" in now) {
            const one = { chat: now.ask, number, leaving: new AbortController(), passedBy: [] };
            number += 1;
            waiting.push(one);
            queue
              .slot({ method: "create", chat: one.chat, milliseconds: LONG, signal: one.leaving.signal })
              .then(
                (slot) => {
                  inUse.push(slot);
                  served.push(one);
                },
                () => left.push(one.number),
              );
          } else if ("end" in now) {
            const [slot] = inUse.splice(now.end % Math.max(1, inUse.length), 1);
            slot?.end(true);
          } else if (waiting.length > 0) {
            const leaving = waiting[now.leave % waiting.length];
            leaving?.leaving.abort();
            waiting = waiting.filter((one) => one !== leaving);
          }
          await pass(0);
          for (const { chat, number: which } of served.splice(0)) {
            expect(firstOf(chat)?.number).toBe(which);
            waiting = waiting.filter((one) => one.number !== which);
            for (const other of new Set(waiting.map((one) => one.chat))) {
              const first = firstOf(other);
              if (other === chat || !first) continue;
              expect(first.passedBy).not.toContain(chat);
              first.passedBy.push(chat);
            }
          }
          expect(queue.waiting).toBe(waiting.length);
          expect(inUse.length).toBeLessThanOrEqual(AT_ONCE);
          expect(waiting.length === 0 || inUse.length === AT_ONCE).toBe(true);
        }
        while (inUse.length > 0) {
          inUse.pop()?.end(true);
          await pass(0);
        }
        expect(served.length).toBe(waiting.length);
        nothingIsLeft();
      }),
      { numRuns: 200 },
    );
  });
});

describe("a hold", () => {
  test("gives no slot before the longest of several holds ends", async () => {
    hold(5000);
    hold(2000);
    await ask("first");
    await pass(4999);
    expect([names(), queue.isHeld(ANY)]).toEqual([[], true]);
    await pass(1);
    expect([names(), queue.isHeld(ANY)]).toEqual([["first"], false]);
    nothingIsLeft();
  });

  test("is followed by a slot even if it ends while the queue looks for requests that may begin", async () => {
    const clock = performance.now.bind(performance);
    // Timers of Node.js may fire early. Time passes with each look at the clock, so one of the holds ends between any two looks.
    for (let early = 0; early < 1; early += 1 / 128) {
      queue = new CallQueue();
      hold(1000);
      await ask(`early by ${early} ms`);
      let looks = 0;
      const now = vi.spyOn(performance, "now").mockImplementation(() => {
        looks += 1;
        return clock() - early + looks * 0.01;
      });
      await pass(1002);
      now.mockRestore();
      expect(names().at(-1)).toBe(`early by ${early} ms`);
    }
    nothingIsLeft();
  });

  test("is followed by one slot, and one more with each success", async () => {
    hold(1000);
    await askMany(60);
    await pass(1000);
    expect(names()).toHaveLength(1);
    await end("chat0", false);
    expect(names()).toHaveLength(2);
    const inUse = () => names().length - 2;
    await end("chat1");
    expect(inUse()).toBe(2);
    await end("chat2");
    expect(inUse() - 1).toBe(3);
    for (let index = 3; index < 40; index += 1) await end(`chat${index}`);
    expect(names().length - 40).toBe(AT_ONCE);
  });

  test("gives no additional slot for the success of an earlier call", async () => {
    await askMany(12);
    hold(1000);
    for (let index = 0; index < AT_ONCE; index += 1) await end(`chat${index}`);
    await pass(1000);
    expect(names()).toHaveLength(AT_ONCE + 1);
  });

  test("refuses at once requests that cannot outlast it, with the seconds that are left", async () => {
    await askMany(AT_ONCE);
    await ask("short", { milliseconds: 3000 });
    await ask("long", { milliseconds: 9000 });
    await pass(100);
    hold(7000);
    await pass(0);
    expect([retries(), queue.waiting]).toEqual([[["short", 7]], 1]);
    await pass(2500);
    await ask("late", { milliseconds: 4000 });
    expect(retries().at(-1)).toEqual(["late", 5]);
    expect([queue.hasTimeLeft(ANY, 4000), queue.hasTimeLeft(ANY, 5000)]).toEqual([false, true]);
    for (let index = 0; index < AT_ONCE; index += 1) await end(`chat${index}`, false);
    await pass(4500);
    expect(names().at(-1)).toBe("long");
    nothingIsLeft();
  });
});

describe("a hold of one method in one chat", () => {
  const CREATE_IN_A = { method: "create", chat: "a" };
  const holdInA = (milliseconds: number) => queue.hold([{ ...CREATE_IN_A, milliseconds }]);

  test("lets other methods and other chats overtake", async () => {
    holdInA(60_000);
    await ask("held", { chat: "a" });
    await ask("revoke", { chat: "a", method: "revoke" });
    await ask("elsewhere", { chat: "b" });
    expect([names(), queue.waiting]).toEqual([["revoke", "elsewhere"], 1]);
    await end("elsewhere");
    await pass(60_000);
    expect(names().at(-1)).toBe("held");
    nothingIsLeft();
  });

  test("lets the method go on in other chats with one slot, and one more with each success", async () => {
    holdInA(60_000);
    for (const chat of ["b", "c", "d", "e"]) await ask(chat, { chat });
    await ask("other method", { chat: "b", method: "edit" });
    expect(names()).toEqual(["b", "other method"]);
    await end("other method");
    expect(names()).toHaveLength(2);
    await end("b");
    expect(names().slice(2)).toEqual(["c", "d"]);
  });

  test("that is added again does not slow the method down again", async () => {
    holdInA(60_000);
    for (const chat of ["b", "c", "d"]) await ask(chat, { chat });
    await end("b");
    holdInA(60_000);
    await end("c");
    await ask("e", { chat: "e" });
    await ask("f", { chat: "f" });
    expect(names()).toEqual(["b", "c", "d", "e", "f"]);
  });

  test("refuses at once only requests of its chat that cannot outlast it", async () => {
    await askMany(AT_ONCE, { chat: "b" });
    await ask("short", { chat: "a", milliseconds: 3000 });
    await ask("short, other method", { chat: "a", method: "edit", milliseconds: 3000 });
    await ask("short, other chat", { chat: "c", milliseconds: 3000 });
    holdInA(7000);
    await pass(0);
    expect(retries()).toEqual([["short", 7]]);
    expect([queue.hasTimeLeft(CREATE_IN_A, 6000), queue.hasTimeLeft(ANY, 6000)]).toEqual([false, true]);
  });
});

test("urgent requests go before all others, in slot between keys", async () => {
  await askMany(AT_ONCE + 5, { chat: "busy" });
  for (const chat of ["a", "a", "b"])
    await ask(`revoke in ${chat}`, { chat, method: "revoke", isUrgent: true });
  for (let index = 0; index < 4; index += 1) await end(`busy${index}`);
  expect(names().slice(AT_ONCE)).toEqual(["revoke in a", "revoke in b", "revoke in a", "busy10"]);
});

test("patient requests go after all others, whatever their keys", async () => {
  await askMany(AT_ONCE, { chat: "busy" });
  await ask("batch in a", { chat: "a", isPatient: true });
  await ask("batch in b", { chat: "b", isPatient: true });
  await ask("single in a", { chat: "a" });
  await ask("single in c", { chat: "c" });
  for (let index = 0; index < 4; index += 1) await end(`busy${index}`);
  expect(names().slice(AT_ONCE)).toEqual(["single in a", "single in c", "batch in a", "batch in b"]);
});

describe("a waiting request", () => {
  test("times out, with an estimate of the wait", async () => {
    await askMany(AT_ONCE);
    await pass(2000);
    for (let index = 0; index < AT_ONCE; index += 1) await end(`chat${index}`);
    begun = [];
    await askMany(AT_ONCE + 25);
    await ask("calm", { chat: "calm", milliseconds: 500 });
    await ask("busy", { milliseconds: 500 });
    await pass(500);
    // Calls take two seconds and ten run at once. "calm" waits for one call of each chat, "busy" for all waiting calls.
    expect(retries()).toEqual([
      ["calm", 1],
      ["busy", 6],
    ]);
    expect(queue.waiting).toBe(25);
  });

  test("times out if its slot comes too late for the call to end in time", async () => {
    await ask("slow");
    await pass(2000);
    await end("slow");
    await askMany(AT_ONCE);
    await ask("late", { milliseconds: 1900 });
    await ask("early", { milliseconds: 4000 });
    await pass(1000);
    await end("chat0");
    expect([names().at(-1), refused[0]?.name, refused[0]?.error]).toEqual([
      "early",
      "late",
      expect.any(SlotTimeoutError),
    ]);
  });

  test("is dropped when its client has left", async () => {
    await askMany(AT_ONCE);
    const leaving = new AbortController();
    await ask("gone", { signal: leaving.signal });
    await ask("next", { signal: new AbortController().signal });
    leaving.abort();
    await pass(0);
    expect([queue.waiting, refused]).toEqual([1, [{ name: "gone", error: expect.any(ClientAbortedError) }]]);
    await end("chat0");
    expect(names().at(-1)).toBe("next");
    await ask("gone before", { signal: leaving.signal });
    expect(refused).toHaveLength(2);
    nothingIsLeft();
  });

  test("that could not use its first slot keeps its place among those of its key", async () => {
    await askMany(AT_ONCE + 2);
    const [first, second] = begun;
    hold(1000);
    first?.slot.end(false);
    second?.slot.end(false);
    await ask("second again", {}, second?.slot);
    await ask("first again", {}, first?.slot);
    for (let index = 2; index < AT_ONCE; index += 1) await end(`chat${index}`, false);
    await pass(1000);
    for (const name of ["first again", "second again", "chat10", "chat11"]) {
      expect(names().at(-1)).toBe(name);
      await end(name, false);
    }
    nothingIsLeft();
  });
});
