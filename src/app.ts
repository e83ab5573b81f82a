import { lookup } from "node:dns/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { FastifyInstance } from "fastify";
import { firstToken, sandboxToken } from "./background/bootstrapTokens.js";
import { DatabaseHealth } from "./background/databaseHealth.js";
import { LinkBatchRunner } from "./background/linkBatches.js";
import { TelegramHealth, tokenRejection } from "./background/telegramHealth.js";
import { DatabaseHoldStore } from "./background/telegramHolds.js";
import type { UpdateReceiver } from "./background/updates/updateReceiver.js";
import { NameLookups } from "./background/webhooks/nameLookups.js";
import { ReceiverCalls } from "./background/webhooks/receiverCalls.js";
import { WebhookSender } from "./background/webhooks/webhookSender.js";
import { BATCH_DOCUMENTS } from "./batchDocuments.js";
import { type Config, dataFolder } from "./config.js";
import { checkReplica } from "./database/checks.js";
import { createDatabase, type Database } from "./database/database.js";
import { type BackgroundSession, backgroundSession } from "./database/dedicatedSession.js";
import { Failover } from "./database/failover.js";
import { failoverDatabase, failoverPool } from "./database/failoverDatabase.js";
import { unavailabilityOf } from "./database/failures.js";
import { markDatabaseOwner } from "./database/installation.js";
import { openDatabase } from "./database/open.js";
import { type DatabasePool, type ServerPool, serverPool } from "./database/pools.js";
import { announcePresence, type Presence, WORK_RELEASED } from "./database/presence.js";
import { type ReadinessProbe, readinessProbe } from "./database/readinessProbe.js";
import { connectionRefusal } from "./database/refusals.js";
import type { OnStatement } from "./database/statementEvents.js";
import { guardTransactions } from "./database/transactionGuard.js";
import { Authentication } from "./domain/access/authentication.js";
import { CallerCache } from "./domain/access/callerCache.js";
import { RateLimit } from "./domain/access/rateLimit.js";
import { rateLimitStore } from "./domain/access/rateLimitStore.js";
import { batchFeed } from "./domain/links/batches/batchFollower.js";
import { CreationIntents } from "./domain/links/create/creationIntents.js";
import { EditLocks } from "./domain/links/edit/editLocks.js";
import { EventFeed } from "./domain/live/eventFeed.js";
import { LinkFeed } from "./domain/live/linkFeed.js";
import { UpdateIngestion } from "./domain/members/updateIngestion.js";
import type { Domain } from "./domain/request.js";
import { PendingWork } from "./domain/shared/pendingWork.js";
import { TagCache } from "./domain/tags/tagCache.js";
import { DeliveryQueue } from "./domain/webhooks/deliveryQueue.js";
import { fastPaths } from "./fastPaths.js";
import { problemOf } from "./graphql/pipeline/documents.js";
import { Operations } from "./graphql/pipeline/executeOperation.js";
import {
  AutomaticDocuments,
  type PersistedDocuments,
  TrustedDocuments,
} from "./graphql/pipeline/persistedDocuments.js";
import { schema } from "./graphql/schema.js";
import { addDashboard, dashboardDocuments } from "./http/dashboard.js";
import { exampleQueries } from "./http/graphql/exampleQueries.js";
import { graphiqlDocuments } from "./http/graphql/graphiql.js";
import { addGraphQL, GRAPHQL_PATH } from "./http/graphql/route.js";
import { addHealth } from "./http/health.js";
import { BearerTokens } from "./http/lifecycle/bearer.js";
import { readArrived } from "./http/lifecycle/drain.js";
import { addMetrics } from "./http/metrics.js";
import { addRest } from "./http/rest.js";
import { createServer } from "./http/server.js";
import { type Logger, logOfRequest } from "./log.js";
import { Metrics } from "./metrics/metrics.js";
import { addWebhook, buildReception } from "./reception.js";
import { exampleChannel, fillWithSample, readSample, type Sample, toSandbox } from "./sample.js";
import { startSampleLife } from "./sampleLife.js";
import type { Sandbox } from "./sandbox/sandbox.js";
import { type CallEvent, TelegramGateway } from "./telegram/gateway.js";
import { summarize } from "./telegram/holds.js";
import { UpdateCalls } from "./telegram/updateCalls.js";
import type { Tracing } from "./tracing/tracing.js";
import { versionOfPackage } from "./version.js";

