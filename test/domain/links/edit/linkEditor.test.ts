import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { NotFoundError, RateLimitedError, ValidationError } from "../../../../src/domain/shared/errors.js";
import { newId } from "../../../../src/domain/shared/ids.js";
import { USUAL_FORMS } from "../../../support/databases.js";
import { callerOf, storeTags, storeTagType } from "../../support.js";
import { openWorkshop, type WorkingServer, type Workshop } from "../workshop.js";

let workshop: Workshop;
let server: WorkingServer;
beforeAll(async () => {
  workshop = await openWorkshop(USUAL_FORMS[0] ?? "embedded");
  server = await workshop.serve();
});
afterAll(() => workshop.close());
afterEach(async () => {
  workshop.sandbox.control.clearFaults();
  await server.pendingWork.drained();
  await workshop.test.database.prisma.linkChange.deleteMany();
});

const calls = () => workshop.sandbox.control.calls().length;
const lockRows = () => workshop.test.database.prisma.linkChange.findMany();
const both = async (id: string) => [await workshop.stored(id), await workshop.inTelegram(id)];
const agree = async (id: string) => {
  const [stored, inTelegram] = await both(id);
  expect(stored).toEqual(inTelegram);
};
const auditOf = async (subjectId: string) =>
  (
    await workshop.test.database.prisma.auditEntry.findMany({ where: { subjectId }, orderBy: { id: "asc" } })
  ).map(({ action, change }) => ({ action, change }));
const fieldsOf = async (answer: Promise<unknown>) => {
  const error = await answer.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ValidationError);
  return (error as ValidationError).fieldErrors.map(({ field }) => field);
};

describe("editing a link of another administrator", () => {
  test.each([
    ["that was seen", { isBotCreated: false, botId: null }],
    ["that another bot made", { botId: 7n }],
    ["that this bot saw", { isBotCreated: false }],
  ])("a link %s keeps the fields that Telegram has", async (_what, row) => {
    const id = await workshop.makeLink({}, row);
    const before = calls();
    expect(await fieldsOf(server.editor().update({ id, name: "Mine now" }))).toEqual(["id"]);
    expect(await fieldsOf(server.editor().update({ id, memberLimit: 0, budget: "-1.00" }))).toEqual([
      "budget",
      "id",
      "memberLimit",
    ]);
    expect(await fieldsOf(server.editor().revoke({ id }))).toEqual(["id"]);
    const same = { id, name: "Made", createsJoinRequest: false, expireDate: null, memberLimit: null };
    expect(await server.editor().update({ ...same, budget: "7.00" })).toMatchObject({ budget: "7.00" });
    expect(await server.editor().update({ id, budget: "8.00" })).toMatchObject({ budget: "8.00" });
    expect(calls()).toBe(before);
    expect(await lockRows()).toEqual([]);
  });

  test("an imported link that counts as the bot's own is edited in Telegram", async () => {
    const id = await workshop.makeLink({}, { botId: null });
    expect(await server.editor().update({ id, name: "Imported" })).toMatchObject({ name: "Imported" });
    await agree(id);
  });
});

describe("editing an expired link", () => {
  const past = new Date("2020-01-01T00:00:00Z");
  const expired = () => workshop.makeLink({ expireDate: past.getTime() / 1000 });

  test("an expired link is edited in Telegram only if the edit makes it valid again", async () => {
    const id = await expired();
    const before = calls();
    const form = { id, name: "Made", createsJoinRequest: false, expireDate: past, memberLimit: null };
    expect(await fieldsOf(server.editor().update({ id, name: "Other" }))).toEqual(["expireDate"]);
    expect(await fieldsOf(server.editor().update({ ...form, name: "Other" }))).toEqual(["expireDate"]);
    expect(await fieldsOf(server.editor().update({ id, memberLimit: 0 }))).toEqual([
      "expireDate",
      "memberLimit",
    ]);
    expect(await server.editor().update({ ...form, budget: "9.00" })).toMatchObject({ budget: "9.00" });
    expect(calls()).toBe(before);
    expect(await server.editor().update({ id, expireDate: null })).toMatchObject({ expireDate: null });
    await agree(id);
    const other = await expired();
    const soon = new Date(Math.floor(Date.now() / 1000) * 1000 + 3_600_000);
    expect(await server.editor().update({ id: other, expireDate: soon, name: "B" })).toMatchObject({
      expireDate: soon.toISOString(),
      name: "B",
    });
    await agree(other);
  });

  test("an expired link can be revoked", async () => {
    const id = await expired();
    expect(await server.editor().revoke({ id })).toMatchObject({
      isRevoked: true,
      expireDate: past.toISOString(),
    });
    await agree(id);
  });
});

