import sql from "sql-template-tag";
import type { Direction, Ordering, OrderKey } from "../paging/ordering.js";
import type { InviteLink } from "./inviteLink.js";

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
    valueOf: (link) => link.createdAt.toISOString(),
  },
  BUDGET: { name: "budget", column: sql`l.budget`, type: "numeric", valueOf: (link) => link.budget },
} satisfies Record<string, Key>;

const ID: Key = { name: "id", column: sql`l.id`, type: "uuid", valueOf: (link) => link.id };

export type InviteLinkOrderField = keyof typeof ORDER_KEYS;

export interface InviteLinkOrder {
  readonly field: InviteLinkOrderField;
  readonly direction: Direction;
}

const NEWEST_FIRST: readonly InviteLinkOrder[] = [{ field: "CREATED_AT", direction: "DESC" }];

/**
 * The total order that a caller asks for, by default the newest first; ties fall to the id, in the direction of the
 * last order given. A field named again adds nothing.
 */
export function linkOrdering(orders: readonly InviteLinkOrder[] | null | undefined): Ordering<InviteLink> {
  const given = orders && orders.length > 0 ? orders : NEWEST_FIRST;
  const distinct = given.filter(
    ({ field }, index) => given.findIndex((other) => other.field === field) === index,
  );
  const keys = distinct.map(({ field, direction }) => ({ key: ORDER_KEYS[field] as Key, direction }));
  return [...keys, { key: ID, direction: given.at(-1)?.direction ?? "DESC" }];
}
