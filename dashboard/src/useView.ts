import { useSyncExternalStore } from "react";
import { PAGE_SIZE, readView, UNFILTERED, type View, writeView } from "./view.js";

const CHANGED = "viewchange";

function subscribe(onChange: () => void): () => void {
  addEventListener("popstate", onChange);
  addEventListener(CHANGED, onChange);
  return () => {
    removeEventListener("popstate", onChange);
    removeEventListener(CHANGED, onChange);
  };
}

/** "replace" overwrites the history entry, so that going back skips the previous view. */
export type Step = "push" | "replace";
export type ChangeView = (change: Partial<View>, step?: Step) => void;

function changeView(change: Partial<View>, step: Step = "push"): void {
  const view = readView(location.search);
  // Another list starts with its first rows.
  const asked = "chart" in change || "rows" in change ? change : { rows: PAGE_SIZE, ...change };
  const address = location.pathname + writeView({ ...view, ...asked });
  if (step === "push") history.pushState(null, "", address);
  else history.replaceState(null, "", address);
  dispatchEvent(new Event(CHANGED));
}

export const clearFilter = (change: ChangeView): void => change(UNFILTERED);

export function useView(): readonly [View, ChangeView] {
  const search = useSyncExternalStore(subscribe, () => location.search);
  return [readView(search), changeView];
}
