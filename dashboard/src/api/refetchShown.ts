import type { ApolloClient } from "@apollo/client";

/** Loads queries again, of which some may not be shown. */
export function refetchShown(client: ApolloClient, names: Iterable<string>): Promise<unknown> {
  const shown = new Set([...client.getObservableQueries().values()].map(({ queryName }) => queryName));
  return client.refetchQueries({ include: [...names].filter((name) => shown.has(name)) }).catch(() => {});
}
