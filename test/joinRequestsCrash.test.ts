import { randomInt } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import pg from "pg";
import { expect, onTestFinished, test } from "vitest";
import { type Sandbox, type SandboxFault, startSandbox } from "../src/sandbox/sandbox.js";
import { startPostgres } from "../tools/postgres.mjs";
import { describeOnForms } from "./support/databases.js";
import { askAt, ServerProcess } from "./support/process.js";
import { CHANNEL } from "./support/server.js";

const BOT = { id: 123456789, token: "123456789:AA-secret-of-the-bot", username: "a_bot", firstName: "A" };
const ADMIN_TOKEN = "an-admin-token-of-the-tests";
/** How often a server is killed; more for a long run. */
const ROUNDS = Number(process.env["CRASH_ROUNDS"] ?? 2);
const PEOPLE_IN_A_ROUND = 40;

const error = (error_code: number, description: string): SandboxFault => ({
  kind: "error",
  error_code,
  description,
});
/** How Telegram fails meanwhile. A refusal names what is not so, except that the bot really may not decide now. */
const FAULTS: readonly SandboxFault[] = [
  { kind: "too-many-requests", retryAfter: 1 },
  { kind: "too-many-requests", retryAfter: 3 },
  { kind: "cut", effect: "before" },
  { kind: "cut", effect: "after" },
  { kind: "hang", effect: "before" },
  { kind: "hang", effect: "after" },
  { kind: "half-body" },
  { kind: "server-error", effect: "after" },
  { kind: "slow", ms: 300 },
  error(400, "Bad Request: not enough rights to manage chat join requests"),
  error(403, "Forbidden: bot is not a member of the channel chat"),
  error(400, "Bad Request: CHANNELS_TOO_MUCH"),
];
const METHODS = ["approveChatJoinRequest", "declineChatJoinRequest"] as const;

type Decision = "APPROVE" | "DECLINE";

interface Person {
  readonly userId: number;
  readonly decision: Decision;
  readonly isAutomatic: boolean;
  /** Decided in Telegram by another administrator, who tells nobody of a decline. */
  elsewhere: "approved" | "declined" | null;
}

interface Stored {
  readonly id: string;
  readonly userId: number;
  readonly state: string;
}

const DECIDE = `mutation ($ids: [ID!]!, $decision: JoinRequestDecision!) {
  decideJoinRequests(input: { ids: $ids, decision: $decision }) {
    ... on DecideJoinRequestsSuccess { results { joinRequest { id state } error { code } } }
    ... on UserError { message }
  }
}`;

const pick = <One>(from: readonly One[]): One => from[randomInt(from.length)] as One;

/** Two servers of one installation, with a PostgreSQL and a Telegram of their own. */
class Installation {
  readonly telegram: Sandbox;
  readonly #environment: Record<string, string>;
  readonly #databaseUrl: string;
  readonly #servers = new Map<ServerProcess, string>();

