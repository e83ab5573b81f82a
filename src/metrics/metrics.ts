import { OperationTypeNode } from "graphql";
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import { TELEGRAM_STATES, type TelegramState } from "../background/telegramHealth.js";
import type { BatchEvent } from "../background/updates/intake.js";
import type { ReceiverStatus } from "../background/updates/updateReceiver.js";
import type { DatabasePool } from "../database/pools.js";
import type { StatementEvent } from "../database/statementEvents.js";
import type { ItemOutcome } from "../domain/links/batches/batchMaker.js";
import type { AttemptOutcome, QueueStatus } from "../domain/webhooks/deliveryQueue.js";
import type { OperationEvent } from "../graphql/pipeline/operation.js";
import { STREAM_CUTS, type StreamReport } from "../http/graphql/eventStreams.js";
import type { FinishedRequest } from "../http/server.js";
import type { CallEvent } from "../telegram/gateway.js";
import type { HoldSummary } from "../telegram/holds.js";
import { BoundedNames } from "./boundedNames.js";

/** The buckets of durations, in seconds. A mutation waits for Telegram for up to 15 s. */
const DURATIONS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20];
/** There are some three hundred names of statements, so their histograms are coarse. Seconds. */
const STATEMENT_DURATIONS = [0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10];
const MAX_OPERATION_NAMES = 200;
/** Updates in one batch: 100 at most by polling, 1,000 by webhook. */
const BATCH_SIZES = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1000];

/** Whether an operation was a subscription that began. Such an operation lasts until its client leaves, however fast it is. */
const isStream = (operation: OperationEvent | null): boolean =>
  operation?.executed === true && operation.type === OperationTypeNode.SUBSCRIPTION;

/** Values that are read at each scrape. */
export interface MetricsSources {
  readonly pool: DatabasePool["pool"];
  /** Where reads of the database go. */
  readonly readsFrom: () => "primary" | "replica" | "nowhere";
  readonly telegramState: () => TelegramState;
  /** Calls to Telegram that wait for a slot. */
  readonly waitingCalls: () => number;
  readonly holds: () => readonly HoldSummary[];
  /** Null while the server starts. */
  readonly receiver: () => ReceiverStatus | null;
  /** Null while the server starts. */
  readonly webhooks: () => QueueStatus | null;
  /** Batches of links that this server works on. */
  readonly runningBatches: () => number;
}

/**
 * The metrics of one server. Clients cannot cause many values of a label, and no label contains an id or a secret. Each
 * instance has its own registry, so that several servers can run in one process.
 */
