// An installation that is upgraded: servers of two versions as processes, with one database and one bot of the sandbox.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { type Sandbox, startSandbox } from "../../src/sandbox/sandbox.js";
import { type PreparedDatabase, prepareTestDatabase } from "../support/databases.js";
import { ServerProcess } from "../support/process.js";
import { Traffic } from "./traffic.js";

const CHAT = -1001111111111;
const ADMIN_TOKEN = "an-admin-token-of-my-own";

/** The address in the greeting, which the first versions wrote as text for people. */
const GREETING = /invite-links is ready: (http:\S+)|"url":"(http:[^"]+)".*invite-links is ready/;

async function addressOf(server: ServerProcess): Promise<string> {
  for (;;) {
    const [, first, second] = GREETING.exec(server.stdout) ?? [];
    const url = first ?? second;
    if (url !== undefined) return url;
    const output = new Promise<true>((resolve) => server.child.once("output", () => resolve(true)));
    if (!(await Promise.race([output, server.exited.then(() => false)])))
      throw new Error(`The server ended: ${server.stdout}${server.stderr}`);
  }
}

export class Installation {
  readonly telegram: Sandbox;
  readonly traffic: Traffic;
  readonly url: string;
  readonly client: pg.Client;
  readonly #database: PreparedDatabase;
  readonly #dataDir: string;
  readonly #servers = new Set<ServerProcess>();

  private constructor(telegram: Sandbox, database: PreparedDatabase, url: string, dataDir: string) {
    this.telegram = telegram;
    this.traffic = new Traffic(telegram, CHAT, ADMIN_TOKEN);
    this.url = url;
    this.client = new pg.Client(url);
    this.#database = database;
    this.#dataDir = dataDir;
  }

  /** Prepares an empty database on the PostgreSQL server. */
  static async prepare(): Promise<Installation> {
    const telegram = await startSandbox({
      initial: { chats: [{ id: CHAT, type: "channel", title: "News" }] },
    });
    const database = await prepareTestDatabase("server", false);
    const dataDir = await mkdtemp(join(tmpdir(), "invite-links-upgrade-"));
    const installation = new Installation(telegram, database, database.url as string, dataDir);
    await installation.client.connect();
    return installation;
  }

  /** Starts a server and its traffic. @param main its script; by default that of today. */
  async start(name: string, main?: string): Promise<ServerProcess> {
    const environment = {
      DATA_DIR: this.#dataDir,
      DATABASE_URL: this.url,
      TELEGRAM_BOT_TOKEN: this.telegram.bot.token,
      TELEGRAM_API_ROOT: this.telegram.apiRoot,
      ADMIN_TOKEN,
    };
    const server = new ServerProcess(environment, main === undefined ? undefined : [main]);
    this.#servers.add(server);
    await this.traffic.begin(name, await addressOf(server));
    return server;
  }

  /** Adds links with two tags and an audit entry each, by SQL that suits every version. */
  async fill(links: number): Promise<void> {
    const { rowCount } = await this.client.query(
      "select from information_schema.columns where table_name = 'invite_link_tag' and column_name = 'created_at'",
    );
    const [column, value] = rowCount === 0 ? ["", ""] : [", created_at", ", l.created_at"];
    await this.client.query(`
      insert into invite_link (id, channel_id, url, name, name_key, budget, created_at)
      select gen_random_uuid(), c.id, 'https://t.me/+' || md5(n::text), 'Filled ' || n, 'filled ' || n, n % 977,
        timestamptz '2026-01-01' + n * interval '1 minute' from channel c, generate_series(1, ${links}) n;
      insert into invite_link_tag (link_id, tag_id, channel_id, type_id${column})
      select l.id, t.id, t.channel_id, t.type_id${value} from invite_link l
      cross join (select * from tag order by name limit 2) t where l.name like 'Filled %';
      insert into audit_entry (id, at, caller, action, subject_id, channel_id, change)
      select gen_random_uuid(), created_at, 'server', 'inviteLink.create', id, channel_id, '{}' from invite_link
      where name like 'Filled %';
      analyze`);
  }

  async close(): Promise<void> {
    await this.traffic.close();
    await Promise.all([...this.#servers].map((server) => server.end("SIGKILL")));
    await this.client.end();
    await this.telegram.close();
    await this.#database.remove();
    await rm(this.#dataDir, { recursive: true, force: true });
  }
}
