import { Telegram } from "telegraf";
import * as z from "zod";
import { CallQueue, ClientAbortedError, type Slot, SlotTimeoutError } from "./callQueue.js";
import { CircuitBreaker } from "./circuitBreaker.js";
import { TelegramCallError, type TelegramFailure, toFailure } from "./failures.js";
import type { Hold, HoldStore, HoldTarget } from "./holds.js";
import { type ResponseStatus, withResponseStatus } from "./responseStatus.js";
import { NO_STORE, SharedHolds } from "./sharedHolds.js";

/** Of a description that is passed on. */
const MAX_DESCRIPTION = 300;
/** Milliseconds in which no answer can be expected. */
const LEAST_MS = 20;
/** How long it takes at most, in milliseconds, to find out whether anybody answers. */
const LOOK_MS = 1000;

/** How long something may take: calls give up, and no wait is begun that would end after it. */
export interface Deadline {
  /** As of Date.now(), in milliseconds. */
  readonly at: number;
  /** Aborted when nobody waits for the outcome any more: what was not sent by then is not sent. */
  readonly signal?: AbortSignal | undefined;
}

/** Told of each try to send a call that changes something, so that what may have happened is on record before it can. */
export interface SendObserver {
  /** The request goes out when this resolves; what it throws keeps it from being sent. */
  beforeSend(): Promise<void>;
  /** Telegram put that try off (429), and certainly did nothing; there will be another. */
  rateLimited(): Promise<void>;
}

export interface CallEvent {
  readonly method: string;
  readonly milliseconds: number;
  /** Null for a result. */
  readonly failure: TelegramFailure | null;
  /** An answer that could not be understood, so that nothing Telegram said is lost. */
  readonly answer?: unknown;
}

export interface BotApiOptions {
  readonly token: string;
  readonly botId: number;
  readonly apiRoot: string;
  /** For one call, in milliseconds. */
  readonly timeoutMs: number;
  readonly onCall: (event: CallEvent) => void;
  /** Default: none. */
  readonly holdStore?: HoldStore;
}

export interface Call<Result> {
  readonly method: string;
  readonly payload: Record<string, unknown>;
  readonly result: z.ZodType<Result>;
  readonly deadline: Deadline;
  /** Only of a call that changes something. */
  readonly sending?: SendObserver;
  /** Whether it goes before everything else that waits. */
  readonly isUrgent?: boolean;
}

/** The call that shows whether it is this bot's Telegram that answers: one of another bot's is none of it. */
export const getMe = (botId: number) => ({
  method: "getMe",
  payload: {},
  result: z.object({ id: z.literal(botId) }),
});

/** What keeps a call from its turn. */
function failureOf(error: unknown): TelegramFailure {
  if (error instanceof SlotTimeoutError) {
    return { kind: "tooManyRequests", retryAfterSeconds: error.retryAfterSeconds };
  }
  if (error instanceof ClientAbortedError) return GONE;
  throw error;
}

const targetOf = ({ method, payload }: Pick<Call<unknown>, "method" | "payload">): HoldTarget => {
  const chat = payload["chat_id"];
  return { method, chat: chat === undefined ? null : String(chat) };
};

/** In which a call can begin, in milliseconds. */
const timeLeft = ({ at }: Deadline): number => at - Date.now() - LEAST_MS;

const GONE: TelegramFailure = { kind: "unavailable", carriedOut: "no", reason: "the client has gone" };
const tooLateFor = (method: string, reason: string): TelegramCallError =>
  new TelegramCallError(method, { kind: "unavailable", carriedOut: "no", reason, timedOut: true });

/**
 * Carries calls to the Bot API, all of one bot through one queue. A 429 holds those back that it concerns, on every
 * server, and its own call waits for that where its deadline allows it. What fails is a TelegramCallError.
 */
export class BotApi {
  readonly #telegram: Telegram;
  readonly #token: string;
  readonly #timeoutMs: number;
  readonly #lookMs: number;
  readonly #onCall: (event: CallEvent) => void;
  readonly #look: ReturnType<typeof getMe>;
  readonly #queue = new CallQueue();
  readonly #holds: SharedHolds;
  readonly #silence = new CircuitBreaker();

  constructor({ token, botId, apiRoot, timeoutMs, onCall, holdStore = NO_STORE }: BotApiOptions) {
    this.#token = token;
    this.#telegram = new Telegram(token, { apiRoot: apiRoot.endsWith("/") ? apiRoot : `${apiRoot}/` });
    this.#timeoutMs = timeoutMs;
    this.#lookMs = Math.min(LOOK_MS, timeoutMs);
    this.#onCall = onCall;
    this.#look = getMe(botId);
    this.#holds = new SharedHolds(holdStore, this.#queue);
  }

  /** How many calls wait for their turn. */
  get waiting(): number {
    return this.#queue.waiting;
  }

  get localHolds(): readonly Hold[] {
    return this.#queue.holds;
  }

  /** The holds of all servers; where their store does not answer, those that are known here. */
  async holds(): Promise<readonly Hold[]> {
    await this.#holds.refresh();
    return this.#queue.holds;
  }

