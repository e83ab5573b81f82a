import { useSyncExternalStore } from "react";

/** A message about what was done, which goes away by itself. */
interface Toast {
  readonly message: string;
  /** Whether it says what was not done. */
  readonly isProblem?: boolean;
  readonly actions?: readonly { readonly label: string; readonly run: () => void }[];
}

export interface ShownToast extends Toast {
  readonly id: number;
}

let shown: readonly ShownToast[] = [];
let lastId = 0;
const listeners = new Set<() => void>();

function change(next: readonly ShownToast[]): void {
  shown = next;
  for (const listener of listeners) listener();
}

/** Shows a message. More than three at once would hide the page. */
export function toast(view: Toast): void {
  lastId += 1;
  change([...shown.slice(-2), { ...view, id: lastId }]);
}

export const dismiss = (id: number): void => change(shown.filter((other) => other.id !== id));

export const useToasts = (): readonly ShownToast[] =>
  useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => shown,
  );
