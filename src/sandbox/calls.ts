/** One received call of the Bot API. */
export interface SandboxCall {
  /** Spelled as by Telegram if the sandbox knows the method, otherwise as sent. */
  method: string;
  /** As sent: typed in a JSON body, strings otherwise. */
  parameters: Record<string, unknown>;
  at: Date;
}

/** Calls that a server makes by itself, whatever its users do. They count only where they are named. */
const BACKGROUND_METHODS: ReadonlySet<string> = new Set(["getupdates", "getchatmembercount"]);

export const isBackgroundMethod = (method: string): boolean => BACKGROUND_METHODS.has(method.toLowerCase());

/** The latest calls are kept, so that a sandbox can run for months. */
const MAX_CALLS = 10_000;

/** The received calls. */
export class Calls {
  readonly #calls: SandboxCall[] = [];
  readonly #backgroundCalls: SandboxCall[] = [];
  #waiting: { method: string | undefined; resolve: (call: SandboxCall) => void }[] = [];

  record(call: SandboxCall): void {
    const calls = isBackgroundMethod(call.method) ? this.#backgroundCalls : this.#calls;
    calls.push(call);
    if (calls.length > MAX_CALLS) {
      calls.shift();
    }
    const answered = this.#waiting.filter(({ method }) => matches(call, method));
    this.#waiting = this.#waiting.filter((waiting) => !answered.includes(waiting));
    for (const { resolve } of answered) {
      resolve(call);
    }
  }

  list(method?: string): SandboxCall[] {
    const calls = method !== undefined && isBackgroundMethod(method) ? this.#backgroundCalls : this.#calls;
    return calls.filter((call) => matches(call, method));
  }

  next(method?: string): Promise<SandboxCall> {
    return new Promise((resolve) => {
      this.#waiting.push({ method, resolve });
    });
  }
}

function matches(call: SandboxCall, method: string | undefined): boolean {
  if (method === undefined) {
    return !isBackgroundMethod(call.method);
  }
  return call.method.toLowerCase() === method.toLowerCase();
}
