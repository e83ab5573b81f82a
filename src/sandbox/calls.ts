/** One received call of the Bot API. */
export interface SandboxCall {
  /** Spelled as by Telegram if the sandbox knows the method, otherwise as sent. */
  method: string;
  /** As sent: typed in a JSON body, strings otherwise. */
  parameters: Record<string, unknown>;
  at: Date;
}

/** The latest calls are kept, so that a sandbox can run for months. */
const MAX_CALLS = 10_000;

/** The received calls. */
export class Calls {
  readonly #calls: SandboxCall[] = [];
  #waiting: { method: string | undefined; resolve: (call: SandboxCall) => void }[] = [];

  record(call: SandboxCall): void {
    this.#calls.push(call);
    if (this.#calls.length > MAX_CALLS) {
      this.#calls.shift();
    }
    const answered = this.#waiting.filter(({ method }) => matches(call, method));
    this.#waiting = this.#waiting.filter((waiting) => !answered.includes(waiting));
    for (const { resolve } of answered) {
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
