import type { FastifyInstance } from "fastify";
import { AutomaticApprovals } from "./background/updates/automaticApprovals.js";
import { UpdateIntake } from "./background/updates/intake.js";
import type { Job } from "./background/updates/jobs.js";
import { ReceiverLease } from "./background/updates/lease.js";
import { MemberCounts } from "./background/updates/memberCounts.js";
import { RequestQueries } from "./background/updates/requestQueries.js";
import { type Transport, UpdateReceiver } from "./background/updates/updateReceiver.js";
import { UpdateNotStoredError, WebhookUpdates } from "./background/updates/webhookUpdates.js";
import type { Config } from "./config.js";
import type { BackgroundSession } from "./database/dedicatedSession.js";
import type { Presence } from "./database/presence.js";
import { pruneRateLimits } from "./domain/access/rateLimitStore.js";
import { checkUpdateGaps, pruneInbox } from "./domain/members/inbox.js";
import { OldPersons } from "./domain/members/oldPersons.js";
import type { Domain } from "./domain/request.js";
import { addTelegramWebhook } from "./http/telegramWebhook.js";
import type { Logger } from "./log.js";
import type { Metrics } from "./metrics/metrics.js";
import type { UpdateCalls } from "./telegram/updateCalls.js";
import { runInBackground, type Tracing } from "./tracing/tracing.js";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
/** Between two looks for requests to approve. An approval is later than its time by half of that on average. */
const APPROVALS_MS = 500;

export interface ReceptionParts {
  readonly config: Config;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly tracing: Tracing | null;
  readonly domain: Domain;
  readonly session: BackgroundSession;
  readonly presence: Presence;
  readonly updateCalls: UpdateCalls;
}

/** How Telegram's updates come in. */
export interface Reception {
  /** Must be stopped after the listener has closed, so that updates come in while the server drains. */
  readonly receiver: UpdateReceiver;
  readonly transport: Transport;
  readonly webhookUpdates: WebhookUpdates;
}

/** Builds what receives Telegram's updates, part of the composition in app.ts. The sandbox is always polled. */
export function buildReception(parts: ReceptionParts): Reception {
  const { config, log, metrics, tracing, domain, session, presence, updateCalls } = parts;
  const { gateway, ingestion, storageGuard } = domain;
  const queries = new RequestQueries(domain, log);
  let isNamelessLogged = false;
  const intake = new UpdateIntake({
    ingestion: {
      ingest: (updates, term) =>
        runInBackground(tracing, "store updates", () => ingestion.ingest(updates, term)),
    },
    onBatch: metrics.recordBatch,
    onArrived: (updates, stored) => queries.answer(updates, stored),
    onNameless() {
      metrics.recordNamelessUpdate();
      if (!isNamelessLogged) log.warn("Telegram sent something without an update id, which is dropped");
      isNamelessLogged = true;
    },
  });
  const transport: Transport = config.telegram?.updates ?? { mode: "polling" };
  const receiver = new UpdateReceiver({
    transport,
    lease: new ReceiverLease(session, gateway.botId, presence),
    calls: updateCalls,
    intake,
    log,
    jobs: backgroundJobs(parts),
    onDatabaseError: (error) => storageGuard.recordFailure(error),
  });
  return { receiver, transport, webhookUpdates: new WebhookUpdates({ intake, storageGuard }) };
}

/** The work that the server with the lease does beside receiving updates. */
function backgroundJobs({ config, log, tracing, domain, session }: ReceptionParts): readonly Job[] {
  const { database, callerCache, gateway } = domain;
  const { eventsKeptDays } = config;
  const memberCounts = new MemberCounts({ session, database, callerCache, gateway });
  const oldPersons = new OldPersons(database);
  const approvals = new AutomaticApprovals({ ...domain, session, log, tracing });
  // Traces each approval, since most of its looks find nothing.
  const approve: Job = {
    name: "approve requests to join",
    everyMs: APPROVALS_MS,
    needsLease: true,
    run: (signal) => approvals.run(signal),
  };
  const others: readonly Job[] = [
    {
      name: "ask for member counts",
      everyMs: MINUTE_MS,
      needsLease: true,
      run: (signal) => memberCounts.refresh(signal),
    },
    {
      name: "look for missing updates",
      everyMs: MINUTE_MS,
      needsLease: true,
      run: () => checkUpdateGaps(database, gateway.botId),
    },
    { name: "delete old updates", everyMs: HOUR_MS, needsLease: false, run: () => pruneInbox(database) },
    {
      name: "delete old rate limits",
      everyMs: HOUR_MS,
      needsLease: false,
      run: () => pruneRateLimits(database),
    },
    ...(eventsKeptDays === null
      ? []
      : [
          {
            name: "forget the persons of old events",
            everyMs: MINUTE_MS,
            needsLease: false,
            run: () => oldPersons.forget(eventsKeptDays),
          },
        ]),
  ];
  const traced = others.map((job) => ({
    ...job,
    run: (signal: AbortSignal) => runInBackground(tracing, job.name, () => job.run(signal)),
  }));
  return [approve, ...traced];
}

/** Adds the address that Telegram calls, which exists only where updates come by webhook. */
export async function addWebhook(
  server: FastifyInstance,
  { transport, webhookUpdates }: Reception,
): Promise<void> {
  if (transport.mode !== "webhook") return;
  await addTelegramWebhook(server, {
    secret: transport.secret,
    receive: (update) => webhookUpdates.receive(update),
    isTemporary: (error) => error instanceof UpdateNotStoredError,
  });
}
