// A bot of the sandbox, a database, and update receivers on them, with an ingestion that only records.

import { randomUUID } from "node:crypto";
import { onTestFinished } from "vitest";
import { UpdateIntake } from "../../../src/background/updates/intake.js";
import type { Job } from "../../../src/background/updates/jobs.js";
import { ReceiverLease } from "../../../src/background/updates/lease.js";
import {
  type ReceiverTimes,
  type Transport,
  UpdateReceiver,
} from "../../../src/background/updates/updateReceiver.js";
import { backgroundSession } from "../../../src/database/dedicatedSession.js";
import { type DatabasePool, serverPool } from "../../../src/database/pools.js";
import { announcePresence } from "../../../src/database/presence.js";
import {
  type Ingestion,
  type PollerTerm,
  PollerTermOverError,
} from "../../../src/domain/members/ingestion.js";
import { createLog } from "../../../src/log.js";
import { type Sandbox, startSandbox } from "../../../src/sandbox/sandbox.js";
import type { CallEvent } from "../../../src/telegram/gateway.js";
import { UpdateCalls } from "../../../src/telegram/updateCalls.js";
import type { ReceivedUpdate } from "../../../src/telegram/updates.js";
import {
  type DatabaseForm,
  openPool,
  type PreparedDatabase,
  prepareTestDatabase,
} from "../../support/databases.js";
import type { LogLine } from "../../support/server.js";

export const BOT = {
  id: 123456789,
  token: "123456789:AA-secret-of-the-bot",
  username: "a_bot",
  firstName: "A",
};
export const NEWS = -1001111111111;

export const person = (id: number) => ({ id, is_bot: false, first_name: `Person ${id}` });

/** Short times for tests. */
export const TIMES: Partial<ReceiverTimes> = {
  longPollSeconds: 1,
  sameOffsetMs: 50,
  firstPauseMs: 50,
  longestPauseMs: 200,
  storeAgainMs: 50,
  renewMs: 200,
  databaseAgainMs: 100,
  conflictMs: 1000,
};

/** Resolves what it is told to wait for, as often as something changes. */
export class Changes {
  #waiting: (() => void)[] = [];

  readonly changed = (): void => {
    for (const resolve of this.#waiting.splice(0)) resolve();
  };

  async until(isReached: () => boolean): Promise<void> {
    while (!isReached()) {
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
      });
    }
  }
}

/** Records the updates of each batch. */
export class RecordingIngestion implements Ingestion {
  readonly changes = new Changes();
  readonly batches: ReceivedUpdate[][] = [];
  /** Called before a batch is recorded. */
  before: (updates: readonly ReceivedUpdate[], term: PollerTerm | null) => Promise<void> | void = () => {};

  get ids(): number[] {
    return this.batches.flat().map(({ updateId }) => updateId);
  }

  async ingest(updates: readonly ReceivedUpdate[], term: PollerTerm | null): Promise<void> {
    await this.before(updates, term);
    this.batches.push([...updates]);
    this.changes.changed();
  }

  received(count: number): Promise<void> {
    return this.changes.until(() => new Set(this.ids).size >= count);
  }
}

/** One server of the installation, as far as updates are concerned. */
export interface TestReceiver {
  readonly receiver: UpdateReceiver;
  readonly ingestion: RecordingIngestion;
  readonly lease: ReceiverLease;
  readonly pool: DatabasePool;
  readonly calls: CallEvent[];
  readonly log: LogLine[];
  stop(): Promise<void>;
  /** Ends the session that shows that the server is alive, as the end of its process would. */
  leavePresence(): Promise<void>;
}

export interface ReceiverSetup {
  readonly transport?: Transport;
  readonly times?: Partial<ReceiverTimes>;
  readonly leaseMs?: number;
  readonly jobs?: readonly Job[];
  /** Changes the address of the database, for example to the address of a proxy. */
  readonly reach?: (url: string) => string;
  /** The address of the Bot API. Default: the sandbox's. */
  readonly apiRoot?: string;
  /** Refuses batches of a term that is over, as the real ingestion does. */
  readonly isFenced?: boolean;
}