/** Telegram, or the server at TELEGRAM_API_ROOT, refuses the bot token. */
export class BotTokenRefusedError extends Error {
  override readonly name = "BotTokenRefusedError";

  constructor(status: 401 | 404) {
    super(
      status === 401
        ? "TELEGRAM_BOT_TOKEN: Telegram does not accept this token. Copy the bot's current token from @BotFather."
        : "TELEGRAM_BOT_TOKEN or TELEGRAM_API_ROOT: the address answers 404 for this token. Check that the token is the bot's current one, and that the address is that of a Bot API server.",
    );
  }
}

export interface App {
  /** The address of the GraphQL endpoint, for a browser on this machine. */
  readonly url: string;
  /** The address of the dashboard, for a browser on this machine; null if the dashboard was not built. */
  readonly dashboardUrl: string | null;
  /** Null with a real bot. */
  readonly sandbox: Sandbox | null;
  /**
   * An API token to show to the person who started the server: the sandbox's token, or the very first token of an
   * installation with a real bot. Null if there is none to show.
   */
  readonly tokenToShow: string | null;
  /**
   * Stops the server. For SHUTDOWN_DELAY_MS it still serves requests while /readyz answers 503. Then it accepts no new
   * requests, answers the current ones, and closes all parts in the reverse order of their start.
   */
  stop(): Promise<void>;
}

type Close = () => Promise<void> | void;

/** The input of every step of the start. */
interface Start {
  readonly config: Config;
  readonly log: Logger;
  /** How to close each part that has been started, in the order of the start. */
  readonly closers: Close[];
  readonly metrics: Metrics;
  /** Null: nothing is traced. */
  readonly tracing: Tracing | null;
  readonly connectionFailures: ConnectionFailures;
}

/** How long the start waits for Telegram to say whether it accepts the bot token, in milliseconds. */
const TOKEN_CHECK_MS = 5000;

/**
 * Starts the server.
 * @throws FolderInUseError, ForeignDatabaseError, BotTokenRefusedError, an error of the database, or an error of the
 * operating system about HOST or PORT. All parts that were started are closed before.
 */
export async function startApp(config: Config, log: Logger): Promise<App> {
  const closers: Close[] = [];
  try {
    return await start(config, log, closers);
  } catch (error) {
    await closeAll(closers, log);
    throw error;
  }
}

