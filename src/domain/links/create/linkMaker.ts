import type { Database } from "../../../database/database.js";
import type { Logger } from "../../../log.js";
import { TelegramCallError, type TelegramFailure } from "../../../telegram/failures.js";
import type {
  Deadline,
  SendObserver,
  TelegramGateway,
  TelegramInviteLink,
} from "../../../telegram/gateway.js";
import type { FollowedChat } from "../../channels/followedChat.js";
import { storeStatusAfterFailure } from "../../channels/storeChannel.js";
import type { Caller } from "../../shared/caller.js";
import type { StorageGuard } from "../../shared/databaseErrors.js";
import type { PendingWork } from "../../shared/pendingWork.js";
import { SUBSCRIPTION_PERIOD_SECONDS } from "../inviteLink.js";
import { guardedSending, persistResult, waitBriefly } from "../persistResult.js";
import type { CreationIntents } from "./creationIntents.js";
import { type LinkSpec, storeCreatedLink } from "./storeCreatedLink.js";

export interface MakerServices {
  readonly database: Database;
  readonly gateway: TelegramGateway;
  readonly creationIntents: CreationIntents;
  readonly pendingWork: PendingWork;
  readonly storageGuard: StorageGuard;
}

/** A creation whose intent is stored: Telegram may be called now. */
export interface PreparedCreation {
  readonly creationId: string;
  readonly spec: LinkSpec;
  readonly deadline: Deadline;
  /** @throws DatabaseUnavailableError if storing the intent used up the time for the creation. */
  readonly requireTimeLeft: () => void;
  /** The intent's observer: CreationIntents.sendingOf, or one that wraps it. */
  readonly sending: SendObserver;
}

/** Carries out creation intents: calls Telegram and stores the link. */
export class LinkMaker {
  readonly #services: MakerServices;
  readonly #caller: Pick<Caller, "key" | "telegramUserId">;
  readonly #log: Logger;

  constructor(services: MakerServices, caller: Pick<Caller, "key" | "telegramUserId">, log: Logger) {
    this.#services = services;
    this.#caller = caller;
    this.#log = log;
  }

  /**
   * Asks Telegram to create a link, and begins to store it.
   * @returns `stored`, which resolves with the link's id when the link is stored, or rejects if it cannot be.
   * @throws TelegramCallError, after the intent was marked with how it ended; any other error if the call was not sent.
   */
  async make(creation: PreparedCreation, chat: FollowedChat): Promise<{ readonly stored: Promise<string> }> {
    const answer = await this.#askTelegram(creation, chat);
    return { stored: this.#persist(creation, chat, answer) };
  }

  /** Asks Telegram to create the link, and marks the intent as SENT before; where that fails, marks how the intent ended. */
  async #askTelegram(creation: PreparedCreation, chat: FollowedChat): Promise<TelegramInviteLink> {
    const { creationId, spec, deadline } = creation;
    const { creationIntents, database, storageGuard } = this.#services;
    const sending = guardedSending(creation.sending, storageGuard, deadline);
    try {
      creation.requireTimeLeft();
      return await chat.call((chatId) => this.#callTelegram(chatId, spec, deadline, sending));
    } catch (error) {
      if (!(error instanceof TelegramCallError)) {
        // The call was not sent: the database failed, or a chat migration could not be followed.
        await creationIntents.markFailed(creationId, "the server failed");
        throw error;
      }
      await this.#markFailure(creationId, error.failure);
      await waitBriefly(storeStatusAfterFailure(database, chat.id, error.failure));
      throw error;
    }
  }

  #callTelegram(
    chatId: number,
    { settings, subscriptionPrice }: LinkSpec,
    deadline: Deadline,
    sending: SendObserver,
  ): Promise<TelegramInviteLink> {
    const { gateway } = this.#services;
    if (subscriptionPrice === null) return gateway.createInviteLink(chatId, settings, deadline, sending);
    const link = {
      name: settings.name,
      price: subscriptionPrice,
      periodSeconds: SUBSCRIPTION_PERIOD_SECONDS,
    };
    return gateway.createSubscriptionInviteLink(chatId, link, deadline, sending);
  }

  async #markFailure(creationId: string, failure: TelegramFailure): Promise<void> {
    const { creationIntents } = this.#services;
    if (failure.kind === "unavailable" && failure.carriedOut === "maybe") {
      await creationIntents.markUncertain(creationId, failure.reason);
    } else {
      await creationIntents.markFailed(creationId, "reason" in failure ? failure.reason : failure.kind);
    }
  }

  /** Stores the link that Telegram has created, with retries. @returns the link's id, when it is stored. */
  #persist(
    { creationId, spec }: PreparedCreation,
    chat: FollowedChat,
    answer: TelegramInviteLink,
  ): Promise<string> {
    const { database, gateway, creationIntents, pendingWork, storageGuard } = this.#services;
    const created = {
      creationId,
      spec,
      answer,
      caller: this.#caller,
      creatorId: this.#caller.telegramUserId,
      botId: gateway.botId,
      createdAt: new Date(),
    };
    const result = {
      store: () => database.directTransaction((transaction) => storeCreatedLink(transaction, created)),
      // If the mark cannot be stored either, the intent stays SENT and is found abandoned, with the same outcome.
      giveUp: () => creationIntents.markUncertain(creationId, "the link could not be stored"),
      answer,
      about: { creationId, chatId: chat.id },
    };
    const stored = pendingWork.track(persistResult(result, this.#log, this.#services));
    storageGuard.trackStoring(stored);
    creationIntents.keepWhileStoring(creationId, stored);
    return stored;
  }
}
