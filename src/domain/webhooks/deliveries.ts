import DataLoader from "dataloader";
import sql, { type Sql } from "sql-template-tag";
import type { Database } from "../../database/database.js";
import type { Instant } from "../../database/instant.js";
import { statement } from "../../database/statement.js";
import { readVisibleByKey } from "../access/movedGrants.js";
import { type PageArguments, readPageArguments } from "../paging/arguments.js";
import { inKeyOrder } from "../paging/batchLoading.js";
import type { Scan } from "../paging/filteredScan.js";
import { type CountedPage, type ListStatements, readList } from "../paging/list.js";
import type { Ordering } from "../paging/ordering.js";
import { anyOf, limitOf } from "../paging/page.js";
import { audit } from "../shared/audit.js";
import { type Caller, requireRole, visible } from "../shared/caller.js";
import { NotFoundError, Problems } from "../shared/errors.js";
import { parseIds } from "../shared/ids.js";
import { visibleWebhooks, type WebhookEventType, wakeServers } from "./webhook.js";
import type { WebhookServices } from "./webhooks.js";

/** The states that callers see. The table tells apart what waits for its first attempt and what waits for a time. */
export type DeliveryState = "WAITING" | "DELIVERED" | "FAILED";

const STORED_STATES = {
  WAITING: ["QUEUED", "SCHEDULED"],
  DELIVERED: ["DELIVERED"],
  FAILED: ["FAILED"],
} as const satisfies Record<DeliveryState, readonly string[]>;

export const DELIVERY_STATES = Object.keys(STORED_STATES) as readonly DeliveryState[];

/** One event for one webhook. */
export interface WebhookDelivery {
  readonly id: string;
  readonly position: number;
  readonly webhookId: string;
  readonly eventType: WebhookEventType;
  readonly state: DeliveryState;
  readonly attemptCount: number;
  /** Of the last attempt's answer; null if none came. */
  readonly status: number | null;
  /** Why the last attempt failed; null if it did not. */
  readonly error: string | null;
  readonly createdAt: Instant;
  readonly deliveredAt: Instant | null;
  /** Null unless it waits. */
  readonly nextAttemptAt: Instant | null;
}

const deliveryColumns = sql`d.id, d.position, d.webhook_id as "webhookId", d.event_type as "eventType",
  case when d.state in ('QUEUED', 'SCHEDULED') then 'WAITING' else d.state::text end as state,
  d.attempt_count as "attemptCount", d.status, d.error, d.created_at as "createdAt", d.delivered_at as "deliveredAt",
  case d.state when 'QUEUED' then d.created_at when 'SCHEDULED' then d.due_at end as "nextAttemptAt"`;

/** The channel of `webhook_delivery d` after chat migrations that made one channel of two. */
const presentChannel = sql`coalesce((
  select a.channel_id from audit_entry a
  where a.action = 'channel.migrate' and a.change->>'merged' = d.channel_id::text order by a.id desc limit 1
), d.channel_id)`;

/** The condition that a caller may see `webhook_delivery d` of a webhook that it may see: a webhook's channels change. */
const ofVisibleChannel = (caller: Caller): Sql =>
  caller.chatIds === null
    ? sql`true`
    : sql`d.channel_id = any(array(
        select id from channel c where ${visible(caller, sql`c.chat_id`)}
        union all
        select (a.change->>'merged')::uuid from audit_entry a join channel c on c.id = a.channel_id
        where a.action = 'channel.migrate' and a.change ? 'merged' and ${visible(caller, sql`c.chat_id`)}
      ))`;

const LATEST_FIRST: Ordering<WebhookDelivery> = [
  {
    key: {
      name: "position",
      column: sql`d.position`,
      type: "bigint",
      valueOf: ({ position }) => String(position),
    },
    direction: "DESC",
  },
];

/** Deliveries of one call at most. */
const MAX_IDS = 100;

export interface DeliveryArguments extends PageArguments {
  readonly states?: readonly DeliveryState[] | null | undefined;
}

/** Reads each state by itself, in the order of the index, so that a long list costs what its page costs. */
function scanOf(webhookId: string, states: readonly string[], isVisible: Sql): Scan {
  const read = (condition: Sql, rest: Sql) => sql`
    unnest(${states}::text[]::webhook_delivery_state[]) as wanted (state) cross join lateral (
      select d.* from webhook_delivery d
      where d.webhook_id = ${webhookId}::uuid and d.state = wanted.state and ${isVisible}
        and ${condition} ${rest}
    ) d`;
  return {
    rows: (slice) => {
      const rest = sql`order by ${slice.orderBy} ${limitOf(slice)}`;
      return sql`(select d.* from ${read(anyOf(slice.ranges), rest)} ${rest}) d`;
    },
    any: (ranges) => sql`(select 1 from ${read(anyOf(ranges), sql`limit 1`)}) d`,
  };
}

const STATEMENTS: ListStatements = {
  page: statement("webhook_deliveries_page"),
  exists: statement("webhook_deliveries_beyond"),
  count: statement("webhook_deliveries_count"),
};