describe("a link with an unconfirmed edit", () => {
  test("an unconfirmed edit is put right by sending the settings unchanged", async () => {
    const id = await workshop.makeLink({ memberLimit: 5 });
    workshop.sandbox.control.fail({ kind: "cut", effect: "after" });
    await expect(server.editor().update({ id, name: "Lost", memberLimit: null })).rejects.toMatchObject({
      outcomeUnknown: true,
    });
    expect(await lockRows()).toMatchObject([{ linkId: id, ownerId: null, maybeEdited: true }]);
    const before = calls();
    await server.editor().update({ id, budget: "1.00", tagIds: [] });
    expect(calls()).toBe(before);
    await server.editor().update({ id, name: "Made" });
    expect(await both(id)).toEqual([
      expect.objectContaining({ name: "Made", memberLimit: 5 }),
      expect.objectContaining({ name: "Made", memberLimit: 5 }),
    ]);
    expect(await lockRows()).toEqual([]);
  });

  test("an edit stays unconfirmed when the next call is refused", async () => {
    const id = await workshop.makeLink();
    workshop.sandbox.control.fail({ kind: "cut", effect: "after" });
    await expect(server.editor().update({ id, name: "Lost" })).rejects.toThrow();
    for (const description of ["Bad Request: not enough rights", "Bad Request: OTHER"]) {
      workshop.sandbox.control.fail({ kind: "error", error_code: 400, description });
      await expect(server.editor().update({ id, memberLimit: 3 })).rejects.toThrow();
      expect(await lockRows()).toMatchObject([{ linkId: id, ownerId: null, maybeEdited: true }]);
    }
    await server.editor().update({ id, createsJoinRequest: false });
    await agree(id);
  });

  test("a revocation's answer settles an unconfirmed edit, including settings that Telegram has cleared", async () => {
    const id = await workshop.makeLink({ memberLimit: 5, expireDate: Math.floor(Date.now() / 1000) + 999 });
    workshop.sandbox.control.fail({ kind: "cut", effect: "after" });
    const cleared = { name: null, memberLimit: null, expireDate: null };
    await expect(server.editor().update({ id, ...cleared })).rejects.toThrow();
    await server.editor().revoke({ id });
    await agree(id);
    expect(await workshop.stored(id)).toMatchObject({ ...cleared, isRevoked: true });
    expect(await lockRows()).toEqual([]);
  });

  test("an edit finds out whether an unconfirmed revocation took place", async () => {
    const id = await workshop.makeLink();
    workshop.sandbox.control.fail({ kind: "cut", effect: "after" });
    await expect(server.editor().revoke({ id })).rejects.toMatchObject({ outcomeUnknown: true });
    expect(await fieldsOf(server.editor().update({ id, name: "Other" }))).toEqual(["id"]);
    await agree(id);
    expect(await lockRows()).toEqual([]);
    expect(await auditOf(id)).toEqual([{ action: "inviteLink.revoke", change: expect.anything() }]);

    const other = await workshop.makeLink();
    workshop.sandbox.control.fail({ kind: "cut", effect: "after" });
    await expect(server.editor().revoke({ id: other })).rejects.toMatchObject({ outcomeUnknown: true });
    // A form that sends every field changes the budget only.
    expect(await server.editor().update({ id: other, name: "Made", budget: "3.00" })).toMatchObject({
      isRevoked: true,
      budget: "3.00",
    });
    await agree(other);

    const third = await workshop.makeLink();
    workshop.sandbox.control.fail({ kind: "cut", effect: "before" });
    await expect(server.editor().revoke({ id: third })).rejects.toMatchObject({ outcomeUnknown: true });
    expect(await server.editor().update({ id: third, name: "Alive" })).toMatchObject({ isRevoked: false });
    await agree(third);
    expect(await lockRows()).toEqual([]);
  });

  test("without an unconfirmed revocation, Telegram's refusal of a link is passed on", async () => {
    const id = await workshop.makeLink();
    workshop.sandbox.control.fail({ kind: "cut", effect: "before" });
    await expect(server.editor().update({ id, name: "Lost" })).rejects.toThrow();
    workshop.sandbox.control.fail({
      kind: "error",
      error_code: 400,
      description: "Bad Request: INVITE_HASH_EXPIRED",
    });
    // The unconfirmed edit is no revocation.
    await expect(server.editor().revoke({ id })).rejects.toMatchObject({ code: "TELEGRAM_REJECTED" });
    expect(await workshop.stored(id)).toMatchObject({ isRevoked: false });
  });
});

