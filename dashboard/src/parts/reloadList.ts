import type { ApolloClient, OperationVariables, TypedDocumentNode } from "@apollo/client";

interface List {
  readonly edges: readonly unknown[];
  readonly pageInfo: { readonly hasNextPage: boolean; readonly endCursor?: string | null };
}

/**
 * Loads a list again, as many pages of it as the cache has. They come into the cache together, so that no row that was
 * loaded goes away meanwhile; a refetch of Apollo's would leave only the first page.
 * @param query takes the end of the page before as its variable `after`
 * @param listOf the list in what the query answers
 */
export async function reloadList<Data, Variables extends OperationVariables>(
  client: ApolloClient,
  query: TypedDocumentNode<Data, Variables>,
  variables: Variables,
  listOf: (data: Data) => List | undefined,
): Promise<void> {
  const { cache } = client;
  const countLoaded = (): number => {
    const data = cache.readQuery({ query, variables }) as Data | null;
    return (data && listOf(data)?.edges.length) ?? 0;
  };
  const pages: { readonly variables: Variables; readonly data: Data }[] = [];
  let count = 0;
  let after: string | null | undefined;
  do {
    const asked = { ...variables, after } as Variables;
    const { data } = await client.query({ query, variables: asked, fetchPolicy: "no-cache" });
    if (data === undefined) return;
    pages.push({ variables: asked, data: data as Data });
    const list = listOf(data as Data);
    count += list?.edges.length ?? 0;
    after = list?.pageInfo.hasNextPage ? list.pageInfo.endCursor : null;
  } while (after != null && count < countLoaded());
  cache.batch({
    update() {
      for (const page of pages) cache.writeQuery({ query, ...page } as never);
    },
  });
}
