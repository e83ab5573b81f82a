import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished, test, vi } from "vitest";
import { Authentication } from "../../../src/domain/access/authentication.js";
import { CallerCache } from "../../../src/domain/access/callerCache.js";
import { Tokens } from "../../../src/domain/access/tokens.js";
import { followMigration } from "../../../src/domain/channels/chatMigration.js";
import type { Caller } from "../../../src/domain/shared/caller.js";
import {
  describeOnForms,
  openTestDatabase,
  type TestDatabase,
  USUAL_FORMS,
} from "../../support/databases.js";
import { callerOf, newChatId, storeChannel } from "../support.js";

/** Stops the clock by which callers are cached, until the test ends. */
function stopClock(): void {
  vi.useFakeTimers({ toFake: ["performance"] });
  onTestFinished(() => void vi.useRealTimers());
}

describe("a caller", () => {
  const caller = callerOf();
  const shared = () => new CallerCache({ remembers: true, isShared: true });

  test("a caller is cached for half a second", async () => {
    stopClock();
    const cache = shared();
    await cache.read("hash", async () => caller);
    expect(cache.find("other")).toBeUndefined();
    vi.advanceTimersByTime(499);
    expect(cache.find("hash")).toBe(caller);
    vi.advanceTimersByTime(1);
    expect(cache.find("hash")).toBeUndefined();
  });

  test("a secret without a caller is not cached, and nothing is cached where the cache is off", async () => {
    const cache = shared();
    await cache.read("hash", async () => null);
    expect(cache.find("hash")).toBeUndefined();
    const forgetful = new CallerCache({ remembers: false, isShared: true });
    await forgetful.read("hash", async () => caller);
    expect(forgetful.find("hash")).toBeUndefined();
  });

  test("a caller that was read before a change is not cached after it", async () => {
    const cache = shared();
    let answer: (found: Caller) => void = () => {};
    const reading = cache.read(
      "hash",
      () =>
        new Promise((resolve) => {
          answer = resolve;
        }),
    );
    const forgotten = cache.forget();
    answer(caller);
    await Promise.all([reading, forgotten]);
    expect(cache.find("hash")).toBeUndefined();
  });

  test("a caller that another server read right before a change is not used after it", async () => {
    // Many, because a timer does not always end early.
    const found = Array.from({ length: 200 }, async (_, index) => {
      await delay(index);
      const [own, other] = [shared(), shared()];
      await other.read("hash", async () => caller);
      await own.forget();
      return other.find("hash");
    });
    expect(new Set(await Promise.all(found))).toEqual(new Set([undefined]));
  });
});

await describeOnForms("tokens on two servers", USUAL_FORMS, (form) => {
  let test: TestDatabase;
  let servers: { readonly callerCache: CallerCache; readonly authentication: Authentication }[];

  beforeAll(async () => {
    test = await openTestDatabase(form);
  });
  afterAll(() => test?.close());
  beforeEach(() => {
    servers = [1, 2].map(() => {
      const callerCache = new CallerCache({ remembers: true, isShared: true });
      const fail = (error: unknown) => {
        throw error;
      };
      return { callerCache, authentication: new Authentication(test.database, callerCache, null, fail) };
    });
  });

  const on = (index: number) => servers[index] as (typeof servers)[number];
  const tokens = (index: number) =>
    new Tokens({ database: test.database, callerCache: on(index).callerCache }, callerOf(null, "ADMIN"));

  it("tokens are read at most once in half a second", async () => {
    const { secret } = await tokens(0).create({ name: "Often", role: "VIEWER", chatIds: null });
    stopClock();
    const first = await on(0).authentication.authenticate(secret);
    test.statements.length = 0;
    expect(await on(0).authentication.authenticate(secret)).toEqual(first);
    expect(test.statements).toEqual([]);
  });

  it("a revoked token is accepted by no server once the revocation is answered", async () => {
    const { secret, apiToken } = await tokens(0).create({ name: "Revoked", role: "VIEWER", chatIds: null });
    // One server is asked all the time, so it would cache the caller again and again.
    const asking = setInterval(() => void on(1).authentication.authenticate(secret), 5);
    expect(await on(0).authentication.authenticate(secret)).not.toBeNull();
    await tokens(0).revoke({ id: apiToken.id });
    const after = await Promise.all(servers.map((server) => server.authentication.authenticate(secret)));
    clearInterval(asking);
    expect(after).toEqual([null, null]);
  });

  it("a token may use a migrated chat on every server once the migration was followed", async () => {
    const [from, to] = [newChatId(), newChatId()];
    await storeChannel(test.database, from);
    const { secret } = await tokens(0).create({ name: "Moved", role: "VIEWER", chatIds: [from] });
    for (const { authentication } of servers) await authentication.authenticate(secret);
    await followMigration({ database: test.database, callerCache: on(0).callerCache }, callerOf(), from, to);
    for (const { authentication } of servers)
      expect((await authentication.authenticate(secret))?.chatIds).toEqual(new Set([to]));
  });
});
