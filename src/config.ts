import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import { join, resolve } from "node:path";
import * as z from "zod";
import { readDatabaseAddress } from "./databaseAddress.js";
import { httpUrl, integer, readVariables, secretsIn, type ValuesOf, type Variable } from "./environment.js";
import { readTracingConfig, TRACING_VARIABLES, type TracingConfig } from "./tracing/config.js";

/** The environment is not acceptable. Each problem is one line and contains no secret. */
export class ConfigurationError extends Error {
  override readonly name = "ConfigurationError";
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join("\n"));
    this.problems = problems;
  }
}

export type UpdatesMode = "polling" | "webhook" | "off";
export const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export interface TelegramConfig {
  readonly token: string;
  /** The number before the colon of the token. */
  readonly botId: number;
  /** Ends in "/", because Telegraf drops the last part of a path without it. */
  readonly apiRoot: string;
  readonly updates:
    | { readonly mode: "polling" | "off" }
    | { readonly mode: "webhook"; readonly url: string; readonly secret: string };
}

export interface Config {
  readonly production: boolean;
  readonly host: string;
  readonly port: number;
  /** Null for the embedded database in dataDir. */
  readonly databaseUrl: string | null;
  /** The same database without a pooler, for migrations, presence and readiness. Null if databaseUrl serves for them too. */
  readonly databaseDirectUrl: string | null;
  /** A streaming replica that answers reads while the primary is away; null for none. */
  readonly databaseReplicaUrl: string | null;
  /** The most database sessions that requests may use. */
  readonly databasePool: number;
  readonly dataDir: string;
  /** Null for the sandbox. */
  readonly telegram: TelegramConfig | null;
  /** Whether nobody comes and leaves in the sandbox by themselves. */
  readonly isSandboxQuiet: boolean;
  /** How long one call to Telegram may take, in milliseconds. */
  readonly telegramTimeoutMs: number;
  /** An API token that always works and has the role ADMIN; null if none is configured. */
  readonly adminToken: string | null;
  readonly graphiql: boolean;
  readonly corsOrigins: readonly string[];
  /** Addresses and networks of the proxies whose X-Forwarded-For is trusted. */
  readonly trustProxy: readonly string[];
  /** How long requests are still served after the signal to stop, in milliseconds. */
  readonly shutdownDelayMs: number;
  readonly logLevel: LogLevel;
  /** Whether the tag cache and the caller cache are used. */
  readonly cache: boolean;
  /** After how many days the persons of member events and ended memberships are forgotten; null for never. */
  readonly eventsKeptDays: number | null;
  /** Whether webhooks may lead to http:// and to private addresses. */
  readonly webhookAllowPrivate: boolean;
  /** The only GraphQL documents that clients may execute, by their hashes; null if they may execute any. */
  readonly trustedDocuments: ReadonlyMap<string, string> | null;
  /** The cost that an API token may spend in a minute; null for no limit. */
  readonly rateLimit: number | null;
  /** Null: nothing is traced. */
  readonly tracing: TracingConfig | null;
}

const origin = z
  .string()
  .refine((text) => URL.canParse(text) && /^https?:/.test(text) && new URL(text).origin === text);

/** A comma-separated list; empty parts are ignored. */
const list = z.string().transform((text) =>
  text
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== ""),
);

function isNetwork(text: string): boolean {
  const [address = "", bits, ...rest] = text.split("/");
  const version = isIP(address);
  if (version === 0 || rest.length > 0) return false;
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (version === 4 ? 32 : 128));
}

const onOff = z.enum(["on", "off"]).transform((value) => value === "on");

/** The texts of a manifest's documents by their hashes; null if the file is no such manifest. */
function readManifest(file: string): ReadonlyMap<string, string> | null {
  try {
    const parsed = z
      .record(z.string().min(1), z.string().min(1))
      .parse(JSON.parse(readFileSync(file, "utf8")));
    return new Map(Object.entries(parsed));
  } catch {
    return null;
  }
}