describe("an edit lock", () => {
  const storeLock = (linkId: string, ownerId: string | null, maybeEdited = false) =>
    workshop.test.database.prisma.linkChange.create({
      data: { linkId, ownerId, maybeEdited, createdAt: new Date() },
    });

  test("the edit lock of a dead server is taken over with its unconfirmed edits", async () => {
    const id = await workshop.makeLink();
    await storeLock(id, newId(), true);
    const before = calls();
    await server.editor().update({ id, name: "Made" });
    expect(calls()).toBe(before + 1);
    expect(await lockRows()).toEqual([]);
  });

  test("the edit lock of a server that lives is waited for until the deadline, then RATE_LIMITED", async () => {
    const hasty = await workshop.serve(100);
    const id = await workshop.makeLink();
    const other = newId();
    workshop.alive.add(other);
    await storeLock(id, other);
    await expect(hasty.editor().update({ id, name: "Late" })).rejects.toBeInstanceOf(RateLimitedError);
    await expect(hasty.editor().revoke({ id })).rejects.toBeInstanceOf(RateLimitedError);
    expect(await lockRows()).toMatchObject([{ ownerId: other }]);
    expect(await hasty.editor().update({ id, budget: "2.00" })).toMatchObject({ budget: "2.00" });
    const waiting = server.editor().update({ id, name: "In time" });
    await workshop.test.database.prisma.linkChange.deleteMany();
    expect(await waiting).toMatchObject({ name: "In time" });
  });

  test("an edit lock that a server left in its own name does not block its next request", async () => {
    const id = await workshop.makeLink();
    await storeLock(id, server.id);
    expect(await server.editor().update({ id, name: "Again" })).toMatchObject({ name: "Again" });
    expect(await lockRows()).toEqual([]);
  });

  test("an edit lock is given back later when the database is away", async () => {
    const id = await workshop.makeLink();
    const { database } = server;
    const { query } = database;
    let failures = 0;
    database.query = async (statement) => {
      if (statement.statementName.startsWith("link_unlock")) {
        failures += 1;
        if (failures === 1) throw new Error("the database restarts");
      }
      return query(statement) as never;
    };
    try {
      expect(await fieldsOf(server.editor().update({ id, memberLimit: 0 }))).toEqual(["memberLimit"]);
      await server.pendingWork.drained();
    } finally {
      database.query = query;
    }
    expect(failures).toBeGreaterThan(0);
    expect(await lockRows()).toEqual([]);
  });

  test.each(["our call first", "their call first"])(
    "an edit lock that is lost to a server that took this one for dead leaves the edit unconfirmed: %s",
    async (order) => {
      const [one, other] = [await workshop.serve(10_000), await workshop.serve(10_000)];
      const id = await workshop.makeLink();
      const { control } = workshop.sandbox;
      const method = "editChatInviteLink";
      /** Begins an edit whose call takes effect and is answered when it is told to. */
      const begin = async (of: WorkingServer, name: string) => {
        const release = control.hold({ method });
        const called = control.nextCall(method);
        const edit = of.editor().update({ id, name });
        await called;
        return async () => {
          release();
          await edit;
        };
      };
      const endFirst = await begin(one, "One");
      workshop.alive.delete(one.id);
      const endSecond = await begin(other, "Other");
      const ends = [endFirst, endSecond];
      for (const end of order === "our call first" ? ends : ends.reverse()) await end();
      expect(await lockRows()).toMatchObject([{ ownerId: null, maybeEdited: true }]);
      const { name } = await workshop.stored(id);
      await server.editor().update({ id, name });
      await agree(id);
      expect(await lockRows()).toEqual([]);
    },
  );

  test("a late answer to an edit does not undo a revocation that another server has stored meanwhile", async () => {
    const [one, other] = [await workshop.serve(10_000), await workshop.serve(10_000)];
    const id = await workshop.makeLink();
    const { control } = workshop.sandbox;
    const release = control.hold({ method: "editChatInviteLink" });
    const called = control.nextCall("editChatInviteLink");
    const edit = one.editor().update({ id, name: "Edited" });
    await called;
    workshop.alive.delete(one.id);
    await other.editor().revoke({ id });
    release();
    await edit;
    expect(await workshop.stored(id)).toMatchObject({ name: "Edited", isRevoked: true });
    await agree(id);
  });

  test("an edit lock that is lost while a call's outcome is unknown leaves the edit unconfirmed", async () => {
    const [one, other] = [await workshop.serve(), await workshop.serve()];
    const id = await workshop.makeLink();
    const { control } = workshop.sandbox;
    control.fail({ kind: "hang", effect: "after" }, { method: "editChatInviteLink" });
    const called = control.nextCall("editChatInviteLink");
    const first = one.editor().update({ id, name: "One" });
    await called;
    workshop.alive.delete(one.id);
    await other.editor().update({ id, name: "Other" });
    await expect(first).rejects.toMatchObject({ outcomeUnknown: true });
    expect(await lockRows()).toMatchObject([{ ownerId: null, maybeEdited: true }]);
  });
});

