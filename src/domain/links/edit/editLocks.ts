import { setTimeout as delay } from "node:timers/promises";
import sql, { type Sql } from "sql-template-tag";
import type { Database, UnitOfWork } from "../../../database/database.js";
import type { Presence } from "../../../database/presence.js";
import { type NamedStatement, statement } from "../../../database/statement.js";
import type { Deadline, SendObserver } from "../../../telegram/gateway.js";
import { NotFoundError, RateLimitedError } from "../../shared/errors.js";
import type { PendingWork } from "../../shared/pendingWork.js";
import { waitBriefly, withRetries } from "../persistResult.js";

/** Which unconfirmed edits a link has: calls that were sent and whose outcome is not known. */
export interface UnconfirmedEdits {
  readonly maybeEdited: boolean;
  readonly maybeRevoked: boolean;
}

type UnconfirmedKind = keyof UnconfirmedEdits;

const COLUMNS = { maybeEdited: sql`maybe_edited`, maybeRevoked: sql`maybe_revoked` } satisfies Record<
  UnconfirmedKind,
  Sql
>;
/** How often a lock that another request has is tried again, in milliseconds. */
const POLL_MS = 50;

const NOTHING_UNCONFIRMED: UnconfirmedEdits = { maybeEdited: false, maybeRevoked: false };

/**
 * Records unconfirmed edits of a link and unlocks it. A server that has the lock loses it, and notices that when it next
 * writes.
 */
const unlockUnconfirmed = (linkId: string, { maybeEdited, maybeRevoked }: UnconfirmedEdits) => statement(
  "link_unlock_unconfirmed",
)`
  insert into link_change (link_id, maybe_edited, maybe_revoked, created_at)
  select id, ${maybeEdited}::boolean, ${maybeRevoked}::boolean, now() from invite_link where id = ${linkId}::uuid
  on conflict (link_id) do update set owner_id = null,
    maybe_edited = link_change.maybe_edited or excluded.maybe_edited,
    maybe_revoked = link_change.maybe_revoked or excluded.maybe_revoked`;

/** A link that one request alone may edit in Telegram, until it is unlocked. */
export class LockedLink {
  readonly linkId: string;
  /** The unconfirmed edits that the link had when it was locked. */
  readonly unconfirmed: UnconfirmedEdits;
  readonly #database: Database;
  readonly #ownLock: Sql;
  /** The unconfirmed edits with those of this request. */
  #current: UnconfirmedEdits;
  #storing: Promise<unknown> | null = null;

  constructor(database: Database, ownerId: string, linkId: string, unconfirmed: UnconfirmedEdits) {
    this.#database = database;
    this.#ownLock = sql`link_id = ${linkId}::uuid and owner_id = ${ownerId}::uuid`;
    this.linkId = linkId;
    this.unconfirmed = unconfirmed;
    this.#current = unconfirmed;
  }

  /**
   * Records an edit as unconfirmed before its call is sent, and removes the record if the call is put off.
   * @returns an observer that throws RateLimitedError if another server considered this one dead and locked the link.
   */
  sending(kind: UnconfirmedKind): SendObserver {
    return {
      beforeSend: async () => {
        if (!(await this.#record(kind, true))) throw new RateLimitedError(1);
        this.#current = { ...this.#current, [kind]: true };
      },
      rateLimited: () => this.removeRecord(kind),
    };
  }

  /** Removes the record of a call that certainly changed nothing. Waits for a second at most, and throws no error. */
  async removeRecord(kind: UnconfirmedKind): Promise<void> {
    this.#current = { ...this.#current, [kind]: this.unconfirmed[kind] };
    // If this fails, unlocking stores the same. The caller gets Telegram's own error.
    await waitBriefly(this.#record(kind, this.unconfirmed[kind]));
  }

  /** Stores what Telegram answered and, in the same transaction, removes the lock: nothing is unconfirmed any more. */
  async confirm(store: (unit: UnitOfWork) => Promise<void>): Promise<void> {
    await this.#database.transaction(async (unit) => {
      await store(unit);
      const removed = await unit.execute(this.#removeLock());
      // Another server took this one for dead and edited the link as well: nobody knows whose call came last.
      if (removed === 0)
        await unit.execute(unlockUnconfirmed(this.linkId, { ...NOTHING_UNCONFIRMED, maybeEdited: true }));
    });
    this.#current = NOTHING_UNCONFIRMED;
  }

  /** Keeps the link locked while Telegram's answer is being stored, which may outlast the request. */
  keepWhileStoring(storing: Promise<unknown>): void {
    const end = () => {
      this.#storing = null;
    };
    this.#storing = storing.then(end, end);
  }

  /** Resolves when Telegram's answer is stored; null if none is being stored. */
  get storing(): Promise<unknown> | null {
    return this.#storing;
  }

  /** Unlocks the link. Unconfirmed edits stay on record, even if another server has the lock by now. */
  async unlock(): Promise<void> {
    const { maybeEdited, maybeRevoked } = this.#current;
    await this.#database.query(
      maybeEdited || maybeRevoked ? unlockUnconfirmed(this.linkId, this.#current) : this.#removeLock(),
    );
  }

  #removeLock(): NamedStatement {
    return statement("link_unlock")`delete from link_change where ${this.#ownLock}`;
  }

  /** @returns false if this server no longer has the lock. */
  async #record(kind: UnconfirmedKind, value: boolean): Promise<boolean> {
    const changed = await this.#database.query(statement("link_lock_record")`
      update link_change set ${COLUMNS[kind]} = ${value}::boolean where ${this.#ownLock} returning link_id`);
    return changed.length > 0;
  }
}

/**
 * Edit locks: one request at a time edits a link in Telegram, across all servers, so that the stored state is that of the
 * last call. The lock's row (link_change) also records unconfirmed edits, before a call is sent: after a crash it shows
 * that Telegram may have another state of the link than the one that is stored.
 *
 *     no row ── lock ──▶ owner_id ── a call is sent ──▶ owner_id, maybe_… ── the answer is stored ──▶ no row
 *                            │                              │
 *                            └── unlock ──▶ no row          └── no answer ──▶ maybe_… without an owner, until the next
 *                                                                             edit sends the whole state of the link
 */
export class EditLocks {
  readonly #database: Database;
  readonly #presence: Pick<Presence, "id" | "isAlive">;
  readonly #pendingWork: PendingWork;
  /** Ids of the links that requests of this process have locked. */
  readonly #lockedHere = new Set<string>();

