import { Telegram } from "telegraf";
import * as z from "zod";
import { CallQueue, ClientAbortedError, type Slot, SlotTimeoutError } from "./callQueue.js";
import { CircuitBreaker } from "./circuitBreaker.js";
import { TelegramCallError, type TelegramFailure, toFailure } from "./failures.js";
import type { Hold, HoldStore, HoldTarget } from "./holds.js";
import { type ResponseStatus, withResponseStatus } from "./responseStatus.js";
import { NO_STORE, SharedHolds } from "./sharedHolds.js";
import { showableWithout } from "./showable.js";

/** A call with less time is not sent: its answer could not arrive in time. Milliseconds. */
const MIN_CALL_MS = 20;
/** The time limit of a probe, in milliseconds. */
const PROBE_MS = 1000;

/** The end of all calls and waits of one piece of work. No wait begins that would end after the deadline. */
export interface Deadline {
  /** By Date.now(), in milliseconds. */
  readonly at: number;
  /** Aborted when the client leaves. Calls that were not sent by then are not sent. */
  readonly signal?: AbortSignal | undefined;
}

/** Called around each try to send a call that changes something, so that the try is on record before it can take effect. */
export interface SendObserver {
  /** The call is sent when this resolves, and not sent when this rejects. */
  beforeSend(): Promise<void>;
  /** Telegram answered this try with 429 and did nothing. Another try will follow. */
  rateLimited(): Promise<void>;
}

export interface CallEvent {
  readonly method: string;
  readonly milliseconds: number;
  /** The HTTP status of the answer; null without an answer, or if it is unknown. */
  readonly status: number | null;
  /** How often the call was sent so far, this time included. */
  readonly attempt: number;
  /** Null for a success. */
  readonly failure: TelegramFailure | null;
  /** A result of an unexpected form, for the log; absent otherwise. */
  readonly answer?: unknown;
}

/** The bot as Telegram describes it. */
export interface TelegramBot {
  /** Without the @. */
  readonly username: string;
  readonly name: string;
}

export interface BotApiOptions {
  readonly token: string;
  readonly botId: number;
  readonly apiRoot: string;
  /** What is known of the bot without asking Telegram. */
  readonly bot?: TelegramBot;
  /** The time limit of one call, in milliseconds. */
  readonly timeoutMs: number;
  readonly onCall: (event: CallEvent) => void;
  /** Default: holds are not shared with other servers. */
  readonly holdStore?: HoldStore;
}

export interface Call<Result> {
  readonly method: string;
  readonly payload: Record<string, unknown>;
  readonly result: z.ZodType<Result>;
  readonly deadline: Deadline;
  /** Given for a call that changes something. */
  readonly sending?: SendObserver;
  /** Whether the call goes before all other waiting calls. */
  readonly isUrgent?: boolean;
  /** Whether all other waiting calls go before this one. */
  readonly isPatient?: boolean;
}

/** A call without side effects that shows whether Telegram answers and knows this bot. */
export const getMe = (botId: number) => ({
  method: "getMe",
  payload: {},
  result: z.object({
    id: z.literal(botId),
    username: z.string().optional(),
    first_name: z.string().optional(),
  }),
});

/** @returns why a call got no slot. @throws any other error. */
function failureOf(error: unknown): TelegramFailure {
  if (error instanceof SlotTimeoutError) {
    return { kind: "tooManyRequests", retryAfterSeconds: error.retryAfterSeconds };
  }
  if (error instanceof ClientAbortedError) return CLIENT_LEFT;
  throw error;
}

const targetOf = ({ method, payload }: Pick<Call<unknown>, "method" | "payload">): HoldTarget => {
  const chat = payload["chat_id"];
  return { method, chat: chat === undefined ? null : String(chat) };
};

/** Milliseconds until the latest moment at which a call can be sent. */
const timeLeft = ({ at }: Deadline): number => at - Date.now() - MIN_CALL_MS;

const CLIENT_LEFT: TelegramFailure = { kind: "unavailable", carriedOut: "no", reason: "the client has left" };
const tooLateFor = (method: string, reason: string): TelegramCallError =>
  new TelegramCallError(method, { kind: "unavailable", carriedOut: "no", reason, timedOut: true });

/**
 * Sends calls to the Bot API. All calls of one bot pass through one queue. A 429 holds back the calls that it concerns on
 * every server; the call that was answered 429 is sent again if its deadline allows. All failures are TelegramCallErrors.
 */
export class BotApi {
  readonly #telegram: Telegram;
  readonly #showable: (description: string) => string;
  readonly #timeoutMs: number;
  readonly #probeMs: number;
  readonly #onCall: (event: CallEvent) => void;
  readonly #probe: ReturnType<typeof getMe>;
  readonly #queue = new CallQueue();
  readonly #holds: SharedHolds;
  readonly #circuit = new CircuitBreaker();
  /** Null until Telegram has told. */
  bot: TelegramBot | null;

  constructor({ token, botId, apiRoot, bot, timeoutMs, onCall, holdStore = NO_STORE }: BotApiOptions) {
    this.bot = bot ?? null;
    this.#showable = showableWithout(token);
    this.#telegram = new Telegram(token, { apiRoot: apiRoot.endsWith("/") ? apiRoot : `${apiRoot}/` });
    this.#timeoutMs = timeoutMs;
    this.#probeMs = Math.min(PROBE_MS, timeoutMs);
    this.#onCall = onCall;
    this.#probe = getMe(botId);
    this.#holds = new SharedHolds(holdStore, this.#queue);
  }

