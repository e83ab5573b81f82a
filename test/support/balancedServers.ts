// Three server processes of one installation behind haproxy, and clients that know only haproxy's address.

import { Agent, request } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { createClient } from "graphql-sse";
import pg from "pg";
import { onTestFinished, vi } from "vitest";
import { type Sandbox, startSandbox } from "../../src/sandbox/sandbox.js";
import { freePort } from "../../tools/postgres.mjs";
import { prepareTestDatabase } from "./databases.js";
import { type Balancer, startBalancer } from "./haproxy.js";
import { startPooler } from "./pgbouncer.js";
import { ServerProcess } from "./process.js";

const BOT = { id: 123456789, token: "123456789:AA-secret-of-the-bot", username: "a_bot", firstName: "A" };
const ADMIN_TOKEN = "an-admin-token-of-the-tests";
const COMMAND = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
/** How long a test waits for an event. */
const PATIENCE = { timeout: 60_000, interval: 20 };

export const NEWS = -1001111111111;
export const OTHER = -1002222222222;

// biome-ignore lint/suspicious/noExplicitAny: the shape of an answer depends on its query.
export type Data = Record<string, any>;

/** A client with one connection, which it keeps. It repeats nothing. */
export class PlainClient {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });
  readonly #port: number;

  constructor(port: number) {
    this.#port = port;
  }

  /** @throws Error unless the answer is complete and its status is 2xx. */
  async send(
    method: string,
    path: string,
    body?: object,
    headers: Record<string, string> = {},
  ): Promise<string> {
    const [status, text] = await new Promise<[number, string]>((resolve, reject) => {
      const sent = request(
        {
          host: "127.0.0.1",
          port: this.#port,
          agent: this.#agent,
          method,
          path,
          headers: {
            authorization: `Bearer ${ADMIN_TOKEN}`,
            ...(body && { "content-type": "application/json" }),
            ...headers,
          },
        },
        (answer) => {
          let received = "";
          answer.setEncoding("utf8").on("data", (part: string) => {
            received += part;
          });
          answer.on("end", () => resolve([answer.statusCode ?? 0, received]));
          answer.on("error", reject);
        },
      );
      sent.on("error", reject);
      sent.end(body && JSON.stringify(body));
    });
    if (status < 200 || status > 299) throw new Error(`${method} ${path}: ${status} ${text}`);
    return text;
  }

  /** @throws Error also for an answer with errors. */
  async ask(query: string, variables: object = {}): Promise<Data> {
    const { data, errors } = JSON.parse(await this.send("POST", "/graphql", { query, variables }));
    if (errors) throw new Error(JSON.stringify(errors));
    return data;
  }

  /** Calls a mutation. @throws Error unless it succeeds. */
  async mutate(name: string, input: object, selection: string): Promise<Data> {
    const type = `${name[0]?.toUpperCase()}${name.slice(1)}`;
    const data = await this.ask(
      `mutation ($input: ${type}Input!) {
        ${name}(input: $input) { ... on ${type}Success { ${selection} } ... on UserError { code message } }
      }`,
      { input },
    );
    if (data[name].code !== undefined) throw new Error(`${name}: ${JSON.stringify(data[name])}`);
    return data[name];
  }

  close(): void {
    this.#agent.destroy();
  }
}

/** Clients that go on asking, side by side. */
export class Load {
  readonly failures: string[] = [];
  readonly #port: number;
  readonly #running: Promise<void>[] = [];
  #isOver = false;
  #answered = 0;

  constructor(port: number) {
    this.#port = port;
  }

  /** How many clients there are. Each has one request under way. */
  get clients(): number {
    return this.#running.length;
  }

