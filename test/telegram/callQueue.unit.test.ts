import * as fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { CallQueue, ClientAbortedError, type Slot, SlotTimeoutError } from "../../src/telegram/callQueue.js";

const AT_ONCE = 10;
const LONG = 1_000_000;

let queue: CallQueue;
/** What became of each that asked, in that order: its name and turn, or the error. */
let begun: { readonly name: string; readonly turn: Slot }[];
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
const ANY = { method: "create", chat: "lane" };
const pass = (milliseconds: number) => vi.advanceTimersByTimeAsync(milliseconds);
interface Asked {
  readonly lane?: string;
  readonly method?: string;
  readonly isUrgent?: boolean;
  readonly milliseconds?: number;
  readonly signal?: AbortSignal;
}
async function ask(name: string, asked: Asked = {}, again?: Slot) {
  const { lane = "lane", method = "create", isUrgent, milliseconds = LONG, signal } = asked;
  queue.slot({ method, chat: lane, isUrgent, milliseconds, signal }, again).then(
    (turn) => begun.push({ name, turn }),
    (error) => refused.push({ name, error }),
  );
  await pass(0);
}
async function askMany(count: number, asked: Asked = {}) {
  for (let index = 0; index < count; index += 1) await ask(`${asked.lane ?? "lane"}${index}`, asked);
}
const names = () => begun.map(({ name }) => name);
async function end(name: string, succeeded = true) {
  const index = names().lastIndexOf(name);
  begun[index]?.turn.end(succeeded);
  await pass(0);
}
const retries = () => refused.map(({ name, error }) => [name, (error as SlotTimeoutError).retryAfterSeconds]);
const nothingIsLeft = () => expect([queue.waiting, vi.getTimerCount()]).toEqual([0, 0]);

test("ten at once, and one more for each that ends, whatever came of it", async () => {
  await askMany(12);
  expect([names().length, queue.waiting]).toEqual([AT_ONCE, 2]);
  await end("lane3", false);
  expect([names().at(-1), queue.waiting]).toEqual(["lane10", 1]);
  await end("lane10");
  expect(names().at(-1)).toBe("lane11");
  nothingIsLeft();
});

