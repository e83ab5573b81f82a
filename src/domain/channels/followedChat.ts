import type { Database } from "../../database/database.js";
import { TelegramCallError } from "../../telegram/failures.js";
import type { CallerCache } from "../access/callerCache.js";
import type { Caller } from "../shared/caller.js";
import { followMigration } from "./chatMigration.js";

/** A chat for calls to Telegram, of which several may be on their way at once. It follows one chat migration. */
export class FollowedChat {
  readonly #shared: { readonly database: Database; readonly callerCache: CallerCache };
  readonly #caller: Pick<Caller, "chatIds">;
  #id: number;
  #following: Promise<void> | null = null;

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
    const sentTo = this.#id;
    try {
      return await send(sentTo);
    } catch (error) {
      if (!(error instanceof TelegramCallError) || error.failure.kind !== "migrated") throw error;
      this.#following ??= this.#follow(error.failure.toChatId);
      await this.#following;
      if (this.#id === sentTo) throw error;
      return await send(this.#id);
    }
  }

  async #follow(toChatId: number): Promise<void> {
    await followMigration(this.#shared, this.#caller, this.#id, toChatId);
    this.#id = toChatId;
  }
}
