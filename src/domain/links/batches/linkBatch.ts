import sql from "sql-template-tag";
import type { LinkBatchItemState, LinkBatchState } from "../../../database/generated/prisma/client.js";
import type { Instant } from "../../../database/instant.js";
import type { TelegramFailure } from "../../../telegram/failures.js";
import { type UserError, ValidationError } from "../../shared/errors.js";
import { userErrorOf } from "../../shared/userErrorOf.js";

export type { LinkBatchItemState, LinkBatchState };

/** Links of one channel that are created one after another in the background. */
export interface LinkBatch {
  readonly id: string;
  readonly chatId: number;
  readonly state: LinkBatchState;
  readonly totalCount: number;
  readonly madeCount: number;
  readonly failedCount: number;
  readonly uncertainCount: number;
  readonly createdAt: Instant;
  /** Null as long as a link waits or is being created. */
  readonly finishedAt: Instant | null;
  /** Until when Telegram asked to wait; null if it does not ask. */
  readonly waitingUntil: Instant | null;
}

/** The columns of LinkBatch, from `link_batch b` and linkBatchJoins. */
export const linkBatchColumns = sql`
  b.id, c.chat_id as "chatId", b.state, b.item_count as "totalCount", n.made as "madeCount", n.failed as "failedCount",
  n.uncertain as "uncertainCount", b.created_at as "createdAt", b.finished_at as "finishedAt",
  case when b.finished_at is null and b.waiting_until > now() then b.waiting_until end as "waitingUntil"`;

export const linkBatchJoins = sql`
  join channel c on c.id = b.channel_id
  cross join lateral (
    select count(*) filter (where state = 'MADE') as made, count(*) filter (where state = 'FAILED') as failed,
      count(*) filter (where state = 'UNCERTAIN') as uncertain
    from link_batch_item where batch_id = b.id
  ) n`;

/** A link of a batch. */
export interface LinkBatchItem {
  readonly chatId: number;
  /** From 0, in the order of the input. */
  readonly index: number;
  readonly name: string;
  readonly externalId: string | null;
  readonly state: LinkBatchItemState;
  /** Null unless the link was created. */
  readonly linkId: string | null;
  /** Null unless the item is FAILED or UNCERTAIN. */
  readonly failure: TelegramFailure | null;
}

/** The columns of LinkBatchItem, from `link_batch_item i` and the `channel c` of its batch. */
export const linkBatchItemColumns = sql`
  c.chat_id as "chatId", i.position as index, i.arguments ->> 'name' as name, i.external_id as "externalId", i.state, i.link_id as "linkId",
  i.failure`;

/** Why an item is FAILED or UNCERTAIN, as its caller may see it. */
export function errorOfItem({ chatId, index, failure }: LinkBatchItem): UserError | null {
  if (failure === null) return null;
  const error = userErrorOf(failure, chatId);
  if (!(error instanceof ValidationError)) return error;
  return new ValidationError(
    error.fieldErrors.map(({ field, message }) => ({ field: `links.${index}.${field}`, message })),
  );
}
