import { type Unavailability, unavailabilityOf } from "../database/failures.js";
import type { ReadinessProbe } from "../database/readinessProbe.js";
import type { StorageGuard } from "../domain/shared/databaseErrors.js";
import { DatabaseUnavailableError } from "../domain/shared/errors.js";
import type { Logger } from "../log.js";

/** The state of the database as /readyz names it. */
export type DatabaseState = "ok" | "unavailable" | "read-only" | "full";

/** Milliseconds between two test writes, in the state "ok" and during an outage. */
const PROBE_EVERY_MS = 5000;
const RETRY_EVERY_MS = 1000;

const STATES: Readonly<Record<Unavailability, DatabaseState>> = {
  unreachable: "unavailable",
  timeout: "unavailable",
  busy: "unavailable",
  conflict: "unavailable",
  diskFull: "full",
  readOnly: "read-only",
};

const REASONS: Readonly<Record<Exclude<DatabaseState, "ok">, Unavailability>> = {
  unavailable: "unreachable",
  full: "diskFull",
  "read-only": "readOnly",
};

const OUTAGES: Record<Exclude<DatabaseState, "ok">, string> = {
  unavailable:
    "the database is unavailable: requests are answered DATABASE_UNAVAILABLE until it answers again",
  full: "the database's disk is full: mutations are refused, and nothing is changed in Telegram, until it stores again",
  "read-only":
    "the database is read-only: mutations are refused, and nothing is changed in Telegram, until it stores again",
};

const AWAY =
  "the primary is away: a replica answers reads, and mutations are refused, until the primary is back";

/**
 * Knows whether the database answers and stores, from a regular test write and from errors of requests. The log has one
 * line when an outage begins and one when it ends.
 */
export class DatabaseHealth implements StorageGuard {
  readonly #probe: ReadinessProbe;
  readonly #log: Logger;
  #state: DatabaseState = "ok";
  /** Results of Telegram that are being stored. Their success shows that a full or read-only database stores again. */
  readonly #storing = new Set<Promise<unknown>>();
  #reading: Promise<DatabaseState> | undefined;
  #writing: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;
  #isProbeBroken = false;

  constructor(probe: ReadinessProbe, log: Logger) {
    this.#probe = probe;
    this.#log = log;
  }

  /** Starts the regular test write. */
  watch(): void {
    void this.#tryWrite();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#probe.close();
  }

  /** The current state. In the state "ok", first asks the database whether it still answers. */
  async check(): Promise<DatabaseState> {
    if (this.#state !== "ok") return this.#state;
    this.#reading ??= this.#read().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  /** Whether a replica answers reads while the primary is away. */
  get isReadOnly(): boolean {
    return this.#probe.isReadOnly === true;
  }

  requireWritable(): void {
    if (this.#state !== "ok") throw new DatabaseUnavailableError(REASONS[this.#state]);
  }

  recordFailure(error: unknown): void {
    if (this.#stopped) return;
    const reason = unavailabilityOf(error);
    if (reason === "diskFull" || reason === "readOnly") {
      // In this state already, a further failure must not put the next test write off.
      if (this.#state === STATES[reason]) return;
      this.#become(STATES[reason]);
      this.#tryWriteAfter(RETRY_EVERY_MS);
    } else if (reason === "unreachable" && this.#state === "ok") {
      // One lost connection is not an outage; a test write decides. Until then no mutation has to be refused, because
      // each call to Telegram is recorded in the database before it is sent.
      void this.#tryWrite();
    }
  }

  trackStoring(storing: Promise<unknown>): void {
    this.#storing.add(storing);
    const ended = () => void this.#storing.delete(storing);
    storing.then(ended, ended);
  }

  async #read(): Promise<DatabaseState> {
    try {
      await this.#probe.read();
    } catch (error) {
      this.#recordProbe(error);
      void this.#tryWrite();
    }
    return this.#state;
  }

  #tryWrite(): Promise<void> {
    this.#writing ??= this.#write().finally(() => {
      this.#writing = undefined;
      this.#tryWriteAfter(this.#state === "ok" ? PROBE_EVERY_MS : RETRY_EVERY_MS);
    });
    return this.#writing;
  }

  #tryWriteAfter(milliseconds: number): void {
    clearTimeout(this.#timer);
    if (this.#stopped) return;
    this.#timer = setTimeout(() => void this.#tryWrite(), milliseconds);
    this.#timer.unref();
  }

  async #write(): Promise<void> {
    try {
      await this.#probe.write();
    } catch (error) {
      this.#recordProbe(error);
      return;
    }
    // The test row may be stored although a larger row or another table has no space yet.
    const isStillFailing = this.#storing.size > 0 && this.#state === "full";
    if (!isStillFailing) this.#become("ok");
  }

  #recordProbe(error: unknown): void {
    if (this.#stopped) return;
    const reason = unavailabilityOf(error);
    if (reason === null) {
      if (!this.#isProbeBroken)
        this.#log.warn({ err: error }, "the test write of the readiness probe failed");
      this.#isProbeBroken = true;
      return;
    }
    // A busy database works: it answered that all its sessions are in use.
    if (reason !== "busy" && reason !== "conflict") this.#become(STATES[reason]);
  }

  #become(state: DatabaseState): void {
    if (this.#stopped || state === this.#state) return;
    const former = this.#state;
    this.#state = state;
    if (state === "ok") this.#log.info({ database: state, former }, "the database answers and stores again");
    else this.#log.error({ database: state }, this.isReadOnly ? AWAY : OUTAGES[state]);
  }
}
