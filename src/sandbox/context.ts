import type { SandboxState } from "./state.js";
import type { Storage } from "./storage.js";
import type { Updates } from "./updates.js";

/** The parts of a sandbox that its operations use. */
export interface SandboxContext {
  readonly state: SandboxState;
  readonly storage: Storage;
  readonly updates: Updates;
  /** The clock in milliseconds since 1970. */
  readonly now: () => number;
}

export function unixSeconds(context: Pick<SandboxContext, "now">): number {
  return Math.floor(context.now() / 1000);
}
