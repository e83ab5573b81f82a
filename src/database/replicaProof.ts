import type { ServerProbe } from "./readinessProbe.js";
import { type Look, lookAtReplica, type ReplicaLook, UNKNOWN, WRITES } from "./serverLook.js";

/** How long the replica may be read after a look has shown that it has all writes, in milliseconds. */
const FRESH_MS = 2500;
/** After this time no other server reads the replica any more because of what this one had announced; milliseconds. */
export const LEASE_MS = 3000;

/**
 * Proves that the replica has everything that any server has written, as far as callers know of it. Each server holds a
 * session on the replica, whose application name tells the others that it writes or, after it has given up the primary,
 * up to which position of the write-ahead log it has written. The replica is read while all have announced a position and
 * the replica has replayed them. A server that is going to write again takes its announcement back LEASE_MS before.
 */
export class ReplicaProof {
  readonly #probe: ServerProbe;
  /** What `pg_control_system()` of the primary says. */
  system = "";
  /** The end of what this server knows to be stored, in bytes of the write-ahead log. */
  #position = 0;
  /** Transactions that were stored, and how many of them are known to be stored up to `#position`. */
  #stored = 0;
  #included = 0;
  #generation = 0;
  #announcement = WRITES;
  #freshUntil = 0;
  #required = 0;

  /** @param probe the session on the replica */
  constructor(probe: ServerProbe) {
    this.#probe = probe;
  }

  /** Whether the replica may be read now. */
  get isFresh(): boolean {
    return performance.now() <= this.#freshUntil;
  }

  /** Whether this server announces that it writes. */
  get writes(): boolean {
    return this.#announcement === WRITES;
  }

  /** The position that a session of the replica must have replayed to be used, in bytes. */
  get required(): number {
    return this.#required;
  }

  /** Changes whenever this server turns to a primary. */
  get generation(): number {
    return this.#generation;
  }

  /** Notes that a transaction was stored, whose position is not known yet. */
  recordCommit(): void {
    this.#stored += 1;
  }

  /**
   * Must be called before the primary is asked for its position.
   * @returns to be called with the answer, which includes all transactions that were stored before
   */
  recordQuestion(): (position: number) => void {
    const [generation, stored] = [this.#generation, this.#stored];
    return (position) => {
      if (generation !== this.#generation) return;
      this.#included = Math.max(this.#included, stored);
      this.#position = Math.max(this.#position, position);
    };
  }

  /** Announces what this server wrote. No write may be acknowledged any more. */
  close(): void {
    this.#announcement = this.#included === this.#stored ? String(this.#position) : UNKNOWN;
    this.#freshUntil = 0;
  }

  /** Forbids every server to read the replica, since a caller will learn of a write that it may lack. */
  async forbid(): Promise<void> {
    this.#announcement = UNKNOWN;
    this.#freshUntil = 0;
    await this.look().catch(() => {});
  }

  /**
   * Announces that this server writes.
   * @returns the milliseconds until it may do so
   */
  async open(): Promise<number> {
    if (this.writes) return 0;
    this.#announcement = WRITES;
    const { others } = await this.look().catch(() => ({ others: 1 }));
    return others === 0 ? 0 : LEASE_MS;
  }

  /** Begins anew on a primary, which may have lost what another one had stored. Answers of the former one are ignored. */
  restart({ system, position }: Look): void {
    this.system = system;
    this.#position = position ?? 0;
    this.#included = this.#stored;
    this.#generation += 1;
  }

  /** Announces what is to be announced, and finds out whether the replica may be read. */
  async look(): Promise<ReplicaLook> {
    const [startedAt, announcement] = [performance.now(), this.#announcement];
    const look = await lookAtReplica(this.#probe, announcement, this.#position);
    const isClosed =
      announcement === this.#announcement && announcement !== WRITES && announcement !== UNKNOWN;
    const isReplica = look.timeline === null && look.system === this.system && look.isSettled;
    if (isClosed && isReplica && look.writing === 0 && look.isReplayed === true) {
      this.#required = look.required;
      this.#freshUntil = startedAt + FRESH_MS;
    }
    return look;
  }
}
