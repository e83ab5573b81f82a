import { useEffect } from "react";

/**
 * Loads the pages of a list one after the other until it is whole.
 * @param list undefined until its first page is loaded
 * @returns whether the list is whole
 */
export function useAllPages(
  list:
    | { readonly pageInfo: { readonly hasNextPage: boolean; readonly endCursor?: string | null } }
    | undefined,
  fetchMore: (options: { variables: { after: string } }) => Promise<unknown>,
): boolean {
  const after = list?.pageInfo.hasNextPage ? list.pageInfo.endCursor : null;
  useEffect(() => {
    // If a page fails to load, those before it can still be used.
    if (after != null) fetchMore({ variables: { after } }).catch(() => {});
  }, [after, fetchMore]);
  return list !== undefined && after == null;
}
