import { AsyncLocalStorage } from "node:async_hooks";
import { type Logger, pino } from "pino";
import type { LogLevel } from "./config.js";
import { readDatabaseAddress } from "./databaseAddress.js";

export type { Logger } from "pino";

/** Makes a line of an entry; undefined where it knows nothing better than JSON. */
export type LineFormat = (entry: object) => string | undefined;

export interface LogOptions {
  readonly level: LogLevel;
  /** Null: JSON. */
  readonly format: LineFormat | null;
  /** Texts that must never be seen: each of their occurrences in a line is replaced, wherever it came from. */
  readonly secrets: readonly string[];
  readonly write: (line: string) => void;
}

/** A shorter text stands in lines for other things, and to replace it would break them. */
const SHORTEST_HIDDEN = 6;

/** Lines for people, on a terminal; what makes them is loaded only for that. */
export async function readableLines(): Promise<LineFormat> {
  const { prettyFactory } = await import("pino-pretty");
  return prettyFactory({ colorize: false, ignore: "pid,hostname", translateTime: "SYS:HH:MM:ss.l" });
}

/** The process's log, one line an event. Whatever is logged, a secret's text does not come out of it. */
export function createLog({ level, format, secrets, write }: LogOptions): Logger {
  const hidden = secrets
    .filter((secret) => secret.length >= SHORTEST_HIDDEN)
    .sort((a, b) => b.length - a.length);
  const scrub = (line: string) => hidden.reduce((text, secret) => text.replaceAll(secret, "[secret]"), line);
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write: (line) => write(scrub(format ? (format(JSON.parse(line)) ?? line) : line)) },
  );
}

const requestLogs = new AsyncLocalStorage<Logger>();

/** Runs `work`; whatever it does and starts, however late, is done for the request whose log this is. */
export const runForRequest = (log: Logger, work: () => void): void => requestLogs.run(log, work);

/** The log of the request for which this is done; undefined for what is done for none, or for one not followed. */
export const logOfRequest = (): Logger | undefined => requestLogs.getStore();

/** As it stands where it is not percent-encoded rightly. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The user's name and password as they stand before an address' host; undefined where there are none. */
const credentialsOf = (text: string): string | undefined => /^[a-z]+:\/\/([^/?#]*:[^/?#]*)@/i.exec(text)?.[1];

/** Every form in which a secret may turn up in a text, such as an address with the password in it. */
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
