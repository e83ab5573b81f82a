import { unavailabilityOf } from "../../database/failures.js";
import { PollerTermOverError } from "../../domain/members/ingestion.js";
import type { Logger } from "../../log.js";
import { type UpdateCalls, UpdatesCallError, type UpdatesFailure } from "../../telegram/updateCalls.js";
import type { UpdateIntake } from "./intake.js";
import { type Job, runJobs } from "./jobs.js";
import type { LeaseState, ReceiverLease } from "./lease.js";
import { GrowingPause, pause, within } from "./pause.js";
import { POLLER_TIMES, Poller, type PollerTimes } from "./poller.js";
import { type Webhook, WebhookRegistration } from "./webhookRegistration.js";

export type Transport = { readonly mode: "polling" | "off" } | ({ readonly mode: "webhook" } & Webhook);

/** How updates are received, for /readyz and the metrics. */
export interface ReceiverStatus {
  readonly transport: Transport["mode"];
  /** Whether this server polls. */
  readonly isPolling: boolean;
  /** The id of the server that polls; null if none does or updates come by webhook. */
  readonly pollingServer: string | null;
  /** How far storing lags behind on this server; null if it has received nothing. */
  readonly lagSeconds: number | null;
  /** Updates that are set aside in the whole installation, 1,000 at most. */
  readonly setAside: number;
  /** Known spans in which updates of all channels were missed. */
  readonly gaps: number;
  /** Whether this server was told that somebody else polls with the bot's token, or has registered a webhook. */
  readonly conflict: boolean;
}

/** Milliseconds. */
export interface ReceiverTimes extends PollerTimes {
  /** Between two renewals of the lease, and between two attempts to take it. */
  readonly renewMs: number;
  /** After so long without a renewal another server may have taken the lease. Not longer than the lease itself. */
  readonly leaseMs: number;
  /** Between two attempts while the database does not answer. */
  readonly databaseAgainMs: number;
  /** How long the start of the server waits until Telegram has been asked. */
  readonly startMs: number;
  /** A conflict counts as over after so long without a 409. */
  readonly conflictMs: number;
  /** Between two checks of the webhook. */
  readonly webhookCheckMs: number;
  /** Before the first run of the background jobs. */
  readonly firstJobMs: number;
}

export const RECEIVER_TIMES: ReceiverTimes = {
  ...POLLER_TIMES,
  renewMs: 3000,
  leaseMs: 9000,
  databaseAgainMs: 1000,
  startMs: 3000,
  conflictMs: 60_000,
  webhookCheckMs: 600_000,
  firstJobMs: 60_000,
};

export interface UpdateReceiverOptions {
  readonly transport: Transport;
  readonly lease: ReceiverLease;
  readonly calls: UpdateCalls;
  readonly intake: UpdateIntake;
  readonly log: Logger;
  /** Done by the server with the lease. A server that receives nothing does those that need no lease. */
  readonly jobs: readonly Job[];
  /** Called when an error shows that the database may be unavailable. */
  readonly onDatabaseError: (error: unknown) => void;
  readonly times?: Partial<ReceiverTimes>;
}

/** How long the end of a term waits for background jobs, in milliseconds. */
const JOBS_END_MS = 2000;
/** The longest time that a timer takes, in milliseconds. */
const FOREVER_MS = 2 ** 31 - 1;
const NEVER = new AbortController().signal;

const CONFLICTS = {
  otherPoller:
    "somebody else polls with the bot's token (409), so some updates go there: stop the other program, or give it a bot of its own",
  webhookActive:
    "a webhook was registered for the bot (409), so no updates come by polling: restart this server to remove the webhook, or set TELEGRAM_UPDATES to webhook",
} as const;

/**
 * Has Telegram send updates, and receives them if they come by polling. One server of an installation at a time holds the
 * lease: it polls, keeps the webhook registered, and runs the background jobs.
 */
