import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { JoinRequestDecisions } from "../../../src/domain/joinRequests/decideRequests.js";
import type { JoinRequest } from "../../../src/domain/joinRequests/joinRequest.js";
import { JoinRequests } from "../../../src/domain/joinRequests/joinRequests.js";
import { RequestDecider } from "../../../src/domain/joinRequests/requestDecider.js";
import { DatabaseUnavailableError } from "../../../src/domain/shared/errors.js";
import { callerOf, storeChannel, UNGUARDED } from "../support.js";
import { RequestBed } from "./bed.js";

const CALLER = callerOf(null, "EDITOR");
const DECLINE = "declineChatJoinRequest";
const NO_RIGHT = {
  kind: "error",
  error_code: 400,
  description: "Bad Request: not enough rights to manage chat join requests",
} as const;

let bed: RequestBed;
let earlierCalls = 0;
beforeAll(async () => {
  bed = await RequestBed.open();
});
afterAll(() => bed?.close());
beforeEach(() => {
  earlierCalls = bed.telegram.control.calls(DECLINE).length;
});
afterEach(() => bed.telegram.control.clearFaults());

const calls = () => bed.telegram.control.calls(DECLINE).length - earlierCalls;
const newServices = () => ({ ...bed.services(), storageGuard: UNGUARDED });

/** Some people ask to join a new chat. @returns the ids of their requests */
async function ask(count: number, type?: "group"): Promise<{ chatId: number; ids: string[] }> {
  const { chatId, link } = await bed.askIn("C", count, type);
  const where = { channelId: link.channelId };
  const rows = await bed.database.prisma.joinRequest.findMany({ where, orderBy: { id: "asc" } });
  return { chatId, ids: rows.map(({ id }) => id) };
}

const rowsOf = (ids: readonly string[]) =>
  bed.database.prisma.joinRequest.findMany({ where: { id: { in: [...ids] } }, orderBy: { id: "asc" } });

async function read(ids: readonly string[]): Promise<JoinRequest[]> {
  const requests = new JoinRequests(bed.database, CALLER);
  const found = await Promise.all(ids.map((id) => requests.find(id)));
  return found.filter((request) => request !== null);
}

/** The decisions of one request of a caller. @param reading what the requests are read from */
const decisions = (services = newServices(), reading = bed.database): JoinRequestDecisions =>
  new JoinRequestDecisions(services, {
    caller: CALLER,
    log: bed.log,
    joinRequests: new JoinRequests(reading, CALLER),
  });

describe("deciding requests while something fails", () => {
  test("an unplanned error stops the others, and the answer comes when no call is on its way any more", async () => {
    const { ids } = await ask(20);
    const { control } = bed.telegram;
    const services = newServices();
    const send = services.gateway.decideJoinRequest.bind(services.gateway);
    let sent = 0;
    services.gateway.decideJoinRequest = async (...call) => {
      sent += 1;
      if (sent === 5) throw new TypeError("unplanned");
      await send(...call);
    };
    const release = control.hold({ method: DECLINE, times: 100 });
    let isAnswered = false;
    const answer = decisions(services)
      .decide({ ids, decision: "DECLINE" })
      .finally(() => {
        isAnswered = true;
      });
    answer.catch(() => {});
    await expect.poll(calls, { interval: 20 }).toBe(4);
    await read(ids);
    expect(isAnswered).toBe(false);
    release();
    await expect(answer).rejects.toThrow("unplanned");
    expect(calls()).toBe(4);
    const rows = await rowsOf(ids);
    expect(rows.filter(({ state }) => state === "DECLINED")).toHaveLength(4);
    // Of the one that failed it is not known whether it was sent.
    expect(rows.filter(({ askedDecision }) => askedDecision !== null)).toHaveLength(1);
  });

  test("nothing is sent, and no record is left, once nothing can be stored", async () => {
    const { ids } = await ask(10);
    let looks = 0;
    const storageGuard = {
      ...UNGUARDED,
      requireWritable: () => {
        looks += 1;
        if (looks > 1) throw new DatabaseUnavailableError("readOnly");
      },
    };
    const answer = decisions({ ...newServices(), storageGuard }).decide({ ids, decision: "DECLINE" });
    await expect(answer).rejects.toMatchObject({ code: "DATABASE_UNAVAILABLE" });
    expect(calls()).toBe(0);
    for (const row of await rowsOf(ids)) expect(row).toMatchObject({ state: "PENDING", askedDecision: null });
  });

  test("a database that fails after decisions were sent is told, and repeating the mutation succeeds", async () => {
    const { ids } = await ask(3);
    let reads = 0;
    const reading = new Proxy(bed.database, {
      get(target, name) {
        if (name !== "query") return Reflect.get(target, name, target);
        reads += 1;
        if (reads > 1) throw new DatabaseUnavailableError("unreachable");
        return target.query.bind(target);
      },
    });
    const answer = decisions(newServices(), reading).decide({ ids, decision: "DECLINE" });
    await expect(answer).rejects.toMatchObject({ code: "TELEGRAM_UNAVAILABLE", outcomeUnknown: false });
    expect(calls()).toBe(3);
    const results = await decisions().decide({ ids, decision: "DECLINE" });
    expect(results.map(({ joinRequest, error }) => [joinRequest.state, error])).toEqual(
      Array(3).fill(["DECLINED", null]),
    );
    expect(calls()).toBe(3);
  });

  test("a record that cannot be taken back does not fail the mutation", async () => {
    const { ids } = await ask(1);
    bed.telegram.control.fail(NO_RIGHT, { method: DECLINE });
    const services = newServices();
    const database = new Proxy(bed.database, {
      get(target, name) {
        if (name !== "query") return Reflect.get(target, name, target);
        return (...asked: Parameters<typeof target.query>) => {
          if (asked[0].sql.includes("own (id, mark)")) throw new DatabaseUnavailableError("unreachable");
          return target.query(...asked);
        };
      },
    });
    const results = await decisions({ ...services, database }).decide({ ids, decision: "DECLINE" });
    expect(results).toMatchObject([{ error: { code: "BOT_PERMISSION_MISSING" } }]);
  });
});

