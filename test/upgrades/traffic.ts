// What clients and Telegram do while an installation is upgraded.

import { randomInt } from "node:crypto";
import { EventEmitter, once } from "node:events";
import { Agent, request } from "undici";
import type { Sandbox } from "../../src/sandbox/sandbox.js";

const PAGE = `query ($channelId: TelegramID!) {
  inviteLinks(channelId: $channelId, first: 20) { nodes { id name url budget tags { name type { name } } } }
}`;
const MUTATIONS: Readonly<Record<string, string>> = {
  connectChannel: "channel { id }",
  createTagType: "tagType { id }",
  createTag: "tag { id }",
  createInviteLink: "inviteLink { id url }",
  updateInviteLink: "inviteLink { id budget }",
  setInviteLinkTags: "inviteLinks { id }",
  revokeInviteLink: "inviteLink { id isRevoked }",
};

/** A request that failed, or that was answered with an error. */
export interface Failure {
  readonly server: string;
  readonly request: string;
  readonly error: string;
}

interface MadeLink {
  readonly id: string;
  readonly url: string;
  readonly name: string;
  budget: string;
  isRevoked: boolean;
  readonly createsJoinRequest: boolean;
  /** Whether a request changes it, so that the order of two changes is known. */
  isChanging: boolean;
}

/** One server that gets requests. */
interface Target {
  readonly name: string;
  readonly url: string;
  answered: number;
  longestMs: number;
  isStopping: boolean;
  ended: Promise<unknown>;
}

/** Readers, writers and people who join, on any number of servers. */
export class Traffic {
  readonly failures: Failure[] = [];
  /** The links that a server said it had created. */
  readonly links: MadeLink[] = [];
  /** How many people joined, and how many asked to join. */
  joined = 0;
  requested = 0;
  readonly #telegram: Sandbox;
  readonly #chat: number;
  readonly #token: string;
  readonly #targets = new Map<string, Target>();
  readonly #answers = new EventEmitter().setMaxListeners(0);
  readonly #agent = new Agent({ connections: 16 });
  #tagIds: readonly string[] = [];
  #names = 0;
  #people = 0;

  constructor(telegram: Sandbox, chat: number, token: string) {
    this.#telegram = telegram;
    this.#chat = chat;
    this.#token = token;
  }