describe("fair between lanes", () => {
  test("one call is next, though a thousand of another lane wait", async () => {
    await askMany(1010, { lane: "busy" });
    await ask("alone", { lane: "calm" });
    await end("busy0");
    await end("busy1");
    expect(names().slice(AT_ONCE)).toEqual(["busy10", "alone"]);
  });

  test("whoever comes and goes, in whatever order", async () => {
    const step = fc.oneof(
      { weight: 4, arbitrary: fc.record({ ask: fc.constantFrom("a", "b", "c", "d") }) },
      { weight: 3, arbitrary: fc.record({ end: fc.nat() }) },
      { weight: 1, arbitrary: fc.record({ leave: fc.nat() }) },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 120 }), async (steps) => {
        queue = new CallQueue();
        const underWay: Slot[] = [];
        const served: { lane: string; number: number }[] = [];
        const left: number[] = [];
        // The model: those that wait, each with how often each other lane was served since it was its lane's first.
        let waiting: { lane: string; number: number; leaving: AbortController; passedBy: string[] }[] = [];
        const firstOf = (lane: string) => waiting.find((one) => one.lane === lane);
        let number = 0;
        for (const now of steps) {
          if ("ask" in now) {
            const one = { lane: now.ask, number, leaving: new AbortController(), passedBy: [] };
            number += 1;
            waiting.push(one);
            queue
              .slot({ method: "create", chat: one.lane, milliseconds: LONG, signal: one.leaving.signal })
              .then(
                (turn) => {
                  underWay.push(turn);
                  served.push(one);
                },
                () => left.push(one.number),
              );
          } else if ("end" in now) {
            const [turn] = underWay.splice(now.end % Math.max(1, underWay.length), 1);
            turn?.end(true);
          } else if (waiting.length > 0) {
            const leaving = waiting[now.leave % waiting.length];
            leaving?.leaving.abort();
            waiting = waiting.filter((one) => one !== leaving);
          }
          await pass(0);
          for (const { lane, number: which } of served.splice(0)) {
            expect(firstOf(lane)?.number).toBe(which);
            waiting = waiting.filter((one) => one.number !== which);
            for (const other of new Set(waiting.map((one) => one.lane))) {
              const first = firstOf(other);
              if (other === lane || !first) continue;
              expect(first.passedBy).not.toContain(lane);
              first.passedBy.push(lane);
            }
          }
          expect(queue.waiting).toBe(waiting.length);
          expect(underWay.length).toBeLessThanOrEqual(AT_ONCE);
          expect(waiting.length === 0 || underWay.length === AT_ONCE).toBe(true);
        }
        while (underWay.length > 0) {
          underWay.pop()?.end(true);
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
  test("lets nobody begin before its time, the longest of several", async () => {
    hold(5000);
    hold(2000);
    await ask("first");
    await pass(4999);
    expect([names(), queue.isHeld(ANY)]).toEqual([[], true]);
    await pass(1);
    expect([names(), queue.isHeld(ANY)]).toEqual([["first"], false]);
    nothingIsLeft();
  });

  test("is followed by one at once, and one more with each that succeeds", async () => {
    hold(1000);
    await askMany(60);
    await pass(1000);
    expect(names()).toHaveLength(1);
    await end("lane0", false);
    expect(names()).toHaveLength(2);
    const underWay = () => names().length - 2;
    await end("lane1");
    expect(underWay()).toBe(2);
    await end("lane2");
    expect(underWay() - 1).toBe(3);
    for (let index = 3; index < 40; index += 1) await end(`lane${index}`);
    expect(names().length - 40).toBe(AT_ONCE);
  });

  test("is not followed by more because of what began before it", async () => {
    await askMany(12);
    hold(1000);
    for (let index = 0; index < AT_ONCE; index += 1) await end(`lane${index}`);
    await pass(1000);
    expect(names()).toHaveLength(AT_ONCE + 1);
  });

  test("ends the wait of those at once who cannot outlast it, and says what is left", async () => {
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
    for (let index = 0; index < AT_ONCE; index += 1) await end(`lane${index}`, false);
    await pass(4500);
    expect(names().at(-1)).toBe("long");
    nothingIsLeft();
  });
});

describe("a hold of one method in one chat", () => {
  const CREATE_IN_A = { method: "create", chat: "a" };
  const holdInA = (milliseconds: number) => queue.hold([{ ...CREATE_IN_A, milliseconds }]);

  test("lets other methods of the chat pass those that it holds, and other chats", async () => {
    holdInA(60_000);
    await ask("held", { lane: "a" });
    await ask("revoke", { lane: "a", method: "revoke" });
    await ask("elsewhere", { lane: "b" });
    expect([names(), queue.waiting]).toEqual([["revoke", "elsewhere"], 1]);
    await end("elsewhere");
    await pass(60_000);
    expect(names().at(-1)).toBe("held");
    nothingIsLeft();
  });

  test("lets the method go on elsewhere one at a time, and one more with each that succeeds", async () => {
    holdInA(60_000);
    for (const lane of ["b", "c", "d", "e"]) await ask(lane, { lane });
    await ask("other method", { lane: "b", method: "edit" });
    expect(names()).toEqual(["b", "other method"]);
    await end("other method");
    expect(names()).toHaveLength(2);
    await end("b");
    expect(names().slice(2)).toEqual(["c", "d"]);
  });

  test("that is told again, as every server reads it, does not slow the method down again", async () => {
    holdInA(60_000);
    for (const lane of ["b", "c", "d"]) await ask(lane, { lane });
    await end("b");
    holdInA(60_000);
    await end("c");
    await ask("e", { lane: "e" });
    await ask("f", { lane: "f" });
    expect(names()).toEqual(["b", "c", "d", "e", "f"]);
  });

  test("ends the wait of those in its chat at once who cannot outlast it, and of nobody else", async () => {
    await askMany(AT_ONCE, { lane: "b" });
    await ask("short", { lane: "a", milliseconds: 3000 });
    await ask("short, other method", { lane: "a", method: "edit", milliseconds: 3000 });
    await ask("short, other chat", { lane: "c", milliseconds: 3000 });
    holdInA(7000);
    await pass(0);
    expect(retries()).toEqual([["short", 7]]);
    expect([queue.hasTimeLeft(CREATE_IN_A, 6000), queue.hasTimeLeft(ANY, 6000)]).toEqual([false, true]);
  });
});

test("what is urgent goes before everything else that waits, and is fair between lanes by itself", async () => {
  await askMany(AT_ONCE + 5, { lane: "busy" });
  for (const lane of ["a", "a", "b"])
    await ask(`revoke in ${lane}`, { lane, method: "revoke", isUrgent: true });
  for (let index = 0; index < 4; index += 1) await end(`busy${index}`);
  expect(names().slice(AT_ONCE)).toEqual(["revoke in a", "revoke in b", "revoke in a", "busy10"]);
});

describe("whoever waits", () => {
  test("gives up when there is no time left, and is told how long the others take", async () => {
    await askMany(AT_ONCE);
    await pass(2000);
    for (let index = 0; index < AT_ONCE; index += 1) await end(`lane${index}`);
    begun = [];
    await askMany(AT_ONCE + 25);
    await ask("calm", { lane: "calm", milliseconds: 500 });
    await ask("busy", { milliseconds: 500 });
    await pass(500);
    // Two seconds each, ten at once: one of the own lane and one of the other before it, or all that wait.
    expect(retries()).toEqual([
      ["calm", 1],
      ["busy", 6],
    ]);
    expect(queue.waiting).toBe(25);
  });

  test("gives up where its turn comes too late for it to end in time", async () => {
    await ask("slow");
    await pass(2000);
    await end("slow");
    await askMany(AT_ONCE);
    await ask("late", { milliseconds: 1900 });
    await ask("early", { milliseconds: 4000 });
    await pass(1000);
    await end("lane0");
    expect([names().at(-1), refused[0]?.name, refused[0]?.error]).toEqual([
      "early",
      "late",
      expect.any(SlotTimeoutError),
    ]);
  });

  test("is dropped when it has gone, and its place is free", async () => {
    await askMany(AT_ONCE);
    const leaving = new AbortController();
    await ask("gone", { signal: leaving.signal });
    await ask("next", { signal: new AbortController().signal });
    leaving.abort();
    await pass(0);
    expect([queue.waiting, refused]).toEqual([1, [{ name: "gone", error: expect.any(ClientAbortedError) }]]);
    await end("lane0");
    expect(names().at(-1)).toBe("next");
    await ask("gone before", { signal: leaving.signal });
    expect(refused).toHaveLength(2);
    nothingIsLeft();
  });

  test("for another turn, the first having been for nothing, goes before those of its lane that came later", async () => {
    await askMany(AT_ONCE + 2);
    const [first, second] = begun;
    hold(1000);
    first?.turn.end(false);
    second?.turn.end(false);
    await ask("second again", {}, second?.turn);
    await ask("first again", {}, first?.turn);
    for (let index = 2; index < AT_ONCE; index += 1) await end(`lane${index}`, false);
    await pass(1000);
    for (const name of ["first again", "second again", "lane10", "lane11"]) {
      expect(names().at(-1)).toBe(name);
      await end(name, false);
    }
    nothingIsLeft();
  });
});
