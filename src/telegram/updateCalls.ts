import { setMaxListeners } from "node:events";
import { Telegram, TelegramError } from "telegraf";
import * as z from "zod";
import type { CallEvent } from "./botApi.js";
import { type TelegramFailure, toFailure } from "./failures.js";
import { showableWithout } from "./showable.js";
import { UPDATE_KINDS } from "./updates.js";

/** Updates in one answer at most, which is Telegram's own limit. */
const POLL_LIMIT = 100;
/** How long an answer may take beyond the long poll, in milliseconds. */
const ANSWER_MS = 10_000;
/** Connections that Telegram may open for a webhook. Its default is 40. Calls that arrive together share a commit. */
export const WEBHOOK_CONNECTIONS = 100;

export type UpdatesFailure =
  /** 409: somebody else calls getUpdates with this token. */
  | { readonly kind: "otherPoller" }
  /** 409: a webhook is registered, so getUpdates is refused. */
  | { readonly kind: "webhookActive" }
  | TelegramFailure;

/** A call about updates failed. The error contains no text of Telegraf, which may hold the bot token. */
export class UpdatesCallError extends Error {
  override readonly name = "UpdatesCallError";
  readonly failure: UpdatesFailure;

  constructor(method: string, failure: UpdatesFailure) {
    super(`${method}: ${failure.kind}`);
    this.failure = failure;
  }
}

export interface UpdateCallsOptions {
  readonly token: string;
  readonly apiRoot: string;
  readonly onCall: (event: CallEvent) => void;
}

export interface Poll {
  /** Updates before this id are acknowledged. Undefined acknowledges nothing. */
  readonly offset: number | undefined;
  /** How long Telegram waits for an update, in seconds. */
  readonly seconds: number;
}

const webhookInfo = z.object({
  url: z.string(),
  allowed_updates: z.array(z.string()).optional().catch(undefined),
  max_connections: z.number().optional().catch(undefined),
  pending_update_count: z.number().optional().catch(undefined),
  last_error_date: z.number().optional().catch(undefined),
  last_error_message: z.string().optional().catch(undefined),
});

/** The registered webhook. `url` is empty without one. Telegram does not tell the secret. */
export type WebhookInfo = z.infer<typeof webhookInfo>;

function failureOf(error: unknown, showable: (text: string) => string): UpdatesFailure {
  if (error instanceof TelegramError && error.code === 409) {
    return { kind: /webhook/i.test(String(error.description)) ? "webhookActive" : "otherPoller" };
  }
  return toFailure(error, { chatId: undefined, status: undefined, showable });
}

/** For the log and metrics, a conflict is a rejection like any other. */
const reported = (failure: UpdatesFailure): TelegramFailure =>
  failure.kind === "otherPoller" || failure.kind === "webhookActive"
    ? { kind: "rejected", description: `409, ${failure.kind}` }
    : failure;

/**
 * The calls of the Bot API by which updates are received. They pass neither the call queue nor the circuit breaker, and
 * obey no hold: a long poll takes most of a minute and says nothing about other calls. Each call can be aborted by its
 * signal. All failures are UpdatesCallErrors.
 *
 * The status of an answer that is not JSON stays unknown (responseStatus.ts), because following a long poll would keep an
 * AsyncLocalStorage enabled all the time.
 */
export class UpdateCalls {
  readonly #telegram: Telegram;
  readonly #onCall: (event: CallEvent) => void;
  readonly #showable: (text: string) => string;

  constructor({ token, apiRoot, onCall }: UpdateCallsOptions) {
    this.#telegram = new Telegram(token, { apiRoot: apiRoot.endsWith("/") ? apiRoot : `${apiRoot}/` });
    this.#onCall = onCall;
    this.#showable = showableWithout(token);
  }

  /** Asks for updates and waits for one. @returns what Telegram sent, unchecked. */
  async poll({ offset, seconds }: Poll, signal: AbortSignal): Promise<readonly unknown[]> {
    const payload = { offset, limit: POLL_LIMIT, timeout: seconds, allowed_updates: UPDATE_KINDS };
    return this.#call("getUpdates", payload, z.array(z.unknown()), signal, seconds * 1000 + ANSWER_MS);
  }

  async webhookInfo(signal: AbortSignal): Promise<WebhookInfo> {
    return this.#call("getWebhookInfo", {}, webhookInfo, signal);
  }

  async setWebhook(url: string, secret: string, signal: AbortSignal): Promise<void> {
    const payload = {
      url,
      secret_token: secret,
      allowed_updates: UPDATE_KINDS,
      max_connections: WEBHOOK_CONNECTIONS,
      drop_pending_updates: false,
    };
    await this.#call("setWebhook", payload, z.literal(true), signal);
  }

  /** Removes the webhook. What Telegram has not delivered yet is kept for getUpdates. */
  async deleteWebhook(signal: AbortSignal): Promise<void> {
    await this.#call("deleteWebhook", { drop_pending_updates: false }, z.literal(true), signal);
  }

  async #call<Result>(
    method: string,
    payload: object,
    result: z.ZodType<Result>,
    signal: AbortSignal,
    limitMs = ANSWER_MS,
  ): Promise<Result> {
    const started = performance.now();
    const call = new AbortController();
    // Telegraf's HTTP client adds several listeners.
    setMaxListeners(0, call.signal);
    const abort = () => call.abort();
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    const limit = setTimeout(abort, limitMs);
    // Answers are not reported, because updates contain persons.
    const report = (failure: TelegramFailure | null) =>
      this.#onCall({ method, milliseconds: performance.now() - started, status: null, attempt: 1, failure });
    const fail = (failure: UpdatesFailure): UpdatesCallError => {
      // The end of this server says nothing about Telegram.
      if (!signal.aborted) report(reported(failure));
      return new UpdatesCallError(method, failure);
    };
    let answer: unknown;
    try {
      // Telegraf's types lack calls by a method's name.
      answer = await this.#telegram.callApi(
        method as never,
        payload as never,
        { signal: call.signal } as never,
      );
    } catch (error) {
      throw fail(failureOf(error, this.#showable));
    } finally {
      clearTimeout(limit);
      signal.removeEventListener("abort", abort);
    }
    const parsed = result.safeParse(answer);
    if (!parsed.success) {
      const reason = "the result has an unexpected form";
      throw fail({ kind: "unavailable", carriedOut: "maybe", reason });
    }
    report(null);
    return parsed.data;
  }
}
