import { lookup } from "node:dns/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { FastifyInstance } from "fastify";
import { firstToken, sandboxToken } from "./background/bootstrapTokens.js";
import { DatabaseHealth } from "./background/databaseHealth.js";
import { refusalOfToken, TelegramHealth } from "./background/telegramHealth.js";
import { DatabaseHolds } from "./background/telegramHolds.js";
import { type Config, dataFolder } from "./config.js";
import { createDatabase } from "./database/database.js";
import { claimDatabase } from "./database/installation.js";
import { openDatabase } from "./database/open.js";
import { announcePresence } from "./database/presence.js";
import { readinessProbe } from "./database/readinessProbe.js";
import { Authentication } from "./domain/access/authentication.js";
import { CallerCache } from "./domain/access/callerCache.js";
import { CreationIntents } from "./domain/links/create/creationIntents.js";
import { EditLocks } from "./domain/links/edit/editLocks.js";
import type { Domain } from "./domain/request.js";
import { troubleOf } from "./domain/shared/databaseErrors.js";
import { PendingWork } from "./domain/shared/pendingWork.js";
import { TagCache } from "./domain/tags/tagCache.js";
import { fastPaths } from "./fastPaths.js";
import { Operations } from "./graphql/pipeline/executeOperation.js";
import { addDashboard } from "./http/dashboard.js";
import { exampleQueries } from "./http/graphql/exampleQueries.js";
import { addGraphQL, GRAPHQL_PATH } from "./http/graphql/route.js";
import { addHealth } from "./http/health.js";
import { BearerTokens } from "./http/lifecycle/bearer.js";
import { readArrived } from "./http/lifecycle/drain.js";
import { addMetrics } from "./http/metrics.js";
import { addRest } from "./http/rest.js";
import { createServer } from "./http/server.js";
import { type Logger, logOfRequest } from "./log.js";
import { Metrics } from "./metrics/metrics.js";
import { exampleChannel, fillWithSample, readSample, type Sample, toSandbox } from "./sample.js";
import type { Sandbox } from "./sandbox/sandbox.js";
import { TelegramGateway } from "./telegram/gateway.js";
import { summarize } from "./telegram/holds.js";

/** The real Telegram does not know the bot token. */
export class BotTokenRefusedError extends Error {
  override readonly name = "BotTokenRefusedError";

  constructor(status: 401 | 404) {
    super(
      status === 401
        ? "TELEGRAM_BOT_TOKEN: found a token that Telegram does not accept, not a bot token that is valid"
        : "TELEGRAM_BOT_TOKEN or TELEGRAM_API_ROOT: found a token or an address that is answered with 404, not a bot token that is valid and the address of a Bot API server",
    );
  }
}

export interface App {
  /** Where it is to be reached, as a browser on this machine would. */
  readonly url: string;
  /** Where people look at it; null where the dashboard was not built. */
  readonly dashboardUrl: string | null;
  /** Null with a real bot. */
  readonly sandbox: Sandbox | null;
  /** A token to show to whoever started the server: the sandbox's own, or the very first with a real bot. */
  readonly tokenToShow: string | null;
  /** Serves on for SHUTDOWN_DELAY_MS while /readyz says 503; then takes no new requests, ends those under way, and closes every part in the opposite order of its start. */
  stop(): Promise<void>;
}

/** How long the start waits for Telegram to say whether it knows the token. */
const TOKEN_CHECK_MS = 5000;

/** Runs what was pushed, the last first; one that fails keeps none of the others from running. */
async function closeAll(closers: (() => Promise<void> | void)[], log: Logger): Promise<void> {
  for (const close of closers.reverse()) {
    try {
      await close();
    } catch (error) {
      log.error({ err: error }, "a part of the server did not end cleanly");
    }
  }
}

/** A local Telegram, loaded only where there is no other. */
async function startSandboxWith(sample: Sample, stateFile: string): Promise<Sandbox> {
  const { startSandbox } = await import("./sandbox/sandbox.js");
  return startSandbox({ stateFile, initial: toSandbox(sample, new Date()) });
}

/** What a browser on this machine would ask for. */
function addressOf(server: FastifyInstance, { host, port }: Config): string {
  const address = server.server.address();
  const shown = host === "0.0.0.0" ? "127.0.0.1" : host === "::" ? "::1" : host;
  const bound = typeof address === "object" && address ? address.port : port;
  return `http://${shown.includes(":") ? `[${shown}]` : shown}:${bound}`;
}

/**
 * Builds the server from its configuration, part by part, each with what it needs, and starts it.
 * @throws FolderInUseError, ForeignDatabaseError, BotTokenRefusedError, and what the database or the port say.
 */
export async function startApp(config: Config, log: Logger): Promise<App> {
  const closers: (() => Promise<void> | void)[] = [];
  try {
    return await start(config, log, closers);
  } catch (error) {
    await closeAll(closers, log);
    throw error;
  }
}

