import type { Logger } from "../../log.js";
import { TelegramCallError } from "../../telegram/failures.js";
import type { Deadline } from "../../telegram/gateway.js";
import { type Caller, requireRole } from "../shared/caller.js";
import { toUserError } from "../shared/databaseErrors.js";
import {
  DatabaseUnavailableError,
  NotFoundError,
  Problems,
  RateLimitedError,
  TelegramUnavailableError,
  UserError,
  ValidationError,
} from "../shared/errors.js";
import { parseIds } from "../shared/ids.js";
import { userErrorOf } from "../shared/userErrorOf.js";
import type { JoinRequest, JoinRequestDecision } from "./joinRequest.js";
import type { JoinRequests } from "./joinRequests.js";
import { type DeciderServices, isWithoutEffect, type OpenRequest, RequestDecider } from "./requestDecider.js";

export interface DecideJoinRequestsInput {
  /** Global ids or bare UUIDs, at most 100. */
  readonly ids: readonly string[];
  readonly decision: JoinRequestDecision;
}

export interface JoinRequestResult {
  readonly joinRequest: JoinRequest;
  /** Null if the request stands as it was asked for. */
  readonly error: UserError | null;
}

const MAX_REQUESTS = 100;
/** Calls to Telegram at the same time. */
const CALLS = 5;
/** A request that was not reached in time can be decided at once. */
const AGAIN_SECONDS = 1;

const DONE = { APPROVE: "APPROVED", DECLINE: "DECLINED" } as const;
const WORDS = { APPROVED: "approved", DECLINED: "declined" } as const;

const REPEATABLE =
  "It is not known yet what became of the request in Telegram. Decide it again: repeating a decision does no harm.";
const UNREAD =
  "Requests may have been decided, but the server's database failed before it was known which. Decide them again: repeating a decision does no harm.";

/** Whether a decision that failed has done nothing in Telegram for certain. */
const isUntouched = (error: unknown): boolean =>
  error instanceof TelegramCallError ? isWithoutEffect(error) : error instanceof DatabaseUnavailableError;

/** The error of a request that could not be decided; null if the error is not about the request alone. */
function shownOf(error: unknown, chatId: number, deadline: Deadline): UserError | null {
  if (isUntouched(error) && error instanceof TelegramCallError) {
    const { failure } = error;
    if (failure.kind === "unavailable" && Date.now() >= deadline.at - 1000)
      return new RateLimitedError(AGAIN_SECONDS);
  }
  const shown = error instanceof TelegramCallError ? userErrorOf(error.failure, chatId) : error;
  if (shown instanceof TelegramUnavailableError && shown.outcomeUnknown)
    return new TelegramUnavailableError(false, { timedOut: shown.timedOut, message: REPEATABLE });
  return shown instanceof UserError && !(shown instanceof DatabaseUnavailableError) ? shown : null;
}

/** What stands in the way of a decision by itself; null if the request is as asked for, undefined if it is open. */
function settled(
  { state }: JoinRequest,
  decision: JoinRequestDecision,
  index: number,
): UserError | null | undefined {
  if (state === "PENDING") return undefined;
  if (state === DONE[decision]) return null;
  if (state === "GONE") return new NotFoundError("join request: Telegram does not know it any more");
  return new ValidationError([
    { field: `ids.${index}`, message: `The request was ${WORDS[state]} already.` },
  ]);
}

/** Decides requests to join, for one request of a caller. */
export class JoinRequestDecisions {
  readonly #services: DeciderServices;
  readonly #caller: Caller;
  readonly #requests: JoinRequests;
  readonly #decider: RequestDecider;

  constructor(
    services: DeciderServices,
    { caller, log, joinRequests }: { caller: Caller; log: Logger; joinRequests: JoinRequests },
  ) {
    this.#services = services;
    this.#caller = caller;
    this.#requests = joinRequests;
    this.#decider = new RequestDecider(services, caller, log);
  }