/** The whole start: open the database, connect Telegram, build the domain, mount the endpoints, listen. */
async function start(config: Config, log: Logger, closers: Close[]): Promise<App> {
  const connectionFailures = new ConnectionFailures(log);
  const tracing = await openTracing(config, log);
  if (tracing) closers.push(() => tracing.close());
  const primary = await openPool(config, log, connectionFailures);
  let failover: Failover | null = null;
  const telegramHealth = new TelegramHealth(log, config.telegram === null);
  let receiver: UpdateReceiver | null = null;
  let webhookSender: WebhookSender | null = null;
  let batches: LinkBatchRunner | null = null;
  const metrics = new Metrics({
    get pool() {
      return (failover?.current.pool ?? primary).pool;
    },
    readsFrom: () => failover?.readsFrom ?? "primary",
    telegramState: () => telegramHealth.state,
    waitingCalls: () => telegram.gateway.waiting,
    // A scrape does not wait for the database, so it shows the holds that this server knows of.
    holds: () => summarize(telegram.gateway.localHolds),
    receiver: () => receiver?.status ?? null,
    webhooks: () => webhookSender?.status ?? null,
    runningBatches: () => batches?.running ?? 0,
  });
  const context: Start = { config, log, closers, metrics, tracing, connectionFailures };

  const opened = await openWithReplica(context, primary);
  const { pool, database } = opened;
  failover = opened.failover;
  const presence = await registerServer(context, pool, database);
  // The sandbox's Telegram and the database begin with the same people, whose times are relative to the first start.
  const startedAt = new Date();
  const telegram = await connectTelegram(context, database, telegramHealth, startedAt);
  const { sandbox, sample, gateway, updateCalls } = telegram;
  const historyFrom = sample && (await fillWithSample(database, sample, gateway.botId, startedAt));
  const ownToken =
    sandbox && config.adminToken === null
      ? await sandboxToken(database, join(dataFolder(config), "api-token"))
      : null;

  const session = openBackgroundSession(context, pool);
  const { domain, databaseHealth, sender } = await buildDomain(context, {
    pool,
    database,
    probe: failover ?? readinessProbe(pool),
    requirePrimary: () => failover?.requirePrimary(),
    presence,
    gateway,
    session,
    onLinkBatch: () => batches?.wake(),
    onWorkReleased() {
      receiver?.wake();
      batches?.wake();
    },
  });
  if (historyFrom) await storeHistory(domain, sample, historyFrom);
  batches = new LinkBatchRunner({ ...domain, session, log, tracing, onItem: metrics.recordBatchItem });
  const reception = buildReception({
    config,
    log,
    metrics,
    tracing,
    domain,
    session,
    presence,
    updateCalls,
  });
  webhookSender = sender;
  receiver = reception.receiver;
  closers.push(() => reception.receiver.stop());
  let isStopping = false;
  const server = await createServer({
    log,
    trustProxy: config.trustProxy,
    isStopping: () => isStopping,
    corsOrigins: config.corsOrigins,
    onFinished: metrics.recordRequest,
    tracing,
  });
  addHealth(server, {
    database: () => databaseHealth.check(),
    isReadOnly: () => databaseHealth.isReadOnly,
    telegram: () => telegramHealth.state,
    updates: async () => ({ ...reception.receiver.status, holds: summarize(await gateway.holds()) }),
    stopping: () => isStopping,
  });
  addMetrics(server, metrics.registry);
  await addWebhook(server, reception);
  const hasDashboard = await mountFaces(context, server, { domain, sample, sandboxToken: ownToken });

  databaseHealth.watch();
  // Before any link can be made: Telegram sends no update of a kind that it was not asked for when it happened.
  await reception.receiver.start();
  const runner = batches;
  const stopBatches = () => runner.stop();
  // Once more after the last request, which may have added one.
  closers.push(stopBatches);
  await listen(context, server);
  if (sandbox && !config.isSandboxQuiet) closers.push(startSampleLife(sandbox.control));
  // Created last, because only the first start shows the token: if the start failed after this, it would never be seen.
  const firstApiToken = sandbox || config.adminToken !== null ? null : await firstToken(database);
  // Last of all, because a signal ends the process at once until the start is over. Another server would send again what
  // was being sent.
  sender.start();
  runner.start();
  return {
    url: `${addressOf(server, config)}${GRAPHQL_PATH}`,
    dashboardUrl: hasDashboard ? `${addressOf(server, config)}/` : null,
    sandbox,
    tokenToShow: ownToken ?? firstApiToken,
    async stop() {
      isStopping = true;
      // Another server goes on with the batches while this one still answers.
      await Promise.all([closeAll([stopBatches], log), delay(config.shutdownDelayMs)]);
      await readArrived(server);
      domain.pendingWork.stopSoon();
      await closeAll(closers.splice(0), log);
    },
  };
}

/** OpenTelemetry is loaded only if its variables are set. */
async function openTracing({ tracing }: Config, log: Logger): Promise<Tracing | null> {
  if (tracing === null) return null;
  const openTelemetry = await import("./tracing/openTelemetry.js");
  return openTelemetry.openTracing(tracing, versionOfPackage(), log);
}

/** Closes all parts, the last one first. A part that fails to close does not keep the others open. */
async function closeAll(closers: Close[], log: Logger): Promise<void> {
  for (const close of closers.reverse()) {
    try {
      await close();
    } catch (error) {
      log.error({ err: error }, "a part of the server failed to close");
    }
  }
}

/** Reports failures of database connections outside of requests. */
class ConnectionFailures {
  readonly #log: Logger;
  /** Null until the domain is built. */
  health: DatabaseHealth | null = null;

  constructor(log: Logger) {
    this.#log = log;
  }

  /** Makes a listener that logs each failure with `message`. */
  logAs(message: string): (error: unknown) => void {
    return (error) => {
      this.health?.recordFailure(error);
      // An outage breaks all connections. DatabaseHealth logs it once, so these lines are for debugging only.
      const level = unavailabilityOf(error) === null ? "warn" : "debug";
      this.#log[level]({ err: error }, message);
    };
  }
}

/** Opens the database and applies the migrations that it lacks. */
async function openPool(config: Config, log: Logger, failures: ConnectionFailures): Promise<DatabasePool> {
  const { pool, migrations } = await openDatabase(
    {
      url: config.databaseUrl,
      directUrl: config.databaseDirectUrl,
      sessions: config.databasePool,
      folder: dataFolder(config),
    },
    failures.logAs("a database connection failed"),
    (message) => log.warn(message),
  );
  if (migrations.length > 0) log.info({ count: migrations.length }, "migrations applied");
  return pool;
}

