import sql from "sql-template-tag";
import type { Database } from "../../database/database.js";
import type { Logger } from "../../log.js";
import { TelegramCallError, type TelegramFailure } from "../../telegram/failures.js";
import type { Deadline, TelegramGateway } from "../../telegram/gateway.js";
import type { CallerCache } from "../access/callerCache.js";
import { FollowedChat } from "../channels/followedChat.js";
import { storeStatusAfterFailure } from "../channels/storeChannel.js";
import { persistResult, waitBriefly, waitUntilDeadline } from "../links/persistResult.js";
import type { UpdateIngestion } from "../members/updateIngestion.js";
import type { Caller } from "../shared/caller.js";
import type { StorageGuard } from "../shared/databaseErrors.js";
import type { PendingWork } from "../shared/pendingWork.js";
import type { RequestOutcome } from "../stays/history.js";
import type { JoinRequest, JoinRequestDecision } from "./joinRequest.js";
import { storeOutcome } from "./storeOutcome.js";

export interface DeciderServices {
  readonly database: Database;
  readonly callerCache: CallerCache;
  readonly gateway: TelegramGateway;
  readonly ingestion: UpdateIngestion;
  readonly pendingWork: PendingWork;
  readonly storageGuard: StorageGuard;
}

/** A request that is to be decided. */
export type OpenRequest = Pick<JoinRequest, "id" | "chatId" | "userId"> & {
  /** The decision that Telegram was asked for before and whose answer was not stored; null for none. */
  readonly askedDecision: JoinRequestDecision | null;
};

type Outcome = RequestOutcome["outcome"];

const DONE = { APPROVE: "APPROVED", DECLINE: "DECLINED" } as const satisfies Record<
  JoinRequestDecision,
  Outcome
>;

/** What a refusal of Telegram's shows about a request; null if it shows nothing. */
function outcomeOf(
  failure: TelegramFailure,
  decision: JoinRequestDecision,
  askedDecision: JoinRequestDecision | null,
): Outcome | null {
  if (failure.kind === "alreadyMember") return decision === "APPROVE" ? "APPROVED" : "GONE";
  if (failure.kind !== "noRequest") return null;
  // The answer to a decline was lost. Telegram has carried it out, so it knows no request any more.
  return decision === "DECLINE" && askedDecision === "DECLINE" ? "DECLINED" : "GONE";
}

/** Decides requests to join in Telegram, and stores what Telegram answers. */
export class RequestDecider {
  readonly #services: DeciderServices;
  readonly #caller: Pick<Caller, "key" | "chatIds">;
  readonly #log: Logger;

  constructor(services: DeciderServices, caller: Pick<Caller, "key" | "chatIds">, log: Logger) {
    this.#services = services;
    this.#caller = caller;
    this.#log = log;
  }

  /**
   * Puts on record that Telegram is about to be asked, so that a decline whose answer is lost is recognized later.
   * @param requests of one channel
   */
  async willAsk(channelId: string, ids: readonly string[], decision: JoinRequestDecision): Promise<void> {
    await this.#services.database.query(sql`
      update join_request set asked_decision = ${decision}::join_request_decision
      where channel_id = ${channelId}::uuid and id = any(${ids}::uuid[]) and decision is null`);
  }

  /**
   * Decides a request. Resolves when Telegram's answer is stored, which may also be that it does not know the request any
   * more.
   * @throws TelegramCallError for any other refusal
   */
  async decide(request: OpenRequest, decision: JoinRequestDecision, deadline: Deadline): Promise<void> {
    const { gateway, database } = this.#services;
    const chat = new FollowedChat(this.#services, this.#caller, request.chatId);
    let outcome: Outcome = DONE[decision];
    try {
      // Nobody knows who an erased person was.
      if (request.userId < 0) outcome = "GONE";
      else await chat.call((chatId) => gateway.decideJoinRequest(chatId, request.userId, decision, deadline));
    } catch (error) {
      if (!(error instanceof TelegramCallError)) throw error;
      const shown = outcomeOf(error.failure, decision, request.askedDecision);
      if (shown === null) {
        await waitBriefly(storeStatusAfterFailure(database, chat.id, error.failure));
        throw error;
      }
      outcome = shown;
    }
    await waitUntilDeadline(this.record(request.id, outcome), deadline);
  }

  /** Stores how Telegram answered, with retries. */
  record(requestId: string, outcome: Outcome): Promise<void> {
    const { ingestion, pendingWork, storageGuard } = this.#services;
    const at = new Date().toISOString();
    const result = {
      store: () =>
        ingestion.change(async (transaction) => {
          const channelId = await storeOutcome(transaction, this.#caller, { requestId, outcome }, at);
          return channelId === null ? [] : [channelId];
        }),
      // The request stays as it is, and deciding it again shows what Telegram has done.
      giveUp: async () => {},
      answer: null,
      about: { joinRequestId: requestId },
    };
    const stored = pendingWork.track(persistResult(result, this.#log, storageGuard));
    storageGuard.trackStoring(stored);
    return stored;
  }
}
