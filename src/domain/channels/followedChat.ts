import type { Database } from "../../database/database.js";
import { TelegramCallError } from "../../telegram/failures.js";
import type { CallerCache } from "../access/callerCache.js";
import type { Caller } from "../shared/caller.js";
import { followMigration } from "./chatMigration.js";

/** A chat for calls to Telegram, which follows one chat migration. */
export class FollowedChat {
  readonly #shared: { readonly database: Database; readonly callerCache: CallerCache };
  readonly #caller: Pick<Caller, "chatIds">;
  #id: number;
  #followed = false;

  constructor(
    shared: { readonly database: Database; readonly callerCache: CallerCache },
    caller: Pick<Caller, "chatIds">,
    chatId: number,
  ) {
    this.#shared = shared;
    this.#caller = caller;
    this.#id = chatId;
  }

  /** The chat id, as far as it is known now. */
  get id(): number {
    return this.#id;
  }

  /** Sends a call with the chat id, and again with the new id after a chat migration. @throws TelegramCallError */
  async call<T>(send: (chatId: number) => Promise<T>): Promise<T> {
    try {
      return await send(this.#id);
    } catch (error) {
      if (!(error instanceof TelegramCallError) || error.failure.kind !== "migrated" || this.#followed)
        throw error;
      this.#followed = true;
      await followMigration(this.#shared, this.#caller, this.#id, error.failure.toChatId);
      this.#id = error.failure.toChatId;
      return this.call(send);
    }
  }
}
