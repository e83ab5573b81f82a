import sql from "sql-template-tag";
import type { BackgroundSession } from "../../database/dedicatedSession.js";
import { TelegramCallError } from "../../telegram/failures.js";
import type { TelegramGateway } from "../../telegram/gateway.js";
import { pause } from "./pause.js";

/** How old a member count must be before it is asked again, in milliseconds. */
const MAX_AGE_MS = 600_000;
/** The pause between two calls. Calls for users must not have to wait behind these. */
const BETWEEN_MS = 1000;
/** Channels that are read from the database at once. */
const PORTION = 100;

export interface MemberCountsOptions {
  readonly session: BackgroundSession;
  readonly gateway: TelegramGateway;
  readonly betweenMs?: number;
}

/** Asks Telegram how many members each channel has, so that lost updates can be noticed. */
export class MemberCounts {
  readonly #session: BackgroundSession;
  readonly #gateway: TelegramGateway;
  readonly #betweenMs: number;
  /** When each channel was last asked in vain, by Date.now(). */
  readonly #failed = new Map<string, number>();

  constructor({ session, gateway, betweenMs = BETWEEN_MS }: MemberCountsOptions) {
    this.#session = session;
    this.#gateway = gateway;
    this.#betweenMs = betweenMs;
  }

  /** Asks for all channels with the bot in their chat whose count is older than ten minutes, those without one first. */
  async refresh(signal: AbortSignal): Promise<void> {
    const gateway = this.#gateway.forClient(signal);
    const tooOld = Date.now() - MAX_AGE_MS;
    for (const [id, at] of this.#failed) if (at < tooOld) this.#failed.delete(id);
    const channels = await this.#session.query<{ id: string; chatId: number }>(sql`
      select c.id, c.chat_id as "chatId" from channel c join channel_activity a on a.channel_id = c.id
      where c.bot_status in ('READY', 'MISSING_PERMISSION')
        and (a.member_count_at is null or a.member_count_at < now() - ${MAX_AGE_MS} * interval '1 millisecond')
        and c.id <> all (${[...this.#failed.keys()]}::uuid[])
      order by a.member_count_at nulls first, c.id limit ${PORTION}`);
    for (const { id, chatId } of channels) {
      // Calls of users are waiting, so the rest waits for the next time.
      if (signal.aborted || gateway.waiting > 0) return;
      try {
        await this.#store(id, await gateway.chatMemberCount(chatId, gateway.deadline()));
      } catch (error) {
        if (!(error instanceof TelegramCallError)) throw error;
        const { kind } = error.failure;
        // Nothing can be asked at the moment, for this channel or any other.
        if (kind === "tooManyRequests" || kind === "unavailable" || kind === "unauthorized") return;
        this.#failed.set(id, Date.now());
      }
      await pause(this.#betweenMs, signal);
    }
  }

  /** The balance that belongs to a count tells later how many joins and leaves were counted since. */
  async #store(channelId: string, count: number): Promise<void> {
    await this.#session.query(sql`
      update channel_activity set member_count = ${count}::int, member_count_at = now(),
        member_count_balance = join_count - leave_count,
        first_member_count = coalesce(first_member_count, ${count}::int),
        first_member_count_balance = coalesce(first_member_count_balance, join_count - leave_count)
      where channel_id = ${channelId}::uuid`);
  }
}