/** Counts each successful statement in the metrics, records each in its trace, and logs it for debugging. */
const reportOfStatements =
  ({ log, metrics, tracing }: Start): OnStatement =>
  (event) => {
    const { name, text, milliseconds, failure } = event;
    if (failure === null) metrics.recordStatement(event);
    tracing?.recordStatement(event);
    (logOfRequest() ?? log).debug(
      { statement: name, sql: text, ms: milliseconds, ...(failure !== null && { failure }) },
      "sql",
    );
  };

interface OpenedDatabase {
  readonly pool: DatabasePool;
  readonly database: Database;
  /** Null without a replica. */
  readonly failover: Failover | null;
}

/** Creates the database over the sessions of the primary and, if there is one, of its replica. */
async function openWithReplica(context: Start, primary: DatabasePool | ServerPool): Promise<OpenedDatabase> {
  const { config, log, closers, connectionFailures } = context;
  const onStatement = reportOfStatements(context);
  const guarded = (database: Database) => (config.production ? database : guardTransactions(database));
  const { databaseReplicaUrl, databasePool: sessions } = config;
  if (databaseReplicaUrl === null || !("suspend" in primary)) {
    const database = guarded(createDatabase(primary, onStatement));
    closers.push(() => database.close());
    return { pool: primary, database, failover: null };
  }
  const onError = connectionFailures.logAs("a connection of the replica failed");
  const failover = new Failover({
    primary,
    openReplica: (accept) => serverPool(databaseReplicaUrl, onError, { sessions, accept }),
    createDatabase: (pool) => createDatabase(pool, onStatement),
    onLost: (error) => connectionFailures.health?.recordFailure(error),
    onReplica(error) {
      if (error === null) log.info("the replica answers again");
      else {
        const { message: reason } = connectionRefusal(error, "DATABASE_REPLICA_URL");
        log.warn({ reason }, "the replica does not answer: nothing could be read if the primary went away");
      }
    },
  });
  const database = guarded(failoverDatabase(failover));
  closers.push(
    () => database.close(),
    () => failover.close(),
  );
  await checkReplica(databaseReplicaUrl);
  await failover.start();
  return { pool: failoverPool(failover, primary), database, failover };
}

/** Marks the database as this bot's or the sandbox's, and shows other servers that this one is alive. */
async function registerServer(
  { config, closers, connectionFailures }: Start,
  pool: DatabasePool,
  database: Database,
): Promise<Presence> {
  await markDatabaseOwner(database, config.telegram?.botId ?? null);
  const presence = await announcePresence(
    pool,
    connectionFailures.logAs("the database connection that shows this server's presence failed"),
  );
  closers.push(() => presence.leave());
  return presence;
}

/** The bot's connection to Telegram. `sandbox` and `sample` are null with a real bot. */
interface Telegram {
  readonly gateway: TelegramGateway;
  readonly updateCalls: UpdateCalls;
  readonly sandbox: Sandbox | null;
  readonly sample: Sample | null;
}

/** Starts the sandbox if there is no real bot, and connects the gateway to the sandbox or to Telegram. */
async function connectTelegram(
  { config, log, closers, metrics, tracing }: Start,
  database: Database,
  health: TelegramHealth,
  now: Date,
): Promise<Telegram> {
  closers.push(() => health.stop());
  const sample = config.telegram === null ? await readSample() : null;
  const sandbox = sample && (await startSandboxWith(sample, join(dataFolder(config), "telegram.json"), now));
  if (sandbox) closers.push(() => sandbox.close());
  const bot = sandbox
    ? {
        token: sandbox.bot.token,
        botId: sandbox.bot.id,
        apiRoot: sandbox.apiRoot,
        bot: { username: sandbox.bot.username, name: sandbox.bot.firstName },
      }
    : config.telegram;
  if (bot === null) throw new Error("There is neither a bot nor a sandbox.");
  const onCall = (event: CallEvent) => {
    health.record(event);
    metrics.recordCall(event);
    tracing?.recordCall({ ...event, apiRoot: bot.apiRoot });
    const requestLog = logOfRequest() ?? log;
    if (event.answer === undefined) requestLog.debug(event, "telegram");
    else requestLog.warn(event, "Telegram's answer has an unexpected form");
  };
  const gateway = new TelegramGateway({
    ...bot,
    timeoutMs: config.telegramTimeoutMs,
    holdStore: new DatabaseHoldStore(database, (error) =>
      log.warn({ err: error }, "a hold could not be stored, so other servers do not obey it yet"),
    ),
    onCall,
  });
  const refused = sandbox ? null : await tokenRejection(gateway, TOKEN_CHECK_MS);
  if (refused !== null) throw new BotTokenRefusedError(refused);
  health.watch(gateway);
  return { gateway, updateCalls: new UpdateCalls({ ...bot, onCall }), sandbox, sample };
}

