import sql from "sql-template-tag";
import { uuidv7 } from "uuidv7";
import type { BackgroundSession } from "../../database/dedicatedSession.js";
import type { Instant } from "../../database/instant.js";
import { isPresent, type Presence, WORK_RELEASED } from "../../database/presence.js";
import { statement } from "../../database/statement.js";

/** How long a lease lasts without a renewal, in milliseconds. */
const LEASE_MS = 10_000;
/** How long Telegram keeps updates, in hours. */
const KEPT_HOURS = 24;
/** Updates that were set aside are counted up to this number. */
const MAX_COUNTED = 1000;

/** What the table says about the reception of updates in the whole installation. */
export interface LeaseState {
  /** The server that holds the lease; null if none does or its lease has run out. */
  readonly ownerId: string | null;
  readonly webhookHash: Uint8Array | null;
  /** Updates that are set aside, 1,000 at most. */
  readonly setAside: number;
  /** Known spans in which updates of all channels were missed. */
  readonly gaps: number;
}

interface Row {
  readonly term: number;
  readonly ownerId: string | null;
  readonly expiresAt: Instant | null;
  /** Whether the lease has not run out. */
  readonly isCurrent: boolean;
  /** Whether its server shows its presence. */
  readonly isPresent: boolean;
  readonly webhookHash: Buffer | null;
  readonly setAside: number;
  readonly gaps: number;
}

interface LeaseRow extends Omit<Row, "isCurrent" | "isPresent"> {
  /** Whether the lease has not run out, and its server has not ended. */
  readonly isLive: boolean;
}

/**
 * The lease by which one server of an installation receives updates by polling and does the background work that only one
 * may do. Times are by the database's clock. A server that lost its lease without noticing cannot commit updates, because
 * `term` has grown; see Ingestion.
 */
export class ReceiverLease {
  readonly #session: BackgroundSession;
  readonly #botId: number;
  readonly #presence: Presence;
  readonly #leaseMs: number;

  constructor(session: BackgroundSession, botId: number, presence: Presence, leaseMs = LEASE_MS) {
    this.#session = session;
    this.#botId = botId;
    this.#presence = presence;
    this.#leaseMs = leaseMs;
  }

  get serverId(): string {
    return this.#presence.id;
  }

  /** Must be called once before all others. */
  async prepare(): Promise<void> {
    await this.#session.query(statement("update_lease_prepare")`
      insert into update_receiver (bot_id) values (${this.#botId}) on conflict do nothing`);
  }

  async read(): Promise<LeaseState> {
    return stateOf(await this.#row());
  }

  /** Takes the lease if it is free, has run out, or its server has ended. @returns its term; null if another server holds it. */
  async acquire(): Promise<{ readonly term: number | null; readonly state: LeaseState }> {
    const row = await this.#row();
    const state = stateOf(row);
    if (row.isLive && row.ownerId !== this.serverId) return { term: null, state };
    // Of several servers that read the same row, one takes the lease. A renewal meanwhile changes expires_at.
    const [taken] = await this.#session.query<{ term: number }>(statement("update_lease_acquire")`
      update update_receiver set owner_id = ${this.serverId}::uuid, term = term + 1,
        expires_at = clock_timestamp() + ${this.#leaseMs} * interval '1 millisecond'
      where bot_id = ${this.#botId} and term = ${row.term}
        and expires_at is not distinct from ${row.expiresAt}::timestamptz
      returning term`);
    return { term: taken?.term ?? null, state };
  }

  /**
   * Renews the lease and stores when Telegram was last asked. If that was longer ago than Telegram keeps updates, the span
   * of lost updates is stored as a coverage gap.
   * @param askedMsAgo how long ago Telegram last answered; null if it has not answered in this term
   * @returns false if another server has taken the lease
   */
  async renew(term: number, askedMsAgo: number | null): Promise<boolean> {
    const rows = await this.#session.query(statement("update_lease_renew")`
      with held as (
        select last_asked_at, clock_timestamp() - ${askedMsAgo}::float8 * interval '1 millisecond' as asked
        from update_receiver where bot_id = ${this.#botId} and term = ${term} for update
      ), gap as (
        insert into coverage_gap (id, bot_id, channel_id, reason, from_at, to_at)
        select ${uuidv7()}::uuid, ${this.#botId}::bigint, null, 'NOT_RECEIVING'::coverage_gap_reason, last_asked_at,
          asked - ${KEPT_HOURS} * interval '1 hour'
        from held where last_asked_at < asked - ${KEPT_HOURS} * interval '1 hour'
      )
      update update_receiver set last_asked_at = greatest(update_receiver.last_asked_at, held.asked),
        expires_at = clock_timestamp() + ${this.#leaseMs} * interval '1 millisecond'
      from held where bot_id = ${this.#botId} returning term`);
    return rows.length > 0;
  }

  /** Gives the lease back, so that another server takes it at once. */
  async release(term: number): Promise<void> {
    await this.#session.query(statement("update_lease_release")`
      with released as (
        update update_receiver set owner_id = null, expires_at = null
        where bot_id = ${this.#botId} and term = ${term} returning term
      )
      select pg_notify(${WORK_RELEASED}::text, '') from released`);
  }

  /** Stores what the webhook is registered with; null if it was removed. */
  async storeWebhookHash(hash: Uint8Array | null): Promise<void> {
    await this.#session.query(statement("update_lease_store_webhook")`
      update update_receiver set webhook_hash = ${hash} where bot_id = ${this.#botId}`);
  }

  async #row(): Promise<LeaseRow> {
    const [row] = await this.#session.query<Row>(statement("update_lease_read")`
      select term, owner_id as "ownerId", expires_at as "expiresAt",
        coalesce(expires_at > clock_timestamp(), false) as "isCurrent", ${isPresent(sql`owner_id::text`)} as "isPresent",
        webhook_hash as "webhookHash",
        (select count(*)::int from (select from failed_update where bot_id = ${this.#botId} limit ${MAX_COUNTED}) f)
          as "setAside",
        (select count(*)::int from coverage_gap where bot_id = ${this.#botId} and channel_id is null) as "gaps"
      from update_receiver where bot_id = ${this.#botId}`);
    if (row === undefined) throw new Error("The row of the update receiver is missing.");
    const { isCurrent, ownerId } = row;
    // After a failure of the database a server that lives may not show its presence yet.
    const isLive =
      isCurrent && ownerId !== null && (row.isPresent || (await this.#presence.isAlive(ownerId)));
    return { ...row, isLive };
  }
}

const stateOf = ({ ownerId, isLive, webhookHash, setAside, gaps }: LeaseRow): LeaseState => ({
  ownerId: isLive ? ownerId : null,
  webhookHash,
  setAside,
  gaps,
});