/** The deliveries of webhooks, for one request. */
export class Deliveries {
  readonly #database: Database;
  readonly #caller: Caller;
  readonly #onChanged: () => void;
  readonly #byId: DataLoader<string, WebhookDelivery | null>;

  constructor({ database, webhooks }: { database: Database; webhooks: WebhookServices }, caller: Caller) {
    this.#database = database;
    this.#caller = caller;
    this.#onChanged = webhooks.onChanged;
    this.#byId = new DataLoader(async (ids) => inKeyOrder(ids, await this.#visible(ids), ({ id }) => id));
  }

  /** Null for a delivery that does not exist, or whose webhook or channel the caller may not see. */
  find(id: string): Promise<WebhookDelivery | null> {
    return this.#byId.load(id);
  }

  /**
   * A page of a webhook's deliveries of channels that the caller may see, the latest first. The caller may see the webhook.
   * @throws ValidationError
   */
  async page(
    webhookId: string,
    { states, ...args }: DeliveryArguments,
  ): Promise<CountedPage<WebhookDelivery>> {
    const stored = [...new Set((states ?? DELIVERY_STATES).flatMap((state) => STORED_STATES[state]))];
    const isVisible = ofVisibleChannel(this.#caller);
    const list = {
      statements: STATEMENTS,
      columns: deliveryColumns,
      alias: sql`d`,
      table: sql`webhook_delivery d`,
      where: sql`d.webhook_id = ${webhookId}::uuid and d.state = any(${stored}::text[]::webhook_delivery_state[])
        and ${isVisible}`,
      scan: scanOf(webhookId, stored, isVisible),
    };
    return readList(this.#database, list, LATEST_FIRST, readPageArguments(args));
  }

  /**
   * Has deliveries of one webhook sent again under their own ids, with a new schedule of attempts. One that waits becomes
   * due at once, except a MEMBER_STAYED before its time, which would not be true yet. One that is being sent is sent once
   * more.
   * @throws ForbiddenError, ValidationError, NotFoundError
   */
  async redeliver(input: { readonly deliveryIds: readonly string[] }): Promise<WebhookDelivery[]> {
    requireRole(this.#caller, "ADMIN");
    const problems = new Problems();
    if (input.deliveryIds.length === 0) problems.add("deliveryIds", "Must not be empty.");
    const ids = parseIds("WebhookDelivery", input.deliveryIds, "deliveryIds", problems, MAX_IDS);
    problems.check();
    const distinct = [...new Set(ids)].filter((id) => id !== null);
    const found = await this.#visible(distinct);
    if (found.length < distinct.length) throw new NotFoundError("webhook delivery");
    const webhookIds = new Set(found.map(({ webhookId }) => webhookId));
    const [webhookId] = webhookIds;
    if (webhookIds.size > 1) problems.add("deliveryIds", "All deliveries must be of one webhook.");
    problems.check();
    await this.#database.transaction(async (unit) => {
      // No chat migration comes between, nor a change of the webhook. Channels are locked before webhooks everywhere.
      const channels = await unit.query<{ chatId: number }>(statement("redelivery_lock_channels")`
        select c.chat_id as "chatId" from channel c where c.id = any(array(
          select ${presentChannel} from webhook_delivery d where d.id = any(${distinct}::uuid[])
        )) order by c.id for share`);
      const [webhook] = await unit.query<{ chatIds: readonly number[] | null }>(statement(
        "redelivery_lock_webhook",
      )`
        select to_json(chat_ids) as "chatIds" from webhook where id = ${webhookId}::uuid for share`);
      if (!channels.every(({ chatId }) => webhook?.chatIds?.includes(chatId) ?? true))
        problems.add("deliveryIds", "The webhook is not told of this channel any more.");
      problems.check();
      // The content is made when a delivery is taken for its first attempt.
      await unit.execute(statement("redelivery_schedule")`
        update webhook_delivery d set state = 'SCHEDULED', due_at = now(), failure_count = 0, delivered_at = null,
          channel_id = ${presentChannel}
        where d.id = any(${distinct}::uuid[]) and (d.state <> 'QUEUED' or d.content is not null)
          and not (d.event_type = 'MEMBER_STAYED' and d.attempt_count = 0 and d.due_at > now())`);
      const change = { deliveryIds: distinct };
      if (webhookId)
        await audit(unit, this.#caller, { action: "webhook.redeliver", subjectId: webhookId, change });
      await wakeServers(unit);
    });
    this.#onChanged();
    const deliveries = await this.#visible(distinct);
    return inKeyOrder(distinct, deliveries, ({ id }) => id).filter((delivery) => delivery !== null);
  }

  #visible(ids: readonly string[]): Promise<WebhookDelivery[]> {
    return readVisibleByKey(this.#database, this.#caller, ids, () =>
      this.#database.query<WebhookDelivery>(statement("webhook_deliveries_by_id")`
      select ${deliveryColumns} from webhook_delivery d join webhook w on w.id = d.webhook_id
      where d.id = any(${ids}::uuid[]) and ${visibleWebhooks(this.#caller)}
        and ${ofVisibleChannel(this.#caller)}`),
    );
  }
}