/** The sandbox's code is loaded only when it is used. */
async function startSandboxWith(sample: Sample, stateFile: string, now: Date): Promise<Sandbox> {
  const { startSandbox } = await import("./sandbox/sandbox.js");
  const { sampleHistory } = await import("./sampleHistory.js");
  return startSandbox({ stateFile, initial: toSandbox(sample, now, sampleHistory(sample, now)) });
}

/** Stores what the sample's members did before the first start, as if Telegram had sent it. */
async function storeHistory({ ingestion }: Domain, sample: Sample, now: Date): Promise<void> {
  const { historyUpdates, sampleHistory } = await import("./sampleHistory.js");
  await ingestion.ingest(historyUpdates(sample, sampleHistory(sample, now)), null);
}

interface DomainParts {
  readonly pool: DatabasePool;
  readonly database: Database;
  readonly probe: ReadinessProbe;
  /** @throws while the primary is away and a replica answers reads */
  readonly requirePrimary: () => void;
  readonly presence: Presence;
  readonly gateway: TelegramGateway;
  readonly session: BackgroundSession;
  readonly onLinkBatch: () => void;
  /** Called when another server has given work back. */
  readonly onWorkReleased: () => void;
}

/** Builds the state that all requests share, and the sender of webhooks, which requests wake. */
async function buildDomain(
  { config, log, closers, metrics, tracing, connectionFailures }: Start,
  {
    pool,
    database,
    probe,
    requirePrimary,
    presence,
    gateway,
    session,
    onLinkBatch,
    onWorkReleased,
  }: DomainParts,
): Promise<{ domain: Domain; databaseHealth: DatabaseHealth; sender: WebhookSender }> {
  const pendingWork = new PendingWork();
  const databaseHealth = new DatabaseHealth(probe, log);
  connectionFailures.health = databaseHealth;
  closers.push(() => databaseHealth.stop());
  // What is stored now needs to know when the database is back.
  closers.push(() => pendingWork.drained());
  const creationIntents = new CreationIntents(database, presence, gateway.botId, pendingWork);
  await creationIntents.endAllAbandoned();
  const uncertain = await creationIntents.countUncertain();
  if (uncertain > 0) {
    log.warn(
      { uncertain },
      "it is not known whether Telegram created some links: an administrator settles them in uncertainCreations",
    );
  }
  const logFeed = connectionFailures.logAs("new member events could not be read for subscriptions");
  // A replica may lack what was sent to subscribers already.
  const followed: Pick<Database, "query"> = {
    async query(statement, use) {
      requirePrimary();
      return database.query(statement, use);
    },
  };
  const live = {
    events: new EventFeed(followed, logFeed),
    links: new LinkFeed(followed, logFeed),
    batches: batchFeed(followed),
  };
  const { lookUp } = new NameLookups();
  const sender = new WebhookSender({
    queue: new DeliveryQueue(session, database, presence),
    calls: new ReceiverCalls(config.webhookAllowPrivate, lookUp),
    log,
    onAttempt(event) {
      metrics.recordWebhookAttempt(event);
      tracing?.recordAttempt(event);
    },
    onDatabaseError: (error) => databaseHealth.recordFailure(error),
  });
  closers.push(() => sender.stop());
  const wakeSubscriptions = () => {
    live.events.wake();
    live.links.wake();
  };
  presence.onNotified((channel) => {
    if (channel === WORK_RELEASED) return onWorkReleased();
    wakeSubscriptions();
    sender.wake();
  });
  const domain: Domain = {
    database,
    live,
    serverId: presence.id,
    onLinkBatch,
    ingestion: new UpdateIngestion({
      database,
      botId: gateway.botId,
      notifies: !pool.embedded,
      onStored() {
        wakeSubscriptions();
        sender.wakeForEvents();
      },
      onRepeated: metrics.recordRepeatedUpdates,
      onSetAside(reasons) {
        metrics.recordUpdatesSetAside(reasons.length);
        log.warn({ reasons }, "updates were set aside, because they cannot be understood or stored");
      },
    }),
    callerCache: new CallerCache({
      remembers: config.cache && fastPaths.callerCache,
      isShared: !pool.embedded,
    }),
    tagCache: config.cache && fastPaths.tagCache ? new TagCache() : null,
    gateway,
    creationIntents,
    editLocks: new EditLocks(database, presence, pendingWork),
    pendingWork,
    storageGuard: databaseHealth,
    rateLimit:
      config.rateLimit === null
        ? null
        : new RateLimit(config.rateLimit, rateLimitStore(config.rateLimit, pool, databaseHealth)),
    webhooks: {
      allowPrivate: config.webhookAllowPrivate,
      resolve: lookUp,
      onChanged: () => sender.wake(),
    },
  };
  return { domain, databaseHealth, sender };
}