  /** Adds a client. @param work is repeated; `turn` counts from 0. */
  repeat(name: string, work: (client: PlainClient, turn: number) => Promise<unknown>): void {
    const client = new PlainClient(this.#port);
    const run = async () => {
      for (let turn = 0; !this.#isOver; turn += 1) {
        try {
          await work(client, turn);
          this.#answered += 1;
        } catch (error) {
          this.failures.push(`${name}: ${(error as Error).message}`);
        }
        await delay(20);
      }
      client.close();
    };
    this.#running.push(run());
  }

  /** Resolves when so many more turns have succeeded. */
  async succeeds(turns: number): Promise<void> {
    const enough = this.#answered + turns;
    await vi.waitUntil(() => this.#answered >= enough, PATIENCE);
  }

  async end(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#running);
  }
}

export interface BalancedOptions {
  readonly transport: "polling" | "webhook";
  /** Whether pgbouncer is between the servers and PostgreSQL. */
  readonly isPooled: boolean;
  /** Milliseconds. haproxy needs about a second to notice that a server is not ready. Default: 3000. */
  readonly shutdownDelayMs?: number;
}

/** The installation. Each server has the number 0, 1 or 2. Everything ends with the test. */
export class BalancedServers {
  readonly telegram: Sandbox;
  readonly balancer: Balancer;
  readonly client: PlainClient;
  readonly #databaseUrl: string;
  readonly #environment: Record<string, string>;
  readonly #ports: readonly number[];
  readonly #processes: ServerProcess[] = [];
  /** Processes that have ended. */
  readonly #ended: ServerProcess[] = [];

  private constructor(
    telegram: Sandbox,
    balancer: Balancer,
    databaseUrl: string,
    environment: Record<string, string>,
    ports: readonly number[],
  ) {
    this.telegram = telegram;
    this.balancer = balancer;
    this.client = new PlainClient(balancer.port);
    this.#databaseUrl = databaseUrl;
    this.#environment = environment;
    this.#ports = ports;
  }

  /** Resolves when haproxy uses all servers, and both chats are connected. */
  static async start({
    transport,
    isPooled,
    shutdownDelayMs = 3000,
  }: BalancedOptions): Promise<BalancedServers> {
    const database = await prepareTestDatabase("server");
    onTestFinished(() => database.remove());
    const url = database.url ?? "";
    const pooler = isPooled
      ? await startPooler(url, { pool_mode: "session", default_pool_size: "60" })
      : null;
    if (pooler) onTestFinished(() => pooler.stop());
    const telegram = await startSandbox({
      bot: BOT,
      initial: { chats: [NEWS, OTHER].map((id) => ({ id, type: "channel" as const, title: `Chat ${id}` })) },
    });
    onTestFinished(() => telegram.close());
    const ports = await Promise.all([freePort(), freePort(), freePort()]);
    const balancer = await startBalancer(ports);
    onTestFinished(() => balancer.stop());
    const environment = {
      DATABASE_URL: pooler?.through(url) ?? url,
      DATABASE_DIRECT_URL: url,
      TELEGRAM_BOT_TOKEN: BOT.token,
      TELEGRAM_API_ROOT: telegram.apiRoot,
      ADMIN_TOKEN,
      SHUTDOWN_DELAY_MS: String(shutdownDelayMs),
      TRUST_PROXY: "127.0.0.1",
      WEBHOOK_ALLOW_PRIVATE: "on",
      ...(transport === "webhook" && {
        TELEGRAM_WEBHOOK_URL: `http://127.0.0.1:${balancer.port}/telegram/webhook`,
        TELEGRAM_WEBHOOK_SECRET: "the_secret-of-the-webhook",
      }),
    };
    const servers = new BalancedServers(telegram, balancer, url, environment, ports);
    onTestFinished(async () => {
      servers.client.close();
      await Promise.all(servers.#processes.map((one) => one.end("SIGKILL")));
    });
    await Promise.all(ports.map((_port, number) => servers.begin(number)));
    for (const number of ports.keys()) await servers.isUsed(number, true);
    for (const chat of [NEWS, OTHER])
      await servers.client.mutate("connectChannel", { chat: String(chat) }, "channel { id }");
    return servers;
  }

  /** Starts a server. Resolves when it is ready. */
  async begin(number: number): Promise<void> {
    const begun = new ServerProcess({ ...this.#environment, PORT: String(this.#ports[number]) });
    this.#processes[number] = begun;
    await begun.ready();
  }

  /** Resolves when the process has ended. @returns the exit code; null after SIGKILL. */
  async end(number: number, signal: "SIGTERM" | "SIGKILL"): Promise<number | null> {
    const ending = this.#process(number);
    const code = await ending.end(signal);
    this.#ended.push(ending);
    return code;
  }

  freeze(number: number): void {
    this.#process(number).child.kill("SIGSTOP");
  }

  unfreeze(number: number): void {
    this.#process(number).child.kill("SIGCONT");
  }

  /** Resolves when haproxy uses a server, or uses it no more. */
  async isUsed(number: number, expected: boolean): Promise<void> {
    const changed = `Server ready/server-${number + 1} is ${expected ? "UP" : "DOWN"}`;
    const any = `Server ready/server-${number + 1} is `;
    await vi.waitUntil(
      () => this.balancer.log.findLast((line) => line.includes(any))?.includes(changed),
      PATIENCE,
    );
  }

  /** haproxy's log lines of requests that were refused or got no answer. */
  get failedRequests(): string[] {
    return this.balancer.log.filter((line) => / (?:[45]\d\d|-1) \d+ - - /.test(line));
  }

  /** The log lines of all servers with the level error or fatal. */
  get errors(): unknown[] {
    return [...this.#processes, ...this.#ended].flatMap(({ lines }) =>
      lines.filter((line) => line["level"] === "error" || line["level"] === "fatal"),
    );
  }

  /** The texts in the only column of a statement. */
  async column(statement: string): Promise<string[]> {
    const client = new pg.Client(this.#databaseUrl);
    await client.connect();
    try {
      const { rows } = await client.query({ text: statement, rowMode: "array" });
      return rows.map(([value]) => String(value));
    } finally {
      await client.end();
    }
  }

  /** Runs `recount --check`. @returns its exit code and what it wrote. */
  async recount(): Promise<[number | null, string]> {
    const recount = new ServerProcess(this.#environment, [COMMAND, "recount", "--check"]);
    return [await recount.exited, recount.stdout + recount.stderr];
  }

  /**
   * Subscribes to the member events of NEWS by graphql-sse's client, which resumes as the README says.
   * @param after the global id of an event, after which the subscription begins
   * @returns the global ids of the events as they come, and a text for whatever else comes
   */
  follow(after: string): readonly string[] {
    const told: string[] = [];
    const client = createClient({
      url: `http://127.0.0.1:${this.balancer.port}/graphql`,
      headers: () => ({ authorization: `Bearer ${ADMIN_TOKEN}`, "last-event-id": told.at(-1) ?? after }),
      retryAttempts: Number.POSITIVE_INFINITY,
      retry: () => delay(100),
    });
    onTestFinished(() => client.dispose());
    client.subscribe<{ memberEvents: { id: string } }>(
      { query: `subscription { memberEvents(channelId: ${NEWS}) { id } }` },
      {
        next: ({ data, errors }) => told.push(data?.memberEvents.id ?? JSON.stringify(errors)),
        error: (error) => told.push(String(error)),
        complete: () => told.push("complete"),
      },
    );
    return told;
  }

  /** Has people join by links of NEWS, or ask to, and leave. @returns what ends it. */
  haveVisitors(urls: readonly string[]): () => void {
    const { control } = this.telegram;
    const inside: number[] = [];
    let last = 5_000_000;
    const timer = setInterval(() => {
      last += 1;
      const person = { id: last, is_bot: false, first_name: "Somebody" };
      if (control.join(NEWS, person, { url: urls[last % urls.length] ?? "" }) === "joined") inside.push(last);
      if (inside.length > 20) control.leave(NEWS, inside.shift() ?? 0);
    }, 25);
    const stop = () => clearInterval(timer);
    onTestFinished(stop);
    return stop;
  }

  #process(number: number): ServerProcess {
    const found = this.#processes[number];
    if (!found) throw new RangeError(`There is no server ${number}.`);
    return found;
  }
}
