import sql from "sql-template-tag";
import type { BackgroundSession } from "../../database/dedicatedSession.js";
import { unavailabilityOf } from "../../database/failures.js";
import {
  type DeciderServices,
  type OpenRequest,
  RequestDecider,
} from "../../domain/joinRequests/requestDecider.js";
import { SERVER } from "../../domain/shared/audit.js";
import type { Logger } from "../../log.js";
import { TelegramCallError } from "../../telegram/failures.js";

/** Requests that are approved in one run. */
const PORTION = 100;
/** Calls to Telegram at the same time. Calls for users must not have to wait behind many of these. */
const CALLS = 3;
/** How long a request, or a channel in which the bot may not approve, is left alone after a failure, in milliseconds. */
const FIRST_PAUSE_MS = 5_000;
const LONGEST_PAUSE_MS = 3_600_000;

interface Pause {
  /** By Date.now(). */
  readonly until: number;
  readonly milliseconds: number;
}

/** What is left alone for a while after a failure, by its id. */
class Pauses {
  readonly #byId = new Map<string, Pause>();

  get ids(): string[] {
    const now = Date.now();
    return [...this.#byId].flatMap(([id, { until }]) => (until > now ? [id] : []));
  }

  has(id: string): boolean {
    return (this.#byId.get(id)?.until ?? 0) > Date.now();
  }

  add(id: string, atLeastMs = 0): void {
    const before = this.#byId.get(id)?.milliseconds ?? FIRST_PAUSE_MS / 2;
    const milliseconds = Math.min(LONGEST_PAUSE_MS, before * 2);
    this.#byId.set(id, { until: Date.now() + Math.max(atLeastMs, milliseconds), milliseconds });
  }

  end(id: string): void {
    this.#byId.delete(id);
  }
}

export interface AutomaticApprovalsOptions extends DeciderServices {
  readonly session: BackgroundSession;
  readonly log: Logger;
}

/** Approves the requests to join by links that have them approved by the server, each when its time has come. */
export class AutomaticApprovals {
  readonly #session: BackgroundSession;
  readonly #services: DeciderServices;
  readonly #log: Logger;
  readonly #requestPauses = new Pauses();
  readonly #channelPauses = new Pauses();

  constructor({ session, log, ...services }: AutomaticApprovalsOptions) {
    this.#session = session;
    this.#services = services;
    this.#log = log;
  }

  /** Approves what is due. A request whose approval fails is tried again, after a pause that grows. */
  async run(signal: AbortSignal): Promise<void> {
    const due = await this.#due();
    if (due.length === 0) return;
    for (const { channelId } of due)
      if (this.#channelPauses.has(channelId)) this.#channelPauses.end(channelId);
    const gateway = this.#services.gateway.forClient(signal);
    const decider = new RequestDecider(
      { ...this.#services, gateway },
      { ...SERVER, chatIds: null },
      this.#log,
    );
    const work = async (): Promise<void> => {
      for (let request = due.shift(); request && !signal.aborted; request = due.shift()) {
        if (this.#channelPauses.has(request.channelId)) continue;
        try {
          await decider.decide(request, "APPROVE", gateway.deadline());
          this.#requestPauses.end(request.id);
          this.#channelPauses.end(request.channelId);
        } catch (error) {
          this.#failed(request, error, signal);
        }
      }
    };
    await Promise.all(Array.from({ length: CALLS }, work));
  }

  #failed({ id, channelId }: OpenRequest, error: unknown, signal: AbortSignal): void {
    if (signal.aborted) return;
    if (!(error instanceof TelegramCallError)) {
      this.#requestPauses.add(id);
      if (unavailabilityOf(error) === null)
        this.#log.error({ err: error, joinRequestId: id }, "an automatic approval failed");
      return;
    }
    const { failure } = error;
    if (failure.kind === "notInChat" || failure.kind === "missingRights") this.#channelPauses.add(channelId);
    else
      this.#requestPauses.add(id, failure.kind === "tooManyRequests" ? failure.retryAfterSeconds * 1000 : 0);
    this.#log.warn({ joinRequestId: id, failure }, "a request to join could not be approved yet");
  }

  /**
   * The links with a policy are few, and few of them have a pending request; an index finds these requests. A channel is left
   * alone because the bot may not approve there, which its status says as well, until Telegram tells that it may again.
   */
  #due(): Promise<OpenRequest[]> {
    return this.#session.query<OpenRequest>(sql`
      select r.id, r.channel_id as "channelId", c.chat_id as "chatId", r.user_id as "userId", null as mark
      from join_request_policy p
      join link_activity a on a.link_id = p.link_id and a.pending_join_request_count > 0
      join channel c on c.id = p.channel_id
      cross join lateral (
        select * from join_request r
        where r.channel_id = p.channel_id and r.link_id = p.link_id and r.state = 'PENDING'
          and r.requested_at <= now() - p.approve_after_seconds * interval '1 second'
          and r.id <> all(${this.#requestPauses.ids}::uuid[])
        order by r.requested_at limit ${PORTION} offset 0
      ) r
      where r.user_id > 0
        and (c.bot_status = 'READY' or p.channel_id <> all(${this.#channelPauses.ids}::uuid[]))
      order by r.requested_at + p.approve_after_seconds * interval '1 second' limit ${PORTION}`);
  }
}