/** The session of the lease for updates and of the work beside requests. */
function openBackgroundSession(context: Start, pool: DatabasePool): BackgroundSession {
  const session = backgroundSession(pool, reportOfStatements(context));
  context.closers.push(() => session.close());
  return session;
}

interface FaceParts {
  readonly domain: Domain;
  /** Null with a real bot. */
  readonly sample: Sample | null;
  /** Shown to the user of this machine; null if there is none to show. */
  readonly sandboxToken: string | null;
}

/** The document by which the dashboard and GraphiQL ask whether a token is accepted. */
const PROBE = "{ __typename }";

/**
 * The trusted documents with those of the server's own clients, if there is a manifest of them.
 * @param examples the tabs of GraphiQL; null without GraphiQL
 */
function persistedDocuments(
  { trustedDocuments }: Config,
  log: Logger,
  examples: readonly string[] | null,
): PersistedDocuments {
  if (trustedDocuments === null) return new AutomaticDocuments();
  for (const [hash, text] of trustedDocuments) {
    const problem = problemOf(schema, text);
    if (problem !== null) log.warn({ hash, problem }, "a trusted document does not fit the schema");
  }
  return new TrustedDocuments(trustedDocuments, [
    PROBE,
    ...dashboardDocuments(),
    ...Object.values(BATCH_DOCUMENTS),
    ...(examples === null ? [] : graphiqlDocuments(examples)),
  ]);
}

/**
 * Mounts GraphQL, REST and the dashboard.
 * @returns whether the dashboard was built
 */
async function mountFaces(
  { config, log, metrics, tracing, connectionFailures }: Start,
  server: FastifyInstance,
  { domain, sample, sandboxToken }: FaceParts,
): Promise<boolean> {
  const authentication = new Authentication(
    domain.database,
    domain.callerCache,
    config.adminToken,
    connectionFailures.logAs("the time of an API token's last use could not be stored"),
  );
  const bearer = new BearerTokens(authentication);
  const hasDashboard = await addDashboard(server, { sandboxToken });
  const examples = config.graphiql ? exampleQueries(sample && exampleChannel(sample)) : null;
  addGraphQL(server, {
    operations: new Operations({
      domain,
      schema,
      suggestions: !config.production,
      persisted: persistedDocuments(config, log, examples),
      tracing,
    }),
    bearer,
    rateLimit: domain.rateLimit,
    streamReport: metrics.streamReport,
    graphiql: examples && { sandboxToken, hasDashboard, examples },
  });
  await addRest(server, { domain, bearer });
  return hasDashboard;
}

async function listen({ config, closers }: Start, server: FastifyInstance): Promise<void> {
  // For the name localhost Fastify would open a second listener, which it closes without waiting for its requests. So it
  // is given an address.
  const { address } = await lookup(config.host, { order: "ipv4first" });
  await server.listen({ port: config.port, host: address });
  closers.push(() => server.close());
}

/** The server's address for a browser on this machine. */
function addressOf(server: FastifyInstance, { host, port }: Config): string {
  const address = server.server.address();
  const shown = host === "0.0.0.0" ? "127.0.0.1" : host === "::" ? "::1" : host;
  const bound = typeof address === "object" && address ? address.port : port;
  return `http://${shown.includes(":") ? `[${shown}]` : shown}:${bound}`;
}
