import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { ConfigurationError, readConfig, secretsOf } from "../src/config.js";

const TOKEN = "123456789:AAbbCC-dd_eeFFgg";

const problemsOf = (env: NodeJS.ProcessEnv): readonly string[] => {
  try {
    readConfig(env);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    expect(error.message).toBe(error.problems.join("\n"));
    return error.problems;
  }
};

const DEFAULTS = {
  production: false,
  host: "127.0.0.1",
  port: 4000,
  databaseUrl: null,
  databaseDirectUrl: null,
  databaseReplicaUrl: null,
  databasePool: 10,
  dataDir: resolve("data"),
  telegram: null,
  telegramTimeoutMs: 10_000,
  adminToken: null,
  graphiql: true,
  corsOrigins: [],
  trustProxy: [],
  shutdownDelayMs: 0,
  logLevel: "info",
  cache: true,
  eventsKeptDays: null,
  webhookAllowPrivate: false,
  isSandboxQuiet: false,
  trustedDocuments: null,
  rateLimit: null,
  tracing: null,
};

const folder = mkdtempSync(join(tmpdir(), "invite-links-config-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** The path of a new file with a text. */
function manifest(text: string): string {
  const file = join(folder, `${randomUUID()}.json`);
  writeFileSync(file, text);
  return file;
}

const NAMES = [
  "PORT",
  "HOST",
  "DATABASE_URL",
  "DATABASE_DIRECT_URL",
  "DATABASE_REPLICA_URL",
  "DATABASE_POOL",
  "DATA_DIR",
  "TELEGRAM_BOT_TOKEN",
  "TELEGRAM_SANDBOX",
  "TELEGRAM_API_ROOT",
  "TELEGRAM_UPDATES",
  "TELEGRAM_WEBHOOK_URL",
  "TELEGRAM_WEBHOOK_SECRET",
  "TELEGRAM_TIMEOUT_MS",
  "ADMIN_TOKEN",
  "NODE_ENV",
  "GRAPHIQL",
  "CORS_ORIGINS",
  "TRUST_PROXY",
  "SHUTDOWN_DELAY_MS",
  "LOG_LEVEL",
  "EVENTS_KEPT_DAYS",
  "WEBHOOK_ALLOW_PRIVATE",
  "TRUSTED_DOCUMENTS",
  "RATE_LIMIT",
] as const;
const SECRETS = new Set([
  "DATABASE_URL",
  "DATABASE_DIRECT_URL",
  "DATABASE_REPLICA_URL",
  "TELEGRAM_BOT_TOKEN",
  "TELEGRAM_WEBHOOK_SECRET",
  "ADMIN_TOKEN",
]);

describe("readConfig", () => {
  it("readConfig returns the defaults for an empty environment", () => {
    expect(readConfig({})).toEqual(DEFAULTS);
    expect(readConfig({ UNRELATED: "x", PATH: "/bin" })).toEqual(DEFAULTS);
  });

  it("readConfig treats an empty variable as not set", () => {
    for (const empty of ["", " ", "\t\n"]) {
      expect(readConfig(Object.fromEntries(NAMES.map((name) => [name, empty])))).toEqual(DEFAULTS);
    }
  });

  it.each<[NodeJS.ProcessEnv, Partial<ReturnType<typeof readConfig>>]>([
    [{ PORT: "0" }, { port: 0 }],
    [{ PORT: " 8080 " }, { port: 8080 }],
    [{ PORT: "65535" }, { port: 65535 }],
    [{ HOST: "0.0.0.0" }, { host: "0.0.0.0" }],
    [{ HOST: "::1" }, { host: "::1" }],
    [{ HOST: "localhost" }, { host: "localhost" }],
    [{ HOST: "a-b.example" }, { host: "a-b.example" }],
    [{ DATABASE_URL: "postgresql://u:p@h:5432/d" }, { databaseUrl: "postgresql://u:p@h:5432/d" }],
    [{ DATABASE_URL: "postgres://h/d?sslmode=require" }, { databaseUrl: "postgres://h/d?sslmode=require" }],
    ...[
      "postgresql:///db?host=/run/postgresql",
      "postgres://user@%2Frun%2Fpostgresql/db",
      "postgres://user:pass@/db?host=/run/postgresql",
      "postgresql://",
      "POSTGRES://h/d",
      "socket:/run/postgresql?db=d",
      "postgresql://h/d?schema=tenant&connection_limit=5&pgbouncer=true&connect_timeout=10",
      "postgresql://h/d?schema=o%27dd%20name%2C",
    ].map((url): [NodeJS.ProcessEnv, Partial<ReturnType<typeof readConfig>>] => [
      { DATABASE_URL: url },
      { databaseUrl: url },
    ]),
    [
      { DATABASE_URL: "postgres://h/d", DATABASE_DIRECT_URL: "postgres://i/d", DATABASE_POOL: "1" },
      { databaseUrl: "postgres://h/d", databaseDirectUrl: "postgres://i/d", databasePool: 1 },
    ],
    [
      { DATABASE_URL: "postgres://h/d?schema=s", DATABASE_REPLICA_URL: "postgres://i/d?schema=s" },
      { databaseUrl: "postgres://h/d?schema=s", databaseReplicaUrl: "postgres://i/d?schema=s" },
    ],
    [{ DATA_DIR: "/var/lib/x" }, { dataDir: resolve("/var/lib/x") }],
    [{ DATA_DIR: "x/y" }, { dataDir: resolve("x/y") }],
    [{ TELEGRAM_TIMEOUT_MS: "100" }, { telegramTimeoutMs: 100 }],
    [{ TELEGRAM_TIMEOUT_MS: "600000" }, { telegramTimeoutMs: 600_000 }],
    [{ ADMIN_TOKEN: "x".repeat(24) }, { adminToken: "x".repeat(24) }],
    [{ NODE_ENV: "test" }, { production: false }],
    [
      { NODE_ENV: "production", TELEGRAM_SANDBOX: "on" },
      { production: true, graphiql: false, telegram: null, shutdownDelayMs: 5000 },
    ],
    [
      { NODE_ENV: "production", TELEGRAM_SANDBOX: "on", GRAPHIQL: "on" },
      { production: true, graphiql: true, shutdownDelayMs: 5000 },
    ],
    [{ GRAPHIQL: "off" }, { graphiql: false }],
    [
      { CORS_ORIGINS: "https://a.example, http://localhost:3000 ,," },
      { corsOrigins: ["https://a.example", "http://localhost:3000"] },
    ],
    [
      { TRUST_PROXY: "127.0.0.1, 10.0.0.0/8 ,,2001:db8::/32,::1" },
      { trustProxy: ["127.0.0.1", "10.0.0.0/8", "2001:db8::/32", "::1"] },
    ],
    [{ SHUTDOWN_DELAY_MS: "1500" }, { shutdownDelayMs: 1500 }],
    [{ LOG_LEVEL: "silent" }, { logLevel: "silent" }],
    [{ TELEGRAM_SANDBOX: "off" }, { telegram: null }],
    [
      { TELEGRAM_SANDBOX: "quiet", NODE_ENV: "production", SHUTDOWN_DELAY_MS: "0" },
      { production: true, graphiql: false, isSandboxQuiet: true },
    ],
    [{ EVENTS_KEPT_DAYS: "90" }, { eventsKeptDays: 90 }],
    [{ WEBHOOK_ALLOW_PRIVATE: "on" }, { webhookAllowPrivate: true }],
    [{ RATE_LIMIT: "1" }, { rateLimit: 1 }],
    [{ RATE_LIMIT: "1000000000" }, { rateLimit: 1_000_000_000 }],
    [
      { TRUSTED_DOCUMENTS: manifest('{ "a": "{ viewer { name } }" }') },
      { trustedDocuments: new Map([["a", "{ viewer { name } }"]]) },
    ],
    [{ TELEGRAM_API_ROOT: "http://h", TELEGRAM_UPDATES: "off" }, { telegram: null }],
    [{ OTEL_SERVICE_NAME: "links", OTEL_EXPORTER_OTLP_PROTOCOL: "grpc" }, { tracing: null }],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: "http://c:4318", OTEL_SDK_DISABLED: "True" }, { tracing: null }],
    [
      { OTEL_EXPORTER_OTLP_ENDPOINT: "odd", OTEL_TRACES_EXPORTER: "none", OTEL_TRACES_SAMPLER: "odd" },
      { tracing: null },
    ],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: "http://c:4318" }, { tracing: { protocol: "http/protobuf" } }],
    [
      {
        OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "https://c/v1/traces",
        OTEL_EXPORTER_OTLP_PROTOCOL: "http/protobuf",
        OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: "http/json",
        OTEL_EXPORTER_OTLP_HEADERS: "authorization=Basic%20YTpiPQ==,x-tenant = a",
        OTEL_TRACES_EXPORTER: "otlp",
        OTEL_TRACES_SAMPLER: "parentbased_traceidratio",
        OTEL_TRACES_SAMPLER_ARG: "0.25",
        OTEL_SDK_DISABLED: "false",
      },
      { tracing: { protocol: "http/json" } },
    ],
  ])("readConfig reads %j", (env, config) => {
    expect(readConfig(env)).toEqual({ ...DEFAULTS, ...config });
  });

  it.each<[NodeJS.ProcessEnv, object]>([
    [{}, { apiRoot: "https://api.telegram.org/", updates: { mode: "polling" } }],
    [{ NODE_ENV: "production" }, { apiRoot: "https://api.telegram.org/", updates: { mode: "polling" } }],
    [{ TELEGRAM_SANDBOX: "off" }, { apiRoot: "https://api.telegram.org/", updates: { mode: "polling" } }],
    [
      { TELEGRAM_API_ROOT: "http://h:8081/bots" },
      { apiRoot: "http://h:8081/bots/", updates: { mode: "polling" } },
    ],
    [{ TELEGRAM_API_ROOT: "http://h/" }, { apiRoot: "http://h/", updates: { mode: "polling" } }],
    [{ TELEGRAM_UPDATES: "off" }, { apiRoot: "https://api.telegram.org/", updates: { mode: "off" } }],
    [
      { TELEGRAM_WEBHOOK_URL: "https://me/telegram/webhook", TELEGRAM_WEBHOOK_SECRET: "s_-1" },
      {
        apiRoot: "https://api.telegram.org/",
        updates: { mode: "webhook", url: "https://me/telegram/webhook", secret: "s_-1" },
      },
    ],
    [
      { TELEGRAM_WEBHOOK_URL: "https://me/", TELEGRAM_WEBHOOK_SECRET: "s", TELEGRAM_UPDATES: "polling" },
      { apiRoot: "https://api.telegram.org/", updates: { mode: "polling" } },
    ],
  ])("readConfig reads %j together with a bot token", (env, telegram) => {
    const config = readConfig({ TELEGRAM_BOT_TOKEN: TOKEN, ...env });
    expect(config.telegram).toEqual({ token: TOKEN, botId: 123456789, ...telegram });
  });

  it.each<[string, string]>([
    ["PORT", "65536"],
    ["PORT", "-1"],
    ["PORT", "80.5"],
    ["PORT", "http"],
    ["PORT", "0x50"],
    ["PORT", "1e3"],
    ["PORT", "٨٠"],
    ["HOST", "a b"],
    ["HOST", "http://x"],
    ["HOST", "-x"],
    ["HOST", "x..y"],
    ["HOST", "x".repeat(254)],
    ["DATABASE_URL", "mysql://hunter2@h/d"],
    ["DATABASE_URL", "hunter2"],
    ["DATABASE_URL", "postgresql:hunter2"],
    ["DATABASE_URL", "postgresql://u:hunter2@h:99999/d"],
    ["DATABASE_URL", "postgresql://u:hunter2@h/d?schema=%00"],
    ["DATABASE_URL", "postgresql://u:hunter2@h/d?schema=$user"],
    ["DATABASE_URL", "postgresql://u:hunter2@h/d?schema=a%22b"],
    ["DATABASE_URL", `postgresql://u:hunter2@h/d?schema=${"é".repeat(32)}`],
    ["DATABASE_DIRECT_URL", "hunter2"],
    ["DATABASE_REPLICA_URL", "hunter2"],
    ["DATABASE_POOL", "0"],
    ["DATABASE_POOL", "1.5"],
    ["DATA_DIR", "a\0b"],
    ["TELEGRAM_BOT_TOKEN", "hunter2"],
    ["TELEGRAM_BOT_TOKEN", "0:hunter2"],
    ["TELEGRAM_BOT_TOKEN", "1:hunter2 x"],
    ["TELEGRAM_BOT_TOKEN", "1:"],
    ["TELEGRAM_SANDBOX", "yes"],
    ["TELEGRAM_SANDBOX", "ON"],
    ["EVENTS_KEPT_DAYS", "0"],
    ["WEBHOOK_ALLOW_PRIVATE", "yes"],
    ["TRUSTED_DOCUMENTS", "/does/not/exist.json"],
    ["TRUSTED_DOCUMENTS", manifest("{")],
    ["TRUSTED_DOCUMENTS", manifest("[]")],
    ["TRUSTED_DOCUMENTS", manifest('{ "a": 1 }')],
    ["TRUSTED_DOCUMENTS", manifest('{ "": "{ viewer { name } }" }')],
    ["EVENTS_KEPT_DAYS", "1.5"],
    ["RATE_LIMIT", "0"],
    ["RATE_LIMIT", "-5"],
    ["RATE_LIMIT", "10.5"],
    ["RATE_LIMIT", "1000000001"],
    ["TELEGRAM_API_ROOT", "api.telegram.org"],
    ["TELEGRAM_API_ROOT", "ftp://x"],
    ["TELEGRAM_UPDATES", "push"],
    ["TELEGRAM_WEBHOOK_URL", "/telegram"],
    ["TELEGRAM_WEBHOOK_SECRET", "hunter2!"],
    ["TELEGRAM_WEBHOOK_SECRET", "x".repeat(257)],
    ["TELEGRAM_TIMEOUT_MS", "99"],
    ["TELEGRAM_TIMEOUT_MS", "600001"],
    ["TELEGRAM_TIMEOUT_MS", "10s"],
    ["ADMIN_TOKEN", "hunter2 hunter2"],
    ["ADMIN_TOKEN", "hünter2hünter2"],
    ["ADMIN_TOKEN", "x".repeat(513)],
    ["NODE_ENV", "prod"],
    ["GRAPHIQL", "true"],
    ["TRUST_PROXY", "proxy.example"],
    ["TRUST_PROXY", "10.0.0.0/33"],
    ["TRUST_PROXY", "10.0.0.1/"],
    ["TRUST_PROXY", "true"],
    ["TRUST_PROXY", "::1/129"],
    ["SHUTDOWN_DELAY_MS", "-1"],
    ["SHUTDOWN_DELAY_MS", "5s"],
    ["CORS_ORIGINS", "*"],
    ["CORS_ORIGINS", "https://a.example/"],
    ["CORS_ORIGINS", "https://a.example,b.example"],
    ["CORS_ORIGINS", "null"],
    ["LOG_LEVEL", "verbose"],
    ["LOG_LEVEL", "INFO"],
  ])("readConfig refuses %s=%j in one line that names the accepted values", (name, value) => {
    const problems = problemsOf({ [name]: value }).filter((problem) => problem.startsWith(`${name}: `));
    expect(problems).toHaveLength(1);
    const [problem = ""] = problems;
    expect(problem).not.toContain("\n");
    if (SECRETS.has(name)) {
      expect(problem).toContain(": the value is not ");
      expect(problem).not.toContain("hunter2");
      expect(problem).not.toContain(value);
    } else {
      expect(problem).toContain(`: ${JSON.stringify(value).slice(0, 200)}`);
      expect(problem).toContain(" is not ");
    }
  });

  it.each([
    ["OTEL_EXPORTER_OTLP_ENDPOINT", "hunter2:4318"],
    ["OTEL_EXPORTER_OTLP_ENDPOINT", "grpc://hunter2:4317"],
    ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "hunter2"],
    ["OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"],
    ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http"],
    ["OTEL_EXPORTER_OTLP_HEADERS", "hunter2"],
    ["OTEL_EXPORTER_OTLP_HEADERS", "a=b,hunter2"],
    ["OTEL_EXPORTER_OTLP_TRACES_HEADERS", "=hunter2"],
    ["OTEL_TRACES_EXPORTER", "zipkin"],
    ["OTEL_TRACES_SAMPLER", "sometimes"],
    ["OTEL_TRACES_SAMPLER_ARG", "5 %"],
    ["OTEL_TRACES_SAMPLER_ARG", "1.5"],
    ["OTEL_SDK_DISABLED", "no"],
  ])("readConfig refuses %s=%j if traces are exported", (name, value) => {
    const problems = problemsOf({ OTEL_EXPORTER_OTLP_ENDPOINT: "http://c:4318", [name]: value });
    expect(problems).toEqual([expect.stringMatching(`^${name}: .* is not .*[.]$`)]);
    expect(problems.join()).not.toContain("hunter2");
  });

  it.each<[NodeJS.ProcessEnv, RegExp[]]>([
    [{ NODE_ENV: "production" }, [/^TELEGRAM_BOT_TOKEN: not set, .*TELEGRAM_SANDBOX=on/]],
    [{ NODE_ENV: "production", TELEGRAM_SANDBOX: "off" }, [/^TELEGRAM_BOT_TOKEN: not set/]],
    [{ TELEGRAM_BOT_TOKEN: TOKEN, TELEGRAM_SANDBOX: "on" }, [/^TELEGRAM_SANDBOX: on, although/]],
    [{ TELEGRAM_BOT_TOKEN: TOKEN, TELEGRAM_SANDBOX: "quiet" }, [/^TELEGRAM_SANDBOX: quiet, although/]],
    [
      { DATABASE_REPLICA_URL: "postgres://h/d" },
      [/^DATABASE_URL: not set, although DATABASE_REPLICA_URL is. An embedded database has no replica/],
    ],
    [
      { DATABASE_URL: "postgres://h/d", DATABASE_REPLICA_URL: "postgres://i/d?schema=s" },
      [/^DATABASE_REPLICA_URL: the address names another schema/],
    ],
    [{ TELEGRAM_WEBHOOK_URL: "https://me/" }, [/^TELEGRAM_WEBHOOK_SECRET: not set/]],
    [{ TELEGRAM_WEBHOOK_SECRET: "s" }, [/^TELEGRAM_WEBHOOK_URL: not set/]],
    [{ TELEGRAM_UPDATES: "webhook" }, [/^TELEGRAM_WEBHOOK_URL: not set/]],
    [{ PORT: "x", HOST: "?", LOG_LEVEL: "?" }, [/^PORT: /, /^HOST: /, /^LOG_LEVEL: /]],
  ])("readConfig refuses %j with one line for each problem", (env, expected) => {
    const problems = problemsOf(env);
    expect(problems).toHaveLength(expected.length);
    for (const [index, pattern] of expected.entries()) expect(problems[index]).toMatch(pattern);
  });

  it("secretsOf finds the values of all secret variables, and those of headers in each form", () => {
    const secret = Object.fromEntries([...SECRETS].map((name) => [name, ` odd value of ${name}`]));
    expect(secretsOf({ ...secret, PORT: "4000" }).sort()).toEqual(
      [...SECRETS].map((name) => `odd value of ${name}`).sort(),
    );
    expect(
      secretsOf({
        OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "https://c/v1/traces",
        OTEL_EXPORTER_OTLP_HEADERS: "authorization=Basic%20YTpiPQ==,x-tenant = a",
      }),
    ).toEqual(["https://c/v1/traces", "Basic%20YTpiPQ==", "Basic YTpiPQ==", "YTpiPQ==", "a", "a", "a"]);
  });

  it("readConfig never shows a secret and throws nothing but ConfigurationError", () => {
    const secret = fc
      .string({ unit: "grapheme", minLength: 6, maxLength: 30 })
      .map((text) => `S3CR3T${text}`);
    const env = fc.record(
      Object.fromEntries(
        NAMES.map((name) => [name, SECRETS.has(name) ? secret : fc.string({ unit: "binary" })]),
      ),
      { requiredKeys: [] },
    ) as fc.Arbitrary<NodeJS.ProcessEnv>;
    fc.assert(
      fc.property(env, (values) => {
        for (const problem of problemsOf(values)) {
          expect(problem).not.toContain("S3CR3T");
          expect(problem).not.toMatch(/[\n\r]/);
        }
      }),
    );
  });
});