describe("of two servers that ask about one request", () => {
  /** Asks to decline, as a server that ends before Telegram is called. */
  const prepare = async (id: string) => {
    const decider = new RequestDecider(newServices(), CALLER, bed.log);
    const [open] = await decider.prepare(await read([id]), "DECLINE");
    if (!open) throw new Error("There is no request.");
    return { decider, open };
  };
  const stateOf = async (id: string) => {
    const [row] = await rowsOf([id]);
    return [row?.state, row?.askedDecision];
  };

  test.each(["APPROVE", "DECLINE"] as const)(
    "the one whose decline took effect may end before it stores that: to the other's %s it counts as declined",
    async (decision) => {
      const { chatId, ids } = await ask(1);
      const [id = ""] = ids;
      const gateway = newServices().gateway;
      const decider = new RequestDecider(newServices(), CALLER, bed.log);
      const [open] = await decider.prepare(await read([id]), decision);
      if (!open) throw new Error("There is no request.");
      await prepare(id);
      bed.telegram.control.declineJoinRequest(chatId, open.userId);
      await decider.decide(open, decision, gateway.deadline());
      expect(await stateOf(id)).toEqual(["DECLINED", null]);
    },
  );

  test("a request that somebody else has declined in Telegram is GONE", async () => {
    const { chatId, ids } = await ask(1);
    const [id = ""] = ids;
    const { decider, open } = await prepare(id);
    bed.telegram.control.declineJoinRequest(chatId, open.userId);
    await decider.decide(open, "DECLINE", newServices().gateway.deadline());
    expect(await stateOf(id)).toEqual(["GONE", null]);
  });

  test("each takes only its own record back", async () => {
    const { ids } = await ask(1);
    const [id = ""] = ids;
    const first = await prepare(id);
    const second = await prepare(id);
    await first.decider.takeBack([first.open]);
    expect(await stateOf(id)).toEqual(["PENDING", "DECLINE"]);
    await second.decider.takeBack([second.open]);
    expect(await stateOf(id)).toEqual(["PENDING", "DECLINE"]);
  });

  test("a record is taken back from a request whose channel was merged into another one meanwhile", async () => {
    const { chatId, ids } = await ask(1, "group");
    const [id = ""] = ids;
    const { decider, open } = await prepare(id);
    const supergroup = await storeChannel(bed.database, bed.telegram.control.upgrade(chatId));
    bed.telegram.control.fail(NO_RIGHT, { method: DECLINE, chatId: supergroup.chatId });
    const decided = decider.decide(open, "DECLINE", newServices().gateway.deadline());
    await expect(decided).rejects.toMatchObject({ failure: { kind: "missingRights" } });
    const [row] = await rowsOf([id]);
    expect(row?.channelId).toBe(supergroup.id);
    expect(await stateOf(id)).toEqual(["PENDING", "DECLINE"]);
    await decider.takeBack([open]);
    expect(await stateOf(id)).toEqual(["PENDING", null]);
  });
});
