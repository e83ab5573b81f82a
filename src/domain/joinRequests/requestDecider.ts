import type { Database } from "../../database/database.js";
import { unavailabilityOf } from "../../database/failures.js";
import { statement } from "../../database/statement.js";
import type { Logger } from "../../log.js";
import { TelegramCallError, type TelegramFailure } from "../../telegram/failures.js";
import type { Deadline, SendObserver, TelegramGateway } from "../../telegram/gateway.js";
import type { CallerCache } from "../access/callerCache.js";
import { FollowedChat } from "../channels/followedChat.js";
import { storeStatusAfterFailure } from "../channels/storeChannel.js";
import {
  guardedSending,
  persistResult,
  UNRECORDED,
  waitBriefly,
  waitUntilDeadline,
} from "../links/persistResult.js";
import type { UpdateIngestion } from "../members/updateIngestion.js";
import type { Caller } from "../shared/caller.js";
import type { StorageGuard } from "../shared/databaseErrors.js";
import type { PendingWork } from "../shared/pendingWork.js";
import type { RequestOutcome } from "../stays/history.js";
import type { JoinRequest, JoinRequestDecision } from "./joinRequest.js";
import { type Answer, storeOutcome } from "./storeOutcome.js";

export interface DeciderServices {
  readonly database: Database;
  readonly callerCache: CallerCache;
  readonly gateway: TelegramGateway;
  readonly ingestion: UpdateIngestion;
  readonly pendingWork: PendingWork;
  readonly storageGuard: StorageGuard;
}

/** A request that is to be decided. */
export type OpenRequest = Pick<JoinRequest, "id" | "channelId" | "chatId" | "userId"> & {
  /**
   * The row's version with the record of this ask to decline; null without a record of its own. The version changes when
   * somebody else asks.
   */
  readonly mark: string | null;
};

type Outcome = RequestOutcome["outcome"];

const DONE = { APPROVE: "APPROVED", DECLINE: "DECLINED" } as const satisfies Record<
  JoinRequestDecision,
  Outcome
>;

