import sql, { type Sql } from "sql-template-tag";
import type { Database } from "../../database/database.js";
import type { BackgroundSession } from "../../database/dedicatedSession.js";
import type { Instant } from "../../database/instant.js";
import { isPresent, type Presence } from "../../database/presence.js";
import { statement } from "../../database/statement.js";
import { type AuditEntry, auditMany, SERVER } from "../shared/audit.js";
import { firstIdOf } from "../shared/ids.js";
import {
  contentOf,
  type DeliveryContent,
  isAboutMember,
  type ToldEvent,
  type ToldPerson,
} from "./deliveryContent.js";

/** A delivery whose time has come, with its webhook's address as it was when the delivery was taken. */
export interface DueDelivery {
  readonly id: string;
  /** With macros for POSTBACK. */
  readonly url: string;
  /** Null for POSTBACK. */
  readonly secret: string | null;
  readonly content: DeliveryContent;
  readonly person: ToldPerson;
  /** Since it was stored or sent again by hand. */
  readonly failureCount: number;
  /** Null for its first attempt; a MEMBER_STAYED has always one. Another one once it was sent again by hand. */
  readonly dueAt: Instant | null;
}

/** A webhook whose lease this server has. */
export interface HeldWebhook {
  readonly id: string;
  /** As it is now. */
  readonly url: string;
}

/** What became of an attempt. */
export interface AttemptOutcome {
  readonly isDelivered: boolean;
  /** Null if no answer came. */
  readonly status: number | null;
  /** Null if it is delivered. Contains nothing of a person. */
  readonly error: string | null;
}

export type FinishedAttempt = AttemptOutcome & Pick<DueDelivery, "id" | "failureCount" | "dueAt">;

export interface QueueStatus {
  /** Deliveries that wait for their first attempt, MAX_COUNTED at most. */
  readonly waiting: number;
  /** How long the oldest of them has waited. */
  readonly lagSeconds: number;
}

const MAX_COUNTED = 10_000;
/** How long a lease lasts without a renewal, in seconds. */
const LEASE_SECONDS = 15;
/** The pauses after the first failed attempt, the second…, in seconds. After the last one the delivery has failed. */
export const RETRY_SECONDS: readonly number[] = [5, 60, 300, 1800, 7200, 21_600, 43_200, 86_400];
/** Pauses are longer by up to this part, so that the deliveries of an outage do not all come at once. */
const JITTER = 0.2;
/** Of a delivery that waited for a further attempt. */
const UNWANTED = "The webhook is not told of this channel any more.";
const FAILING_DAYS = 5;
const KEPT_MS = 30 * 86_400_000;
/** Deliveries that are deleted by one statement. */
const PORTION = 5000;

/**
 * A condition that is true and has the transaction's commit not wait for the disk. If the database crashes right then, an
 * attempt is made again, as after a crash of the server.
 */
const RELAXED = sql`(select set_config('synchronous_commit', 'off', true)) = 'off'`;

/** @returns null after the last attempt. */
const pauseAfter = (failures: number): number | null => {
  const seconds = RETRY_SECONDS[failures - 1];
  return seconds === undefined ? null : seconds * (1 + JITTER * Math.random());
};

interface DueRow extends ToldEvent {
  readonly id: string;
  readonly url: string;
  readonly secret: string | null;
  readonly failureCount: number;
  readonly attemptCount: number;
  readonly dueAt: Instant | null;
  readonly content: DeliveryContent | null;
  /** Null if the member event is not there any more, and for an event about no person. */
  readonly userId: number | null;
  /** Null unless it is a MEMBER_STAYED before its first attempt. */
  readonly hasStayed: boolean | null;
  /** Whether the webhook is still told of the channel and, before the first attempt, of the type. */
  readonly isWanted: boolean;
}

const idsOf = (rows: readonly { readonly id: string }[]): string[] => rows.map(({ id }) => id);

function personOf({ eventType, userId }: DueRow): ToldPerson {
  if (!isAboutMember(eventType)) return "nobody";
  return userId === null || userId < 0 ? "erased" : userId;
}

/**
 * The deliveries that wait. A server takes the lease of a webhook and sends its deliveries, until none is due. So a webhook's
 * deliveries begin in their order, whatever number of servers there is; a server that ends loses its leases.
 */
export class DeliveryQueue {
  readonly #session: Pick<BackgroundSession, "query">;
  readonly #database: Database;
  readonly #presence: Pick<Presence, "id" | "judges">;

  constructor(
    session: Pick<BackgroundSession, "query">,
    database: Database,
    presence: Pick<Presence, "id" | "judges">,
  ) {
    this.#session = session;
    this.#database = database;
    this.#presence = presence;
  }

