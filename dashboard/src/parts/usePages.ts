import { useEffect, useState } from "react";

/** The rows of one request. */
export const PAGE_SIZE = 20;

/**
 * Loads pages of a list until it has as many rows as are wanted, also after its beginning was loaded again.
 * @param list undefined until it is loaded
 * @param key what makes the list another one, which starts with its first rows
 */
export function usePages(
  list:
    | {
        readonly edges: readonly unknown[];
        readonly pageInfo: { readonly hasNextPage: boolean; readonly endCursor?: string | null };
      }
    | undefined,
  fetchMore: (options: { variables: { after: string } }) => Promise<unknown>,
  key = "",
) {
  const [asked, setAsked] = useState({ key, rows: PAGE_SIZE });
  const wanted = asked.key === key ? asked.rows : PAGE_SIZE;
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
    hasMore: after != null,
    error: failure?.error,
    showMore: () => {
      setFailed(null);
      setAsked({ key, rows: (list?.edges.length ?? 0) + PAGE_SIZE });
    },
  };
}
