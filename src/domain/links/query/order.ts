import sql from "sql-template-tag";
import type { Instant } from "../../../database/instant.js";
import {
  type Direction,
  type Order,
  type Ordering,
  type OrderKey,
  totalOrdering,
} from "../../paging/ordering.js";
import type { InviteLink } from "../inviteLink.js";

/** A link with the counters by which a list is ordered; undefined in other lists. */
export interface OrderedLink extends InviteLink {
  readonly joinCount?: number;
  readonly activeCount?: number;
  /** Null for a link without joins. */
  readonly lastJoinAt?: Instant | null;
}

type Key = OrderKey<OrderedLink>;

const ORDER_KEYS = {
  NAME: {
    name: "name",
    column: sql`l.name_key`,
    type: "text",
    nullable: true,
    valueOf: (link) => link.nameKey,
  },
  CREATED_AT: {
    name: "created",
    column: sql`l.created_at`,
    type: "timestamptz",
    valueOf: (link) => link.createdAt,
  },
  BUDGET: { name: "budget", column: sql`l.budget`, type: "numeric", valueOf: (link) => link.budget },
  JOIN_COUNT: {
    name: "joins",
    column: sql`l.activity_joins`,
    type: "bigint",
    valueOf: ({ joinCount = 0 }) => String(joinCount),
  },
  ACTIVE_COUNT: {
    name: "active",
    column: sql`l.activity_active`,
    type: "bigint",
    valueOf: ({ activeCount = 0 }) => String(activeCount),
  },
  LAST_JOIN_AT: {
    name: "lastJoin",
    column: sql`l.activity_last_join`,
    type: "timestamptz",
    nullable: true,
    valueOf: ({ lastJoinAt = null }) => lastJoinAt,
  },
} satisfies Record<string, Key>;

const ID: Key = { name: "id", column: sql`l.id`, type: "uuid", valueOf: (link) => link.id };

export type InviteLinkOrderField = keyof typeof ORDER_KEYS;

export type InviteLinkOrder = Order<InviteLinkOrderField>;

const NEWEST_FIRST: InviteLinkOrder = { field: "CREATED_AT", direction: "DESC" };

/** The order that a caller asks for; without one, the newest links come first. */
export const linkOrdering = (orders: readonly InviteLinkOrder[] | null | undefined): Ordering<OrderedLink> =>
  totalOrdering<OrderedLink, InviteLinkOrderField>(ORDER_KEYS, ID, NEWEST_FIRST, orders);

const BY_ACTIVITY: readonly Key[] = [ORDER_KEYS.JOIN_COUNT, ORDER_KEYS.ACTIVE_COUNT, ORDER_KEYS.LAST_JOIN_AT];

/** Whether links are ordered by a counter of their members, alone or with other keys. */
export const isByActivity = (ordering: Ordering<OrderedLink>): boolean =>
  ordering.some(({ key }) => BY_ACTIVITY.includes(key));

/** Whether links are ordered by their active members first. */
export const isByActiveCount = ([first]: Ordering<OrderedLink>): boolean =>
  first?.key === ORDER_KEYS.ACTIVE_COUNT;

/** Whether links are ordered by creation and then by id. */
export const isByCreation = (ordering: Ordering<OrderedLink>): boolean =>
  ordering.length === 2 && directionByCreation(ordering) !== null;

/** The direction of an order whose first key is the creation, with any further keys; null for other orders. */
export const directionByCreation = ([first]: Ordering<OrderedLink>): Direction | null =>
  first?.key === ORDER_KEYS.CREATED_AT ? first.direction : null;
