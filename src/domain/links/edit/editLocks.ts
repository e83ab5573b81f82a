import { setTimeout as delay } from "node:timers/promises";
import sql, { type Sql } from "sql-template-tag";
import type { Database, UnitOfWork } from "../../../database/database.js";
import type { Presence } from "../../../database/presence.js";
import type { Deadline, SendObserver } from "../../../telegram/gateway.js";
import { NotFoundError, RateLimitedError } from "../../shared/errors.js";
import type { PendingWork } from "../../shared/pendingWork.js";
import { waitBriefly, withRetries } from "../persistResult.js";

/** What Telegram may have done to a link without our hearing of it. */
export interface UnconfirmedEdits {
  readonly maybeEdited: boolean;
  readonly maybeRevoked: boolean;
}

type Doubt = keyof UnconfirmedEdits;

const COLUMNS = { maybeEdited: sql`maybe_edited`, maybeRevoked: sql`maybe_revoked` } satisfies Record<
  Doubt,
  Sql
>;
const POLL_MS = 50;

const NO_DOUBTS: UnconfirmedEdits = { maybeEdited: false, maybeRevoked: false };

/** Puts doubts on record; where another run has the link meanwhile, it loses it, and will find that out. */
const doubtful = (linkId: string, { maybeEdited, maybeRevoked }: UnconfirmedEdits): Sql => sql`
  insert into link_change (link_id, maybe_edited, maybe_revoked, created_at)
  select id, ${maybeEdited}::boolean, ${maybeRevoked}::boolean, now() from invite_link where id = ${linkId}::uuid
  on conflict (link_id) do update set owner_id = null,
    maybe_edited = link_change.maybe_edited or excluded.maybe_edited,
    maybe_revoked = link_change.maybe_revoked or excluded.maybe_revoked`;

/** A link that is one request's alone to change in Telegram, until it is given back. */
export class LockedLink {
  readonly linkId: string;
  /** As they were when it was locked. */
  readonly doubts: UnconfirmedEdits;
  readonly #database: Database;
  readonly #own: Sql;
  #now: UnconfirmedEdits;
  #storing: Promise<unknown> | null = null;

  constructor(database: Database, ownerId: string, linkId: string, doubts: UnconfirmedEdits) {
    this.#database = database;
    this.#own = sql`link_id = ${linkId}::uuid and owner_id = ${ownerId}::uuid`;
    this.linkId = linkId;
    this.doubts = doubts;
    this.#now = doubts;
  }

  /** Puts a doubt on record for as long as a call may have been carried out. */
  sending(doubt: Doubt): SendObserver {
    return {
      beforeSend: async () => {
        // Another run has it by now, having taken this one for dead.
        if (!(await this.#record(doubt, true))) throw new RateLimitedError(1);
        this.#now = { ...this.#now, [doubt]: true };
      },
      rateLimited: () => this.nothingDone(doubt),
    };
  }

  /** The call certainly did nothing. */
  async nothingDone(doubt: Doubt): Promise<void> {
    this.#now = { ...this.#now, [doubt]: this.doubts[doubt] };
    // Where that fails, giving the link back tells of it; the caller is to hear what Telegram said.
    await waitBriefly(this.#record(doubt, this.doubts[doubt]));
  }

  /** Stores what Telegram says of the link, in one transaction: there is no doubt about it any more. */
  async settle(store: (unit: UnitOfWork) => Promise<void>): Promise<void> {
    await this.#database.transaction(async (unit) => {
      await store(unit);
      const ended = await unit.execute(sql`delete from link_change where ${this.#own}`);
      // Taken for dead, this run lost the link to another one: which of the two calls came last, nobody knows.
      if (ended === 0) await unit.execute(doubtful(this.linkId, { ...NO_DOUBTS, maybeEdited: true }));
    });
    this.#now = NO_DOUBTS;
  }

  /** Keeps the link from others while what Telegram has done to it is being stored, whoever still waits for that. */
  keepFor(storing: Promise<unknown>): void {
    const over = () => {
      this.#storing = null;
    };
    this.#storing = storing.then(over, over);
  }

  /** Resolves when it is stored; null where nothing is being stored. */
  get storing(): Promise<unknown> | null {
    return this.#storing;
  }

  /** Lets others have it; what is in doubt stays on record, though another run have it already. */
  async giveBack(): Promise<void> {
    const { maybeEdited, maybeRevoked } = this.#now;
    await this.#database.query(
      maybeEdited || maybeRevoked
        ? doubtful(this.linkId, this.#now)
        : sql`delete from link_change where ${this.#own}`,
    );
  }

  /** @returns false where the link is not this run's any more. */
  async #record(doubt: Doubt, value: boolean): Promise<boolean> {
    const changed = await this.#database.query(
      sql`update link_change set ${COLUMNS[doubt]} = ${value}::boolean where ${this.#own} returning link_id`,
    );
    return changed.length > 0;
  }
}