async function start(config: Config, log: Logger, closers: (() => Promise<void> | void)[]): Promise<App> {
  const { telegram: bot } = config;
  const folder = dataFolder(config);

  // While the database is away all connections break, which the line of the outage tells once for all.
  const brokeConnection =
    (message: string) =>
    (error: unknown): void => {
      databaseHealth?.noteFailure(error);
      const level = troubleOf(error) === null ? "warn" : "debug";
      log[level]({ err: error }, message);
    };
  let databaseHealth: DatabaseHealth | undefined;
  const { pool, migrations } = await openDatabase(
    { url: config.databaseUrl, directUrl: config.databaseDirectUrl, sessions: config.databasePool, folder },
    brokeConnection("a connection to the database broke"),
  );
  const health = new TelegramHealth(log, bot === null);
  const metrics = new Metrics({
    pool: pool.pool,
    telegramState: () => health.state,
    waitingCalls: () => gateway.waiting,
    // A scrape waits for nothing: calls and /readyz learn what other servers have stored.
    holds: () => summarize(gateway.knownHolds),
  });
  const database = createDatabase(pool, (event) => {
    metrics.noteStatement(event);
    (logOfRequest() ?? log).debug({ sql: event.text, ms: event.milliseconds }, "sql");
  });
  closers.push(() => database.close());
  if (migrations.length > 0) log.info({ migrations }, "migrations applied");
  await claimDatabase(database, bot?.botId ?? null);
  const presence = await announcePresence(
    pool,
    brokeConnection("the connection that shows this server's presence broke"),
  );
  closers.push(() => presence.leave());

  closers.push(() => health.stop());
  const sample = bot === null ? await readSample() : null;
  const sandbox = sample && (await startSandboxWith(sample, join(folder, "telegram.json")));
  if (sandbox) closers.push(() => sandbox.close());
  const target = sandbox
    ? { token: sandbox.bot.token, botId: sandbox.bot.id, apiRoot: sandbox.apiRoot }
    : bot;
  if (target === null) throw new Error("There is neither a bot nor the sandbox.");
  const gateway = new TelegramGateway({
    ...target,
    timeoutMs: config.telegramTimeoutMs,
    holdStore: new DatabaseHolds(database, (error) =>
      log.warn({ err: error }, "a hold of Telegram's could not be stored: other servers do not know of it"),
    ),
    onCall: (event) => {
      health.note(event);
      metrics.noteCall(event);
      const requestLog = logOfRequest() ?? log;
      if (event.answer === undefined) requestLog.debug(event, "telegram");
      else requestLog.warn(event, "Telegram answered with something else");
    },
  });
  const refused = bot === null ? null : await refusalOfToken(gateway, TOKEN_CHECK_MS);
  if (refused !== null) throw new BotTokenRefusedError(refused);
  health.watch(gateway);

  if (sample) await fillWithSample(database, sample, gateway.botId, new Date());
  const ownToken =
    sandbox && config.adminToken === null ? await sandboxToken(database, join(folder, "api-token")) : null;

  const underWay = new PendingWork();
  closers.push(() => underWay.drained());
  const storageGuard = new DatabaseHealth(readinessProbe(pool), log);
  databaseHealth = storageGuard;
  closers.push(() => storageGuard.stop());
  const creations = new CreationIntents(database, presence, gateway.botId, underWay);
  const uncertain = await creations.noteAbandoned();
  if (uncertain > 0)
    log.warn({ uncertain }, "nobody knows whether Telegram made some links: see uncertainCreations");
  const changes = new EditLocks(database, presence, underWay);
  const callerCache = new CallerCache({
    remembers: config.cache && fastPaths.callerCache,
    isShared: !pool.embedded,
  });
  const tagCache = new TagCache(config.cache && fastPaths.tagCache);
  const domain: Domain = {
    database,
    callerCache,
    tagCache,
    gateway,
    creations,
    changes,
    underWay,
    storageGuard,
  };
  const operations = new Operations({ domain, suggestions: !config.production });
  const authentication = new Authentication(
    database,
    callerCache,
    config.adminToken,
    brokeConnection("the use of a token could not be noted"),
  );

  const bearer = new BearerTokens(authentication);
  let stopping = false;
  const server = await createServer({
    log,
    trustProxy: config.trustProxy,
    isStopping: () => stopping,
    corsOrigins: config.corsOrigins,
    onFinished: metrics.noteRequest,
  });
  addHealth(server, {
    database: () => storageGuard.check(),
    telegram: () => health.state,
    updates: async () => ({ holds: summarize(await gateway.holds()) }),
    stopping: () => stopping,
  });
  addMetrics(server, metrics.registry);
  addGraphQL(server, {
    operations,
    bearer,
    graphiql: config.graphiql
      ? { sandboxToken: ownToken, examples: exampleQueries(sample && exampleChannel(sample)) }
      : null,
  });
  await addRest(server, { domain, bearer });
  const hasDashboard = await addDashboard(server, { sandboxToken: ownToken });
  storageGuard.watch();
  // Given the name localhost, Fastify opens a second server, which it closes without waiting for its requests.
  const { address: host } = await lookup(config.host, { order: "ipv4first" });
  await server.listen({ port: config.port, host });
  closers.push(() => server.close());

  // Last: a token that is made though nobody is shown it would lock everybody out.
  const first = sandbox || config.adminToken !== null ? null : await firstToken(database);
  return {
    url: `${addressOf(server, config)}${GRAPHQL_PATH}`,
    dashboardUrl: hasDashboard ? `${addressOf(server, config)}/` : null,
    sandbox,
    tokenToShow: ownToken ?? first,
    async stop() {
      stopping = true;
      await delay(config.shutdownDelayMs);
      await readArrived();
      await closeAll(closers.splice(0), log);
    },
  };
}
