import { isBackgroundMethod } from "./calls.js";
import type { ErrorParameters } from "./errors.js";

/** How a call fails. With `effect: "after"` the call takes effect and only its answer is lost. */
export type SandboxFault =
  | { kind: "too-many-requests"; retryAfter: number }
  | { kind: "server-error"; status?: number; body?: "json" | "html" | "empty"; effect?: "before" | "after" }
  /** An error page without JSON, as from a proxy. The call has no effect. */
  | { kind: "html-error"; status?: number }
  /** Any error of the Bot API. The call has no effect. */
  | { kind: "error"; error_code: number; description: string; parameters?: ErrorParameters }
  /** Never answers. */
  | { kind: "hang"; effect: "before" | "after" }
  | { kind: "cut"; effect: "before" | "after" }
  /** The call takes effect; the connection ends after half of the answer's body. */
  | { kind: "half-body" }
  /** The call takes effect at once and is answered after `ms` milliseconds. */
  | { kind: "slow"; ms: number }
  /** The call takes effect at once and is answered after `until` has resolved. */
  | { kind: "held"; until: Promise<void> }
  /** The call takes effect and is answered with status 200 and a body that is not JSON. */
  | { kind: "not-json" }
  /** The token is revoked: every call is answered with 401 until the fault is removed, or `times` times. */
  | { kind: "unauthorized" };

export interface FaultTarget {
  /**
   * Case-insensitive. Default: every method but getUpdates and getChatMemberCount, which a server calls by itself at any
   * time; a revoked token concerns these as well.
   */
  method?: string;
  /** The chat id in the call; default: every call, including calls about no chat. */
  chatId?: number;
  /** The number of matching calls that fail (default 1). */
  times?: number;
  /** The number of matching calls that succeed before the first failure (default 0). */
  skip?: number;
}

interface ArmedFault {
  fault: SandboxFault;
  method: string | undefined;
  chatId: number | undefined;
  times: number;
  skip: number;
}

export class Faults {
  #armed: ArmedFault[] = [];

  /** @returns a function that removes the fault. */
  arm(fault: SandboxFault, target: FaultTarget = {}): () => void {
    const armed: ArmedFault = {
      fault,
      method: target.method?.toLowerCase(),
      chatId: target.chatId,
      times: target.times ?? (fault.kind === "unauthorized" ? Number.POSITIVE_INFINITY : 1),
      skip: target.skip ?? 0,
    };
    this.#armed.push(armed);
    return () => {
      this.#armed = this.#armed.filter((other) => other !== armed);
    };
  }

  /** Finds the fault of this call and counts it. The fault that was armed first comes first. */
  take(method: string, parameters: Record<string, unknown>): SandboxFault | undefined {
    for (const armed of this.#armed) {
      if (armed.method !== undefined && armed.method !== method.toLowerCase()) {
        continue;
      }
      const isNamed = armed.method !== undefined || armed.fault.kind === "unauthorized";
      if (!isNamed && isBackgroundMethod(method)) {
        continue;
      }
      if (armed.chatId !== undefined && String(parameters["chat_id"]) !== String(armed.chatId)) {
        continue;
      }
      if (armed.skip > 0) {
        armed.skip -= 1;
        continue;
      }
      armed.times -= 1;
      if (armed.times <= 0) {
        this.#armed = this.#armed.filter((other) => other !== armed);
      }
      return armed.fault;
    }
    return undefined;
  }

  clear(): void {
    this.#armed = [];
  }
}
