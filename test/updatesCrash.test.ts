import { randomInt } from "node:crypto";
import { once } from "node:events";
import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import pg from "pg";
import { expect, onTestFinished, test } from "vitest";
import { type Sandbox, startSandbox } from "../src/sandbox/sandbox.js";
import { type PostgresServer, startPostgres } from "../tools/postgres.mjs";
import { model, type SeedUpdate } from "./domain/members/updates.js";
import { describeOnForms } from "./support/databases.js";
import { ServerProcess } from "./support/process.js";

const BOT = { id: 123456789, token: "123456789:AA-secret-of-the-bot", username: "a_bot", firstName: "A" };
const CHATS = [-1001111111111, -1002222222222, -1003333333333];
const SECRET = "the_secret-of-the-webhook";
const PEOPLE = 60;
const SERVERS = 3;
/** Longer than the lease for polling. */
const FROZEN_MS = 12_000;

/** What happens while updates come in. */
const DISTURBANCES = [
  "a server is killed",
  "PostgreSQL crashes",
  "the server that polls is killed",
  "all sessions end",
  "PostgreSQL restarts",
  "the server that polls hangs for longer than its lease",
] as const;
type Disturbance = (typeof DISTURBANCES)[number];

const { CRASH_ROUNDS } = process.env;
/** Each disturbance once, or any of them in many rounds. */
const PLAN: readonly Disturbance[] =
  CRASH_ROUNDS === undefined
    ? DISTURBANCES
    : Array.from(
        { length: Number(CRASH_ROUNDS) },
        () => DISTURBANCES[randomInt(DISTURBANCES.length)] ?? DISTURBANCES[0],
      );

interface Member {
  readonly user: { readonly id: number };
  readonly status: string;
  readonly is_member?: boolean;
}

/** The part of Telegram's updates that the model needs. */
interface Sent {
  readonly update_id: number;
  readonly chat_member?: {
    readonly chat: { readonly id: number };
    readonly from: { readonly id: number };
    readonly date: number;
    readonly old_chat_member: Member;
    readonly new_chat_member: Member;
    readonly invite_link?: { readonly invite_link: string };
  };
  readonly chat_join_request?: {
    readonly chat: { readonly id: number };
    readonly from: { readonly id: number };
    readonly date: number;
    readonly invite_link: { readonly invite_link: string };
  };
}

const isIn = ({ status, is_member }: Member): boolean =>
  ["creator", "administrator", "member"].includes(status) || (status === "restricted" && is_member === true);

/** People who join by links, ask to join, leave and are removed at random, and what the bot was sent about them. */
class Crowd {
  readonly #telegram: Sandbox;
  readonly #sent = new Map<number, Sent>();
  /** The whole addresses of links, by chat. */
  readonly #links: ReadonlyMap<number, readonly string[]>;

