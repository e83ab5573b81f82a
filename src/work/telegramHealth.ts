import type { Logger } from "../log.js";
import { TelegramCallError } from "../telegram/failures.js";
import type { CallEvent, TelegramGateway } from "../telegram/gateway.js";

export const TELEGRAM_STATES = ["ok", "unauthorized", "unreachable", "sandbox"] as const;
export type TelegramState = (typeof TELEGRAM_STATES)[number];

const LOOK_EVERY_MS = 30_000;

/** What a call's outcome says; every other one is an answer like any. */
const STATES: Record<string, "unauthorized" | "unreachable"> = {
  unauthorized: "unauthorized",
  unavailable: "unreachable",
};

/** How Telegram answers, as the latest call told, or the look that is taken now and then. */
export class TelegramHealth {
  readonly #log: Logger;
  readonly #sandbox: boolean;
  #state: Exclude<TelegramState, "sandbox"> = "ok";
  readonly #stopped = new AbortController();
  #timer: NodeJS.Timeout | undefined;

  constructor(log: Logger, sandbox: boolean) {
    this.#log = log;
    this.#sandbox = sandbox;
  }

  get state(): TelegramState {
    return this.#sandbox && this.#state === "ok" ? "sandbox" : this.#state;
  }

  /** Takes note of a call that ended. */
  note({ failure }: CallEvent): void {
    const state = STATES[failure?.kind ?? "result"] ?? "ok";
    if (state === this.#state) return;
    this.#state = state;
    if (state === "ok") this.#log.info("Telegram answers again");
    else if (state === "unauthorized") {
      this.#log.error(
        "TELEGRAM REFUSES THE BOT TOKEN: no link can be made until TELEGRAM_BOT_TOKEN is valid again",
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

/** Whether Telegram knows the token: false only where it says that it does not. */
export async function isTokenAccepted(gateway: TelegramGateway, waitMs: number): Promise<boolean> {
  try {
    await gateway.getMe({ at: Date.now() + waitMs });
    return true;
  } catch (error) {
    return !(error instanceof TelegramCallError && error.failure.kind === "unauthorized");
  }
}
