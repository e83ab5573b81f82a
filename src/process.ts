import { setFlagsFromString } from "node:v8";
import { type App, BotTokenRefusedError, startApp } from "./app.js";
import type { Config } from "./config.js";
import { FolderInUseError, FolderUnusableError } from "./database/folder.js";
import { ForeignDatabaseError } from "./database/installation.js";
import { DatabaseUnreachableError, DatabaseUnusableError } from "./database/open.js";
import { greetingOf } from "./greeting.js";
import { createLog, readableLines, secretForms } from "./log.js";

/** How long requests under way may take to end, once the listener closes. */
const DRAIN_MS = 25_000;
const ASKED_AGAIN_MS = 1000;

const REFUSALS = [
  FolderInUseError,
  FolderUnusableError,
  DatabaseUnreachableError,
  DatabaseUnusableError,
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

/** Becomes the server: starts it, and ends with it when asked to. */
export async function run(config: Config): Promise<void> {
  // While the young generation is small, at a start, V8 finds that most rows of what is asked then outlive it, and from
  // there on makes all rows in the old one: there they are not missed for long, and keep every text of theirs.
  setFlagsFromString("--no-allocation-site-pretenuring");
  // A reader that ends, as `head` does, or a terminal that was closed takes lines away, but not the server.
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});
  const isReadable = process.stdout.isTTY === true && !config.production;
  const log = createLog({
    level: config.logLevel,
    format: isReadable ? await readableLines() : null,
    secrets: [
      ...secretForms(config.telegram?.token),
      ...secretForms(config.adminToken),
      ...secretForms(config.databaseUrl),
      ...secretForms(config.databaseDirectUrl),
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
    }, config.shutdownDelayMs + DRAIN_MS).unref();
    await app?.stop();
    process.exit(0);
  }
  process.on("SIGTERM", end);
  process.on("SIGINT", end);
  process.on("SIGHUP", end);

  try {
    app = await startApp(config, log);
    write(greetingOf(app, config, isReadable));
  } catch (error) {
    const reason = refusalOf(error, config);
    if (reason === null) log.fatal({ err: error }, "the server could not start");
    else process.stderr.write(`${reason}\n`);
    process.exit(1);
  }
}
