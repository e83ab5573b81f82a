import sql from "sql-template-tag";
import {
  type Direction,
  type Order,
  type Ordering,
  type OrderKey,
  totalOrdering,
} from "../../paging/ordering.js";
import type { InviteLink } from "../inviteLink.js";

type Key = OrderKey<InviteLink>;

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
} satisfies Record<string, Key>;

const ID: Key = { name: "id", column: sql`l.id`, type: "uuid", valueOf: (link) => link.id };

export type InviteLinkOrderField = keyof typeof ORDER_KEYS;

export type InviteLinkOrder = Order<InviteLinkOrderField>;

const NEWEST_FIRST: InviteLinkOrder = { field: "CREATED_AT", direction: "DESC" };

/** The order that a caller asks for; without one, the newest links come first. */
export const linkOrdering = (orders: readonly InviteLinkOrder[] | null | undefined): Ordering<InviteLink> =>
  totalOrdering<InviteLink, InviteLinkOrderField>(ORDER_KEYS, ID, NEWEST_FIRST, orders);

/** Whether links are ordered by creation and then by id. */
export const isByCreation = (ordering: Ordering<InviteLink>): boolean =>
  ordering.length === 2 && directionByCreation(ordering) !== null;

/** The direction of an order whose first key is the creation, with any further keys; null for other orders. */
export const directionByCreation = ([first]: Ordering<InviteLink>): Direction | null =>
  first?.key === ORDER_KEYS.CREATED_AT ? first.direction : null;
