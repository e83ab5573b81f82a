import type { AddressInfo } from "node:net";
import {
  GraphQLBoolean,
  GraphQLInt,
  GraphQLList,
  GraphQLNonNull,
  GraphQLObjectType,
  GraphQLSchema,
  GraphQLString,
} from "graphql";
import type { Database } from "../../../src/database/database.js";
import { Authentication } from "../../../src/domain/access/authentication.js";
import { CallerCache } from "../../../src/domain/access/callerCache.js";
import { Tokens } from "../../../src/domain/access/tokens.js";
import type { Domain } from "../../../src/domain/request.js";
import type { Caller, Role } from "../../../src/domain/shared/caller.js";
import { ForbiddenError } from "../../../src/domain/shared/errors.js";
import type { GraphQLContext } from "../../../src/graphql/builder/context.js";
import { Operations } from "../../../src/graphql/pipeline/executeOperation.js";
import { AutomaticDocuments } from "../../../src/graphql/pipeline/persistedDocuments.js";
import { addGraphQL } from "../../../src/http/graphql/route.js";
import { BearerTokens } from "../../../src/http/lifecycle/bearer.js";
import { createServer } from "../../../src/http/server.js";
import { createLog } from "../../../src/log.js";
import { Metrics } from "../../../src/metrics/metrics.js";
import type { LogLine } from "../../support/server.js";

export const ADMIN_TOKEN = "an-admin-token-of-the-tests";
const ADMIN: Caller = { key: "admin", name: "Test", role: "ADMIN", chatIds: null, telegramUserId: null };

interface Waiting {
  resolve(result: IteratorResult<number>): void;
  reject(error: Error): void;
}

/** A source of the events that a test pushes. */
export class PushedSource implements AsyncIterableIterator<number> {
  readonly #events: (number | Error | null)[] = [];
  #waiting: Waiting | null = null;
  isClosed = false;

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** @param event null ends the source, and an Error makes it fail */
  push(event: number | Error | null): void {
    this.#events.push(event);
    this.#deliver();
  }

  next(): Promise<IteratorResult<number>> {
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#deliver();
    });
  }

  async return(): Promise<IteratorResult<number>> {
    this.isClosed = true;
    return { done: true, value: undefined };
  }

  #deliver(): void {
    if (this.#waiting === null || this.#events.length === 0) return;
    const [event, waiting] = [this.#events.shift() ?? null, this.#waiting];
    this.#waiting = null;
    if (event === null) waiting.resolve({ done: true, value: undefined });
    else if (event instanceof Error) waiting.reject(event);
    else waiting.resolve({ done: false, value: event });
  }
}

/** A source whose next event is always ready. Each event selects a `text` of 64 KiB. */
class EndlessSource implements AsyncIterableIterator<number> {
  pulls = 0;
  isClosed = false;

  [Symbol.asyncIterator](): this {
    return this;
  }
  async next(): Promise<IteratorResult<number>> {
    this.pulls += 1;
    return { done: false, value: this.pulls };
  }
  async return(): Promise<IteratorResult<number>> {
    this.isClosed = true;
    return { done: true, value: undefined };
  }
}

/** The sources that subscriptions have opened so far, in the order of opening. */
export interface OpenedSources {
  readonly pushed: PushedSource[];
  readonly endless: EndlessSource[];
  /** Each lets a mutation `wait` end. */
  readonly waiting: (() => void)[];
}

/** A schema with subscriptions, which the product's own schema does not have yet. */
function schemaOf(opened: OpenedSources): GraphQLSchema {
  const contexts = new WeakSet<object>();
  const Numbered: GraphQLObjectType<number, GraphQLContext> = new GraphQLObjectType({
    name: "Numbered",
    fields: () => ({
      value: { type: new GraphQLNonNull(GraphQLInt), resolve: (value) => value },
      caller: { type: GraphQLString, resolve: (_value, _args, { caller }) => caller.name },
      chatIds: {
        type: new GraphQLList(GraphQLString),
        resolve: (_value, _args, { caller: { chatIds } }) => chatIds && [...chatIds].map(String),
      },
      text: { type: GraphQLString, resolve: () => "x".repeat(65_536) },
      fails: {
        type: GraphQLInt,
        resolve: () => {
          throw new Error("connection to 10.0.0.5 refused");
        },
      },
      isForbidden: {
        type: GraphQLInt,
        resolve: () => {
          throw new ForbiddenError("Not this number.");
        },
      },
      hasOwnContext: {
        type: GraphQLBoolean,
        resolve(_value, _args, context) {
          if (contexts.has(context)) return false;
          contexts.add(context);
          return true;
        },
      },
      next: { type: Numbered, resolve: (value) => value + 1 },
      list: {
        type: new GraphQLList(Numbered),
        resolve: (value) => [value],
        // The list counts as a hundred items in the cost of each event.
        extensions: { complexity: { field: 1, multiplier: 100 } },
      },
    }),
  });
  return new GraphQLSchema({
    query: new GraphQLObjectType<unknown, GraphQLContext>({
      name: "Query",
      fields: { caller: { type: GraphQLString, resolve: (_root, _args, { caller }) => caller.name } },
    }),
    mutation: new GraphQLObjectType({
      name: "Mutation",
      fields: {
        forge: { type: GraphQLInt, resolve: () => 1 },
        wait: {
          type: GraphQLInt,
          resolve: () => new Promise<number>((resolve) => opened.waiting.push(() => resolve(1))),
        },
      },
    }),
    subscription: new GraphQLObjectType<unknown, GraphQLContext>({
      name: "Subscription",
      fields: {
        numbers: {
          type: Numbered,
          args: { failure: { type: GraphQLString } },
          subscribe(_root, { failure }) {
            if (failure === "typed") throw new ForbiddenError("Not this subscription.");
            if (failure === "unexpected") throw new Error("connection to 10.0.0.5 refused");
            const source = new PushedSource();
            opened.pushed.push(source);
            return source;
          },
          resolve: (value) => value,
        },
        endless: {
          type: Numbered,
          subscribe() {
            const source = new EndlessSource();
            opened.endless.push(source);
            return source;
          },
          resolve: (value) => value,
        },
      },
    }),
  });
}

