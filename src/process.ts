import { setFlagsFromString } from "node:v8";
import { type App, BotTokenRefusedError, startApp } from "./app.js";
import type { Config } from "./config.js";
import { FolderInUseError, FolderUnusableError } from "./database/folder.js";
import { ForeignDatabaseError } from "./database/installation.js";
import { DatabaseUnreachableError } from "./database/open.js";
import { createLog, readableLines, secretForms } from "./log.js";

/** How long requests under way may take to end, once the process was asked to. */
const DRAIN_MS = 25_000;
const ASKED_AGAIN_MS = 1000;

const REFUSALS = [
  FolderInUseError,
  FolderUnusableError,
  DatabaseUnreachableError,
  ForeignDatabaseError,
  BotTokenRefusedError,
];

const write = (line: string): void => {
  process.stdout.write(line);
};

/** What whoever started the server can put right, in one line; null for what they cannot. */
function refusalOf(error: unknown, { host, port }: Config): string | null {
  if (REFUSALS.some((kind) => error instanceof kind)) return (error as Error).message;
  switch ((error as NodeJS.ErrnoException).code) {
    case "EADDRINUSE":
      return `PORT: found ${port}, which another process listens on, not a free one (0 picks one)`;
    case "EACCES":
      return `PORT: found ${port}, which this user may not listen on, not one that is allowed`;
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return `HOST: found ${JSON.stringify(host)}, which is not this machine's, not an address to listen on`;
    default:
      return null;
  }
}

/**
 * What is said to whoever started the server. It is no log, and the one place that may show a token: in production,
 * where stdout is the log's alone, it goes to stderr.
 */
function greet(app: App, config: Config): void {
  const lines = [`invite-links is ready: ${app.url}${config.graphiql ? " (GraphiQL in a browser)" : ""}`];
  if (app.dashboardUrl !== null) lines.push(`The dashboard: ${app.dashboardUrl}`);
  if (app.tokenToShow !== null) {
    lines.push(`API token: ${app.tokenToShow}`);
    if (app.sandbox === null) lines.push("This token has the role ADMIN and is shown this once: keep it.");
  } else if (config.adminToken !== null) {
    lines.push("API token: the one in ADMIN_TOKEN");
  }
  if (app.sandbox !== null) {
    lines.push(
      "This is the sandbox, no real Telegram: set TELEGRAM_BOT_TOKEN to your bot's token for the real one.",
    );
  }
  const stream = config.production ? process.stderr : process.stdout;
  stream.write(`\n${lines.map((line) => `  ${line}\n`).join("")}\n`);
}

/** Becomes the server: starts it, and ends with it when asked to. */
export async function run(config: Config): Promise<void> {
  // While the young generation is small, at a start, V8 finds that most rows of what is asked then outlive it, and from
  // there on makes all rows in the old one: there they are not missed for long, and keep every text of theirs.
  setFlagsFromString("--no-allocation-site-pretenuring");
  const log = createLog({
    level: config.logLevel,
    format: process.stdout.isTTY === true && !config.production ? await readableLines() : null,
    secrets: [
      ...secretForms(config.telegram?.token),
      ...secretForms(config.adminToken),
      ...secretForms(config.databaseUrl),
      ...(config.telegram?.updates.mode === "webhook" ? secretForms(config.telegram.updates.secret) : []),
    ],
    write,
  });

  // Through the log, which hides what is secret; Node.js would print it as it stands.
  process.on("uncaughtException", (error) => {
    log.fatal({ err: error }, "the server ends, since something failed that nobody waited for");
    process.exit(1);
  });

  let app: App | undefined;
  let endingSince: number | undefined;

  async function end(signal: string): Promise<void> {
    if (endingSince !== undefined) {
      // A terminal's Ctrl-C comes twice below npm; asked again later, whoever asks does not want to wait.
      if (Date.now() - endingSince > ASKED_AGAIN_MS) process.exit(1);
      return;
    }
    endingSince = Date.now();
    log.info({ signal }, "ending: requests under way are answered first");
    setTimeout(() => {
      log.error("requests under way did not end in time");
      process.exit(1);
    }, DRAIN_MS).unref();
    await app?.stop();
    process.exit(0);
  }
  process.on("SIGTERM", end);
  process.on("SIGINT", end);

  try {
    app = await startApp(config, log);
    greet(app, config);
  } catch (error) {
    const reason = refusalOf(error, config);
    if (reason === null) log.fatal({ err: error }, "the server could not start");
    else process.stderr.write(`${reason}\n`);
    process.exit(1);
  }
}
