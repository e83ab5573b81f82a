import { once } from "node:events";
import { mkdtemp, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Sandbox, startSandbox } from "../../src/sandbox/sandbox.js";
import { type DatabaseForm, type PreparedDatabase, prepareTestDatabase } from "./databases.js";
import { askAt, ServerProcess } from "./process.js";
import { CHANNEL } from "./server.js";

const ADMIN_TOKEN = "an-admin-token-of-mine";
const KILLING = new URL("killing.mjs", import.meta.url).href;

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
const NOTHING_LEFT = "fetch failed";

/** What a caller hears of a creation: the link's address; that nobody knows; nothing, since the server died; or else. */
export type Outcome = { readonly url: string } | "uncertain" | "killed" | { readonly other: string };

export interface UncertainCreation {
  readonly id: string;
  readonly name: string;
  readonly idempotencyKey: string | null;
  readonly reason: string | null;
  readonly budget: string;
  readonly channel: { readonly telegramId: number };
}

/** Where a signal strikes, counted from a request's arrival; see killing.mjs. */
export type Point = `${"SIGKILL" | "SIGSTOP"} ${"before" | "sent" | "answered"} ${number}`;

export interface LinkInput {
  readonly name: string;
  readonly channelId?: number;
  readonly [argument: string]: unknown;
}

/** A server that is a process of its own, and outlived by the Telegram and the database that it works with. */
export class MortalServer {
  readonly process: ServerProcess;
  #url = "";
  #strikes = 0;

  constructor(environment: Record<string, string>) {
    this.process = new ServerProcess(environment);
  }

  async ready(): Promise<this> {
    this.#url = await this.process.ready();
    return this;
  }

  async ask(query: string, variables: object = {}, point?: Point) {
    const headers: Record<string, string> = point === undefined ? {} : { "x-signal": point };
    const { data, errors } = await askAt(this.#url, ADMIN_TOKEN, query, { variables, headers });
    if (errors) throw new Error(JSON.stringify(errors));
    return data;
  }

  /** Asks for a link whose name is its idempotency key. */
  async create(input: LinkInput, point?: Point): Promise<Outcome> {
    const variables = { input: { channelId: CHANNEL, idempotencyKey: input.name, ...input } };
    try {
      const { createInviteLink: answer } = await this.ask(CREATE, variables, point);
      if (answer.inviteLink) return { url: answer.inviteLink.url };
      return answer.outcomeUnknown === true ? "uncertain" : { other: answer.__typename };
    } catch (error) {
      if ((error as Error).message === NOTHING_LEFT) return "killed";
      throw error;
    }
  }

  async uncertain(): Promise<UncertainCreation[]> {
    return (await this.ask(UNCERTAIN)).uncertainCreations;
  }

  /** Ends a doubt. @param url null: no link was made. */
  async resolve(id: string, url: string | null, point?: Point) {
    const input = url === null ? { id, notMade: true } : { id, url };
    return (await this.ask(RESOLVE, { input }, point)).resolveCreation;
  }

  /** Every link of a channel, as name and address. */
  async links(channelId: number): Promise<string[]> {
    const found: string[] = [];
    for (let after: string | null = null; ; ) {
      const { inviteLinks } = await this.ask(LINKS, { channelId, after });
      for (const { name, url } of inviteLinks.nodes) found.push(`${name} ${url}`);
      if (!inviteLinks.pageInfo.hasNextPage) return found.sort();
      after = inviteLinks.pageInfo.endCursor;
    }
  }

  /** Resolves when it was struck by the signal of a point; false where the request was answered before that. */
  async struck(point: Point, request: Promise<unknown>): Promise<boolean> {
    const line = point.replace(/ \d+$/, "\n");
    const answered = request.then(() => false);
    const before = this.#strikes;
    for (;;) {
      this.#strikes = this.process.stderr.split(line).length - 1;
      if (this.#strikes > before) return true;
      const said = once(this.process.child, "said").then(() => true);
      if (!(await Promise.race([said, answered]))) return false;
    }
  }

  /** Lets it go on after SIGSTOP. */
  awake(): void {
    this.process.child.kill("SIGCONT");
  }

  kill(signal: NodeJS.Signals = "SIGKILL"): Promise<number | null> {
    return this.process.end(signal);
  }
}

/** Telegram and a database that outlive the servers between them. */
export class Ground {
  readonly telegram: Sandbox;
  readonly database: PreparedDatabase;
  readonly #dataDir: string;
  readonly #environment: Record<string, string>;
  readonly #servers: MortalServer[] = [];

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

  static async prepare(form: DatabaseForm, environment: Record<string, string> = {}): Promise<Ground> {
    const database = await prepareTestDatabase(form);
    const dataDir = await mkdtemp(join(tmpdir(), "invite-links-crash-"));
    if (database.dataDir !== null) await rename(database.dataDir, join(dataDir, "live"));
    const telegram = await startSandbox({
      initial: { chats: [{ id: CHANNEL, type: "channel", title: "C" }] },
    });
    return new Ground(telegram, database, dataDir, environment);
  }

  async start(): Promise<MortalServer> {
    const server = new MortalServer(this.#environment);
    this.#servers.push(server);
    return server.ready();
  }

  /** The addresses under which Telegram has links of that name. */
  made(name: string, channelId = CHANNEL): string[] {
    const links = this.telegram.control.links(channelId).filter((link) => link.name === name);
    return links.map(({ url }) => url);
  }

  /** How often Telegram was asked for a link of that name. */
  asked(name: string): number {
    const { control } = this.telegram;
    return control.calls("createChatInviteLink").filter(({ parameters }) => parameters["name"] === name)
      .length;
  }

  /** Every link that Telegram has in a channel, as name and address. */
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
