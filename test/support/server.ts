// The whole server in the process of the test, for tests over HTTP: startTestServer().

import { mkdtemp, readFile, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type App, startApp } from "../../src/app.js";
import { type Config, dataFolder, readConfig } from "../../src/config.js";
import { createDatabase, type Database } from "../../src/database/database.js";
import { createLog } from "../../src/log.js";
import type { SandboxCall } from "../../src/sandbox/calls.js";
import { type Sandbox, startSandbox } from "../../src/sandbox/sandbox.js";
import { type DatabaseForm, openPool, prepareTestDatabase, USUAL_FORMS } from "./databases.js";

/** Chat ids of the channel and the group in the sample; see prisma/sample.json. */
export const CHANNEL = -1001234567890;
export const GROUP = -1009876543210;
/** UUIDs of tag types and tags in the sample. */
export const PLATFORM = "01991000-0000-7000-8000-000000000010";
export const CREATIVE = "01991000-0000-7000-8000-000000000011";
export const YOUTUBE = "01991000-0000-7000-8000-000000000013";
export const GROUP_TAG = "01991000-0000-7000-8000-00000000001d";

export interface GraphQLAnswer {
  readonly status: number;
  readonly headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: the shape of a response depends on its query.
  readonly data: any;
  readonly errors?: readonly {
    readonly message: string;
    readonly path?: readonly (string | number)[];
    readonly extensions: {
      readonly code: string;
      readonly requestId: string;
      readonly [name: string]: unknown;
    };
  }[];
}

export interface LogLine {
  readonly level: string;
  readonly msg: string;
  readonly [name: string]: unknown;
}

export interface TestServer {
  readonly url: string;
  readonly origin: string;
  /** An administrator's API token for all channels. */
  readonly token: string;
  readonly sandbox: Sandbox;
  readonly log: readonly LogLine[];
  /** Sends a GraphQL operation. @param token null sends none. */
  ask(query: string, variables?: object, token?: string | null): Promise<GraphQLAnswer>;
  /** The SQL statements that ran for a query, including the one for authentication. */
  statementsOf(query: string, variables?: object): Promise<string[]>;
  /** The calls to Telegram so far, without getMe, which the server also calls by itself. */
  calls(method?: string): SandboxCall[];
  /** Creates an API token by the mutation createApiToken. @returns its secret. */
  makeToken(input: { role: string; channelIds?: number[] | null; telegramUserId?: number }): Promise<string>;
  stop(): Promise<void>;
}

/**
 * Starts the server on a free port, with a database of its own, the sample's content, and the sandbox as Telegram.
 * @param overrides replaces values of the configuration.
 * @param fill fills the database before the server starts; the sample is then left out.
 * @param reach changes the address of the database, for example to the address of a proxy.
 * @param outside a sandbox that plays Telegram for a real bot; `overrides` names it.
 */
export async function startTestServer(
  overrides: Partial<Config> = {},
  form: DatabaseForm = USUAL_FORMS[0] ?? "embedded",
  fill?: (database: Database) => Promise<void>,
  reach: (url: string) => string = (url) => url,
  outside: Sandbox | null = null,
): Promise<TestServer> {
  const database = await prepareTestDatabase(form);
  if (fill) {
    const filled = createDatabase(await openPool(database));
    await fill(filled);
    await filled.close();
  }
  const dataDir = await mkdtemp(join(tmpdir(), "invite-links-data-"));
  const config: Config = {
    ...readConfig({ TELEGRAM_SANDBOX: "quiet" }),
    port: 0,
    dataDir,
    databaseUrl: database.url && reach(database.url),
    logLevel: "debug",
    ...overrides,
  };
  if (database.dataDir !== null) await rename(database.dataDir, dataFolder(config));
  const log: LogLine[] = [];
  const logger = createLog({
    level: config.logLevel,
    format: null,
    secrets: [],
    write: (line) => log.push(JSON.parse(line) as LogLine),
  });
  let app: App;
  try {
    app = await startApp(config, logger);
  } catch (error) {
    await rm(dataDir, { recursive: true, force: true });
    throw error;
  }
  const sandbox = app.sandbox ?? outside;
  if (sandbox === null) throw new TypeError("The test server needs the sandbox.");
  const token = config.adminToken ?? (await readFile(join(dataDir, "sandbox", "api-token"), "utf8")).trim();

  const ask: TestServer["ask"] = async (query, variables = {}, bearer = token) => {
    const response = await fetch(app.url, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        ...(bearer === null ? {} : { authorization: `Bearer ${bearer}` }),
      },
      body: JSON.stringify({ query, variables }),
    });
    return {
      status: response.status,
      headers: response.headers,
      ...((await response.json()) as object),
    } as GraphQLAnswer;
  };
  return {
    url: app.url,
    origin: new URL(app.url).origin,
    token,
    sandbox,
    log,
    ask,
    async statementsOf(query, variables) {
      const before = log.length;
      const { errors } = await ask(query, variables);
      if (errors) throw new Error(JSON.stringify(errors));
      return (
        log
          .slice(before)
          // Statements of the work beside requests have no request id.
          .filter(({ msg, requestId }) => msg === "sql" && requestId !== undefined)
          // No request waits for this statement, which stores the time of a token's last use, once a minute.
          .filter(({ statement }) => statement !== "prisma_update_api_token")
          .map(({ sql }) => String(sql))
      );
    },
    calls: (method) => sandbox.control.calls(method).filter((call) => call.method !== "getMe"),
    async makeToken(input) {
      const { data } = await ask(
        `mutation ($input: CreateApiTokenInput!) {
          createApiToken(input: $input) { ... on CreateApiTokenSuccess { secret } ... on UserError { message } }
        }`,
        { input: { name: `Test ${input.role}`, ...input } },
      );
      if (!data.createApiToken.secret) throw new Error(JSON.stringify(data));
      return data.createApiToken.secret;
    },
    async stop() {
      await app.stop();
      await database.remove();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

/** Starts the server for a bot that is in no channel yet, without the sample. The sandbox plays Telegram all the same. */
export async function startEmptyServer(): Promise<TestServer> {
  const sandbox = await startSandbox();
  const { id: botId, token } = sandbox.bot;
  const telegram = { botId, token, apiRoot: sandbox.apiRoot, updates: { mode: "polling" } } as const;
  const adminToken = "administrator-of-the-test";
  try {
    const server = await startTestServer({ telegram, adminToken }, undefined, undefined, undefined, sandbox);
    return {
      ...server,
      async stop() {
        await server.stop();
        await sandbox.close();
      },
    };
  } catch (error) {
    await sandbox.close();
    throw error;
  }
}
