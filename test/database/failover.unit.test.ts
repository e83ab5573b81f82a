import type pg from "pg";
import { expect, test, vi } from "vitest";
import type { Database } from "../../src/database/database.js";
import { Failover } from "../../src/database/failover.js";
import { failoverDatabase } from "../../src/database/failoverDatabase.js";
import type { ServerPool } from "../../src/database/pools.js";
import type { ServerProbe } from "../../src/database/readinessProbe.js";
import { ReplicaProof } from "../../src/database/replicaProof.js";
import type { SessionConfig } from "../../src/database/session.js";
import { testStatement } from "../support/statement.js";

test.each([
  ["the replay of changes cancelled", { code: "40001" }],
  ["a lost session interrupted", { code: "57P01" }],
])("a read that %s is run again", async (_, failure) => {
  const failures: unknown[] = [failure, failure];
  const query = async () => {
    if (failures.length > 0) throw failures.pop();
    return [{ answer: 42 }];
  };
  const one = { query, forReader: () => one } as unknown as Database;
  const failover = new Failover({
    primary: {} as never,
    openReplica: () => ({}) as never,
    createDatabase: () => one,
    onLost() {},
    onReplica() {},
  });
  const reader = { key: "a", client: null, refusal: () => new Error("refused") };
  expect(
    await failoverDatabase(failover).forReader(reader).query(testStatement`select 42 as answer`),
  ).toEqual([{ answer: 42 }]);
  failures.push(failure, failure, failure);
  await expect(
    failoverDatabase(failover).forReader(reader).query(testStatement`select 42 as answer`),
  ).rejects.toBe(failure);
});

const isAnnouncement = (value: unknown): value is string => /^invite-links replica \w+$/.test(String(value));

const WAIT = { timeout: 60_000, interval: 20 };

/** Answers the looks of a Failover. */
class FakeServer {
  /** Null for a standby. */
  timeline: string | null;
  isAway = false;
  /** What was announced here, the latest last. */
  readonly announced: string[] = [];
  /** How many looks with an announcement still find that another server writes. */
  looksWithWriter = 0;
  /** Looks with an announcement are answered after it. */
  held: Promise<void> = Promise.resolve();
  readonly pool: ServerPool;
  readonly prisma = {};

  constructor(timeline: string | null) {
    this.timeline = timeline;
    const client = {
      connect: async () => client,
      query: async ({ text, values }: { text: string; values: unknown[] }) => ({
        rows: [await this.#answer(text, values)],
      }),
      connection: { stream: { destroy() {} } },
    };
    this.pool = {
      dedicatedSession: () => client,
      suspend: vi.fn(),
      resume: vi.fn(),
    } as unknown as ServerPool;
  }

  async #answer(text: string, values: unknown[] = []): Promise<unknown> {
    if (this.isAway) throw Object.assign(new Error("away"), { code: "08006" });
    const look = { system: "1/5", timeline: this.timeline, position: this.timeline && 100 };
    const announcement = values.find(isAnnouncement);
    if (announcement === undefined) return text.includes("as timeline") ? look : { position: 200 };
    this.announced.push(announcement.replace("invite-links replica ", ""));
    await this.held;
    const others = this.looksWithWriter > 0 ? 1 : 0;
    this.looksWithWriter -= others;
    return { ...look, others, writing: others, required: 200, isReplayed: true, isSettled: true };
  }
}

async function startFailover() {
  const [primary, replica] = [new FakeServer("00000001"), new FakeServer(null)];
  let accept: NonNullable<SessionConfig["accept"]> = async () => {};
  const failover = new Failover({
    primary: primary.pool,
    openReplica(acceptSession) {
      accept = acceptSession;
      return replica.pool;
    },
    createDatabase: (pool) => (pool === primary.pool ? primary : replica) as unknown as Database,
    onLost: () => void failover.write().catch(() => {}),
    onReplica() {},
  });
  await failover.start();
  return { primary, replica, failover, accept };
}

function deferred() {
  let resolve = (): void => {};
  const promise = new Promise<void>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}

/** A transaction whose commit is answered when `end` is called. */
function beginTransaction(failover: Failover) {
  const { promise, resolve } = deferred();
  const writing = failover.writing(() => promise);
  return async () => {
    resolve();
    await writing;
  };
}

test("a transaction that ends after its primary was replaced does not make later positions unknown", async () => {
  const { primary, replica, failover } = await startFailover();
  try {
    const end = beginTransaction(failover);
    [primary.isAway, replica.timeline] = [true, "00000002"];
    await failover.write();
    await end();
    [primary.isAway, primary.timeline, replica.timeline] = [false, "00000003", null];
    await failover.write();
    primary.isAway = true;
    await expect(failover.write()).rejects.toThrow("The primary is away.");
    expect(replica.announced.at(-1)).toBe("100");
  } finally {
    failover.close();
  }
});