  constructor(database: Database, presence: Pick<Presence, "id" | "isAlive">, pendingWork: PendingWork) {
    this.#database = database;
    this.#presence = presence;
    this.#pendingWork = pendingWork;
  }

  /**
   * Waits for the edit lock of a link, then runs work under it.
   * @throws RateLimitedError if the lock is not free by the deadline, NotFoundError if there is no such link.
   */
  async withLink<T>(
    linkId: string,
    deadline: Deadline,
    work: (locked: LockedLink) => Promise<T>,
  ): Promise<T> {
    while (this.#lockedHere.has(linkId)) await this.#pause(deadline);
    this.#lockedHere.add(linkId);
    let locked: LockedLink | undefined;
    try {
      locked = await this.#lock(linkId, deadline);
      return await work(locked);
    } finally {
      const storing = locked?.storing ?? null;
      if (locked === undefined) this.#lockedHere.delete(linkId);
      else if (storing === null) await this.#unlock(locked);
      else void this.#pendingWork.track(storing.then(() => this.#unlock(locked as LockedLink)));
    }
  }

  /** Unlocks a link, with retries; returns after a second at the latest, while the retries go on. */
  async #unlock(locked: LockedLink): Promise<void> {
    const stored = withRetries(
      () => locked.unlock(),
      () => true,
    );
    // If every retry fails, the row stays in this server's name, and this server's next request takes it.
    const unlocked = stored.catch(() => {}).finally(() => this.#lockedHere.delete(locked.linkId));
    await waitBriefly(this.#pendingWork.track(unlocked));
  }

  async #lock(linkId: string, deadline: Deadline): Promise<LockedLink> {
    // The owner whose lock may be taken over. A row of this server was left behind, because #lockedHere has no such link.
    let abandonedBy = this.#presence.id;
    for (;;) {
      const [row] = await this.#database.query<UnconfirmedEdits>(statement("link_lock_take")`
        insert into link_change (link_id, owner_id, created_at)
        select id, ${this.#presence.id}::uuid, now() from invite_link where id = ${linkId}::uuid
        on conflict (link_id) do update set owner_id = excluded.owner_id, created_at = excluded.created_at
          where link_change.owner_id is null or link_change.owner_id = ${abandonedBy}::uuid
        returning maybe_edited as "maybeEdited", maybe_revoked as "maybeRevoked"`);
      if (row) return new LockedLink(this.#database, this.#presence.id, linkId, row);
      const [other] = await this.#database.query<{ ownerId: string | null }>(statement("link_lock_owner")`
        select c.owner_id as "ownerId" from invite_link l left join link_change c on c.link_id = l.id
        where l.id = ${linkId}::uuid`);
      if (!other) throw new NotFoundError("invite link");
      if (other.ownerId !== null && !(await this.#presence.isAlive(other.ownerId)))
        abandonedBy = other.ownerId;
      else await this.#pause(deadline);
    }
  }

  async #pause(deadline: Deadline): Promise<void> {
    if (Date.now() >= deadline.at) throw new RateLimitedError(1);
    await delay(POLL_MS);
  }
}