  /**
   * Approves or declines requests of one channel. Each is decided by itself; what is decided so already stays, and Telegram
   * is not called for it. Once the bot turns out not to be allowed in the channel, Telegram is not asked for the rest.
   * @returns a result for each id, in their order
   * @throws ForbiddenError, ValidationError, DatabaseUnavailableError; NotFoundError if one of the requests does not exist.
   */
  decide(input: DecideJoinRequestsInput): Promise<JoinRequestResult[]> {
    return this.#services.pendingWork.track(this.#decide(input));
  }

  async #decide({ ids: texts, decision }: DecideJoinRequestsInput): Promise<JoinRequestResult[]> {
    requireRole(this.#caller, "EDITOR");
    this.#services.storageGuard.requireWritable();
    const problems = new Problems();
    const ids = parseIds("JoinRequest", texts, "ids", problems, MAX_REQUESTS).filter((id) => id !== null);
    problems.check();
    const found = await this.#load(ids);
    const channelId = found[0]?.channelId;
    if (channelId === undefined) return [];
    if (found.some((request) => request.channelId !== channelId))
      throw new ValidationError([{ field: "ids", message: "All requests must be in one channel." }]);
    const deadline = this.#services.gateway.deadline();
    const open = found.filter(
      ({ state }, index) => state === "PENDING" && ids.indexOf(ids[index] ?? "") === index,
    );
    try {
      const failures =
        open.length === 0 ? new Map<string, UserError>() : await this.#decideOpen(open, decision, deadline);
      this.#requests.forget(ids);
      const decided = await this.#load(ids);
      return decided.map((joinRequest, index) => ({
        joinRequest,
        error: settled(joinRequest, decision, index) ?? failures.get(joinRequest.id) ?? null,
      }));
    } catch (error) {
      this.#services.storageGuard.recordFailure(error);
      // DatabaseUnavailableError would say that nothing was done.
      if (this.#decider.hasSent && toUserError(error) instanceof DatabaseUnavailableError)
        throw new TelegramUnavailableError(false, { message: UNREAD });
      throw error;
    }
  }

  /** @returns the errors of the requests that could not be decided, by id @throws what stops the others as well */
  async #decideOpen(
    requests: readonly JoinRequest[],
    decision: JoinRequestDecision,
    deadline: Deadline,
  ): Promise<Map<string, UserError>> {
    const waiting = await this.#decider.prepare(requests, decision);
    const untouched: OpenRequest[] = [];
    const failures = new Map<string, UserError>();
    /** What refuses every request of the channel. */
    let refusal: UserError | null = null;
    let isStopped = false;
    const work = async (): Promise<void> => {
      for (let request = waiting.shift(); request; request = waiting.shift()) {
        if (isStopped) untouched.push(request);
        else if (refusal) {
          failures.set(request.id, refusal);
          untouched.push(request);
        } else {
          try {
            await this.#decider.decide(request, decision, deadline);
          } catch (error) {
            if (isUntouched(error)) untouched.push(request);
            const shown = shownOf(error, request.chatId, deadline);
            if (shown === null) {
              isStopped = true;
              throw error;
            }
            failures.set(request.id, shown);
            if (shown.code === "BOT_NOT_IN_CHANNEL" || shown.code === "BOT_PERMISSION_MISSING")
              refusal = shown;
          }
        }
      }
    };
    // The mutation is not answered while a call is on its way.
    const ended = await Promise.allSettled(Array.from({ length: CALLS }, work));
    await this.#decider.takeBack(untouched.concat(waiting));
    const failed = ended.find((end) => end.status === "rejected");
    if (failed) throw failed.reason;
    return failures;
  }

  /** @throws NotFoundError */
  async #load(ids: readonly string[]): Promise<JoinRequest[]> {
    const found = await Promise.all(ids.map((id) => this.#requests.find(id)));
    return found.map((request) => {
      if (!request) throw new NotFoundError("join request");
      return request;
    });
  }
}
