import { useCallback, useMemo } from "react";
import { useSearch } from "wouter";
import { navigate } from "wouter/use-browser-location";
import { PAGE_SIZE, readAddress, readView, UNFILTERED, type View, writeView } from "./view.js";

/** "replace" overwrites the history entry, so that going back skips the previous view. */
export type Step = "push" | "replace";
export type ChangeView = (change: Partial<View>, step?: Step) => void;

function changeView(change: Partial<View>, step: Step = "push"): void {
  const view = readView(location.search);
  // Another list starts with its first rows.
  const asked = "chart" in change || "rows" in change ? change : { rows: PAGE_SIZE, ...change };
  navigate(location.pathname + writeView({ ...view, ...asked }, location.search), {
    replace: step === "replace",
  });
}

export const clearFilter = (change: ChangeView): void => change(UNFILTERED);

export function useView() {
  const search = useSearch();
  const { view, dropped } = useMemo(() => readAddress(search), [search]);
  return { view, dropped, changeView: useCallback(changeView, []) };
}
