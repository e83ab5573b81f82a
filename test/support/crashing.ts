// For test/crash.test.ts: server processes that are killed or stopped at an exact point of a creation, between a sandbox and
// a database that live on.

import { once } from "node:events";
import { mkdtemp, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Sandbox, startSandbox } from "../../src/sandbox/sandbox.js";
import { type DatabaseForm, type PreparedDatabase, prepareTestDatabase } from "./databases.js";
import { askAt, ServerProcess } from "./process.js";
import { CHANNEL } from "./server.js";

const ADMIN_TOKEN = "an-admin-token-of-my-own";
const KILLING = new URL("killing.mjs", import.meta.url).href;

const CONTINUE_EVERY_MS = 20;

const CREATE = `mutation ($input: CreateInviteLinkInput!) {
  createInviteLink(input: $input) {
    __typename
    ... on CreateInviteLinkSuccess { inviteLink { url name budget tags { name } } }
    ... on TelegramUnavailableError { outcomeUnknown }
  }
}`;
const UNCERTAIN = `{ uncertainCreations { id name idempotencyKey reason budget channel { telegramId } } }`;
const RESOLVE = `mutation ($input: ResolveCreationInput!) {
  resolveCreation(input: $input) {
    __typename
    ... on ResolveCreationSuccess { inviteLink { url } }
    ... on UserError { message }
  }
}`;
const LINKS = `query ($channelId: TelegramID!, $after: String) {
  inviteLinks(channelId: $channelId, first: 100, after: $after) {
    nodes { url name } pageInfo { endCursor hasNextPage }
  }
}`;
const NO_ANSWER = "fetch failed";

/** A creation's result for its caller: the link, an unknown outcome, no answer from a killed server, or another result. */
export type Outcome = { readonly url: string } | "uncertain" | "killed" | { readonly other: string };

export interface UncertainCreation {
  readonly id: string;
  readonly name: string;
  readonly idempotencyKey: string | null;
  readonly reason: string | null;
  readonly budget: string;
  readonly channel: { readonly telegramId: number };
}

/** A signal, and at which message to the database since the request's arrival the process gets it. See killing.mjs. */
export type SignalPoint =
  `${"SIGKILL" | "SIGSTOP"} ${"before" | "sent" | "answered"} ${number}${"" | " on" | " own"}`;

export interface LinkInput {
  readonly name: string;
  readonly channelId?: number;
  readonly [argument: string]: unknown;
}

/** A server process that can be killed. */
export class KillableServer {
  readonly process: ServerProcess;
  #url = "";
  #signals = 0;

  constructor(environment: Record<string, string>) {
    this.process = new ServerProcess(environment);
  }

  async ready(): Promise<this> {
    this.#url = await this.process.ready();
    return this;
  }

