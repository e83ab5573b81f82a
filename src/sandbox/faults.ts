import type { ErrorParameters } from "./errors.js";

/** A way in which a call goes wrong. "after" the effect: what was asked for happened, only the answer is lost. */
export type SandboxFault =
  | { kind: "too-many-requests"; retryAfter: number }
  | { kind: "server-error"; status?: number; body?: "json" | "html" | "empty"; effect?: "before" | "after" }
  /** A refusal that is no JSON, as a proxy in between would send it; nothing was done. */
  | { kind: "html-error"; status?: number }
  /** Any answer that Telegram could give; nothing was done. */
  | { kind: "error"; error_code: number; description: string; parameters?: ErrorParameters }
  /** Never answers. */
  | { kind: "hang"; effect: "before" | "after" }
  | { kind: "cut"; effect: "before" | "after" }
  /** Half of the answer's body, then the connection is cut; the call was carried out. */
  | { kind: "half-body" }
  /** Carried out at once, answered `ms` later. */
  | { kind: "slow"; ms: number }
  /** Status 200, but a body that is no JSON; the call was carried out. */
  | { kind: "not-json" }
  /** The token is revoked: 401 for every call (unless `times` says otherwise) until the fault is taken away. */
  | { kind: "unauthorized" };

export interface FaultTarget {
  /** Case-insensitive; without it every method, getUpdates included. */
  method?: string;
  /** The chat that the call names by its id; without it every call, those about no chat included. */
  chatId?: number;
  /** To how many of the matching calls it happens (default 1). */
  times?: number;
  /** How many matching calls pass before the first (default 0). */
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

  /** Returns what takes the fault away again. */
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

  /** The fault that happens to this call, if any: the one armed first, where several match. */
  take(method: string, parameters: Record<string, unknown>): SandboxFault | undefined {
    for (const armed of this.#armed) {
      if (armed.method !== undefined && armed.method !== method.toLowerCase()) {
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
