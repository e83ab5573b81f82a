import type { ApolloCache } from "@apollo/client";

/** For the `update` of a mutation: adds what was created to the end of a list of the root, if that is loaded. */
export function appendTo(cache: ApolloCache, list: string, created: object): void {
  const id = cache.identify({ ...created });
  cache.modify({
    fields: {
      [list]: (known: unknown, { toReference }) =>
        Array.isArray(known) && id !== undefined ? [...known, toReference(id)] : known,
    },
  });
}
