import { useEffect, useState } from "react";

/**
 * Loads the pages of a list one after the other. After a failure it waits until `retry` is called.
 * @param list undefined until its first page is loaded
 * @param wanted as many rows as are enough, also after the beginning of the list was loaded again
 */
export function useAllPages(
  list:
    | {
        readonly edges: readonly unknown[];
        readonly pageInfo: { readonly hasNextPage: boolean; readonly endCursor?: string | null };
      }
    | undefined,
  fetchMore: (options: { variables: { after: string } }) => Promise<unknown>,
  wanted = Number.POSITIVE_INFINITY,
) {
  const [failed, setFailed] = useState<{ readonly after: string; readonly error: Error } | null>(null);
  const after = list?.pageInfo.hasNextPage ? list.pageInfo.endCursor : null;
  const missing = list ? wanted - list.edges.length : 0;
  // The error of an earlier page is ignored.
  const failure = failed?.after === after ? failed : null;
  useEffect(() => {
    if (after == null || missing <= 0 || failure) return;
    fetchMore({ variables: { after } }).catch((error: Error) => setFailed({ after, error }));
  }, [after, missing, failure, fetchMore]);
  return {
    isWhole: list !== undefined && after == null,
    error: failure?.error,
    retry: () => setFailed(null),
  };
}
