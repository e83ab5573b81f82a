import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { CreationIntents } from "../../../../src/domain/links/create/creationIntents.js";
import { LinkCreator } from "../../../../src/domain/links/create/linkCreator.js";
import { createLoaders } from "../../../../src/domain/loaders.js";
import type { Caller } from "../../../../src/domain/shared/caller.js";
import { IdempotencyConflictError, TelegramRejectedError } from "../../../../src/domain/shared/errors.js";
import { newId } from "../../../../src/domain/shared/ids.js";
import { PendingWork } from "../../../../src/domain/shared/pendingWork.js";
import { createLog } from "../../../../src/log.js";
import { TelegramCallError } from "../../../../src/telegram/failures.js";
import type {
  Deadline,
  LinkSettings,
  SendObserver,
  TelegramGateway,
} from "../../../../src/telegram/gateway.js";
import { openTestDatabase, type TestDatabase, USUAL_FORMS } from "../../../support/databases.js";
import { noKnownCallers, UNGUARDED } from "../../support.js";

const CHAT = -1_001_000_000_001;
const BOT = 42;
/** How long after its start a request's deadline is, in milliseconds, unless the test ends its time. */
const PATIENCE_MS = 10_000;
const caller: Caller = { key: "admin", name: "Test", role: "ADMIN", chatIds: null, telegramUserId: null };

let test_: TestDatabase;
const alive = new Set<string>();
const us = newId();
let calls: number;
/** How often it was asked whether a server lives. */
let looks: number;
/** The deadlines of the requests so far. */
const deadlines: { at: number }[] = [];
/** Lets the time of all requests end. */
const endTime = (): void => {
  for (const deadline of deadlines) deadline.at = Date.now();
};
let answer: () => Promise<{ invite_link: string; name?: string }>;
const lines: { level: string; msg: string }[] = [];

beforeAll(async () => {
  test_ = await openTestDatabase(USUAL_FORMS[0] ?? "embedded");
  await test_.database.prisma.channel.create({
    data: { id: newId(), chatId: BigInt(CHAT), kind: "CHANNEL", title: "C", createdAt: new Date() },
  });
});
afterAll(() => test_.close());
beforeEach(async () => {
  alive.clear();
  alive.add(us);
  calls = 0;
  looks = 0;
  deadlines.length = 0;
  lines.length = 0;
  answer = async () => ({ invite_link: `https://t.me/+${newId()}`, name: "n" });
  await test_.database.prisma.linkCreation.deleteMany();
});

/** A request's LinkCreator on the server with this presence id. */
function creatorOn(owner = us, loaders = createLoaders(test_.database, caller)) {
  const { database } = test_;
  const gateway = {
    botId: BOT,
    deadline: () => {
      const deadline = { at: Date.now() + PATIENCE_MS };
      deadlines.push(deadline);
      return deadline;
    },
    createInviteLink: async (
      _chatId: number,
      _settings: LinkSettings,
      _deadline: Deadline,
      sending: SendObserver,
    ) => {
      await sending.beforeSend();
      calls += 1;
      return answer();
    },
  } as unknown as TelegramGateway;
  const isAlive = async (id: string) => {
    looks += 1;
    return alive.has(id);
  };
  const creationIntents = new CreationIntents(database, { id: owner, isAlive }, BOT);
  const log = createLog({
    level: "debug",
    format: null,
    secrets: [],
    write: (line) => lines.push(JSON.parse(line)),
  });
  return new LinkCreator(
    {
      database,
      callerCache: noKnownCallers,
      gateway,
      creationIntents,
      pendingWork: new PendingWork(),
      storageGuard: UNGUARDED,
    },
    { caller, loaders, log },
  );
}
const input = {
  chatId: CHAT,
  name: "n",
  createsJoinRequest: false,
  budget: "0.00",
  tagIds: [],
  idempotencyKey: "key",
};
const links = () => test_.database.prisma.inviteLink.count();
const creation = () => test_.database.prisma.linkCreation.findFirstOrThrow();
const leaveAt = async (state: "PREPARED" | "SENT", ownerId: string) => {
  await creatorOn(ownerId).create(input);
  const { id } = await creation();
  await test_.database.prisma.linkCreation.update({ where: { id }, data: { state, linkId: null, ownerId } });
  calls = 0;
};