describe("storing an edit", () => {
  test.each(["update", "revoke"] as const)(
    "an edit is stored when the database comes back after its request was answered: %s",
    async (what) => {
      const hasty = await workshop.serve();
      const id = await workshop.makeLink();
      const { database } = hasty;
      const { transaction } = database;
      database.transaction = async () => {
        hasty.endTime();
        throw new Error("the database restarts");
      };
      const answer =
        what === "update" ? hasty.editor().update({ id, name: "Kept" }) : hasty.editor().revoke({ id });
      await expect(answer).rejects.toMatchObject({ outcomeUnknown: true });
      // The link is still locked by this server.
      expect(await lockRows()).toMatchObject([{ ownerId: hasty.id }]);
      database.transaction = transaction;
      await hasty.pendingWork.drained();
      await agree(id);
      expect(await lockRows()).toEqual([]);
      expect(await auditOf(id)).toHaveLength(1);
    },
  );

  test("an edit is stored with its tags in the channel into which a chat migration merged the link's own", async () => {
    const { control } = workshop.sandbox;
    const { database } = workshop.test;
    const chatId = control.addChat({ type: "group", title: "Growing" });
    const store = async (id: number) => {
      const channelId = newId();
      await database.prisma.channel.create({
        data: { id: channelId, chatId: BigInt(id), kind: "GROUP", title: "G", createdAt: new Date() },
      });
      return channelId;
    };
    const oldChannel = await store(chatId);
    const tag = { id: newId(), name: "Moves", typeId: await storeTagType(database, "Moving") };
    await storeTags(database, oldChannel, [tag]);
    const id = await workshop.makeLink({}, {}, chatId);
    const newChannel = await store(control.upgrade(chatId));
    await server.editor(callerOf(null, "EDITOR")).update({ id, name: "Moved", tagIds: [tag.id] });
    await agree(id);
    expect(await database.prisma.inviteLinkTag.findMany({ where: { linkId: id } })).toMatchObject([
      { tagId: tag.id, channelId: newChannel },
    ]);
    const [entry] = await database.prisma.auditEntry.findMany({ where: { subjectId: id } });
    expect(entry?.channelId).toBe(newChannel);
  });
});