  /** Sends a GraphQL operation. @throws Error with the errors of the response, or `fetch failed` without a response. */
  async ask(query: string, variables: object = {}, point?: SignalPoint) {
    const headers: Record<string, string> = point === undefined ? {} : { "x-signal": point };
    const { data, errors } = await askAt(this.#url, ADMIN_TOKEN, query, { variables, headers });
    if (errors) throw new Error(JSON.stringify(errors));
    return data;
  }

  /** Creates a link, with its name as idempotency key. */
  async create(input: LinkInput, point?: SignalPoint): Promise<Outcome> {
    const variables = { input: { channelId: CHANNEL, idempotencyKey: input.name, ...input } };
    try {
      const { createInviteLink: answer } = await this.ask(CREATE, variables, point);
      if (answer.inviteLink) return { url: answer.inviteLink.url };
      return answer.outcomeUnknown === true ? "uncertain" : { other: answer.__typename };
    } catch (error) {
      if ((error as Error).message === NO_ANSWER) return "killed";
      throw error;
    }
  }

  async uncertain(): Promise<UncertainCreation[]> {
    return (await this.ask(UNCERTAIN)).uncertainCreations;
  }

  /** Settles an uncertain creation. @param url the link that Telegram made, or null if it made none. */
  async resolve(id: string, url: string | null, point?: SignalPoint) {
    const input = url === null ? { id, notMade: true } : { id, url };
    return (await this.ask(RESOLVE, { input }, point)).resolveCreation;
  }

  /** All links of a channel, each as its name and address. */
  async links(channelId: number): Promise<string[]> {
    const found: string[] = [];
    for (let after: string | null = null; ; ) {
      const { inviteLinks } = await this.ask(LINKS, { channelId, after });
      for (const { name, url } of inviteLinks.nodes) found.push(`${name} ${url}`);
      if (!inviteLinks.pageInfo.hasNextPage) return found.sort();
      after = inviteLinks.pageInfo.endCursor;
    }
  }

  /** Waits for the signal of a point. @returns false if the request was answered before. */
  async wasSignalled(point: SignalPoint, request: Promise<unknown>): Promise<boolean> {
    const line = point.replace(/ \d+$/, "\n");
    const answered = request.then(() => false);
    const before = this.#signals;
    for (;;) {
      this.#signals = this.process.stderr.split(line).length - 1;
      if (this.#signals > before) return true;
      const output = once(this.process.child, "output").then(() => true);
      if (!(await Promise.race([output, answered]))) return false;
    }
  }

  /**
   * Continues the process after SIGSTOP, and waits for the end of its request. SIGCONT is repeated, because the process reports
   * a SIGSTOP shortly before it sends it to itself: a single SIGCONT might come first.
   */
  async continueUntil(ended: Promise<unknown>): Promise<void> {
    const timer = setInterval(() => this.process.child.kill("SIGCONT"), CONTINUE_EVERY_MS);
    await ended.finally(() => clearInterval(timer));
  }

  kill(signal: NodeJS.Signals = "SIGKILL"): Promise<number | null> {
    return this.process.end(signal);
  }
}

/** A sandbox and a database, and the servers that are started and killed between them. */
export class CrashTestBed {
  readonly telegram: Sandbox;
  readonly database: PreparedDatabase;
  readonly #dataDir: string;
  readonly #environment: Record<string, string>;
  readonly #servers: KillableServer[] = [];

  private constructor(
    telegram: Sandbox,
    database: PreparedDatabase,
    dataDir: string,
    environment: Record<string, string>,
  ) {
    this.telegram = telegram;
    this.database = database;
    this.#dataDir = dataDir;
    this.#environment = {
      DATA_DIR: dataDir,
      ...(database.url === null ? {} : { DATABASE_URL: database.url }),
      TELEGRAM_BOT_TOKEN: telegram.bot.token,
      TELEGRAM_API_ROOT: telegram.apiRoot,
      TELEGRAM_UPDATES: "off",
      ADMIN_TOKEN,
      NODE_OPTIONS: `--import ${KILLING}`,
      ...environment,
    };
  }

  /** @param environment additional variables for the servers. */
  static async prepare(form: DatabaseForm, environment: Record<string, string> = {}): Promise<CrashTestBed> {
    const database = await prepareTestDatabase(form);
    const dataDir = await mkdtemp(join(tmpdir(), "invite-links-crash-"));
    if (database.dataDir !== null) await rename(database.dataDir, join(dataDir, "live"));
    const telegram = await startSandbox({
      initial: { chats: [{ id: CHANNEL, type: "channel", title: "C" }] },
    });
    return new CrashTestBed(telegram, database, dataDir, environment);
  }

  async start(): Promise<KillableServer> {
    const server = new KillableServer(this.#environment);
    this.#servers.push(server);
    return server.ready();
  }

  /** The addresses of the links with a name in Telegram. */
  made(name: string, channelId = CHANNEL): string[] {
    const links = this.telegram.control.links(channelId).filter((link) => link.name === name);
    return links.map(({ url }) => url);
  }

  /** How many calls for a link with a name Telegram got. */
  asked(name: string): number {
    const { control } = this.telegram;
    return control.calls("createChatInviteLink").filter(({ parameters }) => parameters["name"] === name)
      .length;
  }

  /** All links of a channel in Telegram except the primary one, each as its name and address. */
  links(channelId: number): string[] {
    return this.telegram.control
      .links(channelId)
      .filter(({ isPrimary }) => !isPrimary)
      .map(({ name, url }) => `${name} ${url}`)
      .sort();
  }

  async close(): Promise<void> {
    await Promise.all(this.#servers.map((server) => server.kill()));
    await this.telegram.close();
    await this.database.remove();
    await rm(this.#dataDir, { recursive: true, force: true });
  }
}