  /** The number of calls that wait for a slot. */
  get waiting(): number {
    return this.#queue.waiting;
  }

  get localHolds(): readonly Hold[] {
    return this.#queue.holds;
  }

  /** The holds of all servers. While their store does not answer: the holds that this server knows. */
  async holds(): Promise<readonly Hold[]> {
    await this.#holds.refresh();
    return this.#queue.holds;
  }

  /** Milliseconds until the holds that this server knows allow a call. */
  holdLeft(target: HoldTarget): number {
    return this.#queue.holdLeft(target);
  }

  async call<Result>(call: Call<Result>): Promise<Result> {
    const requestedAt = performance.now();
    const target = targetOf(call);
    let asked = this.#slot(call, undefined);
    let attempt = 0;
    for (;;) {
      const slot = await asked;
      let succeeded = false;
      let begun = false;
      let next: Promise<Slot> | undefined;
      try {
        // Another server may have received a 429 just now.
        await this.#holds.refresh();
        if (!slot.isOutdated) {
          await this.#requireClosedCircuit(call, requestedAt);
          await call.sending?.beforeSend();
          begun = true;
          // Another call may have received a 429 meanwhile.
          if (!slot.isOutdated) {
            attempt += 1;
            const result = await this.#attempt(call, this.#timeoutMs, attempt);
            succeeded = true;
            return result;
          }
        }
        // The call keeps its place: the end of its slot lets the next call begin.
        if (!begun) next = this.#slot(call, slot);
      } catch (error) {
        if (!(error instanceof TelegramCallError)) throw error;
        const { failure } = error;
        // The call is held back now and waits for its next slot.
        if (failure.kind !== "tooManyRequests") {
          succeeded = failure.kind !== "unavailable";
          throw error;
        }
      } finally {
        slot.end(succeeded);
      }
      // Without time for another try, #slot throws.
      if (begun && this.#queue.hasTimeLeft(target, timeLeft(call.deadline)))
        await call.sending?.rateLimited();
      asked = next ?? this.#slot(call, slot);
    }
  }

  async #slot(call: Call<unknown>, again: Slot | undefined): Promise<Slot> {
    const { method, deadline, isUrgent, isPatient } = call;
    const milliseconds = timeLeft(deadline);
    if (milliseconds < 0 && !again) throw tooLateFor(method, "no time left");
    try {
      return await this.#queue.slot(
        { ...targetOf(call), isUrgent, isPatient, milliseconds, signal: deadline.signal },
        again,
      );
    } catch (error) {
      throw new TelegramCallError(method, failureOf(error));
    }
  }

  /** @throws TelegramCallError while the circuit breaker is open, or when the client has left. */
  async #requireClosedCircuit({ method, deadline }: Call<unknown>, requestedAt: number): Promise<void> {
    if (method === this.#probe.method) return;
    const probe = async (): Promise<void> => {
      try {
        await this.#attempt({ ...this.#probe, deadline: { at: Number.POSITIVE_INFINITY } }, this.#probeMs);
      } catch (error) {
        if (!(error instanceof TelegramCallError)) throw error;
        if (error.failure.kind === "tooManyRequests") throw error;
      }
    };
    if (!(await this.#circuit.allows(requestedAt, probe)))
      throw tooLateFor(method, "Telegram does not answer at all");
    if (deadline.signal?.aborted) throw new TelegramCallError(method, CLIENT_LEFT);
  }

  /** Sends a call once. The hold of a 429 is stored before this rejects. */
  async #attempt<Result>(
    { method, payload, result, deadline }: Omit<Call<Result>, "sending">,
    limitMs: number,
    attempt = 1,
  ): Promise<Result> {
    const left = deadline.at - Date.now();
    // If the call were sent too late, its outcome would be unknown.
    if (left < MIN_CALL_MS) throw tooLateFor(method, "no time left");
    const response: ResponseStatus = { abort: new AbortController() };
    const waitMs = Math.min(limitMs, left);
    const tooLate = AbortSignal.timeout(waitMs);
    const signal = AbortSignal.any([response.abort.signal, tooLate]);
    const started = performance.now();
    const report = (failure: TelegramFailure | null, answer?: unknown) =>
      this.#onCall({
        method,
        milliseconds: performance.now() - started,
        status: response.status ?? null,
        attempt,
        failure,
        ...(answer === undefined ? {} : { answer }),
      });
    let answer: unknown;
    try {
      // Telegraf's types lack subscription links and calls by a method's name.
      const call = () => this.#telegram.callApi(method as never, payload as never, { signal } as never);
      answer = await withResponseStatus(response, call);
    } catch (error) {
      const { status } = response;
      if (status !== undefined) this.#circuit.recordAnswer();
      // A call that its deadline cut short does not show that Telegram is silent.
      else if (tooLate.aborted && waitMs >= this.#probeMs) this.#circuit.recordNoAnswer();
      const failure = toFailure(error, { chatId: payload["chat_id"], status, showable: this.#showable });
      report(failure);
      if (failure.kind === "tooManyRequests") {
        await this.#holds.add(targetOf({ method, payload }), failure.retryAfterSeconds * 1000);
      }
      throw new TelegramCallError(method, failure);
    }
    this.#circuit.recordAnswer();
    const parsed = result.safeParse(answer);
    if (!parsed.success) {
      const reason = "the result has an unexpected form";
      const failure: TelegramFailure = { kind: "unavailable", carriedOut: "maybe", reason };
      report(failure, answer);
      throw new TelegramCallError(method, failure);
    }
    report(null);
    return parsed.data;
  }
}
