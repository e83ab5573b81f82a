import { setTimeout as delay } from "node:timers/promises";
import type pg from "pg";
import type { Database } from "./database.js";
import { failureOf } from "./failures.js";
import type { DatabasePool, ServerPool } from "./pools.js";
import { type ReadinessProbe, type ServerProbe, serverProbe } from "./readinessProbe.js";
import { refuse } from "./refusals.js";
import { LEASE_MS, ReplicaProof } from "./replicaProof.js";
import { acceptReplayed, type Look, lookAtServer, POSITION, REPLICA_SESSION, WRITES } from "./serverLook.js";
import { type SessionConfig, StandbyError } from "./session.js";

/** How often each server is looked at, in milliseconds. */
const LOOK_EVERY_MS = 1000;
/**
 * How many times in a row, and with which pause, the replica is asked whether it has replayed what callers wrote. Another
 * server may notice three seconds later than this one that the primary stands still: its next look comes within a second, and
 * waits two seconds for an answer.
 */
const REPLAY_LOOKS = 40;
const REPLAY_PAUSE_MS = 100;
/** How many times a read is tried. */
const MAX_TRIES = 3;

/** Nothing can be written ("readOnly") or read either ("unreachable"), as failures.ts understands PostgreSQL's codes. */
class PrimaryAwayError extends Error {
  override readonly name = "PrimaryAwayError";
  readonly code: string;

  constructor(isReadable: boolean) {
    super("The primary is away.");
    this.code = isReadable ? "25006" : "08006";
  }
}

/** Calls `look` regularly, but not while the last call has not ended. */
function regularly(look: () => Promise<void>): NodeJS.Timeout {
  let isLooking = false;
  return setInterval(async () => {
    if (isLooking) return;
    isLooking = true;
    await look();
    isLooking = false;
  }, LOOK_EVERY_MS).unref();
}

/** A server to which one of the addresses leads. */
interface Site {
  readonly pool: ServerPool;
  readonly database: Database;
  readonly probe: ServerProbe;
}

interface FoundSite {
  readonly site: Site;
  readonly look: Look;
}

export interface FailoverOptions {
  /** The sessions of DATABASE_URL. */
  readonly primary: ServerPool;
  /** Opens the sessions of DATABASE_REPLICA_URL. */
  readonly openReplica: (accept: NonNullable<SessionConfig["accept"]>) => ServerPool;
  readonly createDatabase: (pool: DatabasePool) => Database;
  /** Called when the primary may be away; leads to a call of `write`. */
  readonly onLost: (error: unknown) => void;
  /** Called with the error when the replica does not answer, and with null when it answers again. */
  readonly onReplica: (error: unknown) => void;
}

/**
 * Decides to which of two servers reads and writes go. The primary is the server that can be written to, at either address:
 * a replica that was promoted is the primary, wherever DATABASE_URL leads. If both can be, the higher timeline counts,
 * then DATABASE_URL. A server of a lower timeline than one seen before was replaced.
 *
 * While there is no primary, reads go to the replica as long as replicaProof.ts allows it. All sessions of a primary that is
 * given up are ended, so that no write there is acknowledged any more. Reads return to a primary as soon as it is found,
 * and writes when no other server reads the replica any more.
 */
export class Failover implements ReadinessProbe {
  readonly #primary: Site;
  readonly #replica: Site;
  readonly #onLost: FailoverOptions["onLost"];
  readonly #onReplica: FailoverOptions["onReplica"];
  readonly #proof: ReplicaProof;
  /** Where reads go. A standby is read only while the proof is fresh. */
  #reader: Site;
  /** Where writes go; null while the primary is away. */
  #writer: Site | null;
  /** Where the primary was last; while it is away, that of DATABASE_URL. */
  #last: Site;
  /** The highest timeline of a primary. */
  #timeline = "";
  /** The timeline of the server where the primary was last. */
  #lastTimeline = "";
  /** From when on this server may write, by performance.now(). */
  #writableFrom = 0;
  #isReplicaLost = false;
  #deciding: Promise<void> | undefined;
  readonly #dedicated = new Set<pg.Client>();
  #timers: readonly NodeJS.Timeout[] = [];

