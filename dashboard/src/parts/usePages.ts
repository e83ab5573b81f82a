import { useState } from "react";
import { useAllPages } from "../api/useAllPages.js";

/** The rows of one request. */
export const PAGE_SIZE = 20;

/**
 * Loads pages of a list until it has as many rows as are wanted.
 * @param key what makes the list another one, which starts with its first rows
 */
export function usePages(
  list: Parameters<typeof useAllPages>[0],
  fetchMore: Parameters<typeof useAllPages>[1],
  key = "",
) {
  const [asked, setAsked] = useState({ key, rows: PAGE_SIZE });
  const wanted = asked.key === key ? asked.rows : PAGE_SIZE;
  const { isWhole, error, retry } = useAllPages(list, fetchMore, wanted);
  return {
    hasMore: list !== undefined && !isWhole,
    error,
    showMore: () => {
      retry();
      setAsked({ key, rows: (list?.edges.length ?? 0) + PAGE_SIZE });
    },
  };
}