export class UpdatesBed {
  readonly telegram: Sandbox;
  readonly database: PreparedDatabase;
  readonly pool: DatabasePool;
  readonly #closers: (() => Promise<unknown> | unknown)[] = [];

  private constructor(telegram: Sandbox, database: PreparedDatabase, pool: DatabasePool) {
    this.telegram = telegram;
    this.database = database;
    this.pool = pool;
  }

  /** Everything is closed when the test ends. */
  static async prepare(form: DatabaseForm): Promise<UpdatesBed> {
    const telegram = await startSandbox({
      bot: BOT,
      initial: { chats: [{ id: NEWS, type: "channel", title: "News" }] },
    });
    const database = await prepareTestDatabase(form);
    const pool = await openPool(database);
    const bed = new UpdatesBed(telegram, database, pool);
    onTestFinished(async () => {
      for (const close of bed.#closers.reverse()) await close();
      await telegram.close();
      await pool.close();
      await database.remove();
    });
    return bed;
  }

  get control() {
    return this.telegram.control;
  }

  async query<Row extends object>(text: string, values: unknown[] = []): Promise<Row[]> {
    return (await this.pool.pool.query<Row>(text, values)).rows;
  }

  /** The row of the lease, as it is stored. */
  async row() {
    const [row] = await this.query<{
      owner_id: string | null;
      term: number;
      last_asked_at: string | null;
      webhook_hash: Buffer | null;
    }>("select owner_id, term, last_asked_at, webhook_hash from update_receiver");
    return row;
  }

  /** Ids of all updates that the sandbox still keeps. */
  get pending(): number[] {
    return this.control.pendingUpdates().map(({ update_id }) => update_id);
  }

  async build({
    transport = { mode: "polling" },
    times = {},
    leaseMs,
    jobs = [],
    reach,
    apiRoot = this.telegram.apiRoot,
    isFenced = false,
  }: ReceiverSetup = {}): Promise<TestReceiver> {
    const { url } = this.database;
    // On the embedded database all share its only session.
    const isOwn = url !== null;
    const pool = isOwn ? serverPool(reach ? reach(url) : url, () => {}) : this.pool;
    const presence = isOwn
      ? await announcePresence(pool, () => {})
      : {
          id: randomUUID(),
          judges: true,
          isAlive: async () => false,
          onNotified: () => {},
          leave: async () => {},
        };
    const log: LogLine[] = [];
    const logger = createLog({
      level: "debug",
      format: null,
      secrets: [],
      write: (line) => log.push(JSON.parse(line) as LogLine),
    });
    const calls: CallEvent[] = [];
    const ingestion = new RecordingIngestion();
    if (isFenced) {
      ingestion.before = async (_updates, term) => {
        const { rows } = await pool.pool.query("select term from update_receiver");
        if (rows[0]?.term !== term?.term) throw new PollerTermOverError();
      };
    }
    const session = backgroundSession(pool);
    const lease = new ReceiverLease(session, BOT.id, presence, leaseMs);
    const receiver = new UpdateReceiver({
      transport,
      lease,
      calls: new UpdateCalls({ token: BOT.token, apiRoot, onCall: (event) => calls.push(event) }),
      intake: new UpdateIntake({ ingestion, onBatch: () => {}, onNameless: () => {} }),
      log: logger,
      jobs,
      onDatabaseError: () => {},
      times: { ...TIMES, ...times },
    });
    presence.onNotified(() => receiver.wake());
    let isStopped = false;
    const stop = async () => {
      if (isStopped) return;
      isStopped = true;
      await receiver.stop();
      session.close();
      await presence.leave();
      if (isOwn) await pool.close();
    };
    this.#closers.push(stop);
    return { receiver, ingestion, lease, pool, calls, log, stop, leavePresence: () => presence.leave() };
  }

  async start(setup: ReceiverSetup = {}): Promise<TestReceiver> {
    const built = await this.build(setup);
    await built.receiver.start();
    return built;
  }
}