test("a creation looks its channel up again when a chat migration merged the channel meanwhile", async () => {
  const loaders = createLoaders(test_.database, caller);
  const channel = await loaders.channelByChatId.load(CHAT);
  loaders.channelByChatId.clear(CHAT).prime(CHAT, channel && { ...channel, id: newId() });
  expect(await creatorOn(us, loaders).create(input)).toMatchObject({ chatId: CHAT, channelId: channel?.id });
  expect(calls).toBe(1);
});

describe("a creation of a dead server", () => {
  test("an intent of a dead server that is prepared is carried out by the next request with its key", async () => {
    await leaveAt("PREPARED", newId());
    const before = await links();
    expect((await creatorOn().create(input)).name).toBe("n");
    expect([calls, await links(), (await creation()).state]).toEqual([1, before + 1, "ANSWERED"]);
  });

  test("an intent of a dead server that is prepared ends although nobody repeats its request", async () => {
    await leaveAt("PREPARED", newId());
    await new CreationIntents(
      test_.database,
      { id: us, isAlive: async (id) => alive.has(id) },
      BOT,
    ).endAllAbandoned();
    expect(await creation()).toMatchObject({ state: "FAILED", idempotencyKey: null });
    expect((await creatorOn().create(input)).name).toBe("n");
    expect(calls).toBe(1);
  });

  test("an intent of a dead server that is sent becomes uncertain and is never sent again", async () => {
    await leaveAt("SENT", newId());
    for (let attempt = 0; attempt < 2; attempt += 1) {
      await expect(creatorOn().create(input)).rejects.toMatchObject({ outcomeUnknown: true });
    }
    expect([calls, (await creation()).state]).toEqual([0, "UNCERTAIN"]);
  });

  test("an intent of a dead server that can no longer be carried out fails and frees its key", async () => {
    const { prisma } = test_.database;
    const { id: channelId } = await prisma.channel.findFirstOrThrow();
    const type = { id: newId(), name: "T", nameKey: "t", createdAt: new Date() };
    await prisma.tagType.create({ data: type });
    const tag = { id: newId(), channelId, typeId: type.id, name: "t", nameKey: "t", color: "#000000" };
    await prisma.tag.create({ data: { ...tag, createdAt: new Date() } });
    const tagged = { ...input, tagIds: [tag.id] };
    await creatorOn(newId()).create(tagged);
    const { id } = await creation();
    await prisma.linkCreation.update({
      where: { id },
      data: { state: "PREPARED", linkId: null, ownerId: newId() },
    });
    await prisma.tag.delete({ where: { id: tag.id } });
    await expect(creatorOn().create(tagged)).rejects.toMatchObject({
      fieldErrors: [{ field: "tagIds.0", message: expect.any(String) }],
    });
    expect((await creatorOn().create(input)).name).toBe("n");
  });

  test("a server that was taken for dead marks its intent as failed when Telegram certainly created nothing", async () => {
    const { prisma } = test_.database;
    answer = async () => {
      alive.delete(us);
      await expect(creatorOn(newId()).create(input)).rejects.toMatchObject({ outcomeUnknown: true });
      throw new TelegramCallError("createChatInviteLink", { kind: "rejected", description: "no" });
    };
    await expect(creatorOn().create(input)).rejects.toBeInstanceOf(TelegramRejectedError);
    expect(await prisma.linkCreation.findFirst({ where: { state: "UNCERTAIN" } })).toBeNull();
    answer = async () => ({ invite_link: `https://t.me/+${newId()}`, name: "n" });
    expect((await creatorOn().create(input)).name).toBe("n");
  });

  test("an intent of a server that lives is not taken over", async () => {
    const other = newId();
    for (const state of ["PREPARED", "SENT"] as const) {
      await leaveAt(state, other);
      alive.add(other);
      looks = 0;
      const refused = creatorOn().create(input);
      refused.catch(() => {});
      await expect.poll(() => looks).toBeGreaterThan(1);
      endTime();
      await expect(refused).rejects.toBeInstanceOf(IdempotencyConflictError);
      expect([calls, (await creation()).state]).toEqual([0, state]);
      await test_.database.prisma.linkCreation.deleteMany();
    }
  });

  test("an intent of a dead server that two servers find is carried out once", async () => {
    await leaveAt("PREPARED", newId());
    const other = newId();
    alive.add(other);
    const both = await Promise.all([creatorOn(us).create(input), creatorOn(other).create(input)]);
    expect([calls, new Set(both.map(({ id }) => id)).size]).toEqual([1, 1]);
  });
});