/** What a refusal of Telegram's shows about a request; null if it shows nothing. */
function answerOf(failure: TelegramFailure, decision: JoinRequestDecision): Answer | null {
  if (failure.kind === "alreadyMember") return decision === "APPROVE" ? "APPROVED" : "GONE";
  return failure.kind === "noRequest" ? "UNKNOWN" : null;
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
  readonly #sending: SendObserver = {
    ...UNRECORDED,
    beforeSend: async () => {
      this.#hasSent = true;
    },
  };
  #hasSent = false;

  constructor(services: DeciderServices, caller: Pick<Caller, "key" | "chatIds">, log: Logger) {
    this.#services = services;
    this.#caller = caller;
    this.#log = log;
  }

  /** Whether Telegram may have decided something. */
  get hasSent(): boolean {
    return this.#hasSent;
  }

  /**
   * Puts on record that Telegram is about to be asked to decline requests, so that a decline whose answer is lost is
   * recognized later. An approval needs no record: repeating it shows whether the person came in.
   * @param requests of one channel
   */
  async prepare(requests: readonly JoinRequest[], decision: JoinRequestDecision): Promise<OpenRequest[]> {
    const recorded = decision === "DECLINE" ? await this.#record(requests) : [];
    const marks = new Map(recorded.map(({ id, mark }) => [id, mark]));
    return requests.map(({ id, channelId, chatId, userId }) => {
      return { id, channelId, chatId, userId, mark: marks.get(id) ?? null };
    });
  }

  #record(requests: readonly JoinRequest[]): Promise<{ id: string; mark: string | null }[]> {
    return this.#services.database.query(statement("join_requests_record_decision")`
      with before as (
          select channel_id, id, asked_decision from join_request
          where channel_id = any(${requests.map(({ channelId }) => channelId)}::uuid[])
            and id = any(${requests.map(({ id }) => id)}::uuid[]) for update)
      update join_request r set asked_decision = 'DECLINE' from before
      where r.channel_id = before.channel_id and r.id = before.id and r.decision is null
      returning r.id,
        case when before.asked_decision is distinct from 'DECLINE' then r.xmin::text end as mark`);
  }

  /**
   * Takes the records of `prepare` back for requests of one channel that Telegram has not declined for certain, unless
   * somebody else has asked meanwhile. Never rejects: a record that stays does little harm.
   */
  async takeBack(requests: readonly OpenRequest[]): Promise<void> {
    const own = requests.filter(({ mark }) => mark !== null);
    const [first] = own;
    if (!first) return;
    // The channel may have been merged into another one, whose rows are new.
    const followed = this.#chat(first.chatId).id;
    try {
      await this.#services.database.query(statement("join_requests_take_back_decision")`
        update join_request r set asked_decision = null
        from unnest(${own.map(({ id }) => id)}::uuid[], ${own.map(({ mark }) => mark)}::text[]) as own (id, mark)
        where r.id = own.id and r.asked_decision = 'DECLINE' and (
          r.channel_id = ${first.channelId}::uuid and r.xmin::text = own.mark
          or r.channel_id <> ${first.channelId}::uuid
            and r.channel_id = (select id from channel where chat_id = ${followed}::bigint))`);
    } catch (error) {
      this.#services.storageGuard.recordFailure(error);
      if (unavailabilityOf(error) === null)
        this.#log.error(
          { err: error },
          "the record of declines that were not carried out could not be taken back",
        );
    }
  }

  /**
   * Decides a request. Resolves when Telegram's answer is stored, which may also be that it does not know the request any
   * more.
   * @throws TelegramCallError for any other refusal; DatabaseUnavailableError, before Telegram is asked, while nothing can be
   * stored; TelegramUnavailableError if the answer is not stored in time
   */
  async decide(request: OpenRequest, decision: JoinRequestDecision, deadline: Deadline): Promise<void> {
    const { gateway, database, storageGuard } = this.#services;
    const chat = this.#chat(request.chatId);
    const sending = guardedSending(this.#sending, storageGuard, deadline);
    let answer: Answer = DONE[decision];
    try {
      // Nobody knows who an erased person was.
      if (request.userId < 0) answer = "GONE";
      else
        await chat.call((chatId) =>
          gateway.decideJoinRequest(chatId, request.userId, decision, deadline, sending),
        );
    } catch (error) {
      if (!(error instanceof TelegramCallError)) throw error;
      const shown = answerOf(error.failure, decision);
      if (shown === null) {
        await waitBriefly(storeStatusAfterFailure(database, chat.id, error.failure));
        throw error;
      }
      answer = shown;
    }
    await waitUntilDeadline(this.record(request, answer), deadline);
  }

  /** One for all requests of a chat, so that they follow a chat migration together. */
  #chat(chatId: number): FollowedChat {
    const chat = this.#chats.get(chatId) ?? new FollowedChat(this.#services, this.#caller, chatId);
    this.#chats.set(chatId, chat);
    return chat;
  }

  /** Stores how Telegram answered, with retries. */
  record({ id, mark }: Pick<OpenRequest, "id" | "mark">, answer: Answer): Promise<void> {
    const { ingestion, pendingWork, storageGuard } = this.#services;
    const at = new Date().toISOString();
    const result = {
      store: () =>
        ingestion.change(async (transaction) => {
          const told = { requestId: id, answer, mark };
          const channelId = await storeOutcome(transaction, this.#caller, told, at);
          return channelId === null ? [] : [channelId];
        }),
      // The request stays as it is, and deciding it again shows what Telegram has done.
      giveUp: async () => {},
      answer: null,
      about: { joinRequestId: id },
    };
    const stored = pendingWork.track(persistResult(result, this.#log, this.#services));
    storageGuard.trackStoring(stored);
    return stored;
  }
}
