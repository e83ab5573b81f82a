import { AsyncLocalStorage } from "node:async_hooks";
import { type Logger, pino } from "pino";
import type { LogLevel } from "./config.js";
import { readDatabaseAddress } from "./databaseAddress.js";
import { terminalText } from "./terminalText.js";

export type { Logger } from "pino";

/** Turns a log entry into a readable line; undefined leaves the entry as JSON. */
export type LineFormat = (entry: object) => string | undefined;

export interface LogOptions {
  readonly level: LogLevel;
  /** Null for JSON lines. */
  readonly format: LineFormat | null;
  /** Every occurrence of one of these texts in a line is replaced by "[secret]". */
  readonly secrets: readonly string[];
  readonly write: (line: string) => void;
}

/** Shorter secrets are not hidden: such a text occurs by chance, and replacing it would garble the rest. */
const MIN_SECRET_LENGTH = 6;

/** The format for a terminal. Its library is loaded only when it is used. */
export async function readableLines(): Promise<LineFormat> {
  const { prettyFactory } = await import("pino-pretty");
  return prettyFactory({ colorize: false, ignore: "pid,hostname", translateTime: "SYS:HH:MM:ss.l" });
}

/** Makes a function that replaces every occurrence of a secret in a text by "[secret]". */
export function hiding(secrets: readonly string[]): (text: string) => string {
  const hidden = secrets
    .filter((secret) => secret.length >= MIN_SECRET_LENGTH)
    .sort((a, b) => b.length - a.length);
  return (text) => hidden.reduce((rest, secret) => rest.replaceAll(secret, "[secret]"), text);
}

/** Creates the log of the process: one line for each event, without secrets. */
export function createLog({ level, format, secrets, write }: LogOptions): Logger {
  const scrub = hiding(secrets);
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write: (line) => write(scrub(format ? terminalText(format(JSON.parse(line)) ?? line) : line)) },
  );
}

const requestLogs = new AsyncLocalStorage<Logger>();

/** Runs `work`, and lets logOfRequest() return `log` in everything that `work` starts, however late. */
export const runForRequest = (log: Logger, work: () => void): void => requestLogs.run(log, work);

/** The log of the current request. Undefined outside of a request, and if LOG_LEVEL does not include debug. */
export const logOfRequest = (): Logger | undefined => requestLogs.getStore();

/** Decodes percent-encoding; an invalid encoding is returned unchanged. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The user name and password of an address as they are written there; undefined if there are none. */
const credentialsOf = (text: string): string | undefined => /^[a-z]+:\/\/([^/?#]*:[^/?#]*)@/i.exec(text)?.[1];

/**
 * Every form in which a secret can occur in a text: as it is, encoded, and for a database address also its user name and
 * password. Empty for an empty or missing secret.
 */
export function secretForms(secret: string | null | undefined): string[] {
  if (secret === null || secret === undefined || secret === "") return [];
  const forms = [secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1)];
  const credentials = credentialsOf(secret);
  if (credentials !== undefined) forms.push(credentials, decoded(credentials));
  if (URL.canParse(secret)) {
    const { username, password } = new URL(secret);
    if (password !== "") forms.push(`${username}:${password}`, `${username}:${decoded(password)}`);
  }
  const connection = readDatabaseAddress(secret)?.connection;
  if (connection?.password !== undefined) {
    const { user = "", password } = connection;
    const parameter = /[?&](password=[^&#]*)/.exec(secret)?.[1] ?? `password=${password}`;
    forms.push(`${user}:${password}`, `password=${password}`, parameter);
  }
  return [...new Set(forms)];
}