  async call<Result>(call: Call<Result>): Promise<Result> {
    const asked = performance.now();
    const target = targetOf(call);
    let turn: Slot | undefined;
    for (;;) {
      turn = await this.#slot(call, turn);
      let succeeded = false;
      let begun = false;
      try {
        // Another server may have been answered 429 just now.
        await this.#holds.refresh();
        if (!turn.isOutdated) {
          await this.#requireAnybody(call, asked);
          await call.sending?.beforeSend();
          begun = true;
          // Another call's 429 may have come meanwhile.
          if (!turn.isOutdated) {
            const result = await this.#attempt(call, this.#timeoutMs);
            succeeded = true;
            return result;
          }
        }
      } catch (error) {
        if (!(error instanceof TelegramCallError)) throw error;
        const { failure } = error;
        // Held by now, it waits for its next turn.
        if (failure.kind !== "tooManyRequests") {
          succeeded = failure.kind !== "unavailable";
          throw error;
        }
      } finally {
        turn.end(succeeded);
      }
      // Without time for another try, the next turn is refused.
      if (begun && this.#queue.hasTimeLeft(target, timeLeft(call.deadline)))
        await call.sending?.rateLimited();
    }
  }

  /** Those about one chat wait for each other, and for no other chat's. */
  async #slot(call: Call<unknown>, again: Slot | undefined): Promise<Slot> {
    const { method, deadline, isUrgent } = call;
    const milliseconds = timeLeft(deadline);
    if (milliseconds < 0 && !again) throw tooLateFor(method, "no time left");
    try {
      return await this.#queue.slot(
        { ...targetOf(call), isUrgent, milliseconds, signal: deadline.signal },
        again,
      );
    } catch (error) {
      throw new TelegramCallError(method, failureOf(error));
    }
  }

  /** @throws TelegramCallError where a call would only cost its time limit and leave its outcome unknown. */
  async #requireAnybody({ method, deadline }: Call<unknown>, asked: number): Promise<void> {
    if (method === this.#look.method) return;
    const look = async (): Promise<void> => {
      try {
        await this.#attempt({ ...this.#look, deadline: { at: Number.POSITIVE_INFINITY } }, this.#lookMs);
      } catch (error) {
        if (!(error instanceof TelegramCallError)) throw error;
        if (error.failure.kind === "tooManyRequests") throw error;
      }
    };
    if (await this.#silence.isTotal(asked, look)) throw tooLateFor(method, "Telegram does not answer at all");
    if (deadline.signal?.aborted) throw new TelegramCallError(method, GONE);
  }

  /** Sends a call, and waits for its answer so long at most. The hold of a 429 is stored when this rejects with it. */
  async #attempt<Result>(
    { method, payload, result, deadline }: Omit<Call<Result>, "sending">,
    limitMs: number,
  ): Promise<Result> {
    const left = deadline.at - Date.now();
    // A call that could not be waited for would only leave its outcome unknown.
    if (left < LEAST_MS) throw tooLateFor(method, "no time left");
    const answer: ResponseStatus = { abort: new AbortController() };
    const waitMs = Math.min(limitMs, left);
    const tooLate = AbortSignal.timeout(waitMs);
    const signal = AbortSignal.any([answer.abort.signal, tooLate]);
    const started = performance.now();
    const report = (failure: TelegramFailure | null, said?: unknown) =>
      this.#onCall({
        method,
        milliseconds: performance.now() - started,
        failure,
        ...(said === undefined ? {} : { answer: said }),
      });
    let said: unknown;
    try {
      // Telegraf's types know neither subscription links nor a call by a method's mere name.
      const call = () => this.#telegram.callApi(method as never, payload as never, { signal } as never);
      said = await withResponseStatus(answer, call);
    } catch (error) {
      const { status } = answer;
      if (status !== undefined) this.#silence.answered();
      // Cut short by its deadline, a call says nothing.
      else if (tooLate.aborted && waitMs >= this.#lookMs) this.#silence.unanswered();
      const failure = toFailure(error, { chatId: payload["chat_id"], status, showable: this.#showable });
      report(failure);
      if (failure.kind === "tooManyRequests") {
        await this.#holds.add(targetOf({ method, payload }), failure.retryAfterSeconds * 1000);
      }
      throw new TelegramCallError(method, failure);
    }
    this.#silence.answered();
    const parsed = result.safeParse(said);
    if (!parsed.success) {
      const reason = "answered with something else";
      const failure: TelegramFailure = { kind: "unavailable", carriedOut: "maybe", reason };
      report(failure, said);
      throw new TelegramCallError(method, failure);
    }
    report(null);
    return parsed.data;
  }

  /** Telegram's words for a caller: never with the token in them, and no longer than words are. */
  readonly #showable = (description: string): string =>
    description
      .replaceAll(this.#token, "[secret]")
      .slice(0, MAX_DESCRIPTION)
      .toWellFormed()
      .replaceAll("\0", " ");
}
