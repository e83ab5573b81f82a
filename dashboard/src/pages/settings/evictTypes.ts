import type { ApolloCache } from "@apollo/client";
import { evictLists } from "../../api/listUpdates.js";

/** For the `update` of a mutation of a tag type: its name decides its place in the list and in the facets of links. */
export function evictTypes(cache: ApolloCache): void {
  cache.evict({ id: "ROOT_QUERY", fieldName: "tagTypes" });
  evictLists(cache);
}