  /** Begins requests to a server. */
  async begin(name: string, url: string): Promise<void> {
    const target: Target = {
      name,
      url,
      answered: 0,
      longestMs: 0,
      isStopping: false,
      ended: Promise.resolve(),
    };
    this.#targets.set(name, target);
    const { __schema } = await this.#post(target, "{ __schema { mutationType { fields { name } } } }", {});
    const mutations = new Set<string>(
      __schema.mutationType.fields.map((field: { name: string }) => field.name),
    );
    if (this.#tagIds.length === 0) await this.#prepare(target);
    const kinds = [
      () => this.#read(target),
      () => this.#read(target),
      () => this.#create(target),
      ...(mutations.has("updateInviteLink") ? [() => this.#change(target)] : []),
      async () => this.#join(),
    ];
    target.ended = Promise.all(
      kinds.map(async (work) => {
        while (!target.isStopping) await work().catch((error: unknown) => this.#failed(target, error));
      }),
    );
  }

  /** Resolves when a server has answered so many requests from now on. */
  async answered(name: string, count: number): Promise<void> {
    const target = this.#target(name);
    const until = target.answered + count;
    while (target.answered < until) await once(this.#answers, "answer");
  }

  /** Begins requests again after `end`. */
  resume(name: string): Promise<void> {
    return this.begin(name, this.#target(name).url);
  }

  /** Ends the requests to a server, after those that are under way. */
  async end(name: string): Promise<void> {
    const target = this.#target(name);
    target.isStopping = true;
    await target.ended;
  }

  /** The longest time of a request to a server so far, in milliseconds, which then begins at 0 again. */
  takeLongest(name: string): number {
    const target = this.#target(name);
    const { longestMs } = target;
    target.longestMs = 0;
    return Math.round(longestMs);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#targets.keys()].map((name) => this.end(name)));
    await this.#agent.close();
  }

  #target(name: string): Target {
    const target = this.#targets.get(name);
    if (!target) throw new Error(`There is no server ${name}.`);
    return target;
  }

  #failed(target: Target, error: unknown): void {
    const { message, request: sent = "" } = error as Error & { request?: string };
    this.failures.push({ server: target.name, request: sent, error: message });
  }

  // biome-ignore lint/suspicious/noExplicitAny: the shape of an answer depends on its query.
  async #post(target: Target, query: string, variables: object): Promise<any> {
    const name = /\s(\w+)\(/.exec(query.slice(query.indexOf("{")))?.[1] ?? "schema";
    const started = performance.now();
    try {
      const { body } = await request(target.url, {
        method: "POST",
        headers: { "content-type": "application/json", authorization: `Bearer ${this.#token}` },
        body: JSON.stringify({ query, variables }),
        dispatcher: this.#agent,
      });
      const { data, errors } = (await body.json()) as { data: object; errors?: object };
      if (errors) throw new Error(JSON.stringify(errors));
      const refused = Object.values(data ?? {}).find((result) => result?.message !== undefined);
      if (refused) throw new Error(JSON.stringify(refused));
      return data;
    } catch (error) {
      throw Object.assign(error as Error, { request: name });
    } finally {
      target.longestMs = Math.max(target.longestMs, performance.now() - started);
      target.answered += 1;
      this.#answers.emit("answer");
    }
  }

  async #mutate(target: Target, name: string, input: object) {
    const type = `${name[0]?.toUpperCase()}${name.slice(1)}`;
    const query = `mutation ($input: ${type}Input!) {
      ${name}(input: $input) { ... on ${type}Success { ${MUTATIONS[name]} } ... on UserError { message } }
    }`;
    return (await this.#post(target, query, { input }))[name];
  }

  async #prepare(target: Target): Promise<void> {
    await this.#mutate(target, "connectChannel", { chat: String(this.#chat) });
    const { tagType } = await this.#mutate(target, "createTagType", { name: "Kind" });
    const tagIds: string[] = [];
    for (const name of ["one", "two", "three", "four"]) {
      const input = { channelId: this.#chat, tagTypeId: tagType.id, name, color: "#112233" };
      tagIds.push((await this.#mutate(target, "createTag", input)).tag.id);
    }
    this.#tagIds = tagIds;
  }

  #anyOf<Item>(items: readonly Item[]): Item | undefined {
    return items[randomInt(Math.max(1, items.length))];
  }

  async #read(target: Target): Promise<void> {
    await this.#post(target, PAGE, { channelId: this.#chat });
  }

  async #create(target: Target): Promise<void> {
    this.#names += 1;
    const name = `Link ${this.#names}`;
    const budget = `${randomInt(1000)}.00`;
    const tagIds = this.#tagIds.filter(() => randomInt(2) === 0);
    const createsJoinRequest = randomInt(4) === 0;
    const input = { channelId: this.#chat, name, budget, tagIds, createsJoinRequest, idempotencyKey: name };
    const { inviteLink } = await this.#mutate(target, "createInviteLink", input);
    this.links.push({ ...inviteLink, name, budget, createsJoinRequest, isRevoked: false, isChanging: false });
  }

  async #change(target: Target): Promise<void> {
    const link = this.#anyOf(this.links.filter(({ isRevoked, isChanging }) => !isRevoked && !isChanging));
    if (!link) return this.#read(target);
    link.isChanging = true;
    try {
      await this.#changeLink(target, link);
    } finally {
      link.isChanging = false;
    }
  }

  async #changeLink(target: Target, link: MadeLink): Promise<void> {
    if (randomInt(3) === 0) {
      const [add, remove] = [this.#anyOf(this.#tagIds), this.#anyOf(this.#tagIds)];
      const input = { ids: [link.id], addTagIds: [add], removeTagIds: add === remove ? [] : [remove] };
      await this.#mutate(target, "setInviteLinkTags", input);
    } else if (randomInt(8) === 0) {
      await this.#mutate(target, "revokeInviteLink", { id: link.id });
      link.isRevoked = true;
    } else {
      const budget = `${randomInt(1000)}.50`;
      await this.#mutate(target, "updateInviteLink", { id: link.id, budget });
      link.budget = budget;
    }
  }

  /** A person joins, and perhaps an earlier one leaves. Waits for an answer, so that there are not too many. */
  async #join(): Promise<void> {
    const link = this.#anyOf(this.links.filter(({ isRevoked }) => !isRevoked));
    if (link) {
      const { control } = this.#telegram;
      this.#people += 1;
      const id = 1000 + this.#people;
      const user = { id, is_bot: false, first_name: `Person ${id}` };
      // The link may have been revoked by a request that is not answered yet.
      const outcome = control.join(this.#chat, user, { url: link.url });
      if (outcome === "requested") this.requested += 1;
      const isApproved =
        outcome === "requested" && randomInt(2) === 0 && control.approveJoinRequest(this.#chat, id);
      const isMember = outcome === "joined" || isApproved;
      if (isMember) this.joined += 1;
      if (isMember && randomInt(3) === 0) control.leave(this.#chat, id);
    }
    await once(this.#answers, "answer");
  }
}
