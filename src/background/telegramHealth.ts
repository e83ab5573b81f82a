import type { Logger } from "../log.js";
import { TelegramCallError } from "../telegram/failures.js";
import type { CallEvent, TelegramGateway } from "../telegram/gateway.js";

export const TELEGRAM_STATES = ["ok", "unauthorized", "unreachable", "sandbox"] as const;
export type TelegramState = (typeof TELEGRAM_STATES)[number];

const LOOK_EVERY_MS = 30_000;

/**
 * What a call's outcome says of Telegram; null for nothing. Well it is where a call succeeds, and only there: a refusal
 * may come from something else that answers at the API root. getMe has nothing to refuse but the bot token.
 */
function stateAfter({ method, failure }: CallEvent): Exclude<TelegramState, "sandbox"> | null {
  switch (failure?.kind) {
    case undefined:
      return "ok";
    case "unauthorized":
      return "unauthorized";
    case "unavailable":
      return "unreachable";
    case "tooManyRequests":
      return null;
    default:
      return method === "getMe" ? "unreachable" : null;
  }
}

/** How Telegram answers, as the latest call told, or the look that is taken now and then. */
export class TelegramHealth {
  readonly #log: Logger;
  readonly #sandbox: boolean;
  /** Null until a call has told. */
  #state: Exclude<TelegramState, "sandbox"> | null = null;
  readonly #stopped = new AbortController();
  #timer: NodeJS.Timeout | undefined;

  constructor(log: Logger, sandbox: boolean) {
    this.#log = log;
    this.#sandbox = sandbox;
  }

  /** A real Telegram is out of reach until a call has shown that it is not; the sandbox is in this process. */
  get state(): TelegramState {
    if (this.#sandbox) return this.#state === null || this.#state === "ok" ? "sandbox" : this.#state;
    return this.#state ?? "unreachable";
  }

  /** Takes note of a call that ended. */
  note(event: CallEvent): void {
    const state = stateAfter(event);
    if (state === null || state === this.#state) return;
    const before = this.#state;
    this.#state = state;
    const { failure } = event;
    if (state === "ok") {
      if (before !== null) this.#log.info("Telegram answers again");
    } else if (state === "unauthorized") {
      this.#log.error(
        { failure },
        "TELEGRAM REFUSES THE BOT TOKEN: no link can be made until TELEGRAM_BOT_TOKEN and TELEGRAM_API_ROOT are right again",
      );
    } else this.#log.warn({ failure }, "Telegram cannot be reached");
  }

  /** Asks now and then, so that the state is not as old as the latest request, and heals by itself. */
  watch(gateway: TelegramGateway): void {
    const own = gateway.forClient(this.#stopped.signal);
    this.#timer = setInterval(() => {
      // What came of it was noted already.
      own.getMe().catch(() => {});
    }, LOOK_EVERY_MS);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#stopped.abort();
  }
}

/** @returns the status by which Telegram says that it does not know the token; null where it knows it, or does not say. */
export async function tokenRejection(gateway: TelegramGateway, waitMs: number): Promise<401 | 404 | null> {
  try {
    await gateway.getMe({ at: Date.now() + waitMs });
    return null;
  } catch (error) {
    const failure = error instanceof TelegramCallError ? error.failure : null;
    return failure?.kind === "unauthorized" ? failure.status : null;
  }
}
