import { useSyncExternalStore } from "react";
import type { LinkValues } from "./LinkForm.js";
import type { Policy } from "./policy.js";

/** A creation of this tab of which the answer was lost. Repeating it with its key never makes a second link. */
export interface LostCreation {
  readonly idempotencyKey: string;
  readonly channelId: number;
  readonly values: LinkValues;
  readonly policy: Policy;
}

/** The key in sessionStorage, so that a reload does not forget them. */
const KEY = "invite-links-lost-creations";

let lost: readonly LostCreation[] = JSON.parse(sessionStorage.getItem(KEY) ?? "[]");
const listeners = new Set<() => void>();

function change(next: readonly LostCreation[]): void {
  lost = next;
  sessionStorage.setItem(KEY, JSON.stringify(lost));
  for (const listener of listeners) listener();
}

const others = (idempotencyKey: string) => lost.filter((one) => one.idempotencyKey !== idempotencyKey);
export const remember = (creation: LostCreation): void =>
  change([...others(creation.idempotencyKey), creation]);

/** Forgets a creation whose outcome is known now. */
export function forget(idempotencyKey: string): void {
  if (lost.some((one) => one.idempotencyKey === idempotencyKey)) change(others(idempotencyKey));
}

export const useLostCreations = (): readonly LostCreation[] =>
  useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => lost,
  );