  get #serverId(): string {
    return this.#presence.id;
  }

  /** Whether any webhook is on. */
  async isUsed(): Promise<boolean> {
    const [row] = await this.#session.query<{ isUsed: boolean }>(
      statement("webhooks_are_used")`select exists (select from webhook where is_enabled) as "isUsed"`,
    );
    return row?.isUsed === true;
  }

  /**
   * Takes the leases of webhooks that have something to send and that no other server sends.
   * @param held the webhooks whose leases this server has
   * @returns the webhooks whose leases were taken
   */
  async claim(held: readonly string[]): Promise<string[]> {
    const claimed = await this.#session.query<{ id: string }>(statement("webhook_leases_claim")`
      with due as (
        select w.id from webhook w where w.is_enabled and w.id <> all(${held}::uuid[]) and (
          exists (select from webhook_delivery d where d.webhook_id = w.id and d.state = 'QUEUED')
          or exists (
            select from webhook_delivery d
            where d.webhook_id = w.id and d.state = 'SCHEDULED' and d.due_at <= clock_timestamp()
          ))
      ), claimed as (
        insert into webhook_lease as l (webhook_id, owner_id, expires_at)
        select id, ${this.#serverId}::uuid, clock_timestamp() + ${LEASE_SECONDS} * interval '1 second'
        from due order by id
        on conflict (webhook_id) do update set owner_id = excluded.owner_id, expires_at = excluded.expires_at
        where l.owner_id = excluded.owner_id or l.expires_at < clock_timestamp()
          or ${this.#presence.judges} and not ${isPresent(sql`l.owner_id::text`)}
        returning webhook_id as id
      )
      select id from claimed`);
    return idsOf(claimed);
  }

  /** @returns those webhooks whose leases this server still has and that are on. */
  async read(held: readonly string[]): Promise<HeldWebhook[]> {
    return this.#session.query<HeldWebhook>(statement("webhook_leases_read")`
      select w.id, w.url from webhook_lease l join webhook w on w.id = l.webhook_id
      where l.webhook_id = any(${held}::uuid[]) and l.owner_id = ${this.#serverId}::uuid and w.is_enabled`);
  }

  /** Prolongs this server's leases. @returns as `read` does */
  async renew(held: readonly string[]): Promise<HeldWebhook[]> {
    return this.#session.query<HeldWebhook>(statement("webhook_leases_renew")`
      with renewed as (
        update webhook_lease set expires_at = clock_timestamp() + ${LEASE_SECONDS} * interval '1 second'
        where webhook_id = any(${held}::uuid[]) and owner_id = ${this.#serverId}::uuid returning webhook_id
      )
      select w.id, w.url from renewed join webhook w on w.id = renewed.webhook_id where w.is_enabled`);
  }

  async release(webhookIds: readonly string[]): Promise<void> {
    await this.#session.query(statement("webhook_leases_release")`
      delete from webhook_lease
      where webhook_id = any(${webhookIds}::uuid[]) and owner_id = ${this.#serverId}::uuid`);
  }

  /**
   * The next deliveries of a webhook, in the order in which they are to begin: those first that have waited longest, since they
   * were stored or since the time of a further attempt. Those that were never attempted keep their order. What they send is
   * stored before, so that each later attempt sends the same.
   * @param begun deliveries that are left out, because they are being sent
   * @returns nothing if this server has lost the lease or the webhook is off
   */
  async take(webhookId: string, begun: readonly string[], limit: number): Promise<DueDelivery[]> {
    const rows = await this.#due(webhookId, begun, limit);
    const taken: DueDelivery[] = [];
    const made: { id: string; content: DeliveryContent }[] = [];
    const dropped: string[] = [];
    const unwanted: string[] = [];
    for (const row of rows) {
      if (!row.isWanted && row.attemptCount > 0) {
        unwanted.push(row.id);
        continue;
      }
      const person = personOf(row);
      if (
        !row.isWanted ||
        row.hasStayed === false ||
        (row.content === null && isAboutMember(row.eventType) && row.userId === null)
      ) {
        dropped.push(row.id);
        continue;
      }
      const content = row.content ?? contentOf(row);
      if (row.content === null) made.push({ id: row.id, content });
      const { id, url, secret } = row;
      taken.push({ id, url, secret, content, person, failureCount: row.failureCount, dueAt: row.dueAt });
    }
    if (made.length > 0 || dropped.length > 0 || unwanted.length > 0)
      await this.#prepare(made, dropped, unwanted);
    return taken;
  }

  /**
   * Stores what became of attempts. A delivery that was sent again by hand meanwhile waits all the same.
   * @param url the address that was called, with its macros
   * @returns whether the address, still the webhook's, has failed for so long that the webhook is to be disabled
   */
  async finish(webhookId: string, url: string, attempts: readonly FinishedAttempt[]): Promise<boolean> {
    const outcomes = attempts.map(({ id, dueAt, isDelivered, status, error, failureCount }) => {
      const failures = isDelivered ? failureCount : failureCount + 1;
      const pause = isDelivered ? null : pauseAfter(failures);
      const state = isDelivered ? "DELIVERED" : pause === null ? "FAILED" : "SCHEDULED";
      return { id, due: dueAt, state, status, error, failures, pause };
    });
    const isFailing = !attempts.some(({ isDelivered }) => isDelivered);
    const rows = await this.#session.query<{ isOver: boolean }>(statement("webhook_delivery_finish")`
      with told as (
        update webhook_delivery d set status = o.status, error = o.error, attempt_count = d.attempt_count + 1,
          (state, failure_count, due_at, delivered_at) = (
            select d.state, d.failure_count, d.due_at, d.delivered_at where d.due_at is distinct from o.due
            union all
            select o.state::webhook_delivery_state, o.failures,
              case when o.state = 'SCHEDULED' then clock_timestamp() + o.pause * interval '1 second' end,
              case when o.state = 'DELIVERED' then clock_timestamp() end
            where d.due_at is not distinct from o.due
          )
        from json_to_recordset(${JSON.stringify(outcomes)}::json)
          as o (id uuid, due timestamptz, state text, status int, error text, failures int, pause float8)
        where d.id = o.id and ${RELAXED}
      )
      update webhook set failing_since = case when ${isFailing} then coalesce(failing_since, clock_timestamp()) end
      where id = ${webhookId}::uuid and url = ${url} and (${isFailing} or failing_since is not null)
      returning coalesce(failing_since < clock_timestamp() - ${FAILING_DAYS} * interval '1 day', false) as "isOver"`);
    return rows[0]?.isOver === true;
  }

  /** Switches a webhook off, with an audit entry by the server, unless it has another address by now. */
  async disable(webhookId: string, url: string, reason: string): Promise<void> {
    await this.#database.directTransaction(async (transaction) => {
      const disabled = await transaction.queryOnce(statement("webhook_disable")`
        update webhook set is_enabled = false, disabled_reason = ${reason}
        where id = ${webhookId}::uuid and url = ${url} and is_enabled returning id`);
      if (disabled.length === 0) return;
      const entry: AuditEntry = {
        action: "webhook.disable",
        subjectId: webhookId,
        change: { isEnabled: { from: true, to: false }, reason },
      };
      await auditMany(transaction, SERVER, [entry]);
    });
  }

  async status(): Promise<QueueStatus> {
    const [row] = await this.#session.query<QueueStatus>(statement("webhook_queue_status")`
      select count(*)::int as waiting,
        coalesce(greatest(extract(epoch from clock_timestamp() - min(created_at)), 0), 0)::float8 as "lagSeconds"
      from (
        select d.created_at from webhook w join lateral (
          select created_at from webhook_delivery d where d.webhook_id = w.id and d.state = 'QUEUED'
          order by d.position limit ${MAX_COUNTED}
        ) d on true where w.is_enabled limit ${MAX_COUNTED}
      ) d`);
    return row ?? { waiting: 0, lagSeconds: 0 };
  }

  /**
   * Deletes deliveries 30 days after they were stored, due or delivered, whichever is latest, and those of deleted webhooks.
   */
  async prune(): Promise<void> {
    const before = firstIdOf(Date.now() - KEPT_MS);
    const end = new Date(Date.now() - KEPT_MS).toISOString();
    await this.#deleteWhere(sql`d.id < ${before}::uuid
      and greatest(d.created_at, d.occurred_at, d.due_at, d.delivered_at) < ${end}::timestamptz`);
    // Goes from one webhook's deliveries to the next one's by the index.
    const orphans = await this.#database.query<{ id: string }>(statement("webhook_deliveries_orphaned")`
      with recursive known as (
        (select webhook_id as id from webhook_delivery order by webhook_id limit 1)
        union all
        select next.id from known cross join lateral (
          select webhook_id as id from webhook_delivery d where d.webhook_id > known.id order by webhook_id limit 1
        ) next
      )
      select id from known where not exists (select from webhook w where w.id = known.id)`);
    for (const { id } of orphans) await this.#deleteWhere(sql`d.webhook_id = ${id}::uuid`);
  }

  async #deleteWhere(condition: Sql): Promise<void> {
    let deleted: unknown[];
    do {
      deleted = await this.#database.query(statement("webhook_deliveries_delete")`
        delete from webhook_delivery where id = any(array(
          select d.id from webhook_delivery d where ${condition} limit ${PORTION}
        )) returning 1 as one`);
    } while (deleted.length === PORTION);
  }

  #due(webhookId: string, begun: readonly string[], limit: number): Promise<DueRow[]> {
    // A person who is still a member keeps the id there when the event loses it; then the join's link and time lead there.
    // LATERAL with OFFSET 0 has PostgreSQL look everything up by the indexes, whatever it believes about the tables.
    return this.#session.query<DueRow>(statement("webhook_deliveries_due")`
      with mine as materialized (
        select w.id, w.url, w.secret, w.chat_ids, w.event_types from webhook w join webhook_lease l on l.webhook_id = w.id
        where w.id = ${webhookId}::uuid and w.is_enabled and l.owner_id = ${this.#serverId}::uuid
          and l.expires_at > clock_timestamp()
      ), due as materialized (
        select d.* from mine cross join lateral (
          select d.*, max(d.created_at) over (order by d.position) as since from webhook_delivery d
          where d.webhook_id = mine.id and d.state = 'QUEUED' and d.id <> all(${begun}::uuid[])
          order by d.position limit ${limit}
        ) d
        union all
        select d.* from mine cross join lateral (
          select d.*, d.due_at as since from webhook_delivery d
          where d.webhook_id = mine.id and d.state = 'SCHEDULED' and d.due_at <= clock_timestamp()
            and d.id <> all(${begun}::uuid[])
          order by d.due_at, d.position limit ${limit}
        ) d
        order by since, state, position limit ${limit}
      ), told as materialized (
        select d.*, mine.url, mine.secret, c.chat_id, e.user_id, e.path, e.attribution, e.is_rejoin, e.is_removal, e.link_id,
          case when d.event_type = 'MEMBER_STAYED' and d.attempt_count = 0 then exists (
            select from (
              select join_sequence, left_at from membership where channel_id = e.channel_id and user_id = e.user_id
              union all
              select join_sequence, left_at from membership
              where e.user_id < 0 and channel_id = e.channel_id and link_id = e.link_id and joined_at = e.occurred_at
              union all
              select join_sequence, left_at from membership
              where e.user_id < 0 and e.link_id is null and channel_id = e.channel_id and link_id is null
                and joined_at = e.occurred_at
            ) m
            where m.join_sequence = e.sequence and (m.left_at is null or m.left_at >= d.occurred_at)
          ) end as has_stayed,
          (mine.chat_ids is null or c.chat_id = any(mine.chat_ids))
            and (d.attempt_count > 0 or d.event_type = any(mine.event_types)) as is_wanted
        from due d join mine on mine.id = d.webhook_id
        left join lateral (select chat_id from channel c where c.id = d.channel_id offset 0) c on true
        left join lateral (
          select * from member_event e where e.channel_id = d.channel_id and e.id = d.event_id offset 0
        ) e on true
      ), link as materialized (
        select id, webhook_link(id) as link
        from (select distinct link_id as id from told where content is null and link_id is not null) l
      )
      select t.id, t.url, t.secret, t.event_type::text as "eventType", t.event_id as "eventId", t.occurred_at as "occurredAt",
        coalesce(t.chat_id, 0) as "chatId", t.failure_count as "failureCount", t.attempt_count as "attemptCount", t.due_at as "dueAt",
        t.content, t.data, t.user_id as "userId", t.path::text, t.attribution::text, t.is_rejoin as "isRejoin",
        t.is_removal as "isRemoval", link.link, t.has_stayed as "hasStayed",
        coalesce(t.is_wanted, false) as "isWanted"
      from told t left join link on link.id = t.link_id
      order by t.since, t.state, t.position`);
  }

  async #prepare(
    made: readonly { readonly id: string; readonly content: DeliveryContent }[],
    dropped: readonly string[],
    unwanted: readonly string[],
  ): Promise<void> {
    await this.#session.query(statement("webhook_deliveries_drop")`
      with dropped as (delete from webhook_delivery where id = any(${dropped}::uuid[])),
        unwanted as (
          update webhook_delivery set state = 'FAILED', due_at = null, error = ${UNWANTED}
          where id = any(${unwanted}::uuid[])
        )
      update webhook_delivery d set content = made.content
      from json_to_recordset(${JSON.stringify(made)}::json) as made (id uuid, content json)
      where d.id = made.id and ${RELAXED}`);
  }
}