test("many requests with the key of an intent that their own server left carry it out once and all get its link", async () => {
  await leaveAt("PREPARED", us);
  let answered = () => {};
  const waits = new Promise<void>((resolve) => {
    answered = resolve;
  });
  const url = `https://t.me/+${newId()}`;
  answer = async () => {
    await waits;
    return { invite_link: url, name: "n" };
  };
  const together = creatorOn();
  const requests = Array.from({ length: 5 }, () => together.create(input));
  await expect.poll(() => calls).toBe(1);
  answered();
  expect(new Set((await Promise.all(requests)).map((link) => link.url))).toEqual(new Set([url]));
  expect(calls).toBe(1);
});

test("an idempotency key gives its link for a day", async () => {
  const first = await creatorOn().create(input);
  const { id } = await creation();
  const dated = (hours: number) =>
    test_.database.prisma.linkCreation.update({
      where: { id },
      data: { updatedAt: new Date(Date.now() - hours * 3_600_000) },
    });
  await dated(23.9);
  expect((await creatorOn().create(input)).id).toBe(first.id);
  await dated(24.1);
  expect((await creatorOn().create({ ...input, name: "other" })).id).not.toBe(first.id);
});

test("an answered intent does not become uncertain or failed", async () => {
  await creatorOn().create(input);
  const { id } = await creation();
  const creationIntents = new CreationIntents(test_.database, { id: us, isAlive: async () => true }, BOT);
  await creationIntents.markUncertain(id, "a commit whose answer was lost");
  await creationIntents.markFailed(id, "likewise");
  expect((await creation()).state).toBe("ANSWERED");
});

describe("storing a created link", () => {
  test("a created link that an update showed before is stored with its intent", async () => {
    const url = `https://t.me/+${newId()}`;
    const { id: channelId } = await test_.database.prisma.channel.findFirstOrThrow();
    const seen = newId();
    answer = async () => {
      await test_.database.prisma.inviteLink.create({
        data: { id: seen, channelId, url, isBotCreated: false, createdAt: new Date() },
      });
      return { invite_link: url, name: "n" };
    };
    expect(await creatorOn().create({ ...input, budget: "7.00" })).toMatchObject({
      id: seen,
      budget: "7.00",
      isBotCreated: true,
    });
  });

  test("a created link has the requested settings where Telegram's answer leaves them out", async () => {
    const expireDate = new Date(Math.floor(Date.now() / 1000) * 1000 + 3_600_000);
    answer = async () => ({ invite_link: `https://t.me/+${newId()}` });
    const link = await creatorOn().create({ ...input, name: " as asked ", expireDate, memberLimit: 7 });
    expect(link).toMatchObject({
      name: "as asked",
      expireDate: expireDate.toISOString(),
      memberLimit: 7,
      createsJoinRequest: false,
    });
  });

  test("a link that existed before the creation is not taken for its result and keeps its fields", async () => {
    const url = `https://t.me/+${newId()}`;
    const { id: channelId } = await test_.database.prisma.channel.findFirstOrThrow();
    const old = {
      id: newId(),
      channelId,
      url,
      name: "old",
      budget: 5,
      createdAt: new Date(Date.now() - 1000),
    };
    await test_.database.prisma.inviteLink.create({ data: old });
    answer = async () => ({ invite_link: url, name: "n" });
    await expect(creatorOn().create(input)).rejects.toMatchObject({ outcomeUnknown: true });
    const kept = await test_.database.prisma.inviteLink.findUniqueOrThrow({ where: { id: old.id } });
    expect([kept.name, Number(kept.budget), (await creation()).state]).toEqual(["old", 5, "UNCERTAIN"]);
  });

  test("the link of another creation is not taken for a creation's result and keeps its fields", async () => {
    const url = `https://t.me/+${newId()}`;
    answer = async () => ({ invite_link: url, name: "n" });
    const first = await creatorOn().create({ ...input, budget: "7.00" });
    await expect(creatorOn().create({ ...input, idempotencyKey: "other" })).rejects.toMatchObject({
      outcomeUnknown: true,
    });
    expect(lines).toContainEqual(
      expect.objectContaining({ level: "fatal", answer: { invite_link: url, name: "n" } }),
    );
    expect(await creatorOn().create({ ...input, budget: "7.00" })).toEqual(first);
  });

  test("a created link is stored when the database comes back after its request was answered", async () => {
    const { database } = test_;
    const { directTransaction } = database;
    database.directTransaction = async () => {
      endTime();
      throw new Error("the database restarts");
    };
    await expect(creatorOn().create(input)).rejects.toMatchObject({ outcomeUnknown: true });
    database.directTransaction = directTransaction;
    await expect.poll(async () => (await creation()).state).toBe("ANSWERED");
    expect((await creatorOn().create(input)).url).toContain("t.me");
    expect(calls).toBe(1);
  });
});