export class Metrics {
  readonly registry = new Registry();
  readonly #operationNames = new BoundedNames(MAX_OPERATION_NAMES);
  readonly #requests = new Counter({
    name: "invite_links_http_requests_total",
    help: "Answered HTTP requests.",
    labelNames: ["route", "method", "status"],
    registers: [this.registry],
  });
  readonly #requestSeconds = new Histogram({
    name: "invite_links_http_request_duration_seconds",
    help: "Time from a request's head to the end of its answer, without health, metrics and subscriptions.",
    labelNames: ["route", "method"],
    buckets: DURATIONS,
    registers: [this.registry],
  });
  readonly #operations = new Counter({
    name: "invite_links_graphql_operations_total",
    help: "GraphQL operations. Outcome: ok, error (a mutation's typed errors too), or refused before execution (operation other).",
    labelNames: ["operation", "type", "outcome"],
    registers: [this.registry],
  });
  readonly #operationSeconds = new Histogram({
    name: "invite_links_graphql_operation_duration_seconds",
    help: "Parsing, validation and execution of executed queries and mutations.",
    labelNames: ["operation", "type"],
    buckets: DURATIONS,
    registers: [this.registry],
  });
  readonly #errors = new Counter({
    name: "invite_links_errors_total",
    help: "Errors in answers: those in GraphQL's errors lists, mutations' typed errors, and REST's errors.",
    labelNames: ["code"],
    registers: [this.registry],
  });
  readonly #statementSeconds = new Histogram({
    name: "invite_links_sql_statement_duration_seconds",
    help: "Successful SQL statements by name. Hand-written statements include the wait for a connection.",
    labelNames: ["statement"],
    buckets: STATEMENT_DURATIONS,
    registers: [this.registry],
  });
  readonly #callSeconds = new Histogram({
    name: "invite_links_telegram_call_duration_seconds",
    help: "Calls to Telegram.",
    labelNames: ["method", "outcome"],
    buckets: DURATIONS,
    registers: [this.registry],
  });
  readonly #updates = new Counter({
    name: "invite_links_updates_received_total",
    help: "Telegram's updates that were received and stored, by kind. Repeated ones are counted again.",
    labelNames: ["kind"],
    registers: [this.registry],
  });
  readonly #namelessUpdates = new Counter({
    name: "invite_links_updates_without_id_total",
    help: "Values without an update id that were received in place of an update and dropped.",
    registers: [this.registry],
  });
  readonly #repeatedUpdates = new Counter({
    name: "invite_links_updates_repeated_total",
    help: "Updates that came again after they had been stored.",
    registers: [this.registry],
  });
  readonly #setAsideUpdates = new Counter({
    name: "invite_links_updates_set_aside_total",
    help: "Updates that could not be understood or stored and were set aside.",
    registers: [this.registry],
  });
  readonly #linkBatchItems = new Counter({
    name: "invite_links_link_batch_items_total",
    help: "Links of batches whose creation ended, by outcome. A link that an administrator settles later is not counted again.",
    labelNames: ["outcome"],
    registers: [this.registry],
  });
  readonly #batches = new Counter({
    name: "invite_links_update_batches_total",
    help: "Transactions that stored updates. Outcome failed: nothing was stored, and the updates come again.",
    labelNames: ["outcome"],
    registers: [this.registry],
  });
  readonly #batchSize = new Histogram({
    name: "invite_links_update_batch_size",
    help: "Updates in one transaction.",
    buckets: BATCH_SIZES,
    registers: [this.registry],
  });
  readonly #batchSeconds = new Histogram({
    name: "invite_links_update_batch_duration_seconds",
    help: "Transactions that stored updates.",
    buckets: DURATIONS,
    registers: [this.registry],
  });

  readonly #openStreams = new Gauge({
    name: "invite_links_streams_open",
    help: "Event streams of subscriptions that are open.",
    registers: [this.registry],
  });
  readonly #cutStreams = new Counter({
    name: "invite_links_streams_cut_off_total",
    help: "Event streams that the server ended before their subscription was over: slow (the client did not read), revoked (the caller lost rights), shutdown, or database (it did not answer).",
    labelNames: ["reason"],
    registers: [this.registry],
  });
  readonly #webhookAttempts = new Counter({
    name: "invite_links_webhook_attempts_total",
    help: "Attempts of this server to deliver to webhooks. Outcome: delivered or failed.",
    labelNames: ["outcome"],
    registers: [this.registry],
  });

  constructor(sources: MetricsSources) {
    const { readsFrom, telegramState, waitingCalls, holds, receiver, webhooks, runningBatches } = sources;
    collectDefaultMetrics({ register: this.registry });
    for (const reason of STREAM_CUTS) this.#cutStreams.inc({ reason }, 0);
    this.#gauge(
      "invite_links_updates_lag_seconds",
      "How far storing updates lags behind on this server: the age of the oldest one not stored yet, or else of the last one when it was stored.",
      () => receiver()?.lagSeconds ?? 0,
    );
    this.#gauge(
      "invite_links_updates_set_aside",
      "Updates that are set aside in the whole installation, 1000 at most.",
      () => receiver()?.setAside ?? 0,
    );
    this.#gauge(
      "invite_links_update_gaps",
      "Known spans in which updates of all channels were missed.",
      () => receiver()?.gaps ?? 0,
    );
    this.#gauge("invite_links_updates_polling", "1 while this server polls for updates.", () =>
      receiver()?.isPolling ? 1 : 0,
    );
    this.#gauge(
      "invite_links_updates_conflict",
      "1 while somebody else receives the bot's updates (409).",
      () => (receiver()?.conflict ? 1 : 0),
    );
    this.#gauge(
      "invite_links_webhook_deliveries_waiting",
      "Deliveries of the whole installation that wait for their first attempt, 10000 at most.",
      () => webhooks()?.waiting ?? 0,
    );
    this.#gauge(
      "invite_links_webhook_lag_seconds",
      "How long the oldest delivery that waits for its first attempt has waited.",
      () => webhooks()?.lagSeconds ?? 0,
    );
    this.#gauge(
      "invite_links_telegram_waiting_calls",
      "Calls to Telegram that wait for a slot.",
      waitingCalls,
    );
    this.#gauge(
      "invite_links_link_batches_running",
      "Batches of links that this server works on.",
      runningBatches,
    );
    this.#stateGauge(
      "invite_links_database_reads",
      "1 for the server where reads of the database go: the primary or, while it is away, the replica.",
      "server",
      ["primary", "replica"],
      readsFrom,
    );
    this.#gauge(
      "invite_links_database_connections",
      "Connections to the database.",
      () => sources.pool.totalCount,
    );
    this.#gauge(
      "invite_links_database_idle_connections",
      "Connections that are not in use.",
      () => sources.pool.idleCount,
    );
    this.#gauge(
      "invite_links_database_waiting",
      "Transactions and statements that wait for a connection.",
      () => sources.pool.waitingCount,
    );
    new Gauge({
      name: "invite_links_telegram_hold_seconds",
      help: "Remaining pause of calls to Telegram after a 429: of a method in some chats, of a method, or of all calls (method all).",
      labelNames: ["scope", "method"],
      registers: [this.registry],
      collect() {
        this.reset();
        for (const { scope, method, seconds } of holds())
          this.set({ scope, method: method ?? "all" }, seconds);
      },
    });
    this.#stateGauge(
      "invite_links_telegram_state",
      "1 for the current state of Telegram, named as by /readyz.",
      "state",
      TELEGRAM_STATES,
      telegramState,
    );
  }

  readonly recordStatement = ({ name, milliseconds }: StatementEvent): void =>
    this.#statementSeconds.observe({ statement: name }, milliseconds / 1000);

  readonly recordCall = ({ method, failure, milliseconds }: CallEvent): void =>
    this.#callSeconds.observe({ method, outcome: failure?.kind ?? "ok" }, milliseconds / 1000);

  readonly recordBatch = ({ kinds, milliseconds, isStored }: BatchEvent): void => {
    this.#batches.inc({ outcome: isStored ? "stored" : "failed" });
    if (!isStored) return;
    this.#batchSize.observe(kinds.length);
    this.#batchSeconds.observe(milliseconds / 1000);
    for (const kind of kinds) this.#updates.inc({ kind });
  };

  readonly recordBatchItem = (outcome: ItemOutcome): void => this.#linkBatchItems.inc({ outcome });

  readonly recordNamelessUpdate = (): void => this.#namelessUpdates.inc();

  readonly recordRepeatedUpdates = (count: number): void => this.#repeatedUpdates.inc(count);

  readonly recordUpdatesSetAside = (count: number): void => this.#setAsideUpdates.inc(count);

  readonly streamReport: StreamReport = {
    onOpen: () => this.#openStreams.inc(),
    onClose: (cut) => {
      this.#openStreams.dec();
      if (cut !== null) this.#cutStreams.inc({ reason: cut });
    },
  };

  readonly recordWebhookAttempt = ({ isDelivered }: AttemptOutcome): void =>
    this.#webhookAttempts.inc({ outcome: isDelivered ? "delivered" : "failed" });

  readonly recordRequest = (request: FinishedRequest): void => {
    const { route, method, status, milliseconds, isProbe, operation, codes } = request;
    this.#requests.inc({ route, method, status });
    if (!isProbe && !isStream(operation))
      this.#requestSeconds.observe({ route, method }, milliseconds / 1000);
    if (operation) this.#recordOperation(operation);
    for (const code of codes) this.#errors.inc({ code });
  };

  #recordOperation(event: OperationEvent): void {
    const { executed, name, codes, milliseconds } = event;
    const type = event.type ?? "unknown";
    if (!executed) {
      // A client whose operations are not executed must not use up the bounded names.
      this.#operations.inc({ operation: "other", type, outcome: "refused" });
      return;
    }
    const operation = name === null ? "anonymous" : this.#operationNames.boundedOf(name);
    this.#operations.inc({ operation, type, outcome: codes.length === 0 ? "ok" : "error" });
    if (!isStream(event)) this.#operationSeconds.observe({ operation, type }, milliseconds / 1000);
  }

  /** A gauge that is 1 for the current one of some states, and 0 for the others. */
  #stateGauge<Label extends string>(
    name: string,
    help: string,
    label: Label,
    states: readonly string[],
    current: () => string,
  ): void {
    new Gauge<Label>({
      name,
      help,
      labelNames: [label],
      registers: [this.registry],
      collect() {
        const now = current();
        for (const state of states)
          this.set({ [label]: state } as Record<Label, string>, state === now ? 1 : 0);
      },
    });
  }

  #gauge(name: string, help: string, value: () => number): void {
    new Gauge({
      name,
      help,
      registers: [this.registry],
      collect() {
        this.set(value());
      },
    });
  }
}