test("requests get their result after another request has followed a chat migration", async () => {
  const { control } = workshop.sandbox;
  const chatId = control.addChat({ type: "group", title: "Followed" });
  await workshop.test.database.prisma.channel.create({
    data: { id: newId(), chatId: BigInt(chatId), kind: "GROUP", title: "G", createdAt: new Date() },
  });
  const ids = await Promise.all([1, 2, 3].map(() => workshop.makeLink({}, {}, chatId)));
  const [first = ""] = ids;
  const to = control.upgrade(chatId);
  const answers = await Promise.all(
    [...ids, first, first].map((id, index) =>
      server.editor(callerOf([chatId], "EDITOR")).update({ id, name: `Followed ${index}` }),
    ),
  );
  expect(answers.map((link) => link.chatId)).toEqual(answers.map(() => to));
  for (const id of ids) await agree(id);
});

test("the bot status that a call shows is stored", async () => {
  const id = await workshop.makeLink();
  const status = async () =>
    (await workshop.test.database.prisma.channel.findUniqueOrThrow({ where: { id: workshop.channelId } }))
      .botStatus;
  const refuse = (description: string) =>
    workshop.sandbox.control.fail({ kind: "error", error_code: 400, description });
  refuse("Bad Request: CHAT_ADMIN_REQUIRED");
  await expect(server.editor().update({ id, name: "No" })).rejects.toThrow();
  expect(await status()).toBe("MISSING_PERMISSION");
  await server.editor().update({ id, name: "Yes" });
  expect(await status()).toBe("READY");
  refuse("Bad Request: chat not found");
  await expect(server.editor().revoke({ id })).rejects.toThrow();
  expect(await status()).toBe("NOT_IN_CHANNEL");
  await server.editor().revoke({ id });
  expect(await status()).toBe("READY");
});

test("the audit entry of an edit has the changed fields, before and after, and nothing else", async () => {
  const { database } = workshop.test;
  const tag = { id: newId(), name: "Audited", typeId: await storeTagType(database, "Auditing") };
  await storeTags(database, workshop.channelId, [tag]);
  const id = await workshop.makeLink({ memberLimit: 9 });
  await server.editor().update({ id, name: "Made", memberLimit: 9, budget: "0.00", tagIds: [] });
  expect(await auditOf(id)).toEqual([]);
  await server.editor().update({ id, name: "B", memberLimit: 9, budget: "0.00", tagIds: [] });
  await server.editor().update({ id, name: "B", memberLimit: null, budget: "5.00", tagIds: [] });
  await server.editor().update({ id, budget: "5.00", tagIds: [tag.id] });
  const expireDate = new Date("2037-01-01");
  await server.editor().update({ id, expireDate, externalId: "click-1", tagIds: [] });
  await server.editor().update({ id, expireDate, externalId: "click-1", tagIds: [] });
  await server.editor().revoke({ id });
  await server.editor().revoke({ id });
  const action = "inviteLink.update";
  expect(await auditOf(id)).toEqual([
    { action, change: { name: { from: "Made", to: "B" } } },
    {
      action,
      change: { memberLimit: { from: 9, to: null }, budget: { from: "0.00", to: "5.00" } },
    },
    { action, change: { addTagIds: [tag.id], removeTagIds: [] } },
    {
      action,
      change: {
        expireDate: { from: null, to: "2037-01-01T00:00:00.000Z" },
        externalId: { from: null, to: "click-1" },
        addTagIds: [],
        removeTagIds: [tag.id],
      },
    },
    {
      action: "inviteLink.revoke",
      change: { url: expect.stringContaining("t.me"), isRevoked: { from: false, to: true } },
    },
  ]);
});

test("editing a link that does not exist throws NotFoundError", async () => {
  await expect(server.editor().update({ id: newId(), name: "x" })).rejects.toBeInstanceOf(NotFoundError);
  await expect(server.editor().revoke({ id: newId() })).rejects.toBeInstanceOf(NotFoundError);
});