  private constructor(telegram: Sandbox, databaseUrl: string) {
    this.telegram = telegram;
    this.#databaseUrl = databaseUrl;
    this.#environment = {
      DATABASE_URL: databaseUrl,
      TELEGRAM_BOT_TOKEN: BOT.token,
      TELEGRAM_API_ROOT: telegram.apiRoot,
      TELEGRAM_TIMEOUT_MS: "2000",
      ADMIN_TOKEN,
    };
  }

  static async start(): Promise<Installation> {
    const postgres = await startPostgres({
      settings: { fsync: "off", full_page_writes: "off", autovacuum: "off", shared_buffers: "32MB" },
    });
    if (!postgres) throw new Error("This machine has no PostgreSQL that runs.");
    const telegram = await startSandbox({
      bot: BOT,
      initial: { chats: [{ id: CHANNEL, type: "channel", title: "C" }] },
    });
    const installation = new Installation(telegram, postgres.url);
    onTestFinished(async () => {
      await Promise.all([...installation.#servers.keys()].map((server) => server.end("SIGKILL")));
      await telegram.close();
      await postgres.stop();
    });
    await installation.#add();
    await installation.#add();
    return installation;
  }

  async #add(): Promise<void> {
    const server = new ServerProcess(this.#environment);
    this.#servers.set(server, "");
    this.#servers.set(server, await server.ready());
  }

  async killOne(): Promise<void> {
    const server = pick([...this.#servers.keys()]);
    this.#servers.delete(server);
    await server.end("SIGKILL");
    await this.#add();
  }

  /** Asks one of the servers. @returns null if it was killed before it answered */
  async ask(query: string, variables: object = {}) {
    const url = pick([...this.#servers.values()].filter((address) => address !== ""));
    try {
      const { data, errors } = await askAt(url, ADMIN_TOKEN, query, { variables });
      if (errors) throw new TypeError(JSON.stringify(errors));
      return data;
    } catch (failure) {
      if ((failure as Error).message === "fetch failed") return null;
      throw failure;
    }
  }

  async mutate(query: string, variables: object = {}) {
    const data = await this.ask(query, variables);
    if (data === null) throw new Error("The server ended.");
    return data;
  }

  async rows<Row extends pg.QueryResultRow>(text: string): Promise<Row[]> {
    const client = new pg.Client(this.#databaseUrl);
    await client.connect();
    try {
      return (await client.query<Row>(text)).rows;
    } finally {
      await client.end();
    }
  }

  requests(): Promise<Stored[]> {
    return this.rows<Stored>(`select id, user_id::int as "userId", state from join_request order by id`);
  }

  /** Runs the command recount. @returns its exit code and what it wrote */
  async recount(): Promise<[number | null, string]> {
    const main = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));
    const recount = new ServerProcess(this.#environment, [main, "recount", "--check"]);
    return [await recount.exited, recount.stdout + recount.stderr];
  }
}

await describeOnForms("servers that are killed while they decide requests to join", ["server"], () => {
  test("each request has one outcome, which is Telegram's, and the counts, events and audit entries follow", {
    timeout: 180_000 + ROUNDS * 30_000,
  }, async () => {
    const installation = await Installation.start();
    const { control } = installation.telegram;
    const people = new Map<number, Person>();
    const newLink = async (name: string): Promise<{ id: string; url: string }> => {
      const { createInviteLink } = await installation.mutate(
        `mutation ($name: String!) {
            createInviteLink(input: { channelId: ${CHANNEL}, name: $name, createsJoinRequest: true }) {
              ... on CreateInviteLinkSuccess { inviteLink { id url } } } }`,
        { name },
      );
      return createInviteLink.inviteLink;
    };
    const [byPeople, bySeconds] = [await newLink("By people"), await newLink("By itself")];
    await installation.mutate(
      `mutation ($id: ID!) { setJoinRequestPolicy(input: { inviteLinkId: $id, decider: AUTOMATIC, approveAfterSeconds: 1 }) {
          __typename } }`,
      { id: bySeconds.id },
    );
    const come = (): void => {
      const userId = 1000 + people.size;
      const isAutomatic = randomInt(4) === 0;
      const { url } = isAutomatic ? bySeconds : byPeople;
      expect(control.join(CHANNEL, { id: userId, is_bot: false, first_name: "P" }, { url })).toBe(
        "requested",
      );
      const decision = isAutomatic ? "APPROVE" : pick(["APPROVE", "DECLINE"] as const);
      people.set(userId, { userId, decision, isAutomatic, elsewhere: null });
    };
    /** Each person's request is always decided alike, so that a repetition must not change anything. */
    const decide = async (decision: Decision, most: number): Promise<void> => {
      const open = (await installation.requests()).filter(({ userId, state }) => {
        const person = people.get(userId);
        return state === "PENDING" && person?.decision === decision && !person.isAutomatic;
      });
      const ids = open.slice(0, most).map(({ id }) => id);
      if (ids.length > 0) await installation.ask(DECIDE, { ids, decision });
    };
    const decideElsewhere = (): void => {
      const person = pick([...people.values()]);
      if (randomInt(2) === 0 && control.approveJoinRequest(CHANNEL, person.userId))
        person.elsewhere = "approved";
      else if (control.declineJoinRequest(CHANNEL, person.userId)) person.elsewhere = "declined";
    };

    for (let round = 0; round < ROUNDS; round += 1) {
      for (let count = 0; count < PEOPLE_IN_A_ROUND; count += 1) come();
      const over = new AbortController();
      const killed = delay(200 + randomInt(1500))
        .then(() => installation.killOne())
        .finally(() => over.abort());
      const work = async (): Promise<void> => {
        while (!over.signal.aborted) {
          if (randomInt(2) === 0) control.fail(pick(FAULTS), { method: pick(METHODS) });
          if (randomInt(3) === 0) decideElsewhere();
          await decide(pick(["APPROVE", "DECLINE"] as const), pick([1, 1, 100]));
          await delay(20);
        }
      };
      await Promise.all([killed, work(), work()]);
    }

    control.clearFaults();
    const pending = async (): Promise<number> => {
      await decide("APPROVE", 100);
      await decide("DECLINE", 100);
      const requests = await installation.requests();
      return people.size - requests.filter(({ state }) => state !== "PENDING").length;
    };
    await expect.poll(pending, { timeout: 120_000, interval: 500 }).toBe(0);
    await expect.poll(() => control.pendingUpdates(), { interval: 100 }).toEqual([]);

    const inside = new Set(control.members(CHANNEL).map(({ user }) => user.id));
    const requests = await installation.requests();
    expect(requests).toHaveLength(people.size);
    expect(control.joinRequests(CHANNEL)).toEqual([]);
    for (const { userId, state } of requests) {
      const person = people.get(userId);
      const isOpen = person?.elsewhere === "declined" && !inside.has(userId);
      // A decline that was lost and one by another administrator cannot be told apart.
      const possible = inside.has(userId) ? ["APPROVED"] : isOpen ? ["GONE", "DECLINED"] : ["DECLINED"];
      expect({ ...person, possible, state }).toEqual({
        ...person,
        possible,
        state: expect.toBeOneOf(possible),
      });
    }
    const countOf = (state: string): number => requests.filter((request) => request.state === state).length;
    const { inviteLinks } = await installation.mutate(
      `{ inviteLinks(channelId: ${CHANNEL}) { nodes { id stats { joinCount joinRequestCount pendingJoinRequestCount } } } }`,
    );
    const sums = { joinCount: 0, joinRequestCount: 0, pendingJoinRequestCount: 0 };
    for (const { stats } of inviteLinks.nodes)
      for (const key of Object.keys(sums) as (keyof typeof sums)[]) sums[key] += stats[key];
    expect(sums).toEqual({
      joinCount: countOf("APPROVED"),
      joinRequestCount: people.size,
      pendingJoinRequestCount: 0,
    });
    // Each decline has its event, and what this API has decided has one audit entry.
    const [told] = await installation.rows<Record<string, number>>(`
        select (select count(*) from member_event where kind = 'JOIN_REQUEST_DECLINED')::int as declines,
          (select count(*) from audit_entry where action = 'joinRequest.decline')::int as audited,
          (select count(*) from join_request where decision = 'APPROVE')::int as approved,
          (select count(distinct subject_id) from audit_entry where action = 'joinRequest.approve')::int as "approvedEntries",
          (select count(*) from join_request r where decision is not null and not exists (
            select from audit_entry where subject_id = r.id and action like 'joinRequest.%'))::int as unaudited,
          (select count(*) from join_request where asked_decision is not null and decision is not null)::int as asked`);
    expect(told).toMatchObject({
      declines: countOf("DECLINED"),
      audited: countOf("DECLINED"),
      unaudited: 0,
      asked: 0,
    });
    expect(told?.["approvedEntries"]).toBe(told?.["approved"]);
    expect(await installation.recount()).toEqual([0, expect.anything()]);
  });
});
