import type { ApolloCache, ApolloClient, Reference } from "@apollo/client";
import type { ModifierDetails } from "@apollo/client/cache";
import type { InviteLinkFilter, InviteLinkOrder } from "./gql/graphql.js";

/** What tells a list of links from others. */
interface ListKey {
  readonly channelId: number;
  readonly filter?: InviteLinkFilter;
  readonly orderBy?: readonly InviteLinkOrder[];
}

/** A list of links in the cache. Where only counts and sums are selected, its rows are an empty array, or none. */
interface List {
  readonly edges?: readonly { readonly node: Reference; readonly cursor: string }[];
}

/** What a mutation makes of a list with rows; null if only the server knows. */
type ListUpdate = (list: List, key: ListKey, toReference: ModifierDetails["toReference"]) => List | null;

/** Whether the place of a link in a list, if it is active, follows from the time of its creation alone. */
const isNewestFirst = ({ filter, orderBy }: ListKey): boolean =>
  orderBy?.[0]?.field === "CREATED_AT" &&
  orderBy[0].direction === "DESC" &&
  Object.entries(filter ?? {}).every(([key, value]) =>
    key === "isRevoked" || key === "isExpired" ? value === false : key === "createdFrom",
  );

export const created =
  (id: string): ListUpdate =>
  (list, key, toReference) => {
    const node = toReference({ __typename: "InviteLink", id });
    if (!list.edges?.length || !node || !isNewestFirst(key)) return null;
    // A creation that is repeated may have brought it before.
    const others = list.edges.filter((edge) => edge.node.__ref !== node.__ref);
    // A row without a cursor would make the list incomplete. The pagination of the cache ignores an empty one.
    return { ...list, edges: [{ node, cursor: "" }, ...others] };
  };

export const revoked =
  (id: string): ListUpdate =>
  (list, { filter }, toReference) => {
    const link = toReference({ __typename: "InviteLink", id });
    return list.edges?.length && filter?.isRevoked === false
      ? { ...list, edges: list.edges.filter(({ node }) => node.__ref !== link?.__ref) }
      : null;
  };

/** For links of which the budget or the tags were changed. */
export const retagged: ListUpdate = (list, key) => (list.edges?.length && isNewestFirst(key) ? list : null);

const keyOf = (storeFieldName: string): ListKey =>
  JSON.parse(storeFieldName.slice(storeFieldName.indexOf(":") + 1));

/**
 * Called after a mutation of a channel's links or tags, whose returned object Apollo has updated by its id. The mutation
 * may also move lists, counts and sums. A list whose new rows are certain is changed in the cache: a new link is the first
 * of the newest, a revoked one is not among the active, and budgets and tags order no list by time. All else that is shown,
 * also each count and sum, is loaded again, and what was there stays until then, so that neither the length nor the focus is
 * lost. What is not shown is loaded again when it is ("cache-and-network"), and other channels are left alone.
 *
 * Only budgets and tags have optimistic responses. They are stored here alone, while Telegram may refuse any other change.
 */
export function updateLists(client: ApolloClient, channelId: number, update: ListUpdate = () => null): void {
  const uncertain = new Set<string>();
  client.cache.modify<{ inviteLinks: List }>({
    fields: {
      inviteLinks(list, { storeFieldName, toReference }) {
        const key = keyOf(storeFieldName);
        const updated = key.channelId === channelId ? update(list as List, key, toReference) : (list as List);
        if (updated === null) uncertain.add(storeFieldName);
        return updated ?? list;
      },
    },
  });
  client
    .refetchQueries({
      // What is deleted here comes back at once, and the queries that have read it are asked again.
      optimistic: true,
      updateCache: (cache) =>
        cache.modify({
          fields: {
            inviteLinks: (list, { storeFieldName, DELETE }) =>
              uncertain.has(storeFieldName) ? DELETE : list,
          },
        }),
    })
    .catch(() => {});
}

/** Evicts all lists of links, which are loaded when they are shown next. */
export function evictLists(cache: ApolloCache): void {
  cache.evict({ id: "ROOT_QUERY", fieldName: "inviteLinks" });
  cache.gc();
}