/**
 * The changes of links that Telegram is asked for: one at a time of each link, on all servers together, so that what
 * is stored is what came last in Telegram; and on record before they are sent, so that after a crash it is known that
 * Telegram may have another state of a link.
 */
export class EditLocks {
  readonly #database: Database;
  readonly #presence: Pick<Presence, "id" | "isAlive">;
  readonly #pendingWork: PendingWork;
  /** Links that requests of this run have: others in its name were left when giving them back failed. */
  readonly #locked = new Set<string>();

  constructor(database: Database, presence: Pick<Presence, "id" | "isAlive">, pendingWork: PendingWork) {
    this.#database = database;
    this.#presence = presence;
    this.#pendingWork = pendingWork;
  }

  /**
   * Does something with a link while nobody else changes it in Telegram; waits for whoever does.
   * @throws RateLimitedError where that is not over at the deadline, NotFoundError where there is no such link.
   */
  async withLink<T>(
    linkId: string,
    deadline: Deadline,
    work: (locked: LockedLink) => Promise<T>,
  ): Promise<T> {
    while (this.#locked.has(linkId)) await this.#waitAnother(deadline);
    this.#locked.add(linkId);
    let locked: LockedLink | undefined;
    try {
      locked = await this.#claim(linkId, deadline);
      return await work(locked);
    } finally {
      const storing = locked?.storing ?? null;
      if (locked === undefined) this.#locked.delete(linkId);
      else if (storing === null) await this.#release(locked);
      else void this.#pendingWork.track(storing.then(() => this.#release(locked as LockedLink)));
    }
  }

  /** Gives a link back: later, where the database is away just now, for which no caller waits. */
  async #release(locked: LockedLink): Promise<void> {
    const given = withRetries(
      () => locked.giveBack(),
      () => true,
    );
    // Given up, it stays in this run's name, and is its next request's.
    const released = given.catch(() => {}).finally(() => this.#locked.delete(locked.linkId));
    await waitBriefly(this.#pendingWork.track(released));
  }

  async #claim(linkId: string, deadline: Deadline): Promise<LockedLink> {
    // What is in this run's name was left behind: the link is no other request's of it.
    let leftBehind = this.#presence.id;
    for (;;) {
      const [row] = await this.#database.query<UnconfirmedEdits>(sql`
        insert into link_change (link_id, owner_id, created_at)
        select id, ${this.#presence.id}::uuid, now() from invite_link where id = ${linkId}::uuid
        on conflict (link_id) do update set owner_id = excluded.owner_id, created_at = excluded.created_at
          where link_change.owner_id is null or link_change.owner_id = ${leftBehind}::uuid
        returning maybe_edited as "maybeEdited", maybe_revoked as "maybeRevoked"`);
      if (row) return new LockedLink(this.#database, this.#presence.id, linkId, row);
      const [other] = await this.#database.query<{ ownerId: string | null }>(sql`
        select c.owner_id as "ownerId" from invite_link l left join link_change c on c.link_id = l.id
        where l.id = ${linkId}::uuid`);
      if (!other) throw new NotFoundError("invite link");
      if (other.ownerId !== null && !(await this.#presence.isAlive(other.ownerId)))
        leftBehind = other.ownerId;
      else await this.#waitAnother(deadline);
    }
  }

  async #waitAnother(deadline: Deadline): Promise<void> {
    if (Date.now() >= deadline.at) throw new RateLimitedError(1);
    await delay(POLL_MS);
  }
}