  constructor(telegram: Sandbox) {
    this.#telegram = telegram;
    const { control } = telegram;
    this.#links = new Map(
      CHATS.map((chat) => {
        const link = (createsJoinRequest: boolean) => control.makeLink(chat, { createsJoinRequest }).url;
        return [chat, [link(false), link(false), link(true)]];
      }),
    );
  }

  act(): void {
    const { control } = this.#telegram;
    const chat = CHATS[randomInt(CHATS.length)] ?? 0;
    const id = 1 + randomInt(PEOPLE);
    const user = { id, is_bot: false, first_name: `Person ${id}` };
    const status = control.members(chat).find((member) => member.user.id === id)?.status.status;
    const url = [undefined, ...(this.#links.get(chat) ?? [])][randomInt(4)];
    if (status === "member" && randomInt(4) === 0) control.ban(chat, user);
    else if (status === "member") control.leave(chat, id);
    else if (status === "kicked") control.setMember(chat, user, { status: "left" });
    else if (!control.approveJoinRequest(chat, id))
      control.join(chat, user, url === undefined ? {} : { url });
    const last = control.pendingUpdates().at(-1);
    if (last) this.#sent.set(last.update_id, last as unknown as Sent);
    // Telegram may send an update again.
    const again = [...this.#sent.values()][randomInt(this.#sent.size)];
    if (again && randomInt(10) === 0) control.inject({ ...again });
  }

  get ids(): number[] {
    return [...this.#sent.keys()].sort((one, other) => one - other);
  }

  /** The addresses of links as updates name them. */
  get addresses(): string[] {
    const named = [...this.#sent.values()].map((sent) => sent.chat_member ?? sent.chat_join_request);
    return [...new Set(named.flatMap((sent) => sent?.invite_link?.invite_link ?? []))].sort();
  }

  /** What was sent, for the model. A link is its place among `addresses`. */
  get seeds(): SeedUpdate[] {
    const { addresses } = this;
    return [...this.#sent.values()].flatMap((update): SeedUpdate[] => {
      const { update_id: updateId, chat_member, chat_join_request } = update;
      const sent = chat_member ?? chat_join_request;
      if (!sent) return [];
      const address = sent.invite_link?.invite_link;
      const common = {
        updateId,
        chat: sent.chat.id,
        date: sent.date,
        link: address === undefined ? null : addresses.indexOf(address),
        isByRequest: false,
        isByFolder: false,
      };
      if (!chat_member) return [{ ...common, kind: "request", user: sent.from.id, isByAdmin: false }];
      const { old_chat_member: before, new_chat_member: after } = chat_member;
      const [ofMember, ofOther] = isIn(before) ? (["stay", "leave"] as const) : (["join", "ban"] as const);
      const user = after.user.id;
      const isByAdmin = sent.from.id !== user;
      return [{ ...common, kind: isIn(after) ? ofMember : ofOther, user, isByAdmin }];
    });
  }
}

/** Passes each webhook call to one of the servers, as a load balancer does. */
async function startBalancer(addresses: () => readonly URL[]) {
  const balancer = createServer((incoming, answer) => {
    const targets = addresses();
    const target = targets[randomInt(Math.max(1, targets.length))];
    const fail = () => {
      answer.destroy();
    };
    if (!target) {
      fail();
      return;
    }
    const { method, headers, url: path } = incoming;
    const passed = request(
      { host: target.hostname, port: target.port, path, method, headers },
      (answered) => {
        answer.writeHead(answered.statusCode ?? 500, answered.headers);
        answered.on("error", fail).pipe(answer);
      },
    );
    passed.on("error", fail);
    incoming.on("error", fail).pipe(passed);
  }).listen(0, "127.0.0.1");
  await once(balancer, "listening");
  return {
    port: (balancer.address() as AddressInfo).port,
    close: () => {
      balancer.close();
      balancer.closeAllConnections();
    },
  };
}

/** Servers of one installation with a PostgreSQL and a Telegram of their own. */
class Installation {
  readonly telegram: Sandbox;
  readonly #postgres: PostgresServer;
  readonly #environment: Record<string, string>;
  readonly #servers = new Map<ServerProcess, URL>();

  private constructor(telegram: Sandbox, postgres: PostgresServer, environment: Record<string, string>) {
    this.telegram = telegram;
    this.#postgres = postgres;
    this.#environment = environment;
  }

  static async start(transport: "polling" | "webhook"): Promise<Installation> {
    const postgres = await startPostgres({
      settings: { fsync: "off", full_page_writes: "off", autovacuum: "off", shared_buffers: "32MB" },
    });
    if (!postgres) throw new Error("This machine has no PostgreSQL that runs.");
    const telegram = await startSandbox({
      bot: BOT,
      initial: { chats: CHATS.map((id) => ({ id, type: "channel" as const, title: `Chat ${id}` })) },
    });
    const balancer = await startBalancer(() => [...installation.#servers.values()]);
    const environment = {
      DATABASE_URL: postgres.url,
      TELEGRAM_BOT_TOKEN: BOT.token,
      TELEGRAM_API_ROOT: telegram.apiRoot,
      ADMIN_TOKEN: "an-admin-token-of-the-tests",
      ...(transport === "webhook" && {
        TELEGRAM_WEBHOOK_URL: `http://127.0.0.1:${balancer.port}/telegram/webhook`,
        TELEGRAM_WEBHOOK_SECRET: SECRET,
      }),
    };
    const installation = new Installation(telegram, postgres, environment);
    onTestFinished(async () => {
      await Promise.all([...installation.#servers.keys()].map((server) => server.end("SIGKILL")));
      balancer.close();
      await telegram.close();
      await postgres.stop();
    });
    for (let count = 0; count < SERVERS; count += 1) await installation.#add();
    return installation;
  }

  /** The rows of a statement, which is repeated while the database is away. */
  async query<Row extends pg.QueryResultRow>(text: string): Promise<Row[]> {
    for (let left = 100; ; left -= 1) {
      const client = new pg.Client(this.#postgres.url);
      client.on("error", () => {});
      try {
        await client.connect();
        return (await client.query<Row>(text)).rows;
      } catch (error) {
        if (left === 0) throw error;
        await delay(100);
      } finally {
        await client.end().catch(() => {});
      }
    }
  }

  async disturb(disturbance: Disturbance): Promise<void> {
    const servers = [...this.#servers.keys()];
    const any = servers[randomInt(servers.length)];
    switch (disturbance) {
      case "a server is killed":
        return this.#kill(any);
      case "the server that polls is killed":
        return this.#kill((await this.#leader()) ?? any);
      case "the server that polls hangs for longer than its lease": {
        const server = (await this.#leader()) ?? any;
        server?.child.kill("SIGSTOP");
        await delay(FROZEN_MS);
        server?.child.kill("SIGCONT");
        return;
      }
      case "all sessions end":
        await this.query(`select pg_terminate_backend(pid) from pg_stat_activity
          where datname = current_database() and pid <> pg_backend_pid()`);
        return;
      case "PostgreSQL crashes":
        return this.#postgres.restart("immediate");
      case "PostgreSQL restarts":
        return this.#postgres.restart("fast");
    }
  }

  /** Runs the command recount. @returns its exit code and what it wrote */
  async recount(): Promise<[number | null, string]> {
    const main = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));
    const recount = new ServerProcess(this.#environment, [main, "recount", "--check"]);
    return [await recount.exited, recount.stdout + recount.stderr];
  }

  /** The server that holds the lease, if it has written so by now. */
  async #leader(): Promise<ServerProcess | undefined> {
    const [row] = await this.query<{ id: string }>(`select owner_id as id from update_receiver`);
    return [...this.#servers.keys()].find(({ lines }) =>
      lines.some((line) => row !== undefined && line["server"] === row.id),
    );
  }

  async #add(): Promise<void> {
    const server = new ServerProcess(this.#environment);
    this.#servers.set(server, new URL("http://127.0.0.1:1"));
    this.#servers.set(server, new URL(await server.ready()));
  }

  async #kill(server: ServerProcess | undefined): Promise<void> {
    if (!server) return;
    await server.end("SIGKILL");
    this.#servers.delete(server);
    await this.#add();
  }
}

/** The stays and requests of the database, as the model tells them. */
const STORED = `
  select json_build_object(
    'stays', (select coalesce(json_agg(json_build_object(
      'chat', c.chat_id, 'user', m.user_id, 'joined', extract(epoch from m.joined_at)::int,
      'left', extract(epoch from m.left_at)::int, 'link', l.url, 'isRemoval', m.is_removal,
      'isInferred', m.is_inferred_leave, 'isRejoin', m.is_rejoin, 'isFirstByLink', m.is_first_by_link, 'path', m.path)), '[]')
      from membership m join channel c on c.id = m.channel_id left join invite_link l on l.id = m.link_id
      where m.joined_at is not null or not m.is_inferred_leave),
    'requests', (select coalesce(json_agg(json_build_object(
      'chat', c.chat_id, 'user', r.user_id, 'link', l.url, 'requested', extract(epoch from r.requested_at)::int,
      'state', r.state)), '[]')
      from join_request r join channel c on c.id = r.channel_id left join invite_link l on l.id = r.link_id)
  ) as stored`;

const sorted = (rows: readonly object[]): string[] =>
  rows.map((row) => JSON.stringify(Object.entries(row).sort())).sort();

await describeOnForms("servers and databases that fail while updates come in", ["server"], () => {
  test.each(["polling", "webhook"] as const)(
    "three servers lose and count twice nothing by %s",
    { timeout: 240_000 + PLAN.length * 60_000 },
    async (transport) => {
      const installation = await Installation.start(transport);
      const { telegram } = installation;
      const crowd = new Crowd(telegram);
      for (const disturbance of PLAN) {
        const over = new AbortController();
        const disturbed = delay(randomInt(1500))
          .then(() => installation.disturb(disturbance))
          .then(() => delay(randomInt(500)))
          .finally(() => over.abort());
        while (!over.signal.aborted) {
          for (let count = 0; count < 5; count += 1) crowd.act();
          await delay(5 + randomInt(20));
        }
        await disturbed;
      }
      await expect
        .poll(() => telegram.control.pendingUpdates(), { timeout: 180_000, interval: 200 })
        .toEqual([]);
      const stored = await installation.query<{ id: string }>(
        "select update_id as id from telegram_update order by update_id",
      );
      expect(stored.map(({ id }) => Number(id))).toEqual(crowd.ids);
      expect(await installation.query("select reason from failed_update")).toEqual([]);
      expect(await installation.query("select reason from coverage_gap")).toEqual([]);

      const { addresses } = crowd;
      const named = <Row extends { readonly link: number | null }>(row: Row) => ({
        ...row,
        link: row.link === null ? null : addresses[row.link],
      });
      const { stays, requests } = model(crowd.seeds);
      const [found] = await installation.query<{ stored: { stays: object[]; requests: object[] } }>(STORED);
      expect(sorted(found?.stored.stays ?? [])).toEqual(sorted(stays.map(named)));
      expect(sorted(found?.stored.requests ?? [])).toEqual(sorted(requests.map(named)));
      expect(await installation.recount()).toEqual([0, expect.anything()]);
      if (CRASH_ROUNDS !== undefined)
        process.stdout.write(`${transport}: ${crowd.ids.length} updates, ${PLAN.length} disturbances\n`);
    },
  );
});
