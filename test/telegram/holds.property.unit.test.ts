import * as fc from "fast-check";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { CallQueue } from "../../src/telegram/callQueue.js";
import { type Hold, type HoldStore, Holds, type HoldTarget } from "../../src/telegram/holds.js";
import { SharedHolds } from "../../src/telegram/sharedHolds.js";
import { propertyInTime } from "../support/properties.js";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const METHODS = ["createChatInviteLink", "editChatInviteLink", "getChat"];
const CHATS = ["-1", "-2", "-3"];
const TARGETS: readonly HoldTarget[] = [
  { method: "getMe", chat: null },
  ...METHODS.flatMap((method) => CHATS.map((chat) => ({ method, chat }))),
];

/** Keeps holds as the database does. */
class SharedStore implements HoldStore {
  readonly #holds = new Holds();
  isAway = false;
  async live() {
    if (this.isAway) throw new Error("away");
    return this.#holds.live;
  }
  async add(holds: readonly Hold[]) {
    if (this.isAway) throw new Error("away");
    for (const hold of holds) this.#holds.add(hold);
    return this.live();
  }
}

/** The model: when each call may be sent again after each event. */
class Model {
  readonly #inChat = new Map<string, number>();
  readonly #inAllChats = new Map<string, number>();
  #bot = 0;

  answered429({ method, chat }: HoldTarget, now: number, milliseconds: number): void {
    const until = now + milliseconds;
    if (milliseconds <= 5000 || method === "getMe") {
      this.#bot = Math.max(this.#bot, until);
      return;
    }
    const key = `${method} ${chat}`;
    this.#inChat.set(key, Math.max(until, this.#inChat.get(key) ?? 0));
    const liveIn = (one: string) =>
      CHATS.map((other) => this.#inChat.get(`${one} ${other}`) ?? 0).filter((end) => end > now);
    const everywhere = (one: string) => (this.#inAllChats.get(one) ?? 0) > now;
    for (const one of METHODS) {
      const ends = liveIn(one);
      if (ends.length < 2 && !(everywhere(one) && ends.length > 0)) continue;
      this.#inAllChats.set(one, Math.max(...ends, this.#inAllChats.get(one) ?? 0));
    }
    const held = METHODS.filter((one) => everywhere(one) || liveIn(one).length > 0);
    if (held.length < 2 || !held.some(everywhere)) return;
    const ends = held.flatMap((one) => [...liveIn(one), this.#inAllChats.get(one) ?? 0]);
    this.#bot = Math.max(this.#bot, ...ends);
  }

  left({ method, chat }: HoldTarget, now: number): number {
    const ends = [this.#bot, this.#inAllChats.get(method) ?? 0, this.#inChat.get(`${method} ${chat}`) ?? 0];
    return Math.max(0, Math.max(...ends) - now);
  }
}

const step = fc.oneof(
  fc.record({
    server: fc.nat(2),
    target: fc.constantFrom(...TARGETS),
    seconds: fc.constantFrom(1, 5, 6, 30, 60, 600),
  }),
  fc.record({ pass: fc.constantFrom(1, 500, 3000, 20_000, 60_000) }),
  fc.record({ restart: fc.nat(2) }),
);

/** Milliseconds that are left of a call's hold; 0 if the call may be sent. */
function leftAt(pace: CallQueue, target: HoldTarget): number {
  const ends = pace.holds.filter(
    ({ method, chat }) =>
      (method === null || method === target.method) && (chat === null || chat === target.chat),
  );
  const left = Math.max(0, ...ends.map(({ milliseconds }) => milliseconds));
  // The holds by which calls are decided.
  return pace.isHeld(target) === left > 0 ? left : Number.NaN;
}

test("three servers with one store hold back the calls that the rules say, even after restarts", async () => {
  await fc.assert(
    propertyInTime(fc.array(step, { minLength: 1, maxLength: 30 }), async (steps) => {
      const store = new SharedStore();
      const start = () => {
        const pace = new CallQueue();
        return { pace, holds: new SharedHolds(store, pace) };
      };
      const servers = [start(), start(), start()];
      const model = new Model();
      for (const now of steps) {
        if ("pass" in now) await vi.advanceTimersByTimeAsync(now.pass);
        else if ("restart" in now) servers[now.restart] = start();
        else {
          await servers[now.server]?.holds.add(now.target, now.seconds * 1000);
          model.answered429(now.target, performance.now(), now.seconds * 1000);
        }
        for (const { pace, holds } of servers) {
          await holds.refresh();
          const now = performance.now();
          expect(TARGETS.map((target) => Math.round(leftAt(pace, target)))).toEqual(
            TARGETS.map((target) => Math.round(model.left(target, now))),
          );
        }
      }
    }),
    { numRuns: 100 },
  );
});

test("a server obeys its own holds while the store is unavailable, and stores them afterwards", async () => {
  const store = new SharedStore();
  const [pace, other] = [new CallQueue(), new CallQueue()];
  const [own, others] = [new SharedHolds(store, pace), new SharedHolds(store, other)];
  const target = { method: "createChatInviteLink", chat: "-1" };
  store.isAway = true;
  await own.add(target, 60_000);
  await own.refresh();
  await others.refresh();
  expect([pace.isHeld(target), other.isHeld(target)]).toEqual([true, false]);
  store.isAway = false;
  await own.refresh();
  await others.refresh();
  expect(other.isHeld(target)).toBe(true);
});

test("a hold that could not be stored is stored later, though the store was being read meanwhile", async () => {
  const store = new SharedStore();
  const pace = new CallQueue();
  const holds = new SharedHolds(store, pace);
  let answer = () => {};
  vi.spyOn(store, "live").mockImplementationOnce(async () => {
    await new Promise<void>((resolve) => {
      answer = resolve;
    });
    return [];
  });
  const read = holds.refresh();
  store.isAway = true;
  await holds.add({ method: "createChatInviteLink", chat: "-1" }, 60_000);
  store.isAway = false;
  answer();
  await read;
  await holds.refresh();
  expect((await store.live()).map(({ method, chat }) => [method, chat])).toEqual([
    ["createChatInviteLink", "-1"],
  ]);
});

test("calls do not wait for a store that hangs", async () => {
  const never = new Promise<readonly Hold[]>(() => {});
  const pace = new CallQueue();
  const holds = new SharedHolds({ live: () => never, add: () => never }, pace);
  const target = { method: "createChatInviteLink", chat: "-1" };
  const added = holds.add(target, 60_000);
  expect(pace.isHeld(target)).toBe(true);
  await vi.advanceTimersByTimeAsync(1000);
  await added;
  const refreshed = holds.refresh();
  await vi.advanceTimersByTimeAsync(1000);
  await refreshed;
  expect([pace.isHeld(target), vi.getTimerCount()]).toEqual([true, 0]);
});
