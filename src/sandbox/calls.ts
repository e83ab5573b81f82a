/** One call of the Bot API, as it arrived. */
export interface SandboxCall {
  /** In Telegram's spelling where the sandbox knows the method. */
  method: string;
  /** As sent: typed where the body was JSON, texts otherwise. */
  parameters: Record<string, unknown>;
  at: Date;
}

/** A sandbox that runs for months keeps the latest of them. */
const KEPT = 10_000;

/** The log of calls received. */
export class Calls {
  readonly #calls: SandboxCall[] = [];
  #waiting: { method: string | undefined; resolve: (call: SandboxCall) => void }[] = [];

  record(call: SandboxCall): void {
    this.#calls.push(call);
    if (this.#calls.length > KEPT) {
      this.#calls.shift();
    }
    const told = this.#waiting.filter(({ method }) => matches(call, method));
    this.#waiting = this.#waiting.filter((waiting) => !told.includes(waiting));
    for (const { resolve } of told) {
      resolve(call);
    }
  }

  list(method?: string): SandboxCall[] {
    return this.#calls.filter((call) => matches(call, method));
  }

  next(method?: string): Promise<SandboxCall> {
    return new Promise((resolve) => {
      this.#waiting.push({ method, resolve });
    });
  }
}

function matches(call: SandboxCall, method: string | undefined): boolean {
  return method === undefined || call.method.toLowerCase() === method.toLowerCase();
}
