import type { Logger } from "../log.js";
import { TelegramCallError } from "../telegram/failures.js";
import type { CallEvent, TelegramGateway } from "../telegram/gateway.js";

export const TELEGRAM_STATES = ["ok", "unauthorized", "unreachable", "sandbox"] as const;
export type TelegramState = (typeof TELEGRAM_STATES)[number];

/** Milliseconds between two calls of getMe. */
const CHECK_EVERY_MS = 30_000;

/**
 * The state that a call's outcome shows; null when it shows none. Only a success shows that Telegram answers, because
 * another server at the API root could reject calls as well. getMe can be rejected only because of the token.
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

/** Knows how Telegram answers, from the latest call and from a regular getMe. */
export class TelegramHealth {
  readonly #log: Logger;
  readonly #sandbox: boolean;
  /** Null before the first outcome. */
  #state: Exclude<TelegramState, "sandbox"> | null = null;
  readonly #stopped = new AbortController();
  #timer: NodeJS.Timeout | undefined;

  constructor(log: Logger, sandbox: boolean) {
    this.#log = log;
    this.#sandbox = sandbox;
  }

  /** Until the first outcome, the real Telegram counts as unreachable and the sandbox, in this process, as reachable. */
  get state(): TelegramState {
    if (this.#sandbox) return this.#state === null || this.#state === "ok" ? "sandbox" : this.#state;
    return this.#state ?? "unreachable";
  }

  /** Must be called with every call that ended. */
  record(event: CallEvent): void {
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

  /** Calls getMe regularly, so that the state is current even without requests. */
  watch(gateway: TelegramGateway): void {
    const own = gateway.forClient(this.#stopped.signal);
    this.#timer = setInterval(() => {
      // `record` has received the outcome already.
      own.getMe().catch(() => {});
    }, CHECK_EVERY_MS);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#stopped.abort();
  }
}

/** @returns the status with which Telegram rejects the token; null if it accepts the token or does not answer in time. */
export async function tokenRejection(gateway: TelegramGateway, waitMs: number): Promise<401 | 404 | null> {
  try {
    await gateway.getMe({ at: Date.now() + waitMs });
    return null;
  } catch (error) {
    const failure = error instanceof TelegramCallError ? error.failure : null;
    return failure?.kind === "unauthorized" ? failure.status : null;
  }
}
