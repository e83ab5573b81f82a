import type { BackgroundSession } from "../../database/dedicatedSession.js";
import { unavailabilityOf } from "../../database/failures.js";
import { statement } from "../../database/statement.js";
import {
  type DeciderServices,
  type OpenRequest,
  RequestDecider,
} from "../../domain/joinRequests/requestDecider.js";
import { SERVER } from "../../domain/shared/audit.js";
import { DatabaseUnavailableError, UserError } from "../../domain/shared/errors.js";
import type { Logger } from "../../log.js";
import { TelegramCallError } from "../../telegram/failures.js";
import type { TelegramGateway } from "../../telegram/gateway.js";
import { runInBackground, type Tracing } from "../../tracing/tracing.js";
import { within } from "./pause.js";

/** Requests that are found by one look. */
const PORTION = 100;
/** Between two looks while approvals are on their way. */
const LOOK_MS = 500;
/** Channels in which requests are approved at the same time, so that one that hangs does not hold up the others. */
const CHANNELS = 4;
/** Calls to Telegram at the same time in one channel. */
const CALLS = 2;
/** The pause after Telegram or the database gave no usable answer, which says nothing about a request. */
const SHORT_PAUSE_MS = 5_000;
/** How long a request that Telegram rejects, or a channel in which the bot may not approve, is left alone. */
const FIRST_PAUSE_MS = 5_000;
const LONGEST_PAUSE_MS = 3_600_000;

interface Pause {
  /** By performance.now(). */
  readonly until: number;
  readonly milliseconds: number;
}

/** What is left alone for a while, by its id. */
class Pauses {
  readonly #byId = new Map<string, Pause>();

  /** What is left alone now. */
  get ids(): string[] {
    const now = performance.now();
    return [...this.#byId].flatMap(([id, { until }]) => (until > now ? [id] : []));
  }

  has(id: string): boolean {
    return (this.#byId.get(id)?.until ?? 0) > performance.now();
  }

  /** Begins a pause. */
  begin(id: string, milliseconds: number): void {
    this.#forgetOld();
    this.#byId.set(id, { until: performance.now() + milliseconds, milliseconds });
  }

  /** Begins a pause twice as long as the last one. */
  grow(id: string): void {
    const before = this.#byId.get(id)?.milliseconds ?? FIRST_PAUSE_MS / 2;
    this.begin(id, Math.min(LONGEST_PAUSE_MS, before * 2));
  }

  end(id: string): void {
    this.#byId.delete(id);
  }

  /** What was tried again without another failure within the longest pause is gone, or has been decided elsewhere. */
  #forgetOld(): void {
    const before = performance.now() - LONGEST_PAUSE_MS;
    for (const [id, { until }] of this.#byId) if (until < before) this.#byId.delete(id);
  }
}

export interface AutomaticApprovalsOptions extends DeciderServices {
  readonly session: BackgroundSession;
  readonly log: Logger;
  /** Default: approvals are not traced. */
  readonly tracing?: Tracing | null;
}

/** Approves the requests to join by links that have them approved by the server, each when its time has come. */
export class AutomaticApprovals {
  readonly #session: BackgroundSession;
  readonly #services: DeciderServices;
  readonly #log: Logger;
  readonly #tracing: Tracing | null;
  /** Requests that Telegram rejects. */
  readonly #rejected = new Pauses();
  /** Channels in which the bot may not approve. */
  readonly #forbidden = new Pauses();
  /** Channels in which Telegram asks to wait, or gave no usable answer. */
  readonly #resting = new Pauses();
  /** Until then nothing is approved, by performance.now(). */
  #pausedUntil = 0;

  constructor({ session, log, tracing = null, ...services }: AutomaticApprovalsOptions) {
    this.#session = session;
    this.#services = services;
    this.#log = log;
    this.#tracing = tracing;
  }

  /**
   * Approves what is due, and what becomes due in other channels meanwhile. A request whose approval fails is tried again
   * after a pause.
   */
  run(signal: AbortSignal): Promise<void> {
    // The end of a term waits only briefly for jobs.
    return this.#services.pendingWork.track(this.#run(signal));
  }

  async #run(signal: AbortSignal): Promise<void> {
    const gateway = this.#services.gateway.forClient(signal);
    const waiting: (readonly OpenRequest[])[] = [];
    /** Channels whose requests wait or are being approved. */
    const taken = new Set<string>();
    const workers = new Set<Promise<void>>();
    const work = async (): Promise<void> => {
      for (let requests = waiting.shift(); requests; requests = waiting.shift()) {
        await this.#approve([...requests], gateway, signal);
        for (const { channelId } of requests) taken.delete(channelId);
      }
    };
    try {
      do {
        for (const [channelId, requests] of await this.#look(taken)) {
          taken.add(channelId);
          waiting.push(requests);
          if (workers.size >= CHANNELS) continue;
          const worker = work().finally(() => workers.delete(worker));
          workers.add(worker);
        }
        await within(Promise.all(workers), LOOK_MS, signal);
      } while (workers.size > 0 && !signal.aborted);
    } finally {
      await Promise.all(workers);
    }
  }

  /** @param requests of one channel. Never rejects. */
  async #approve(requests: OpenRequest[], gateway: TelegramGateway, signal: AbortSignal): Promise<void> {
    const decider = new RequestDecider(
      { ...this.#services, gateway },
      { ...SERVER, chatIds: null },
      this.#log,
    );
    const work = async (): Promise<void> => {
      for (let request = requests.shift(); request && !signal.aborted; request = requests.shift()) {
        if (!this.#mayApprove(request)) return;
        const approve = () => decider.decide(request, "APPROVE", gateway.deadline());
        try {
          await runInBackground(this.#tracing, "approve request to join", approve);
          this.#rejected.end(request.id);
          this.#forbidden.end(request.channelId);
        } catch (error) {
          if (!signal.aborted) this.#failed(request, error);
        }
      }
    };
    await Promise.all(Array.from({ length: CALLS }, work));
  }

  /** Whether nothing is known that stands in the way of the requests of a channel. */
  #mayApprove({ channelId, chatId }: OpenRequest): boolean {
    const held = this.#services.gateway.approvalHoldLeft(chatId);
    if (held > 0) this.#resting.begin(channelId, held);
    return !this.#isPaused && !this.#resting.has(channelId) && !this.#forbidden.has(channelId);
  }

  get #isPaused(): boolean {
    return this.#pausedUntil > performance.now();
  }

  #pause(): void {
    this.#pausedUntil = performance.now() + SHORT_PAUSE_MS;
  }

