// Servers that share a bot of the sandbox and a database, and readers of their subscriptions.

import { mkdtemp, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type App, startApp } from "../../src/app.js";
import { type Config, readConfig } from "../../src/config.js";
import { createLog } from "../../src/log.js";
import { type Sandbox, startSandbox } from "../../src/sandbox/sandbox.js";
import { EventReader } from "../http/graphql/subscriptionServer.js";
import { type DatabaseForm, type PreparedDatabase, prepareTestDatabase } from "./databases.js";
import type { GraphQLAnswer, LogLine } from "./server.js";

const BOT = { id: 123456789, token: "123456789:AA-secret-of-the-bot", username: "a_bot", firstName: "A" };
const ADMIN_TOKEN = "an-admin-token-of-the-tests";

export const NEWS = -1001111111111;
export const OTHER = -1002222222222;
/** A group, which can become a supergroup. */
export const TALK = -3333333;

/** An event stream that is being read. */
export interface OpenStream {
  readonly response: Response;
  readonly reader: EventReader;
  close(): void;
}

export interface SubscribeOptions {
  readonly token?: string;
  readonly lastEventId?: string;
  readonly method?: "GET" | "POST";
  readonly accept?: string;
}

/** One server of the installation. */
export interface LiveServer {
  readonly url: string;
  readonly token: string;
  readonly log: readonly LogLine[];
  ask(query: string, variables?: object, token?: string): Promise<GraphQLAnswer>;
  subscribe(query: string, options?: SubscribeOptions): Promise<OpenStream>;
  makeToken(role: string, channelIds: readonly number[] | null): Promise<{ id: string; secret: string }>;
  /** Creates a link. @returns its global id and its address. */
  makeLink(chatId: number, settings?: object): Promise<{ id: string; url: string }>;
  stop(): Promise<void>;
}

export class LiveBed {
  readonly telegram: Sandbox;
  readonly database: PreparedDatabase;
  readonly #dataDir: string;
  readonly #servers = new Set<App>();
  #lastUser = 5_000_000;

  private constructor(telegram: Sandbox, database: PreparedDatabase, dataDir: string) {
    this.telegram = telegram;
    this.database = database;
    this.#dataDir = dataDir;
  }

  static async prepare(form: DatabaseForm): Promise<LiveBed> {
    const telegram = await startSandbox({
      bot: BOT,
      initial: {
        chats: [
          { id: NEWS, type: "channel", title: "News" },
          { id: OTHER, type: "channel", title: "Other" },
          { id: TALK, type: "group", title: "Talk" },
        ],
      },
    });
    const database = await prepareTestDatabase(form);
    const dataDir = await mkdtemp(join(tmpdir(), "invite-links-data-"));
    if (database.dataDir !== null) await rename(database.dataDir, join(dataDir, "live"));
    return new LiveBed(telegram, database, dataDir);
  }

  newPerson() {
    this.#lastUser += 1;
    return { id: this.#lastUser, is_bot: false, first_name: "Somebody" };
  }

  /** @param port one that is free; 0 for any, on which no later server can count */
  async start(port = 0, overrides: Partial<Config> = {}): Promise<LiveServer> {
    const log: LogLine[] = [];
    const logger = createLog({
      level: "debug",
      format: null,
      secrets: [],
      write: (line) => log.push(JSON.parse(line) as LogLine),
    });
    const config = {
      ...readConfig({
        PORT: String(port),
        DATA_DIR: this.#dataDir,
        TELEGRAM_BOT_TOKEN: BOT.token,
        TELEGRAM_API_ROOT: this.telegram.apiRoot,
        ADMIN_TOKEN,
        ...(this.database.url === null ? {} : { DATABASE_URL: this.database.url }),
      }),
      ...overrides,
    };
    const app = await startApp(config, logger);
    this.#servers.add(app);
    return this.#serverOf(app, log);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#servers].map((app) => app.stop()));
    await this.telegram.close();
    await this.database.remove();
    await rm(this.#dataDir, { recursive: true, force: true });
  }

  #serverOf(app: App, log: readonly LogLine[]): LiveServer {
    const ask: LiveServer["ask"] = async (query, variables = {}, token = ADMIN_TOKEN) => {
      const response = await fetch(app.url, {
        method: "POST",
        headers: { "content-type": "application/json", authorization: `Bearer ${token}` },
        body: JSON.stringify({ query, variables }),
      });
      return {
        status: response.status,
        headers: response.headers,
        ...((await response.json()) as object),
      } as GraphQLAnswer;
    };
    const mutate = async (name: string, input: object, selection: string) => {
      const type = `${name[0]?.toUpperCase()}${name.slice(1)}`;
      const { data, errors } = await ask(
        `mutation ($input: ${type}Input!) {
          ${name}(input: $input) { ... on ${type}Success { ${selection} } ... on UserError { message } }
        }`,
        { input },
      );
      if (errors || data[name].message !== undefined) throw new Error(JSON.stringify(errors ?? data));
      return data[name];
    };
    return {
      url: app.url,
      token: ADMIN_TOKEN,
      log,
      ask,
      async subscribe(
        query,
        { token = ADMIN_TOKEN, lastEventId, method = "POST", accept = "text/event-stream" } = {},
      ) {
        const abort = new AbortController();
        const isGet = method === "GET";
        const response = await fetch(isGet ? `${app.url}?${new URLSearchParams({ query })}` : app.url, {
          method,
          headers: {
            authorization: `Bearer ${token}`,
            accept,
            ...(lastEventId === undefined ? {} : { "last-event-id": lastEventId }),
            ...(isGet ? {} : { "content-type": "application/json" }),
          },
          ...(isGet ? {} : { body: JSON.stringify({ query }) }),
          signal: abort.signal,
        });
        return { response, reader: new EventReader(response), close: () => abort.abort() };
      },
      async makeToken(role, channelIds) {
        const { apiToken, secret } = await mutate(
          "createApiToken",
          { name: `Test ${role}`, role, channelIds },
          "secret apiToken { id }",
        );
        return { id: apiToken.id, secret };
      },
      async makeLink(chatId, settings = {}) {
        const input = { channelId: chatId, name: "A link", ...settings };
        return (await mutate("createInviteLink", input, "inviteLink { id url }")).inviteLink;
      },
      stop: async () => {
        this.#servers.delete(app);
        await app.stop();
      },
    };
  }
}
