// For tests of databases that fail: callers who create, edit and tag links through several servers without a pause, repeat
// what the errors let them repeat, and remember what was acknowledged.

import { randomInt } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { expect } from "vitest";
import type { Sandbox } from "../../src/sandbox/sandbox.js";
import type { Query } from "./crowd.js";

const CREATE = `mutation ($input: CreateInviteLinkInput!) {
  createInviteLink(input: $input) {
    __typename
    ... on CreateInviteLinkSuccess { inviteLink { id url name } }
    ... on TelegramUnavailableError { outcomeUnknown }
    ... on RateLimitedError { retryAfterSeconds }
    ... on UserError { message }
  }
}`;
const UPDATE = `mutation ($input: UpdateInviteLinkInput!) {
  updateInviteLink(input: $input) {
    __typename
    ... on UpdateInviteLinkSuccess { inviteLink { id name budget tags { name } } }
    ... on TelegramUnavailableError { outcomeUnknown }
    ... on RateLimitedError { retryAfterSeconds }
    ... on UserError { message }
  }
}`;

/** What an answer says about repeating the request. */
type Answer =
  | { readonly kind: "done"; readonly link: { readonly id: string; readonly url: string } }
  | { readonly kind: "again"; readonly code: string; readonly seconds: number }
  /** No error that says that the request may be repeated. */
  | { readonly kind: "wrong"; readonly text: string };

interface Link {
  readonly id: string;
  readonly chat: number;
  readonly url: string;
  name: string;
  budget: string;
  tags: readonly string[];
}

/** How long a caller waits who was told that the outcome is not known yet, in seconds. */
const UNKNOWN_SECONDS = 1;

/** One server, and when a write through it was last acknowledged. */
export interface LoadedServer {
  readonly url: string;
  readonly token: string;
}

export interface LoadOptions {
  readonly telegram: Sandbox;
  readonly chats: readonly number[];
  readonly servers: readonly LoadedServer[];
  /** The longest pause before a request is repeated, in seconds; the errors may ask for more. */
  readonly longestPause: number;
}

/** The callers, and the ledger of what they were told. */
export class FaultLoad {
  readonly #options: LoadOptions;
  readonly #links: Link[] = [];
  /** Creations that have begun and are not acknowledged. */
  readonly #open = new Set<string>();
  readonly #over = new AbortController();
  readonly #running: Promise<void>[] = [];
  readonly #codes = new Map<string, number>();
  readonly #wrong: string[] = [];
  /** When each server last acknowledged a write that had begun after `since`; by performance.now(). */
  readonly #writes = new Map<LoadedServer, number>();
  #since = 0;
  #count = 0;
  #tagIds: readonly string[] = [];
  #chatOfTags = 0;

  constructor(options: LoadOptions) {
    this.#options = options;
  }