export interface StreamEvent {
  /** Left out for an event without an id. */
  readonly id?: string;
  readonly event: string;
  // biome-ignore lint/suspicious/noExplicitAny: the shape of a result depends on its selection.
  readonly data: any;
}

/** Reads the server-sent events of a response as they arrive. */
export class EventReader {
  readonly #chunks: AsyncIterator<Uint8Array>;
  readonly #decoder = new TextDecoder();
  #text = "";

  constructor(response: Response) {
    if (response.body === null) throw new TypeError("The response has no body.");
    this.#chunks = (response.body as unknown as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]();
  }

  /** Returns the next event, skipping comments, or null if the response ended properly. */
  async next(): Promise<StreamEvent | null> {
    for (;;) {
      const end = this.#text.indexOf("\n\n");
      if (end >= 0) {
        const lines = this.#text.slice(0, end).split("\n");
        this.#text = this.#text.slice(end + 2);
        const field = (name: string) =>
          lines
            .find((line) => line.startsWith(`${name}:`))
            ?.slice(name.length + 1)
            .trim();
        const event = field("event");
        if (event === undefined) continue;
        const data = field("data");
        const id = field("id");
        return { ...(id !== undefined && { id }), event, data: data ? JSON.parse(data) : null };
      }
      const { done, value } = await this.#chunks.next();
      if (done) return null;
      this.#text += this.#decoder.decode(value, { stream: true });
    }
  }

  /** Returns all remaining events when the response has ended. */
  async rest(): Promise<StreamEvent[]> {
    const events: StreamEvent[] = [];
    for (let event = await this.next(); event !== null; event = await this.next()) events.push(event);
    return events;
  }
}

export interface SubscriptionServer {
  readonly url: string;
  readonly opened: OpenedSources;
  readonly log: readonly LogLine[];
  readonly metrics: Metrics;
  /** Creates an API token. Returns its id and its secret. */
  makeToken(role: Role, channelIds?: readonly number[] | null): Promise<{ id: string; secret: string }>;
  revoke(tokenId: string): Promise<void>;
  ask(query: string, init?: { token?: string; accept?: string; signal?: AbortSignal }): Promise<Response>;
  subscribe(query: string, token?: string, signal?: AbortSignal): Promise<EventReader>;
  /** Ends the streams and resolves when all requests have ended, as the real server does when it stops. */
  close(): Promise<void>;
}

/** Starts the server's GraphQL endpoint over real HTTP with a schema for tests. */
export async function startSubscriptionServer(
  database: Database,
  isShared: boolean,
): Promise<SubscriptionServer> {
  const log: LogLine[] = [];
  const logger = createLog({
    level: "info",
    format: null,
    secrets: [],
    write: (line) => log.push(JSON.parse(line) as LogLine),
  });
  const metrics = new Metrics({
    pool: { totalCount: 0, idleCount: 0, waitingCount: 0 } as never,
    telegramState: () => "ok",
    waitingCalls: () => 0,
    holds: () => [],
    receiver: () => null,
    webhooks: () => null,
    runningBatches: () => 0,
    readsFrom: () => "primary",
  });
  const callerCache = new CallerCache({ remembers: true, isShared });
  const storageGuard: Domain["storageGuard"] = {
    requireWritable: () => {},
    recordFailure: () => {},
    trackStoring: () => {},
  };
  const domain = { database, callerCache, storageGuard } as unknown as Domain;
  const opened: OpenedSources = { pushed: [], endless: [], waiting: [] };
  const operations = new Operations({
    domain,
    schema: schemaOf(opened),
    suggestions: true,
    persisted: new AutomaticDocuments(),
  });
  const authentication = new Authentication(database, callerCache, ADMIN_TOKEN, () => {});
  const server = await createServer({ log: logger, corsOrigins: [], onFinished: metrics.recordRequest });
  const streamReport = { onOpen() {}, onClose() {} };
  const bearer = new BearerTokens(authentication);
  addGraphQL(server, { operations, bearer, rateLimit: null, streamReport, graphiql: null });
  await server.listen({ port: 0, host: "127.0.0.1" });
  const url = `http://127.0.0.1:${(server.server.address() as AddressInfo).port}/graphql`;
  const tokens = new Tokens({ database, callerCache }, ADMIN);

  const ask: SubscriptionServer["ask"] = (query, { token = ADMIN_TOKEN, accept, signal } = {}) =>
    fetch(url, {
      method: "POST",
      headers: {
        authorization: `Bearer ${token}`,
        "content-type": "application/json",
        accept: accept ?? "text/event-stream",
      },
      body: JSON.stringify({ query }),
      signal: signal ?? null,
    });
  return {
    url,
    opened,
    log,
    metrics,
    async makeToken(role, chatIds = null) {
      const { apiToken, secret } = await tokens.create({ name: `A ${role}`, role, chatIds });
      return { id: apiToken.id, secret };
    },
    async revoke(id) {
      await tokens.revoke({ id });
    },
    ask,
    async subscribe(query, token, signal) {
      const response = await ask(query, { ...(token && { token }), ...(signal && { signal }) });
      if (response.status !== 200) throw new Error(`${response.status}: ${await response.text()}`);
      return new EventReader(response);
    },
    close: () => server.close(),
  };
}