test("a read waits for another server that notices three seconds later that the primary is away", async () => {
  const { primary, replica, failover } = await startFailover();
  try {
    primary.isAway = true;
    replica.looksWithWriter = 30;
    // In an outage, the failures of reads lead to no further decisions.
    const decide = failover.write.bind(failover);
    vi.spyOn(failover, "write").mockImplementationOnce(decide).mockRejectedValue(new Error("decided before"));
    const answer = await failover.reading(async (database) => {
      if (database.prisma === primary.prisma) throw Object.assign(new Error("away"), { code: "08006" });
      return "an answer of the replica";
    });
    expect(answer).toBe("an answer of the replica");
  } finally {
    failover.close();
  }
});

test("the sessions of a primary that is replaced while it answers are ended", async () => {
  const { primary, replica, failover } = await startFailover();
  try {
    [primary.timeline, replica.timeline] = [null, "00000002"];
    await failover.write();
    expect(failover.current.pool).toBe(replica.pool);
    expect(primary.pool.suspend).toHaveBeenCalledOnce();
  } finally {
    failover.close();
  }
});

test("a server turns to a replica that is promoted while the former primary still answers", async () => {
  const { primary, replica, failover } = await startFailover();
  try {
    replica.timeline = "00000002";
    await expect.poll(() => failover.current.pool, WAIT).toBe(replica.pool);
    expect(primary.pool.suspend).toHaveBeenCalledOnce();
    primary.timeline = "00000003";
    await expect.poll(() => failover.current.pool, WAIT).toBe(primary.pool);
    expect(replica.pool.suspend).toHaveBeenCalledOnce();
  } finally {
    failover.close();
  }
});

test("the sessions of a primary are ended when its address leads to one that replaced it", async () => {
  const { primary, failover } = await startFailover();
  try {
    primary.timeline = "00000002";
    await expect.poll(() => vi.mocked(primary.pool.resume).mock.calls, WAIT).toHaveLength(1);
    expect(primary.pool.suspend).toHaveBeenCalledOnce();
    expect(failover.current.pool).toBe(primary.pool);
  } finally {
    failover.close();
  }
});

test("a server turns to the primary also when a transaction of the outage ends at that moment", async () => {
  const { primary, replica, failover } = await startFailover();
  try {
    const end = beginTransaction(failover);
    primary.isAway = true;
    await expect(failover.write()).rejects.toThrow("The primary is away.");
    primary.isAway = false;
    const { promise, resolve } = deferred();
    replica.held = promise;
    const turning = failover.write();
    await expect.poll(() => replica.announced.at(-1)).toBe("writes");
    const ending = end();
    resolve();
    await expect(turning).rejects.toThrow("The primary is away.");
    await ending;
    await failover.write();
    primary.isAway = true;
    await expect(failover.write()).rejects.toThrow("The primary is away.");
    expect(failover.readsFrom).toBe("replica");
  } finally {
    failover.close();
  }
});

test("while a replica is the primary, its address gives no session on a standby", async () => {
  const { primary, replica, failover, accept } = await startFailover();
  const client = { query: async () => ({ rows: [{ accepted: true }] }) } as unknown as pg.ClientBase;
  try {
    await accept(client, true);
    [primary.isAway, replica.timeline] = [true, "00000002"];
    await failover.write();
    await accept(client, false);
    await expect(accept(client, true)).rejects.toThrow("The server is a standby.");
  } finally {
    failover.close();
  }
});

test("the database of a reader leads Prisma to where reads go at the moment", async () => {
  const { primary, replica, failover } = await startFailover();
  try {
    const reader = { key: "a", client: null, refusal: () => new Error("refused") };
    const database = failoverDatabase(failover).forReader(reader);
    expect(database.prisma).toBe(primary.prisma);
    [primary.isAway, replica.timeline] = [true, "00000002"];
    await failover.write();
    expect(database.prisma).toBe(replica.prisma);
  } finally {
    failover.close();
  }
});

async function announcedAfter(work: (proof: ReplicaProof) => void): Promise<unknown> {
  const announced: unknown[] = [];
  const ask = async ({ values }: { values: unknown[] }) => {
    announced.push(...values.filter(isAnnouncement));
    return [{}];
  };
  const proof = new ReplicaProof({ ask } as unknown as ServerProbe);
  work(proof);
  proof.close();
  await proof.look();
  return announced.at(-1);
}
const FIRST = { system: "1/5", timeline: "00000001", position: 100 };

test("an answered question for a position includes the transactions that were stored before", async () => {
  const announced = await announcedAfter((proof) => {
    proof.restart(FIRST);
    proof.recordCommit();
    proof.recordCommit();
    // This question fails.
    proof.recordQuestion();
    proof.recordQuestion()(300);
  });
  expect(announced).toBe("invite-links replica 300");
});

test("an answered question for a position does not include a transaction that was stored later", async () => {
  const announced = await announcedAfter((proof) => {
    proof.restart(FIRST);
    const record = proof.recordQuestion();
    proof.recordCommit();
    record(300);
  });
  expect(announced).toBe("invite-links replica unknown");
});

test("the answer of a primary that was replaced is ignored", async () => {
  const announced = await announcedAfter((proof) => {
    proof.restart(FIRST);
    proof.recordCommit();
    const record = proof.recordQuestion();
    proof.restart({ ...FIRST, position: 50 });
    record(300);
  });
  expect(announced).toBe("invite-links replica 50");
});