export class UpdateReceiver {
  readonly #options: UpdateReceiverOptions;
  readonly #times: ReceiverTimes;
  readonly #stopped = new AbortController();
  readonly #registration: WebhookRegistration | null;
  #running: Promise<void> | undefined;
  #state: LeaseState | null = null;
  /** Of the webhook when this server started. A webhook with another hash belongs to a newer server. */
  #firstWebhookHash: Uint8Array | null = null;
  /** Whether this server has received an answer to getUpdates, which shows that there was no webhook. */
  #hasPolled = false;
  #isPolling = false;
  /** When Telegram last answered or, with a webhook, was last known to deliver; by performance.now(). */
  #askedAt: number | null = null;
  /** The latest 409, `at` by performance.now(). Null after it is over. */
  #conflict: { readonly kind: UpdatesFailure["kind"]; readonly at: number } | null = null;
  #isStoringBroken = false;
  #wake = (): void => {};
  #resolveAsked = (): void => {};
  /** Resolves when Telegram has been asked for updates. */
  readonly #asked = new Promise<void>((resolve) => {
    this.#resolveAsked = resolve;
  });

  constructor(options: UpdateReceiverOptions) {
    const { transport, calls, lease, log, times } = options;
    this.#options = options;
    this.#times = { ...RECEIVER_TIMES, ...times };
    this.#registration =
      transport.mode === "webhook" ? new WebhookRegistration(transport, calls, lease, log) : null;
  }

  get status(): ReceiverStatus {
    const { transport, intake } = this.#options;
    const state = this.#state;
    return {
      transport: transport.mode,
      isPolling: this.#isPolling,
      pollingServer: transport.mode === "polling" ? (state?.ownerId ?? null) : null,
      lagSeconds: intake.lagSeconds,
      setAside: state?.setAside ?? 0,
      gaps: state?.gaps ?? 0,
      conflict: this.#conflict !== null,
    };
  }

  /**
   * Begins to receive. Resolves when Telegram has been asked for updates by this server or another one, or else after
   * `startMs`: a Telegram that does not answer must not keep the server from starting.
   */
  async start(): Promise<void> {
    this.#running = this.#run();
    await within(this.#asked, this.#times.startMs, this.#stopped.signal);
  }

  /** Tries at once to take the lease, because another server has given it back. */
  wake(): void {
    this.#wake();
  }

  /** Ends polling, waits until the batch that is being stored is stored, and gives the lease back. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopped;
    const { transport, lease } = this.#options;
    await this.#untilDone(async () => {
      await lease.prepare();
      this.#state = await lease.read();
      this.#firstWebhookHash = this.#state.webhookHash;
    });
    const own = this.#registration === null ? Promise.resolve() : this.#register(this.#registration);
    // A server that receives nothing must not keep the lease from one that does.
    if (transport.mode === "off") await this.#watch();
    while (!signal.aborted) await this.#untilDone(() => this.#takeTurn());
    await own;
  }

  /** Repeats work that fails while the database does not answer. */
  async #untilDone(work: () => Promise<void>): Promise<void> {
    const { signal } = this.#stopped;
    while (!signal.aborted) {
      try {
        await work();
        return;
      } catch (error) {
        this.#recordDatabaseError(error);
        await pause(this.#times.databaseAgainMs, signal);
      }
    }
  }

  /** Keeps the status current and does what needs no lease. */
  async #watch(): Promise<void> {
    const { signal } = this.#stopped;
    this.#resolveAsked();
    const jobs = this.#options.jobs.filter(({ needsLease }) => !needsLease);
    const working = this.#runJobs(jobs, signal);
    while (!signal.aborted) {
      await this.#untilDone(async () => {
        this.#state = await this.#options.lease.read();
      });
      await pause(this.#times.renewMs, signal);
    }
    await within(working, JOBS_END_MS, NEVER);
  }

  #runJobs(jobs: readonly Job[], signal: AbortSignal): Promise<void> {
    return runJobs(jobs, this.#times.firstJobMs, signal, (job, error) => this.#jobFailed(job, error));
  }

  /** Tries to take the lease, and works with it until it is lost or the server stops. */
  async #takeTurn(): Promise<void> {
    const since = performance.now();
    const { lease } = this.#options;
    // The lease may be given back after it was read and before the answer is here.
    const woken = new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    const { term, state } = await lease.acquire();
    this.#state = term === null ? state : { ...state, ownerId: lease.serverId };
    if (term !== null) return this.#hold(term, since);
    // Another server has asked Telegram already. A webhook is registered by each server.
    if (state.ownerId !== null && this.#registration === null) this.#resolveAsked();
    await within(woken, this.#times.renewMs, this.#stopped.signal);
  }

  /** @param since when the lease was taken or before, by performance.now() */
  async #hold(term: number, since: number): Promise<void> {
    const { lease, transport, log, jobs } = this.#options;
    const ended = new AbortController();
    const end = () => ended.abort();
    const { signal } = this.#stopped;
    signal.addEventListener("abort", end, { once: true });
    if (signal.aborted) end();
    this.#askedAt = null;
    log.info(
      { transport: transport.mode, server: lease.serverId, term },
      "this server is the one that receives updates for the installation",
    );
    const receiving =
      transport.mode === "polling" ? this.#poll(term, ended.signal) : this.#checkWebhook(ended.signal);
    const renewing = this.#renew(term, since, ended.signal);
    const working = this.#runJobs(jobs, ended.signal);
    try {
      await Promise.race([renewing, receiving]);
    } finally {
      end();
      signal.removeEventListener("abort", end);
      await Promise.all([renewing, receiving]);
      // A job may wait for Telegram. It notices by itself that its time is over.
      await within(working, JOBS_END_MS, NEVER);
    }
    if (signal.aborted) await this.#release(term);
    else log.info({ term }, "this server does not receive updates any more: another one may");
  }

  /** Renews the lease. Resolves when it is lost, may be lost, or the signal is aborted. */
  async #renew(term: number, since: number, signal: AbortSignal): Promise<void> {
    const { lease } = this.#options;
    let heldSince = since;
    while (!signal.aborted) {
      await pause(this.#times.renewMs, signal);
      if (signal.aborted) return;
      const started = performance.now();
      const askedMsAgo = this.#askedAt === null ? null : started - this.#askedAt;
      const renewing = lease.renew(term, askedMsAgo).then(
        (isHeld) => (isHeld ? "held" : "lost"),
        (error: unknown) => {
          this.#recordDatabaseError(error);
          return "failed" as const;
        },
      );
      const outcome = await within(renewing, heldSince + this.#times.leaseMs - started, signal);
      if (outcome === "held") {
        heldSince = started;
        await within(this.#readState(lease.serverId), this.#times.renewMs, signal);
      } else if (outcome !== "failed" || performance.now() - heldSince >= this.#times.leaseMs) return;
    }
  }

  async #readState(ownerId: string): Promise<void> {
    try {
      this.#state = { ...(await this.#options.lease.read()), ownerId };
    } catch (error) {
      this.#recordDatabaseError(error);
    }
  }

  async #release(term: number): Promise<void> {
    try {
      await this.#options.lease.release(term);
    } catch (error) {
      // The lease runs out by itself.
      this.#recordDatabaseError(error);
    }
  }

  async #poll(term: number, signal: AbortSignal): Promise<void> {
    const { calls, intake } = this.#options;
    const host = {
      asked: () => this.#telegramAnswered(),
      failed: (failure: UpdatesFailure) => this.#pollFailed(failure),
      removeWebhook: (during: AbortSignal) => this.#removeWebhook(during),
      unexpected: (error: unknown) => this.#storingFailed(error),
    };
    this.#isPolling = true;
    try {
      await new Poller({ calls, intake, host, times: this.#times }, { term }).run(signal);
    } catch (error) {
      if (!(error instanceof PollerTermOverError))
        this.#options.log.error({ err: error }, "polling failed unexpectedly and begins anew");
    } finally {
      this.#isPolling = false;
      // Only a server that polls hears of a conflict.
      this.#conflict = null;
    }
  }

  #telegramAnswered(): void {
    const { log } = this.#options;
    this.#askedAt = performance.now();
    this.#hasPolled = true;
    this.#isStoringBroken = false;
    this.#resolveAsked();
    if (this.#conflict === null) return;
    // Two pollers end each other's polls in turn, so a success alone does not show that the other one has stopped.
    const { kind, at } = this.#conflict;
    if (kind === "otherPoller" && performance.now() - at < this.#times.conflictMs) return;
    this.#conflict = null;
    log.info("nobody else receives the bot's updates any more");
  }

  #pollFailed({ kind }: UpdatesFailure): void {
    if (kind !== "otherPoller" && kind !== "webhookActive") return;
    // A webhook that this server removes at once is no conflict.
    if (kind === "webhookActive" && this.#mayRemoveWebhook()) return;
    if (this.#conflict?.kind !== kind) this.#options.log.error(CONFLICTS[kind]);
    this.#conflict = { kind, at: performance.now() };
  }

  /** Only at the start: later, a webhook is one that somebody has just registered. */
  #mayRemoveWebhook(): boolean {
    const first = this.#firstWebhookHash;
    const now = this.#state?.webhookHash ?? null;
    const isSame = first === null || now === null ? first === now : Buffer.compare(first, now) === 0;
    return !this.#hasPolled && isSame;
  }

  async #removeWebhook(signal: AbortSignal): Promise<boolean> {
    const { calls, lease, log } = this.#options;
    if (!this.#mayRemoveWebhook()) return false;
    try {
      // A server with another configuration may have registered it a moment ago.
      this.#state = { ...(await lease.read()), ownerId: lease.serverId };
      if (!this.#mayRemoveWebhook()) return false;
      await calls.deleteWebhook(signal);
      await lease.storeWebhookHash(null);
      this.#firstWebhookHash = null;
      this.#state = { ...this.#state, webhookHash: null };
      log.warn("the bot's webhook was removed, because updates are received by polling. None was dropped");
      return true;
    } catch (error) {
      if (!(error instanceof UpdatesCallError)) this.#recordDatabaseError(error);
      return false;
    }
  }

  /** Registers the webhook at the start, however long that takes. */
  async #register(registration: WebhookRegistration): Promise<void> {
    const { signal } = this.#stopped;
    const pauses = new GrowingPause(this.#times.firstPauseMs, this.#times.longestPauseMs);
    while (!signal.aborted) {
      try {
        await registration.register(signal);
        this.#telegramAnswered();
        return;
      } catch (error) {
        await this.#webhookFailed(error, pauses, signal);
      }
    }
  }

  async #checkWebhook(signal: AbortSignal): Promise<void> {
    const pauses = new GrowingPause(this.#times.firstPauseMs, this.#times.longestPauseMs);
    while (!signal.aborted) {
      try {
        // The webhook is registered by #register; this only checks it.
        await Promise.race([this.#asked, pause(FOREVER_MS, signal)]);
        await this.#registration?.check(signal);
        this.#telegramAnswered();
        pauses.reset();
        await pause(this.#times.webhookCheckMs, signal);
      } catch (error) {
        await this.#webhookFailed(error, pauses, signal);
      }
    }
  }

  async #webhookFailed(error: unknown, pauses: GrowingPause, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    if (!(error instanceof UpdatesCallError)) {
      this.#recordDatabaseError(error);
      return pause(this.#times.databaseAgainMs, signal);
    }
    const { failure } = error;
    this.#options.log.warn({ failure }, "the webhook could not be registered and is tried again");
    return pause(
      failure.kind === "tooManyRequests" ? failure.retryAfterSeconds * 1000 : pauses.next(),
      signal,
    );
  }

  #jobFailed({ name }: Job, error: unknown): void {
    if (unavailabilityOf(error) === null)
      this.#options.log.error({ err: error, job: name }, "a background job failed");
    else this.#options.onDatabaseError(error);
  }

  #storingFailed(error: unknown): void {
    if (!this.#isStoringBroken)
      this.#options.log.error({ err: error }, "updates could not be stored and are tried again");
    this.#isStoringBroken = true;
  }

  #recordDatabaseError(error: unknown): void {
    if (this.#stopped.signal.aborted) return;
    if (unavailabilityOf(error) === null)
      this.#options.log.error({ err: error }, "the lease for receiving updates failed unexpectedly");
    else this.#options.onDatabaseError(error);
  }
}