  /** How often each error was answered, by its code. */
  get errors(): string {
    return [...this.#codes].map(([code, count]) => `${code} ${count}`).join(", ") || "none";
  }

  get created(): number {
    return this.#links.length;
  }

  /** Connects the channels, makes tags, and begins: one caller for each server who edits, and `creators` who create. */
  async start(creators: number): Promise<void> {
    const { servers, chats } = this.#options;
    const [first] = servers;
    if (!first) throw new TypeError("There must be a server.");
    for (const chat of chats)
      await this.#send(first, `mutation { connectChannel(input: { chat: "${chat}" }) { __typename } }`, {});
    this.#chatOfTags = chats[0] ?? 0;
    const type = await this.#send(
      first,
      `mutation { createTagType(input: { name: "Kind" }) { ... on CreateTagTypeSuccess { tagType { id } } } }`,
      {},
    );
    const tagIds: string[] = [];
    for (const name of ["A", "B", "C"]) {
      const input = {
        channelId: this.#chatOfTags,
        name,
        color: "#123456",
        tagTypeId: type.data.createTagType.tagType.id,
      };
      const made = await this.#send(
        first,
        "mutation ($input: CreateTagInput!) { createTag(input: $input) { ... on CreateTagSuccess { tag { id } } } }",
        { input },
      );
      tagIds.push(made.data.createTag.tag.id);
    }
    this.#tagIds = tagIds;
    for (const server of servers) {
      const link = await this.#create(server, this.#chatOfTags);
      if (!link) throw new Error(`The first link was not created: ${this.#wrong.join()}`);
      this.#running.push(this.#repeat(() => this.#edit(server, link)));
    }
    for (let count = 0; count < creators; count += 1)
      this.#running.push(
        this.#repeat(async () => {
          await this.#create(null, chats[randomInt(chats.length)] ?? 0);
          await delay(randomInt(100));
        }),
      );
  }

  /** Waits until each server has acknowledged a write that began from now on. @returns when the last one did, by performance.now() */
  async untilWritten(): Promise<number> {
    this.#since = performance.now();
    this.#writes.clear();
    while (this.#writes.size < this.#options.servers.length) await delay(20);
    return Math.max(...this.#writes.values());
  }

  /** Lets the callers end their present requests, which must all be acknowledged. */
  async stop(): Promise<void> {
    this.#over.abort();
    await Promise.all(this.#running);
  }

  /** Checks that each acknowledged creation and edit is there once, in the database and in Telegram, and no other. */
  async check(query: Query): Promise<void> {
    const { telegram, chats } = this.#options;
    expect(this.#wrong).toEqual([]);
    expect([...this.#open]).toEqual([]);
    expect(
      await query("select id, state, failure from link_creation where state not in ('ANSWERED', 'FAILED')"),
    ).toEqual([]);
    const inTelegram = chats.flatMap((chat) =>
      telegram.control
        .links(chat)
        .filter(({ creator }) => creator.id === telegram.bot.id)
        .map(({ url, name }) => ({ chat: String(chat), url, name })),
    );
    const stored = await query<{ chat: string; url: string; name: string; budget: string; tags: string[] }>(`
      select c.chat_id::text as chat, l.url, l.name, l.budget::text as budget,
        array(select t.name from invite_link_tag lt join tag t on t.id = lt.tag_id where lt.link_id = l.id order by t.name) as tags
      from invite_link l join channel c on c.id = l.channel_id where l.is_bot_created`);
    const byUrl = <Row extends { url: string }>(rows: readonly Row[]) =>
      [...rows].sort((one, other) => (one.url < other.url ? -1 : 1));
    expect(byUrl(stored.map(({ chat, url, name }) => ({ chat, url, name })))).toEqual(byUrl(inTelegram));
    const acknowledged = this.#links.map(({ chat, url, name, budget, tags }) => ({
      ...{ chat: String(chat), url, name, budget },
      tags: [...tags].sort(),
    }));
    expect(byUrl(stored)).toEqual(byUrl(acknowledged));
    expect(await query("select link_id from link_change")).toEqual([]);
  }

  async #repeat(work: () => Promise<unknown>): Promise<void> {
    while (!this.#over.signal.aborted) await work();
  }

  /** Creates a link, and repeats that until it is acknowledged. @param server null: any one, another one at each try */
  async #create(server: LoadedServer | null, chat: number): Promise<Link | null> {
    this.#count += 1;
    const name = `Link ${this.#count}`;
    const input = { channelId: chat, name, idempotencyKey: name, budget: "1.00" };
    this.#open.add(name);
    const link = await this.#insist(server, CREATE, { input }, "createInviteLink", name);
    if (!link) return null;
    this.#open.delete(name);
    const created = { ...link, chat, name, budget: "1.00", tags: [] };
    this.#links.push(created);
    // A later call with the key gives the same link.
    const again =
      randomInt(4) === 0 && (await this.#insist(null, CREATE, { input }, "createInviteLink", name));
    if (again && again.url !== link.url) this.#wrong.push(`${name}: ${link.url} and then ${again.url}`);
    return created;
  }

  /** Changes what only the database has, or what Telegram has as well. Both may be repeated. */
  async #edit(server: LoadedServer, link: Link): Promise<void> {
    this.#count += 1;
    const tags = ["A", "B", "C"].filter(() => randomInt(2) === 0);
    const changed = { name: `Edited ${this.#count}`, budget: `${this.#count}.50`, tags };
    const isForTelegram = randomInt(4) === 0;
    const input = {
      id: link.id,
      budget: changed.budget,
      tagIds: this.#tagIds.filter((_, index) => tags.includes(["A", "B", "C"][index] ?? "")),
      ...(isForTelegram && { name: changed.name }),
    };
    if (!(await this.#insist(server, UPDATE, { input }, "updateInviteLink", changed.name))) return;
    Object.assign(link, isForTelegram ? changed : { budget: changed.budget, tags });
    await delay(50);
  }

  /** Repeats a request for as long as its errors say that it may be repeated. @returns null after any other error */
  async #insist(server: LoadedServer | null, query: string, variables: object, field: string, about: string) {
    const { servers, longestPause } = this.#options;
    for (;;) {
      const target = server ?? servers[randomInt(servers.length)] ?? servers[0];
      if (!target) return null;
      const began = performance.now();
      const answer = await this.#answer(target, query, variables, field);
      if (answer.kind === "done") {
        if (began >= this.#since && !this.#writes.has(target)) this.#writes.set(target, performance.now());
        return answer.link;
      }
      const shown = answer.kind === "again" ? answer.code : answer.text;
      this.#codes.set(shown, 1 + (this.#codes.get(shown) ?? 0));
      if (answer.kind === "wrong") {
        this.#wrong.push(`${about}: ${answer.text}`);
        return null;
      }
      // Callers who edit find out soon whether writing works again.
      const seconds = server === null ? Math.min(answer.seconds, longestPause) : 0.2;
      await delay(1000 * seconds);
    }
  }

  async #answer(server: LoadedServer, query: string, variables: object, field: string): Promise<Answer> {
    const { status, headers, data, errors } = await this.#send(server, query, variables);
    const [error] = errors ?? [];
    if (error) {
      const { code, retryAfterSeconds } = error.extensions;
      const isTyped = code === "DATABASE_UNAVAILABLE" && status === 503 && Number(headers["retry-after"]) > 0;
      return isTyped
        ? { kind: "again", code, seconds: Number(retryAfterSeconds) }
        : { kind: "wrong", text: `${status} ${code} ${error.message}` };
    }
    const { __typename: type, inviteLink, outcomeUnknown, retryAfterSeconds, message } = data[field];
    if (inviteLink) return { kind: "done", link: inviteLink };
    if (type === "TelegramUnavailableError")
      return { kind: "again", code: `outcomeUnknown ${outcomeUnknown}`, seconds: UNKNOWN_SECONDS };
    if (type === "RateLimitedError") return { kind: "again", code: type, seconds: retryAfterSeconds };
    // The first request waits for the database, or another server has taken it over.
    if (type === "IdempotencyConflictError" && message.includes("Repeat"))
      return { kind: "again", code: type, seconds: 1 };
    return { kind: "wrong", text: `${type} ${message}` };
  }

  async #send({ url, token }: LoadedServer, query: string, variables: object) {
    const response = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${token}` },
      body: JSON.stringify({ query, variables }),
    });
    return {
      status: response.status,
      headers: Object.fromEntries(response.headers),
      // biome-ignore lint/suspicious/noExplicitAny: the shape of a response depends on its query.
      ...((await response.json()) as { data: any; errors?: any[] }),
    };
  }
}
