import { setFlagsFromString } from "node:v8";
import { type App, BotTokenRefusedError, startApp } from "./app.js";
import type { Config } from "./config.js";
import { FolderInUseError, FolderUnusableError } from "./database/folder.js";
import { ForeignDatabaseError } from "./database/installation.js";
import { DatabaseUnreachableError, DatabaseUnusableError } from "./database/open.js";
import { greetingOf } from "./greeting.js";
import { createLog, readableLines, secretForms } from "./log.js";

/** How long the current requests may take to end after the listener has closed, in milliseconds. */
const DRAIN_MS = 25_000;
/** A second signal ends the process at once, but only if it comes this many milliseconds after the first. */
const SECOND_SIGNAL_MS = 1000;

/** Errors of the start whose message says what the operator must change. */
const OPERATOR_ERRORS = [
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

/** One line that says what the operator must change; null if the operator cannot do anything about the error. */
function adviceFor(error: unknown, { host, port }: Config): string | null {
  if (OPERATOR_ERRORS.some((kind) => error instanceof kind)) return (error as Error).message;
  switch ((error as NodeJS.ErrnoException).code) {
    case "EADDRINUSE":
      return `Port ${port} is already in use. Set PORT to another one, or to 0 to pick a free port.`;
    case "EACCES":
      return `This user may not listen on port ${port}. Set PORT to another one; ports above 1023 are usually allowed.`;
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return `HOST: ${JSON.stringify(host)} is not an address of this machine. Set HOST to one, such as 127.0.0.1, or to 0.0.0.0 for all.`;
    default:
      return null;
  }
}

/**
 * Turns this process into the server: starts the server, and exits when a signal asks for it.
 * @param secrets texts that must not reach the log
 */
export async function run(config: Config, secrets: readonly string[]): Promise<void> {
  // V8's young generation is small at the start, so most rows of the first queries outlive it. V8 would conclude that
  // rows live long and allocate all later ones in the old generation, where they and their texts stay until a full
  // garbage collection.
  setFlagsFromString("--no-allocation-site-pretenuring");
  // The server keeps running when the reader of its output ends, such as `head` or a terminal that is closed.
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});
  const isReadable = process.stdout.isTTY === true && !config.production;
  const log = createLog({
    level: config.logLevel,
    format: isReadable ? await readableLines() : null,
    secrets: secrets.flatMap(secretForms),
    write,
  });

  // The log hides secrets; Node.js itself would print the error as it is.
  process.on("uncaughtException", (error) => {
    log.fatal({ err: error }, "uncaught error, the server exits");
    process.exit(1);
  });

  let app: App | undefined;
  let endingSince: number | undefined;

  async function end(signal: string): Promise<void> {
    if (endingSince !== undefined) {
      // Below npm, one Ctrl-C arrives as two signals at once. A later one is from a user who does not want to wait.
      if (Date.now() - endingSince > SECOND_SIGNAL_MS) process.exit(1);
      return;
    }
    endingSince = Date.now();
    log.info({ signal }, "stopping: current requests are answered first");
    setTimeout(() => {
      log.error("some requests did not end in time, the server exits without answering them");
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
    const advice = adviceFor(error, config);
    if (advice === null) log.fatal({ err: error }, "the server could not start");
    else process.stderr.write(`${advice}\n`);
    process.exit(1);
  }
}