describe("a creation whose database fails", () => {
  const away = () => Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" });
  /** How many of the next statements that mark an intent fail. */
  let failing = 0;
  const updateMany = vi.fn();
  beforeEach(() => {
    const { linkCreation } = test_.database.prisma;
    const original = linkCreation.updateMany.bind(linkCreation);
    updateMany.mockImplementation(async (query: { data: { state?: string } }) => {
      const { state } = query.data;
      if ((state === "FAILED" || state === "UNCERTAIN") && failing > 0) {
        failing -= 1;
        throw away();
      }
      return original(query as never);
    });
    vi.spyOn(linkCreation, "updateMany").mockImplementation(updateMany);
  });
  afterEach(() => {
    failing = 0;
    vi.restoreAllMocks();
  });

  /** Runs work before each statement that marks an intent as SENT. */
  function beforeMark(work: () => void | Promise<void>): void {
    const { database } = test_;
    const query = database.query;
    vi.spyOn(database, "query").mockImplementation(async (statement, use) => {
      if (statement.statementName === "link_creation_move") await work();
      return query(statement, use) as never;
    });
  }

  test("a failure that cannot be stored neither delays Telegram's answer nor leaves the creation uncertain", async () => {
    failing = 2;
    answer = async () => {
      throw new TelegramCallError("createChatInviteLink", { kind: "rejected", description: "no" });
    };
    await expect(creatorOn().create(input)).rejects.toBeInstanceOf(TelegramRejectedError);
    await expect.poll(async () => (await creation()).state).toBe("FAILED");
    answer = async () => ({ invite_link: `https://t.me/+${newId()}`, name: "n" });
    expect((await creatorOn().create(input)).name).toBe("n");
  });

  test("a creation that was not sent has a free key once the database is back", async () => {
    const creationIntents = new CreationIntents(test_.database, { id: us, isAlive: async () => true }, BOT);
    await leaveAt("SENT", us);
    const { id } = await creation();
    // More failures than there are retries.
    failing = 6;
    await creationIntents.markFailed(id, "no");
    await expect.poll(() => failing).toBe(0);
    expect((await creation()).state).toBe("SENT");
    await creationIntents.endAllAbandoned();
    expect(await creationIntents.countUncertain()).toBe(0);
    expect((await creation()).state).toBe("FAILED");
  });

  test("a database that fails before the call keeps the call from being sent, and the error names the database", async () => {
    beforeMark(() => {
      throw away();
    });
    await expect(creatorOn().create(input)).rejects.toMatchObject({ code: "ECONNREFUSED" });
    expect([calls, (await creation()).state]).toEqual([0, "FAILED"]);
  });

  test("a database that takes all the time of a creation is not reported as Telegram's failure", async () => {
    beforeMark(endTime);
    await expect(creatorOn().create(input)).rejects.toMatchObject({ code: "DATABASE_UNAVAILABLE" });
    expect([calls, (await creation()).state]).toEqual([0, "FAILED"]);
  });
});