const hostName =
  /^(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*$/;

const databaseUrl = z.string().refine((text) => readDatabaseAddress(text) !== null);
const DATABASE_ADDRESS =
  "a PostgreSQL address such as postgresql://user:password@host:5432/database?schema=public";

const VARIABLES = {
  PORT: { schema: integer(0, 65535), accepts: "a whole number from 0 to 65535" },
  HOST: {
    schema: z.string().refine((text) => isIP(text) !== 0 || hostName.test(text)),
    accepts: "an IP address or a host name",
  },
  DATABASE_URL: { schema: databaseUrl, accepts: DATABASE_ADDRESS, secret: true },
  DATABASE_DIRECT_URL: { schema: databaseUrl, accepts: DATABASE_ADDRESS, secret: true },
  DATABASE_REPLICA_URL: { schema: databaseUrl, accepts: DATABASE_ADDRESS, secret: true },
  DATABASE_POOL: { schema: integer(1, 1000), accepts: "a whole number from 1 to 1000" },
  DATA_DIR: { schema: z.string().refine((text) => !text.includes("\0")), accepts: "a folder's path" },
  TELEGRAM_BOT_TOKEN: {
    schema: z.string().regex(/^[1-9]\d{0,15}:[A-Za-z0-9_-]+$/),
    accepts: "a bot token of the form 123456789:AA…, as @BotFather gives it",
    secret: true,
  },
  TELEGRAM_SANDBOX: {
    schema: z.enum(["on", "quiet", "off"]),
    accepts: "on, quiet or off",
  },
  TELEGRAM_API_ROOT: { schema: httpUrl, accepts: "the http(s) address of a Bot API server" },
  TELEGRAM_UPDATES: {
    schema: z.enum(["polling", "webhook", "off"]),
    accepts: "polling, webhook or off",
  },
  TELEGRAM_WEBHOOK_URL: {
    schema: httpUrl,
    accepts: "the full public http(s) address that Telegram is to call",
  },
  TELEGRAM_WEBHOOK_SECRET: {
    schema: z.string().regex(/^[A-Za-z0-9_-]{1,256}$/),
    accepts: "1 to 256 characters of A-Z, a-z, 0-9, _ and -",
    secret: true,
  },
  TELEGRAM_TIMEOUT_MS: {
    schema: integer(100, 600_000),
    accepts: "a number of milliseconds from 100 to 600000",
  },
  ADMIN_TOKEN: {
    schema: z.string().regex(/^[\x21-\x7e]{24,512}$/),
    accepts: "24 to 512 printable ASCII characters without spaces",
    secret: true,
  },
  NODE_ENV: {
    schema: z.enum(["development", "production", "test"]),
    accepts: "development, production or test",
  },
  GRAPHIQL: { schema: onOff, accepts: "on or off" },
  CORS_ORIGINS: {
    schema: list.pipe(z.array(origin)),
    accepts: "a comma-separated list of origins such as https://app.example.com",
  },
  TRUST_PROXY: {
    schema: list.pipe(z.array(z.string().refine(isNetwork))),
    accepts: "a comma-separated list of IP addresses or networks such as 10.0.0.0/8",
  },
  SHUTDOWN_DELAY_MS: {
    schema: integer(0, 600_000),
    accepts: "a number of milliseconds from 0 to 600000",
  },
  LOG_LEVEL: { schema: z.enum(LOG_LEVELS), accepts: `one of ${LOG_LEVELS.join(", ")}` },
  CACHE: { schema: onOff, accepts: "on or off" },
  EVENTS_KEPT_DAYS: { schema: integer(1, 36_500), accepts: "a number of days from 1 to 36500" },
  WEBHOOK_ALLOW_PRIVATE: { schema: onOff, accepts: "on or off" },
  TRUSTED_DOCUMENTS: {
    schema: z
      .string()
      .transform(readManifest)
      .pipe(z.custom<ReadonlyMap<string, string>>((map) => map !== null)),
    accepts: "a readable JSON file of { hash: document }",
  },
  RATE_LIMIT: { schema: integer(1, 1_000_000_000), accepts: "a whole number from 1 to 1000000000" },
} satisfies Record<string, Variable<unknown>>;

type Values = ValuesOf<typeof VARIABLES>;

function telegramConfig(values: Values, production: boolean, problems: string[]): TelegramConfig | null {
  const token = values.TELEGRAM_BOT_TOKEN;
  const webhookUrl = values.TELEGRAM_WEBHOOK_URL;
  const secret = values.TELEGRAM_WEBHOOK_SECRET;
  if ((webhookUrl === undefined) !== (secret === undefined)) {
    const [given, missing] =
      webhookUrl === undefined
        ? ["TELEGRAM_WEBHOOK_SECRET", "TELEGRAM_WEBHOOK_URL"]
        : ["TELEGRAM_WEBHOOK_URL", "TELEGRAM_WEBHOOK_SECRET"];
    problems.push(`${missing}: not set, although ${given} is. Set both or neither.`);
  }
  const sandbox = values.TELEGRAM_SANDBOX === "off" ? null : (values.TELEGRAM_SANDBOX ?? null);
  const mode: UpdatesMode = values.TELEGRAM_UPDATES ?? (webhookUrl === undefined ? "polling" : "webhook");
  if (mode === "webhook" && webhookUrl === undefined && secret === undefined) {
    problems.push(
      "TELEGRAM_WEBHOOK_URL: not set, although TELEGRAM_UPDATES is webhook. Set it together with TELEGRAM_WEBHOOK_SECRET.",
    );
  }
  if (token === undefined) {
    if (production && sandbox === null) {
      problems.push(
        "TELEGRAM_BOT_TOKEN: not set, although NODE_ENV is production. Set it to the helper bot's token, or set TELEGRAM_SANDBOX=on to use the sandbox.",
      );
    }
    return null;
  }
  if (sandbox !== null) {
    problems.push(`TELEGRAM_SANDBOX: ${sandbox}, although TELEGRAM_BOT_TOKEN is set. Set only one of them.`);
  }
  const root = values.TELEGRAM_API_ROOT ?? "https://api.telegram.org";
  return {
    token,
    botId: Number(token.split(":", 1)[0]),
    apiRoot: root.endsWith("/") ? root : `${root}/`,
    updates:
      mode === "webhook" && webhookUrl !== undefined && secret !== undefined
        ? { mode, url: webhookUrl, secret }
        : { mode: mode === "off" ? "off" : "polling" },
  };
}

/**
 * Reads the environment.
 * @throws ConfigurationError with one line for each variable that is not acceptable.
 */
export function readConfig(env: NodeJS.ProcessEnv): Config {
  const { values, problems } = readVariables(VARIABLES, env);
  const production = values.NODE_ENV === "production";
  const telegram = telegramConfig(values, production, problems);
  const tracing = readTracingConfig(env, problems);
  const { DATABASE_URL: url, DATABASE_DIRECT_URL: directUrl, DATABASE_REPLICA_URL: replicaUrl } = values;
  if (directUrl !== undefined && url === undefined)
    problems.push("DATABASE_URL: not set, although DATABASE_DIRECT_URL is. Set both, or only DATABASE_URL.");
  if (replicaUrl !== undefined && url === undefined)
    problems.push(
      "DATABASE_URL: not set, although DATABASE_REPLICA_URL is. An embedded database has no replica. Set both or neither.",
    );
  else if (replicaUrl && url && readDatabaseAddress(replicaUrl)?.schema !== readDatabaseAddress(url)?.schema)
    problems.push("DATABASE_REPLICA_URL: the address names another schema than DATABASE_URL.");
  if (problems.length > 0) throw new ConfigurationError(problems);
  return {
    production,
    host: values.HOST ?? "127.0.0.1",
    port: values.PORT ?? 4000,
    databaseUrl: values.DATABASE_URL ?? null,
    databaseDirectUrl: values.DATABASE_DIRECT_URL ?? null,
    databaseReplicaUrl: values.DATABASE_REPLICA_URL ?? null,
    databasePool: values.DATABASE_POOL ?? 10,
    dataDir: resolve(values.DATA_DIR ?? "data"),
    telegram,
    isSandboxQuiet: values.TELEGRAM_SANDBOX === "quiet",
    telegramTimeoutMs: values.TELEGRAM_TIMEOUT_MS ?? 10_000,
    adminToken: values.ADMIN_TOKEN ?? null,
    graphiql: values.GRAPHIQL ?? !production,
    corsOrigins: values.CORS_ORIGINS ?? [],
    trustProxy: values.TRUST_PROXY ?? [],
    shutdownDelayMs: values.SHUTDOWN_DELAY_MS ?? (production ? 5000 : 0),
    logLevel: values.LOG_LEVEL ?? "info",
    cache: values.CACHE ?? true,
    eventsKeptDays: values.EVENTS_KEPT_DAYS ?? null,
    webhookAllowPrivate: values.WEBHOOK_ALLOW_PRIVATE ?? false,
    trustedDocuments: values.TRUSTED_DOCUMENTS ?? null,
    rateLimit: values.RATE_LIMIT ?? null,
    tracing,
  };
}

/** The texts of the environment that must not be shown. */
export const secretsOf = (env: NodeJS.ProcessEnv): string[] => [
  ...secretsIn(VARIABLES, env),
  ...secretsIn(TRACING_VARIABLES, env),
];

/** The folder of the embedded database and the files beside it. The sandbox and a real bot have separate folders. */
export const dataFolder = ({ dataDir, telegram }: Config): string =>
  join(dataDir, telegram === null ? "sandbox" : "live");
