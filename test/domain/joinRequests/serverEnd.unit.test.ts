import { pino } from "pino";
import { beforeEach, expect, it } from "vitest";
import { AutomaticApprovals } from "../../../src/background/updates/automaticApprovals.js";
import { JoinRequestDecisions } from "../../../src/domain/joinRequests/decideRequests.js";
import type { JoinRequests } from "../../../src/domain/joinRequests/joinRequests.js";
import type { DeciderServices } from "../../../src/domain/joinRequests/requestDecider.js";
import { PendingWork } from "../../../src/domain/shared/pendingWork.js";
import { callerOf, UNGUARDED } from "../support.js";

const REQUEST = {
  id: "01991000-0000-7000-8000-000000000001",
  channelId: "01991000-0000-7000-8000-000000000002",
  chatId: -1001111111111,
  userId: 1,
  state: "PENDING",
};
const log = pino({ level: "silent" });

/** What happened, in its order. */
let happened: string[];
/** Aborted when the server is told to stop, which happens while Telegram is asked. */
let stopped: AbortController;
let ended: Promise<void>;

beforeEach(() => {
  happened = [];
  stopped = new AbortController();
});

function servicesOf(): DeciderServices {
  const pendingWork = new PendingWork();
  const gateway = {
    forClient: () => gateway,
    deadline: () => ({ at: Date.now() + 600_000 }),
    approvalHoldLeft: () => 0,
    decideJoinRequest: async () => {
      stopped.abort();
      ended = pendingWork.drained().then(() => void happened.push("the server ends"));
      // Telegram answers later.
      await new Promise(setImmediate);
    },
  };
  const ingestion = { change: async () => void happened.push("the answer is stored") };
  const database = { query: async () => [] };
  const services = { database, gateway, ingestion, pendingWork, storageGuard: UNGUARDED, callerCache: null };
  return services as unknown as DeciderServices;
}

const IN_ORDER = ["the answer is stored", "the server ends"];

it("a server does not end before a decision is stored whose client has left", async () => {
  const joinRequests = { find: async () => REQUEST, forget: () => {} } as unknown as JoinRequests;
  const caller = callerOf(null, "EDITOR");
  const decisions = new JoinRequestDecisions(servicesOf(), { caller, log, joinRequests });
  await decisions.decide({ ids: [REQUEST.id], decision: "DECLINE" });
  await ended;
  expect(happened).toEqual(IN_ORDER);
});

it("a server does not end before an automatic approval is stored that Telegram answers after the end of the jobs", async () => {
  const session = { query: async () => [REQUEST] } as never;
  await new AutomaticApprovals({ ...servicesOf(), session, log }).run(stopped.signal);
  await ended;
  expect(happened).toEqual(IN_ORDER);
});
