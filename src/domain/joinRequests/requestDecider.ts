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
  /** Whether Telegram was asked before to decline it, and may have done so: the answer was lost or not stored. */
  readonly isPerhapsDeclined: boolean;
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
  { isPerhapsDeclined }: OpenRequest,
): Outcome | null {
  if (failure.kind === "alreadyMember") return decision === "APPROVE" ? "APPROVED" : "GONE";
  if (failure.kind !== "noRequest") return null;
  // Telegram has carried out the decline whose answer was lost, so it knows no request any more.
  return isPerhapsDeclined ? "DECLINED" : "GONE";
}

/** Whether a call that failed has done nothing for certain. */
export const isWithoutEffect = ({ failure }: TelegramCallError): boolean =>
  failure.kind !== "unavailable" || failure.carriedOut === "no";

/** Decides requests to join in Telegram, and stores what Telegram answers. */
export class RequestDecider {
  readonly #services: DeciderServices;
  readonly #caller: Pick<Caller, "key" | "chatIds">;
  readonly #log: Logger;
  readonly #chats = new Map<number, FollowedChat>();

  constructor(services: DeciderServices, caller: Pick<Caller, "key" | "chatIds">, log: Logger) {
    this.#services = services;
    this.#caller = caller;
    this.#log = log;
  }

  /**
   * Puts on record that Telegram is about to be asked to decline requests, so that a decline whose answer is lost is
   * recognized later. An approval needs no record: repeating it shows whether the person came in.
   * @param requests of one channel
   */
  async prepare(requests: readonly JoinRequest[], decision: JoinRequestDecision): Promise<OpenRequest[]> {
    const isOne = sql`channel_id = any(${requests.map(({ channelId }) => channelId)}::uuid[])
      and id = any(${requests.map(({ id }) => id)}::uuid[])`;
    const asked = await this.#services.database.query<{ id: string }>(
      decision === "APPROVE"
        ? sql`select id from join_request where ${isOne} and asked_decision = 'DECLINE'`
        : sql`
          with before as (select channel_id, id, asked_decision from join_request where ${isOne} for update),
            recorded as (
              update join_request r set asked_decision = 'DECLINE' from before
              where r.channel_id = before.channel_id and r.id = before.id and r.decision is null)
          select id from before where asked_decision = 'DECLINE'`,
    );
    const perhapsDeclined = new Set(asked.map(({ id }) => id));
    return requests.map(({ id, chatId, userId }) => {
      return { id, chatId, userId, isPerhapsDeclined: perhapsDeclined.has(id) };
    });
  }

  /** Takes the record of `prepare` back for requests that Telegram has not declined for certain. */
  async takeBack(channelId: string, requests: readonly OpenRequest[]): Promise<void> {
    const ids = requests.flatMap(({ id, isPerhapsDeclined }) => (isPerhapsDeclined ? [] : [id]));
    if (ids.length === 0) return;
    await this.#services.database.query(sql`
      update join_request set asked_decision = null
      where channel_id = ${channelId}::uuid and id = any(${ids}::uuid[]) and asked_decision = 'DECLINE'`);
  }

  /**
   * Decides a request. Resolves when Telegram's answer is stored, which may also be that it does not know the request any
   * more.
   * @throws TelegramCallError for any other refusal
   */
  async decide(request: OpenRequest, decision: JoinRequestDecision, deadline: Deadline): Promise<void> {
    const { gateway, database } = this.#services;
    const chat = this.#chat(request.chatId);
    let outcome: Outcome = DONE[decision];
    try {
      // Nobody knows who an erased person was.
      if (request.userId < 0) outcome = "GONE";
      else await chat.call((chatId) => gateway.decideJoinRequest(chatId, request.userId, decision, deadline));
    } catch (error) {
      if (!(error instanceof TelegramCallError)) throw error;
      const shown = outcomeOf(error.failure, decision, request);
      if (shown === null) {
        await waitBriefly(storeStatusAfterFailure(database, chat.id, error.failure));
        throw error;
      }
      outcome = shown;
    }
    await waitUntilDeadline(this.record(request.id, outcome), deadline);
  }

  /** One for all requests of a chat, so that they follow a chat migration together. */
  #chat(chatId: number): FollowedChat {
    const chat = this.#chats.get(chatId) ?? new FollowedChat(this.#services, this.#caller, chatId);
    this.#chats.set(chatId, chat);
    return chat;
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
