import DataLoader from "dataloader";
import sql, { type Sql } from "sql-template-tag";
import type { Database } from "../../database/database.js";
import type { Instant } from "../../database/instant.js";
import { MEMBER_EVENTS } from "../../database/presence.js";
import { readVisibleByKey } from "../access/movedGrants.js";
import { type PageArguments, readPageArguments } from "../paging/arguments.js";
import { inKeyOrder } from "../paging/batchLoading.js";
import type { Scan } from "../paging/filteredScan.js";
import { type CountedPage, readList } from "../paging/list.js";
import type { Ordering } from "../paging/ordering.js";
import { anyOf, limitOf } from "../paging/page.js";
import { audit } from "../shared/audit.js";
import { type Caller, requireRole } from "../shared/caller.js";
import { NotFoundError, Problems } from "../shared/errors.js";
import { parseIds } from "../shared/ids.js";
import { visibleWebhooks, type WebhookEventType } from "./webhook.js";
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
function scanOf(webhookId: string, states: readonly string[]): Scan {
  const read = (condition: Sql, rest: Sql) => sql`
    unnest(${states}::text[]::webhook_delivery_state[]) as wanted (state) cross join lateral (
      select d.* from webhook_delivery d
      where d.webhook_id = ${webhookId}::uuid and d.state = wanted.state and ${condition} ${rest}
    ) d`;
  return {
    rows: (slice) => {
      const rest = sql`order by ${slice.orderBy} ${limitOf(slice)}`;
      return sql`(select d.* from ${read(anyOf(slice.ranges), rest)} ${rest}) d`;
    },
    any: (ranges) => sql`(select 1 from ${read(anyOf(ranges), sql`limit 1`)}) d`,
  };
}

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

  /** Null for a delivery that does not exist, or whose webhook the caller may not see. */
  find(id: string): Promise<WebhookDelivery | null> {
    return this.#byId.load(id);
  }

  /** A page of a webhook's deliveries, the latest first. The caller may see the webhook. @throws ValidationError */
  async page(
    webhookId: string,
    { states, ...args }: DeliveryArguments,
  ): Promise<CountedPage<WebhookDelivery>> {
    const stored = [...new Set((states ?? DELIVERY_STATES).flatMap((state) => STORED_STATES[state]))];
    const list = {
      columns: deliveryColumns,
      alias: sql`d`,
      table: sql`webhook_delivery d`,
      where: sql`d.webhook_id = ${webhookId}::uuid and d.state = any(${stored}::text[]::webhook_delivery_state[])`,
      scan: scanOf(webhookId, stored),
    };
    return readList(this.#database, list, LATEST_FIRST, readPageArguments(args));
  }

  /**
   * Has deliveries of one webhook sent again under their own ids, with a new schedule of attempts. One that waits becomes
   * due at once, except a MEMBER_STAYED before its time, which would not be true yet.
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
      await unit.execute(sql`
        update webhook_delivery set state = 'SCHEDULED', due_at = now(), failure_count = 0, delivered_at = null
        where id = any(${distinct}::uuid[]) and state <> 'QUEUED'
          and not (event_type = 'MEMBER_STAYED' and attempt_count = 0)`);
      const change = { deliveryIds: distinct };
      if (webhookId)
        await audit(unit, this.#caller, { action: "webhook.redeliver", subjectId: webhookId, change });
      await unit.execute(sql`select pg_notify(${MEMBER_EVENTS}::text, '')`);
    });
    this.#onChanged();
    const deliveries = await this.#visible(distinct);
    return inKeyOrder(distinct, deliveries, ({ id }) => id).filter((delivery) => delivery !== null);
  }

  #visible(ids: readonly string[]): Promise<WebhookDelivery[]> {
    return readVisibleByKey(this.#database, this.#caller, ids, () =>
      this.#database.query<WebhookDelivery>(sql`
      select ${deliveryColumns} from webhook_delivery d join webhook w on w.id = d.webhook_id
      where d.id = any(${ids}::uuid[]) and ${visibleWebhooks(this.#caller)}`),
    );
  }
}
