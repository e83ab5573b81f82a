import type { Database } from "../../database/database.js";
import type { BackgroundSession } from "../../database/dedicatedSession.js";
import { statement } from "../../database/statement.js";
import type { CallerCache } from "../../domain/access/callerCache.js";
import { FollowedChat } from "../../domain/channels/followedChat.js";
import { TelegramCallError } from "../../telegram/failures.js";
import type { TelegramGateway } from "../../telegram/gateway.js";
import { pause } from "./pause.js";

/** How old a member count must be before it is asked again, in milliseconds. */
const MAX_AGE_MS = 600_000;
/** The pause between two calls. Calls for users must not have to wait behind these. */
const BETWEEN_MS = 1000;
/** Channels that are read from the database at once. */
const PORTION = 100;
/** After so many failures in a row, it is not the chats that fail. */
const FAILURES_IN_A_ROW = 3;
/** How long a failure is remembered, in milliseconds. */
const REMEMBERED_MS = 86_400_000;

/** A caller whose rights a chat migration does not change. */
const SERVER_CALLER = { chatIds: null };

export interface MemberCountsOptions {
  readonly session: BackgroundSession;
  readonly database: Database;
  readonly callerCache: CallerCache;
  readonly gateway: TelegramGateway;
  readonly betweenMs?: number;
}

/** Asks Telegram how many members each channel has, so that lost updates can be noticed. */
export class MemberCounts {
  readonly #session: BackgroundSession;
  readonly #shared: Pick<MemberCountsOptions, "database" | "callerCache">;
  readonly #gateway: TelegramGateway;
  readonly #betweenMs: number;
  /** When each channel was last asked in vain, by Date.now(). */
  readonly #failed = new Map<string, number>();

  constructor({ session, database, callerCache, gateway, betweenMs = BETWEEN_MS }: MemberCountsOptions) {
    this.#session = session;
    this.#shared = { database, callerCache };
    this.#gateway = gateway;
    this.#betweenMs = betweenMs;
  }

  /**
   * Asks for all channels with the bot in their chat that were not asked for ten minutes, those first that were asked
   * longest ago. A chat whose call fails waits like one that answered, so that it does not keep others from being asked.
   */
  async refresh(signal: AbortSignal): Promise<void> {
    const gateway = this.#gateway.forClient(signal);
    let failures = 0;
    for (const { id, chatId } of await this.#due()) {
      // Calls of users are waiting, so the rest waits for the next time.
      if (signal.aborted || gateway.waiting > 0) return;
      const chat = new FollowedChat(this.#shared, SERVER_CALLER, chatId);
      try {
        const count = await chat.call((id) => gateway.chatMemberCount(id, gateway.deadline()));
        await this.#store(chat.id, count);
        this.#failed.delete(id);
        failures = 0;
      } catch (error) {
        if (signal.aborted) return;
        const kind = error instanceof TelegramCallError ? error.failure.kind : null;
        if (kind === "unauthorized") return;
        this.#failed.set(id, Date.now());
        if (kind === null) throw error;
        // A 429 or a missing answer can concern this chat alone. Any other failure does.
        failures = kind === "tooManyRequests" || kind === "unavailable" ? failures + 1 : 0;
        if (failures === FAILURES_IN_A_ROW) return;
      }
      await pause(this.#betweenMs, signal);
    }
  }

  #due(): Promise<{ id: string; chatId: number }[]> {
    const now = Date.now();
    for (const [id, at] of this.#failed) if (at < now - REMEMBERED_MS) this.#failed.delete(id);
    const ago = [...this.#failed.values()].map((at) => now - at);
    return this.#session.query<{ id: string; chatId: number }>(statement("channel_member_counts_due")`
      select c.id, c.chat_id as "chatId" from channel c join channel_activity a on a.channel_id = c.id
        left join unnest(${[...this.#failed.keys()]}::uuid[], ${ago}::float8[]) as failed (id, ago) on failed.id = c.id
        cross join lateral (
          select greatest(a.member_count_at, now() - failed.ago * interval '1 millisecond') as at
        ) asked
      where c.bot_status in ('READY', 'MISSING_PERMISSION')
        and (asked.at is null or asked.at < now() - ${MAX_AGE_MS} * interval '1 millisecond')
      order by asked.at nulls first, c.id limit ${PORTION}`);
  }

  /** The balance that belongs to a count tells later how many joins and leaves were counted since. */
  async #store(chatId: number, count: number): Promise<void> {
    await this.#session.query(statement("channel_member_count_store")`
      update channel_activity a set member_count = ${count}::int, member_count_at = now(),
        member_count_balance = join_count - leave_count,
        first_member_count = coalesce(first_member_count, ${count}::int),
        first_member_count_balance = coalesce(first_member_count_balance, join_count - leave_count)
      from channel c where c.chat_id = ${chatId}::bigint and a.channel_id = c.id`);
  }
}