  constructor({ primary, openReplica, createDatabase, onLost, onReplica }: FailoverOptions) {
    const siteOf = (pool: ServerPool, applicationName: string, accept?: SessionConfig["accept"]): Site => ({
      pool,
      database: createDatabase(pool),
      probe: serverProbe(
        { pool: pool.pool, dedicatedSession: (name) => pool.dedicatedSession(name, accept) },
        applicationName,
      ),
    });
    this.#primary = siteOf(primary, "invite-links readiness");
    this.#replica = siteOf(
      openReplica(async (client, isStandby) => {
        if (isStandby && this.#last === this.#replica) throw new StandbyError();
        await acceptReplayed(client, this.#proof.required);
      }),
      // Counts as writing until the first look.
      `${REPLICA_SESSION} ${WRITES}`,
      async () => {},
    );
    this.#proof = new ReplicaProof(this.#replica.probe);
    this.#onLost = onLost;
    this.#onReplica = onReplica;
    this.#reader = this.#writer = this.#last = this.#primary;
  }

  /** @throws DatabaseUnusableError if the addresses do not lead to a primary and its replica */
  async start(): Promise<void> {
    const primary = await lookAtServer(this.#primary.probe);
    this.#begin(primary);
    const replica = await this.#lookAtReplica();
    if (replica !== null && replica.system !== primary.system)
      throw refuse(
        "DATABASE_REPLICA_URL",
        "the address does not lead to a replica of the server at DATABASE_URL",
      );
    if ((replica?.timeline ?? "") > this.#timeline)
      throw refuse(
        "DATABASE_URL",
        "the server was replaced by the one at DATABASE_REPLICA_URL, which was promoted. Use the address of the new primary",
      );
    // Other servers read the replica and do not know what this one will write.
    if (replica !== null && replica.others > replica.writing) await delay(LEASE_MS);
    this.#timers = [regularly(() => this.#watchPrimary()), regularly(() => this.#watchReplica())];
  }

  /** Whether the primary is away and reads are answered. */
  get isReadOnly(): boolean {
    return this.#writer === null && this.#readable() !== null;
  }

  /** Where reads go. */
  get readsFrom(): "primary" | "replica" | "nowhere" {
    const reader = this.#readable();
    if (reader === null) return "nowhere";
    return this.#isStandby(reader) ? "replica" : "primary";
  }

  /** Where statements go that are not tried again. While nothing can be read, they fail there at once. */
  get current(): Site {
    return this.#readable() ?? this.#last;
  }

  /** @throws an error that counts as "readOnly" or "unreachable" while the primary is away */
  requirePrimary(): void {
    if (this.#writer === null) throw this.#away();
  }

  async read(): Promise<void> {
    this.requirePrimary();
    await this.#writer?.probe.read();
  }

  /** Decides where reads and writes go, and tries to write. @throws as requirePrimary */
  async write(): Promise<void> {
    this.#deciding ??= this.#decide().finally(() => {
      this.#deciding = undefined;
    });
    await this.#deciding;
    this.requirePrimary();
    await this.#writer?.probe.write();
  }

  /** Makes a session of the primary, which ends when the primary is given up. */
  dedicatedSession(applicationName: string): pg.Client {
    const client = this.#last.pool.dedicatedSession(applicationName);
    this.#dedicated.add(client);
    client.once("end", () => this.#dedicated.delete(client));
    return client;
  }

  /** Runs statements that only read. They are tried again if the server is lost or, on a replica, the replay is in the way. */
  async reading<T>(read: (database: Database) => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries += 1) {
      if (this.#readable() === null) await this.#deciding?.catch(() => {});
      try {
        return await read(this.current.database);
      } catch (error) {
        const { kind } = failureOf(error);
        if (tries === MAX_TRIES || (kind !== "unreachable" && kind !== "conflict")) throw error;
        if (kind === "unreachable") await this.#reportLoss(error);
      }
    }
  }

  /** Runs a transaction. Resolves when the position of its commit is known. */
  async writing<T>(write: (database: Database) => Promise<T>): Promise<T> {
    const writer = this.#writer;
    if (writer === null) throw this.#away();
    const { generation } = this.#proof;
    const result = await write(writer.database);
    // A primary was found meanwhile, so that this server announces again that it writes.
    const isOver = () => generation !== this.#proof.generation;
    if (isOver()) return result;
    this.#proof.recordCommit();
    if (this.#writer !== null) {
      const record = this.#proof.recordQuestion();
      try {
        // Beside the pool, where the question would wait for requests. If it fails, the next look at the primary answers it.
        const [end] = await writer.probe.ask<{ position: number }>(POSITION);
        record(end?.position ?? 0);
        return result;
      } catch (error) {
        await this.#reportLoss(error);
      }
    }
    // The primary was lost between the commit and the answer about its position, so nobody knows whether the replica has
    // the commit. When the caller learns of the commit, no server may read the replica any more.
    if (this.#writer === null && !isOver()) {
      await this.#proof.forbid();
      await delay(LEASE_MS);
    }
    return result;
  }

  close(): void {
    for (const timer of this.#timers) clearInterval(timer);
    for (const { probe } of [this.#primary, this.#replica]) probe.close();
  }

  async end(): Promise<void> {
    await Promise.all([this.#primary.database.close(), this.#replica.database.close()]);
    // The last transactions may have opened a session again.
    this.close();
  }

  #away(): PrimaryAwayError {
    return new PrimaryAwayError(this.#readable() !== null);
  }

  /** Where reads can go now; null for nowhere. */
  #readable(): Site | null {
    return this.#isStandby(this.#reader) && !this.#proof.isFresh ? null : this.#reader;
  }

  /** Whether a site where reads go is a standby: the replica, unless it was promoted. */
  #isStandby(reader: Site): boolean {
    return reader === this.#replica && this.#last !== reader;
  }

  /** Whether a server can be written to and was not replaced. */
  #isPrimary({ system, timeline }: Look): boolean {
    return system === this.#proof.system && timeline !== null && timeline >= this.#timeline;
  }

  #begin(look: Look): void {
    this.#proof.restart(look);
    this.#timeline = this.#lastTimeline = look.timeline ?? this.#timeline;
  }

  async #watchPrimary(): Promise<void> {
    const writer = this.#writer;
    if (writer === null) return;
    const record = this.#proof.recordQuestion();
    try {
      const look = await lookAtServer(writer.probe);
      if (writer !== this.#writer) return;
      // A higher timeline is that of another server, to which the address leads now.
      if (this.#isPrimary(look) && look.timeline === this.#lastTimeline) record(look.position ?? 0);
      else this.#onLost(new PrimaryAwayError(false));
    } catch (error) {
      if (writer === this.#writer) this.#onLost(error);
    }
  }

  /** Keeps a session on the replica open, and notices that the server that is not written to was promoted. */
  async #watchReplica(): Promise<void> {
    const replica = await this.#lookAtReplica();
    // A balancer led to the primary, and may lead to a replica by now.
    if (replica !== null && replica.timeline !== null && this.#writer === this.#primary)
      this.#replica.probe.close();
    const other =
      this.#writer === this.#replica ? await lookAtServer(this.#primary.probe).catch(() => null) : replica;
    if (other === null || !this.#isPrimary(other) || other.timeline === this.#timeline) return;
    // From now on the present primary does not count as one.
    this.#timeline = other.timeline ?? this.#timeline;
    this.#onLost(new PrimaryAwayError(false));
  }

  /** Looks at the replica, and reports when it is lost. */
  async #lookAtReplica() {
    let lost: unknown = null;
    const look = await this.#proof.look().catch((error: unknown) => {
      lost = error;
      return null;
    });
    if ((look === null) !== this.#isReplicaLost) this.#onReplica(lost);
    this.#isReplicaLost = look === null;
    return look;
  }

  /** Lets DatabaseHealth call `write`, and waits for the decision. */
  async #reportLoss(error: unknown): Promise<void> {
    this.#onLost(error);
    await this.#deciding?.catch(() => {});
  }

  async #decide(): Promise<void> {
    const found = await this.#findPrimary();
    if (found !== null) {
      if (found.site !== this.#writer || found.look.timeline !== this.#lastTimeline)
        await this.#turnTo(found);
      return;
    }
    this.#giveUp();
    for (let looks = 0; looks < REPLAY_LOOKS; looks += 1) {
      const look = await this.#lookAtReplica();
      // A replica that was promoted is found by the next decision.
      if (look === null || look.timeline !== null || this.#readable() !== null) return;
      await delay(REPLAY_PAUSE_MS);
    }
  }

  /** @throws if the primary has no session for a look, which says that it is not away */
  async #findPrimary(): Promise<FoundSite | null> {
    const lookAt = (site: Site): Promise<FoundSite | null> =>
      lookAtServer(site.probe).then(
        (look) => {
          if (this.#isPrimary(look)) return { site, look };
          // The session with a primary that was replaced may outlast a change of where the address leads.
          if (look.timeline !== null) site.probe.close();
          return null;
        },
        (error: unknown) => {
          if (site === this.#writer && failureOf(error).kind === "busy") throw error;
          return null;
        },
      );
    const [first, second] = [lookAt(this.#primary), lookAt(this.#replica)];
    second.catch(() => {});
    const primary = await first;
    // While all is well, a replica that does not answer holds nothing up.
    if (primary !== null && primary.site === this.#writer) return primary;
    const promoted = await second;
    if (primary === null || promoted === null) return primary ?? promoted;
    return (promoted.look.timeline ?? "") > (primary.look.timeline ?? "") ? promoted : primary;
  }

  async #turnTo({ site, look }: FoundSite): Promise<void> {
    const waits = await this.#proof.open();
    // The end of a transaction forbade meanwhile to read the replica. This server turns at its next decision.
    if (!this.#proof.writes) return;
    if (waits > 0) this.#writableFrom = performance.now() + waits;
    // No write on the former primary is acknowledged any more.
    this.#writer?.pool.suspend();
    this.#begin(look);
    site.pool.resume();
    this.#last = this.#reader = site;
    if (performance.now() < this.#writableFrom) return;
    this.#endDedicated();
    this.#writer = site;
  }

  #giveUp(): void {
    if (this.#isStandby(this.#reader)) return;
    this.#writer = null;
    // The sessions of the replica are opened anew as well, so that each is accepted anew.
    for (const { pool } of [this.#primary, this.#replica]) pool.suspend();
    this.#endDedicated();
    this.#proof.close();
    this.#last = this.#primary;
    this.#reader = this.#replica;
    this.#replica.pool.resume();
  }

  #endDedicated(): void {
    for (const client of this.#dedicated) client.connection.stream.destroy();
  }
}
