import { type Unavailability, unavailabilityOf } from "../database/failures.js";
import type { ReadinessProbe } from "../database/readinessProbe.js";
import type { StorageGuard } from "../domain/shared/databaseErrors.js";
import { DatabaseUnavailableError } from "../domain/shared/errors.js";
import type { Logger } from "../log.js";

/** The state of the database as /readyz names it. */
export type DatabaseState = "ok" | "unavailable" | "read-only" | "full";

/** How often a write is tried, in milliseconds: while all is well, and while it is not. */
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
  unavailable: "the database is away: requests are answered DATABASE_UNAVAILABLE until it answers again",
  full: "the database is out of space: nothing is changed, in Telegram neither, until it stores again",
  "read-only": "the database is read-only: nothing is changed, in Telegram neither, until it stores again",
};

/**
 * Whether the database answers and stores, by a write that is tried now and then and by what failed in requests. An
 * outage has one line in the log when it begins and one when it ends.
 */
export class DatabaseHealth implements StorageGuard {
  readonly #probe: ReadinessProbe;
  readonly #log: Logger;
  #state: DatabaseState = "ok";
  /** What Telegram has done and cannot be stored: that it is stored shows that the database stores again. */
  readonly #held = new Set<Promise<unknown>>();
  #reading: Promise<DatabaseState> | undefined;
  #writing: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;
  #isProbeBroken = false;

  constructor(probe: ReadinessProbe, log: Logger) {
    this.#probe = probe;
    this.#log = log;
  }

  /** Begins to try to write now and then. */
  watch(): void {
    void this.#tryWrite();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#probe.close();
  }

  /** The state as of now: the latest, and where that is well, whether the database still answers. */
  async check(): Promise<DatabaseState> {
    if (this.#state !== "ok") return this.#state;
    this.#reading ??= this.#read().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  requireWritable(): void {
    if (this.#state !== "ok") throw new DatabaseUnavailableError(REASONS[this.#state]);
  }

  noteFailure(error: unknown): void {
    if (this.#stopped) return;
    const reason = unavailabilityOf(error);
    if (reason === "diskFull" || reason === "readOnly") {
      this.#become(STATES[reason]);
      this.#tryWriteAfter(RETRY_EVERY_MS);
    } else if (reason === "unreachable" && this.#state === "ok") {
      // One lost connection is no outage: the next write tells. Until then nothing needs to be refused, since what is
      // about to be asked of Telegram is noted in the database before that.
      void this.#tryWrite();
    }
  }

  trackStoring(storing: Promise<unknown>): void {
    this.#held.add(storing);
    const over = () => void this.#held.delete(storing);
    storing.then(over, over);
  }

  async #read(): Promise<DatabaseState> {
    try {
      await this.#probe.read();
    } catch (error) {
      this.#noteProbe(error);
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
      this.#noteProbe(error);
      return;
    }
    // Some other table, or a larger row, may still find no room.
    const isStillFailing = this.#held.size > 0 && (this.#state === "full" || this.#state === "read-only");
    if (!isStillFailing) this.#become("ok");
  }

  #noteProbe(error: unknown): void {
    if (this.#stopped) return;
    const reason = unavailabilityOf(error);
    if (reason === null) {
      if (!this.#isProbeBroken)
        this.#log.warn({ err: error }, "the write that readiness tries is not possible");
      this.#isProbeBroken = true;
      return;
    }
    // A busy database is there: it answered that all its sessions are in use.
    if (reason !== "busy" && reason !== "conflict") this.#become(STATES[reason]);
  }

  #become(state: DatabaseState): void {
    if (this.#stopped || state === this.#state) return;
    const former = this.#state;
    this.#state = state;
    if (state === "ok") this.#log.info({ database: state, former }, "the database answers and stores again");
    else this.#log.error({ database: state }, OUTAGES[state]);
  }
}
