import type { Logger } from "../../log.js";
import { TelegramCallError } from "../../telegram/failures.js";
import type { Deadline } from "../../telegram/gateway.js";
import { type Caller, requireRole } from "../shared/caller.js";
import { toUserError } from "../shared/databaseErrors.js";
import {
  NotFoundError,
  Problems,
  RateLimitedError,
  type UserError,
  ValidationError,
} from "../shared/errors.js";
import { parseIds } from "../shared/ids.js";
import { errorOfInquiry } from "../shared/userErrorOf.js";
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
  async decide({ ids: texts, decision }: DecideJoinRequestsInput): Promise<JoinRequestResult[]> {
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
    const failures =
      open.length === 0 ? new Map() : await this.#decideOpen(channelId, open, decision, deadline);
    this.#requests.forget(ids);
    const decided = await this.#load(ids);
    return decided.map((joinRequest, index) => ({
      joinRequest,
      error: settled(joinRequest, decision, index) ?? failures.get(joinRequest.id) ?? null,
    }));
  }

  /** @returns the errors of the requests that could not be decided, by id */
  async #decideOpen(
    channelId: string,
    requests: readonly JoinRequest[],
    decision: JoinRequestDecision,
    deadline: Deadline,
  ): Promise<Map<string, UserError>> {
    const waiting = await this.#decider.prepare(requests, decision);
    const untouched: OpenRequest[] = [];
    const failures = new Map<string, UserError>();
    /** What refuses every request of the channel. */
    let refusal: UserError | null = null;
    const work = async (): Promise<void> => {
      for (let request = waiting.shift(); request; request = waiting.shift()) {
        if (refusal) {
          failures.set(request.id, refusal);
          untouched.push(request);
          continue;
        }
        try {
          await this.#decider.decide(request, decision, deadline);
        } catch (error) {
          const shown = this.#shown(error, request.chatId, deadline);
          failures.set(request.id, shown);
          if (error instanceof TelegramCallError && isWithoutEffect(error)) untouched.push(request);
          if (shown.code === "BOT_NOT_IN_CHANNEL" || shown.code === "BOT_PERMISSION_MISSING") refusal = shown;
        }
      }
    };
    await Promise.all(Array.from({ length: CALLS }, work));
    if (decision === "DECLINE") await this.#decider.takeBack(channelId, untouched);
    return failures;
  }

  /** @throws what is no error of a caller */
  #shown(error: unknown, chatId: number, deadline: Deadline): UserError {
    const isUnsent =
      error instanceof TelegramCallError &&
      error.failure.kind === "unavailable" &&
      error.failure.carriedOut === "no";
    if (isUnsent && Date.now() >= deadline.at - 1000) return new RateLimitedError(AGAIN_SECONDS);
    const shown = toUserError(errorOfInquiry(error, chatId));
    if (shown === null) throw error;
    return shown;
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
