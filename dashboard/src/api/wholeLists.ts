import { ApolloLink } from "@apollo/client";
import { Observable, type Subscription } from "rxjs";

/** The most rows that the server gives at once. */
const PAGE_LIMIT = 100;

/** A part of a list, as a query selects it. */
interface Page {
  edges: readonly unknown[];
  pageInfo: { readonly hasNextPage: boolean; readonly endCursor?: string | null };
}

/** The list in the data of a query; undefined if the query selects none. */
function listOf(data: unknown): Page | undefined {
  if (typeof data !== "object" || data === null) return undefined;
  if ("edges" in data && "pageInfo" in data) return data as Page;
  for (const value of Object.values(data)) {
    const list = listOf(value);
    if (list) return list;
  }
  return undefined;
}

/** Adds the rows of further pages to a result. If those failed, so has the whole. */
function append(result: ApolloLink.Result, further: ApolloLink.Result): ApolloLink.Result {
  const list = listOf(result.data);
  const rest = listOf(further.data);
  if (!list || !rest) return further;
  list.edges = [...list.edges, ...rest.edges];
  list.pageInfo = rest.pageInfo;
  return result;
}

/**
 * Loads a list again with as many rows as are in the cache, at most the `rows` (a ref) of its context. The server gives
 * them in pages, which become one result: the old rows stay on the screen until all new ones are there.
 */
export const wholeLists = new ApolloLink((operation, forward) => {
  const { query, variables, client } = operation;
  if (typeof variables["first"] !== "number" || variables["after"] != null) return forward(operation);
  const { rows } = operation.getContext();
  let loaded = 0;
  /** More rows may be shown meanwhile. */
  const missing = (): number => {
    const { result } = client.cache.diff({ query, variables, optimistic: false, returnPartialData: true });
    const known = Math.min(listOf(result)?.edges.length ?? 0, rows?.current ?? Number.POSITIVE_INFINITY);
    return Math.max(variables["first"], known) - loaded;
  };
  return new Observable((observer) => {
    let page: Subscription;
    const load = (after: string | null | undefined, before?: ApolloLink.Result) => {
      operation.variables = { ...variables, after, first: Math.min(missing(), PAGE_LIMIT) };
      page = forward(operation).subscribe({
        next(result) {
          const list = listOf(result.data);
          loaded += list?.edges.length ?? 0;
          const whole = before ? append(before, result) : result;
          if (list?.pageInfo.hasNextPage && missing() > 0) return load(list.pageInfo.endCursor, whole);
          observer.next(whole);
          observer.complete();
        },
        error: (error: unknown) => observer.error(error),
      });
    };
    load(null);
    return () => page.unsubscribe();
  });
});
