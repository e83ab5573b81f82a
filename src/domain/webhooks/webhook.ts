import sql, { type Sql } from "sql-template-tag";
import type { UnitOfWork } from "../../database/database.js";
import type { WebhookEventType, WebhookFormat } from "../../database/generated/prisma/client.js";
import type { Instant } from "../../database/instant.js";
import { MEMBER_EVENTS } from "../../database/presence.js";
import { statement } from "../../database/statement.js";
import type { Caller } from "../shared/caller.js";

export type { WebhookEventType, WebhookFormat };

/** An address that is told of events. */
export interface Webhook {
  readonly id: string;
  /** With macros for POSTBACK. */
  readonly url: string;
  readonly format: WebhookFormat;
  readonly eventTypes: readonly WebhookEventType[];
  /** Null for every channel. */
  readonly chatIds: readonly number[] | null;
  /** Null unless MEMBER_STAYED is among the event types. */
  readonly holdSeconds: number | null;
  readonly isEnabled: boolean;
  /** Why the server disabled it; null where it did not. */
  readonly disabledReason: string | null;
  readonly createdAt: Instant;
}

/** The columns of a Webhook, from `webhook w`. The secret is not among them. */
export const webhookColumns = sql`w.id, w.url, w.format, w.event_types::text[] as "eventTypes",
  to_json(w.chat_ids) as "chatIds", w.hold_seconds as "holdSeconds", w.is_enabled as "isEnabled",
  w.disabled_reason as "disabledReason", w.created_at as "createdAt"`;

/**
 * The condition that a caller may see and change `webhook w`. An administrator of some channels sees the webhooks whose
 * channels are all among these.
 */
export function visibleWebhooks({ role, chatIds }: Caller): Sql {
  if (role !== "ADMIN") return sql`false`;
  return chatIds === null ? sql`true` : sql`w.chat_ids <@ ${[...chatIds]}::bigint[]`;
}

/** Has every server look at the webhooks at once. */
export const wakeServers = (unit: UnitOfWork): Promise<number> =>
  unit.execute(statement("webhooks_wake_servers")`select pg_notify(${MEMBER_EVENTS}::text, '')`);
