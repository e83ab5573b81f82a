import { useSyncExternalStore } from "react";

/** Whether the tab is shown. A browser has few connections to a server, which hidden tabs must not hold. */
export const useIsVisible = (): boolean =>
  useSyncExternalStore(
    (listener) => {
      document.addEventListener("visibilitychange", listener);
      return () => document.removeEventListener("visibilitychange", listener);
    },
    () => document.visibilityState === "visible",
  );
