import { afterAll, beforeAll, beforeEach, describe, expect, it, test } from "vitest";
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

describe("a caller", () => {
  const caller = callerOf();
  const shared = () => new CallerCache({ remembers: true, isShared: true });

  test("is remembered for a moment", async () => {
    const known = shared();
    await known.reading("hash", async () => caller);
    expect(known.find("hash")).toBe(caller);
    expect(known.find("other")).toBeUndefined();
  });

  test("is not remembered where it is none, nor where nothing shall be", async () => {
    const known = shared();
    await known.reading("hash", async () => null);
    expect(known.find("hash")).toBeUndefined();
    const forgetful = new CallerCache({ remembers: false, isShared: true });
    await forgetful.reading("hash", async () => caller);
    expect(forgetful.find("hash")).toBeUndefined();
  });

  test("that was asked for before a change is not remembered after it", async () => {
    const known = shared();
    let answer: (found: Caller) => void = () => {};
    const reading = known.reading(
      "hash",
      () =>
        new Promise((resolve) => {
          answer = resolve;
        }),
    );
    const forgotten = known.forget();
    answer(caller);
    await Promise.all([reading, forgotten]);
    expect(known.find("hash")).toBeUndefined();
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

  it("are read once in a while", async () => {
    const { secret } = await tokens(0).create({ name: "Often", role: "VIEWER" });
    const first = await on(0).authentication.authenticate(secret);
    test.statements.length = 0;
    expect(await on(0).authentication.authenticate(secret)).toEqual(first);
    expect(test.statements).toEqual([]);
  });

  it("are taken nowhere any more once revoking them was answered", async () => {
    const { secret, apiToken } = await tokens(0).create({ name: "Revoked", role: "VIEWER" });
    // One is asked all the time, so that it would remember it again and again.
    const asking = setInterval(() => void on(1).authentication.authenticate(secret), 5);
    expect(await on(0).authentication.authenticate(secret)).not.toBeNull();
    await tokens(0).revoke({ id: apiToken.id });
    const after = await Promise.all(servers.map((server) => server.authentication.authenticate(secret)));
    clearInterval(asking);
    expect(after).toEqual([null, null]);
  });

  it("may use a chat under its new id everywhere once it was followed", async () => {
    const [from, to] = [newChatId(), newChatId()];
    await storeChannel(test.database, from);
    const { secret } = await tokens(0).create({ name: "Moved", role: "VIEWER", channelIds: [from] });
    for (const { authentication } of servers) await authentication.authenticate(secret);
    await followMigration({ database: test.database, callerCache: on(0).callerCache }, callerOf(), from, to);
    for (const { authentication } of servers)
      expect((await authentication.authenticate(secret))?.channelIds).toEqual(new Set([to]));
  });
});
