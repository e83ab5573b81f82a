import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { readSample, toSandbox } from "../src/sample.js";
import { historyUpdates, sampleHistory } from "../src/sampleHistory.js";

/** A hash of the history, with all times relative to its end. */
async function hashAt(now: Date): Promise<string> {
  const sample = await readSample();
  const begin = Math.floor(now.getTime() / 1000) * 1000;
  const before = (time: Date | null) => time && begin - time.getTime();
  const visits = sampleHistory(sample, now).map((visit) => ({
    ...visit,
    requestedAt: before(visit.requestedAt),
    joinedAt: before(visit.joinedAt),
    leftAt: before(visit.leftAt),
  }));
  return createHash("sha256").update(JSON.stringify(visits)).digest("hex");
}

test("the sandbox's history is the same at every first start, relative to its time", async () => {
  const hash = await hashAt(new Date("2026-12-01T10:00:00.000Z"));
  expect(await hashAt(new Date("2027-05-17T23:59:59.999Z"))).toBe(hash);
});

test("the sandbox's history spans months and knows all that links can be compared by", async () => {
  const sample = await readSample();
  const now = new Date("2026-12-01T10:00:00.000Z");
  const visits = sampleHistory(sample, now);
  const days = visits.map(({ joinedAt }) =>
    joinedAt ? (now.getTime() - joinedAt.getTime()) / 86_400_000 : 0,
  );
  expect(Math.max(...days)).toBeGreaterThan(60);
  expect(Math.min(...days)).toBeGreaterThanOrEqual(0);
  expect(new Set(visits.map(({ url }) => url)).size).toBe(sample.links.length + 1);
  const people = new Set(visits.map(({ person }) => person.id));
  expect(people.size).toBeLessThan(visits.length);
  for (const isThat of [
    (visit: (typeof visits)[number]) => visit.leftAt !== null,
    ({ isRemoval }: (typeof visits)[number]) => isRemoval,
    ({ requestedAt, joinedAt }: (typeof visits)[number]) => requestedAt !== null && joinedAt !== null,
    ({ joinedAt }: (typeof visits)[number]) => joinedAt === null,
  ])
    expect(visits.filter(isThat).length).toBeGreaterThan(0);
});

test("the updates of the history are in order, can all be read, and lead to the members of the sandbox's Telegram", async () => {
  const sample = await readSample();
  const now = new Date("2026-12-01T10:00:00.000Z");
  const visits = sampleHistory(sample, now);
  const updates = historyUpdates(sample, visits);
  expect(updates.map(({ updateId }) => updateId)).toEqual(updates.map((_, index) => index + 1));
  const members = new Map<number, Set<number>>(sample.channels.map(({ chatId }) => [chatId, new Set()]));
  let before = "";
  for (const { content } of updates) {
    if (content.kind !== "member" && content.kind !== "joinRequest") throw new Error(content.kind);
    expect(content.at >= before).toBe(true);
    before = content.at;
    if (content.kind === "joinRequest") continue;
    if (content.isIn) members.get(content.chat.id)?.add(content.userId);
    else expect(members.get(content.chat.id)?.delete(content.userId)).toBe(true);
  }
  for (const chat of toSandbox(sample, now, visits).chats ?? []) {
    const inTelegram = new Set(chat.members?.map(({ user }) => user.id));
    expect(inTelegram).toEqual(members.get(chat.id ?? 0));
  }
});