  /** Only what is the request's own fault makes its pause grow. */
  #failed({ id, channelId, chatId }: OpenRequest, error: unknown): void {
    this.#services.storageGuard.recordFailure(error);
    if (error instanceof DatabaseUnavailableError || unavailabilityOf(error) !== null) {
      this.#pause();
      return;
    }
    if (!(error instanceof TelegramCallError)) {
      this.#rejected.grow(id);
      // An answer that was not stored in time has a log line of its own.
      if (!(error instanceof UserError))
        this.#log.error({ err: error, joinRequestId: id }, "an automatic approval failed");
      return;
    }
    const { failure } = error;
    switch (failure.kind) {
      case "notInChat":
      case "missingRights":
        this.#forbidden.grow(channelId);
        break;
      case "tooManyRequests": {
        const held = this.#services.gateway.approvalHoldLeft(chatId);
        this.#resting.begin(channelId, held || failure.retryAfterSeconds * 1000);
        break;
      }
      case "unavailable":
        // A call that was not even sent shows that no channel can be reached.
        if (failure.carriedOut === "no") this.#pause();
        else this.#resting.begin(channelId, SHORT_PAUSE_MS);
        break;
      case "unauthorized":
        this.#pause();
        break;
      default:
        this.#rejected.grow(id);
    }
    this.#log.warn({ joinRequestId: id, failure }, "a request to join could not be approved yet");
  }

  /** Looks for due requests in channels that are not `taken`. @returns them by channel */
  async #look(taken: ReadonlySet<string>): Promise<Map<string, OpenRequest[]>> {
    const byChannel = new Map<string, OpenRequest[]>();
    if (this.#isPaused || !this.#isWritable()) return byChannel;
    for (const request of await this.#due([...taken, ...this.#resting.ids])) {
      const { channelId } = request;
      byChannel.set(channelId, [...(byChannel.get(channelId) ?? []), request]);
      // Telegram has told that the bot may approve there again.
      if (this.#forbidden.has(channelId)) this.#forbidden.end(channelId);
    }
    return byChannel;
  }

  #isWritable(): boolean {
    try {
      this.#services.storageGuard.requireWritable();
      return true;
    } catch {
      return false;
    }
  }

  /**
   * The links with a policy are few, and few of them have a pending request; an index finds these requests. A channel is left
   * alone because the bot may not approve there, which its status says as well, until Telegram tells that it may again.
   * @param without channels that are left out
   */
  #due(without: readonly string[]): Promise<OpenRequest[]> {
    return this.#session.query<OpenRequest>(statement("join_requests_due_for_approval")`
      select r.id, r.channel_id as "channelId", c.chat_id as "chatId", r.user_id as "userId", null as mark
      from join_request_policy p
      join link_activity a on a.link_id = p.link_id and a.pending_join_request_count > 0
      join channel c on c.id = p.channel_id
      cross join lateral (
        select * from join_request r
        where r.channel_id = p.channel_id and r.link_id = p.link_id and r.state = 'PENDING'
          and r.requested_at <= now() - p.approve_after_seconds * interval '1 second'
          and r.id <> all(${this.#rejected.ids}::uuid[])
        order by r.requested_at limit ${PORTION} offset 0
      ) r
      where r.user_id > 0 and p.channel_id <> all(${without}::uuid[])
        and (c.bot_status = 'READY' or p.channel_id <> all(${this.#forbidden.ids}::uuid[]))
      order by r.requested_at + p.approve_after_seconds * interval '1 second' limit ${PORTION}`);
  }
}
