// PostgreSQL as it runs in production: three servers under patroni, which agree by etcd which of them is the primary,
// replicate synchronously, and are reached through haproxy. For tests of what happens when the primary fails.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readlinkSync } from "node:fs";
import { chmod, chown, mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import pg from "pg";
import { freePort } from "../../tools/postgres.mjs";

/** The user and group id of nobody. PostgreSQL refuses to run as root. */
const NOBODY = 65_534;
const asUser = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {};

const FOLDERS = [...(process.env["PATH"] ?? "").split(delimiter), "/usr/sbin", "/usr/local/sbin"];
const find = (name: string) => FOLDERS.map((folder) => join(folder, name)).find((path) => existsSync(path));

const DEBIAN = "/usr/lib/postgresql";
/** The folder with the programs of the newest PostgreSQL; its initdb and pg_rewind need not be on the PATH. */
const binaries = [
  ...FOLDERS,
  ...(existsSync(DEBIAN) ? readdirSync(DEBIAN) : [])
    .sort((one, other) => Number(other) - Number(one))
    .map((version) => join(DEBIAN, version, "bin")),
].find((folder) => existsSync(join(folder, "pg_rewind")) && existsSync(join(folder, "postgres")));

const missing = [
  ...["patroni", "etcd", "haproxy"].filter((name) => find(name) === undefined),
  ...(binaries === undefined ? ["PostgreSQL with pg_rewind"] : []),
  ...(existsSync("/proc/self/cwd") ? [] : ["/proc"]),
];

/** The reason why this machine cannot run a cluster; null if it can. */
export const missingCluster = missing.length > 0 ? `this machine has no ${missing.join(", no ")}` : null;

/** Seconds. Newer versions of patroni do not accept a shorter `ttl` than 20 and use that instead. */
const TIMES = { ttl: 5, loop_wait: 1, retry_timeout: 3 };

/** A script that ends all processes in the cluster's folder when this process has ended, in whatever way, and deletes the folder. */
const GUARD = `
  const { readdirSync, readlinkSync, rmSync } = require("node:fs");
  const [folder] = process.argv.slice(1);
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => {});
  process.stdin.on("close", () => {
    for (let found = true; found; ) {
      found = false;
      for (const pid of readdirSync("/proc").filter((name) => /^\\d+$/.test(name))) {
        try {
          const cwd = readlinkSync("/proc/" + pid + "/cwd");
          if (!cwd.startsWith(folder) || Number(pid) === process.pid) continue;
          process.kill(Number(pid), "SIGKILL");
          found = true;
        } catch {}
      }
    }
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  }).resume();
`;

/** The ids of the processes whose working folder is in `folder`. */
function processesIn(folder: string): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return `${readlinkSync(`/proc/${pid}/cwd`)}/`.startsWith(`${folder}/`);
      } catch {
        // The process has ended.
        return false;
      }
    })
    .map(Number);
}

/** One machine of the cluster: patroni and the PostgreSQL that it runs. */
export interface Member {
  readonly name: string;
  readonly folder: string;
  readonly port: number;
  readonly restPort: number;
}

interface MemberStatus {
  readonly name: string;
  readonly role: "leader" | "sync_standby" | "replica" | string;
  readonly state: string;
}

export class Cluster {
  readonly members: readonly Member[];
  /** The address of the primary, through haproxy. */
  readonly url: string;
  readonly #end: () => Promise<void>;

  private constructor(members: readonly Member[], url: string, end: () => Promise<void>) {
    this.members = members;
    this.url = url;
    this.#end = end;
  }

  /** @throws Error with the reason if the cluster does not start within two minutes. */
  static async start(): Promise<Cluster> {
    const folder = await mkdtemp(join(tmpdir(), "invite-links-cluster-"));
    await chmod(folder, 0o755);
    const guard = spawn(process.execPath, ["-e", GUARD, folder], {
      stdio: ["pipe", "ignore", "ignore"],
      detached: true,
    });
    const [etcdPort, peerPort, port] = [await freePort(), await freePort(), await freePort()];
    const members: Member[] = [];
    for (const name of ["one", "two", "three"]) {
      const member = { name, folder: join(folder, name), port: await freePort(), restPort: await freePort() };
      await mkdir(member.folder);
      await writeFile(join(member.folder, "patroni.yml"), JSON.stringify(configOf(member, etcdPort)));
      members.push(member);
    }
    await writeFile(join(folder, "haproxy.cfg"), balancerConfig(port, members));
    if ("uid" in asUser)
      for (const path of [folder, ...members.map((member) => member.folder)])
        await chown(path, NOBODY, NOBODY);
    const cluster = new Cluster(members, `postgresql://postgres@127.0.0.1:${port}/postgres`, async () => {
      guard.stdin.end();
      await once(guard, "exit");
    });
    run(folder, "etcd", [
      ...["--data-dir", join(folder, "etcd"), "--log-level", "error"],
      ...["--listen-client-urls", `http://127.0.0.1:${etcdPort}`],
      ...["--advertise-client-urls", `http://127.0.0.1:${etcdPort}`],
      ...["--listen-peer-urls", `http://127.0.0.1:${peerPort}`],
      ...["--initial-advertise-peer-urls", `http://127.0.0.1:${peerPort}`],
      ...["--initial-cluster", `default=http://127.0.0.1:${peerPort}`],
    ]);
    for (const member of members) cluster.run(member);
    run(folder, "haproxy", ["-db", "-q", "-f", join(folder, "haproxy.cfg")]);
    await cluster.untilHealthy();
    return cluster;
  }

  /** Runs patroni of a member, which starts its PostgreSQL. */
  run({ folder }: Member): void {
    run(folder, "patroni", [join(folder, "patroni.yml")]);
  }

  /**
   * Sends a signal to processes of a member at once.
   * @param part all of them, as if the machine failed, or those of its PostgreSQL or its patroni.
   */
  signal(
    { folder }: Member,
    signal: NodeJS.Signals,
    part: "machine" | "postgres" | "patroni" = "machine",
  ): void {
    const ofPostgres = processesIn(join(folder, "data"));
    const ids = part === "postgres" ? ofPostgres : processesIn(folder);
    for (const pid of ids) {
      if (part === "patroni" && ofPostgres.includes(pid)) continue;
      try {
        process.kill(pid, signal);
      } catch {
        // The process has ended meanwhile.
      }
    }
  }

  /** The address of a member, without haproxy. */
  urlOf({ port }: Member): string {
    return `postgresql://postgres@127.0.0.1:${port}/postgres`;
  }

  /** The members that accept writes now. @param except a member that is not asked */
  async primaries(except?: Member): Promise<Member[]> {
    const asked = this.members.filter((member) => member !== except);
    const found = await Promise.all(
      asked.map(async (member) => {
        const [row] = await this.query<{ standby: boolean }>(member, "select pg_is_in_recovery() as standby");
        return row?.standby === false ? [member] : [];
      }),
    );
    return found.flat();
  }

  /** Runs a statement on a member. @returns no rows if the member does not answer in time. */
  async query<Row extends pg.QueryResultRow>(member: Member, text: string): Promise<Row[]> {
    const client = new pg.Client({
      connectionString: this.urlOf(member),
      connectionTimeoutMillis: 1000,
      query_timeout: 10_000,
    });
    client.on("error", () => {});
    try {
      await client.connect();
      return (await client.query<Row>(text)).rows;
    } catch {
      return [];
    } finally {
      client.end().catch(() => {});
    }
  }

  /** Asks patroni to hand the role of the primary over, after a clean shutdown of the present one. */
  async switchover(leader: Member): Promise<void> {
    await this.#ask("POST", "/switchover", { leader: leader.name });
  }

  /** Keeps patroni from promoting or restarting any server, or lets it again. */
  async pause(isPaused: boolean): Promise<void> {
    await this.#ask("PATCH", "/config", { pause: isPaused });
    // Each member learns it within its next turn.
    await delay(2000 * TIMES.loop_wait);
  }

  /** Asks patroni to restart a member's PostgreSQL in its role. */
  async restart(member: Member): Promise<void> {
    await this.#ask("POST", "/restart", {}, member);
  }

  /** Waits until one primary and two standbys run, one of them synchronous. @returns the primary */
  async untilHealthy(): Promise<Member> {
    let status: readonly MemberStatus[] = [];
    for (const until = Date.now() + 120_000; Date.now() < until; await delay(100)) {
      status = (await this.#status()) ?? status;
      const roles = status.map(({ role }) => role).sort();
      const areRunning = status.every(({ state }) => state === "running" || state === "streaming");
      if (!areRunning || roles.join() !== "leader,replica,sync_standby") continue;
      const leader = this.members.find(
        ({ name }) => name === status.find(({ role }) => role === "leader")?.name,
      );
      const [primary] = await this.primaries();
      if (leader && leader === primary) return leader;
    }
    throw new Error(`The cluster is not healthy: ${JSON.stringify(status)}`);
  }

  /** The standby that confirms the primary's commits. */
  async synchronousStandby(): Promise<Member> {
    const name = (await this.#status())?.find(({ role }) => role === "sync_standby")?.name;
    const member = this.members.find((one) => one.name === name);
    if (!member) throw new Error("No standby is synchronous.");
    return member;
  }

  async stop(): Promise<void> {
    await this.#end();
  }

  /** The cluster's state as any of its members tells it; null if none answers. */
  async #status(): Promise<readonly MemberStatus[] | null> {
    for (const { restPort } of this.members) {
      try {
        const response = await fetch(`http://127.0.0.1:${restPort}/cluster`, {
          signal: AbortSignal.timeout(1000),
        });
        return ((await response.json()) as { members: readonly MemberStatus[] }).members;
      } catch {
        // The member does not answer.
      }
    }
    return null;
  }

  async #ask(method: string, path: string, body: object, member = this.members[0]): Promise<void> {
    const response = await fetch(`http://127.0.0.1:${member?.restPort}${path}`, {
      method,
      body: JSON.stringify(body),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`patroni ${path}: ${response.status} ${text}`);
  }
}

/** Starts a program in a folder. It lives until it is killed; see GUARD. */
function run(folder: string, name: string, args: readonly string[]): void {
  const child = spawn(find(name) ?? name, args, { cwd: folder, stdio: "ignore", detached: true, ...asUser });
  child.on("error", () => {});
  child.unref();
}

function configOf({ name, folder, port, restPort }: Member, etcdPort: number) {
  const superuser = { username: "postgres" };
  return {
    scope: "invite-links",
    name,
    log: { level: "WARNING", dir: folder },
    restapi: { listen: `127.0.0.1:${restPort}`, connect_address: `127.0.0.1:${restPort}` },
    etcd3: { host: `127.0.0.1:${etcdPort}` },
    bootstrap: {
      dcs: {
        ...TIMES,
        maximum_lag_on_failover: 1_048_576,
        synchronous_mode: true,
        synchronous_mode_strict: true,
        postgresql: {
          use_pg_rewind: true,
          parameters: {
            fsync: "off",
            autovacuum: "off",
            shared_buffers: "32MB",
            max_connections: 100,
            wal_keep_size: "256MB",
            wal_retrieve_retry_interval: "500ms",
          },
        },
      },
      initdb: [{ encoding: "UTF8" }, { locale: "C.UTF-8" }, { auth: "trust" }, { username: "postgres" }],
    },
    postgresql: {
      listen: `127.0.0.1:${port}`,
      connect_address: `127.0.0.1:${port}`,
      data_dir: join(folder, "data"),
      bin_dir: binaries,
      pgpass: join(folder, "pgpass"),
      authentication: { superuser, replication: superuser, rewind: superuser },
      parameters: { unix_socket_directories: folder },
      pg_hba: [
        "host all all 127.0.0.1/32 trust",
        "host replication all 127.0.0.1/32 trust",
        "local all all trust",
      ],
      remove_data_directory_on_diverged_timelines: true,
      remove_data_directory_on_rewind_failure: true,
    },
  };
}

/** Leads to the member that answers as the primary, and ends the sessions on a member that does not any more. */
const balancerConfig = (port: number, members: readonly Member[]): string => `
defaults
  mode tcp
  timeout connect 2s
  timeout check 1s
  timeout client 1h
  timeout server 1h
listen primary
  bind 127.0.0.1:${port}
  option httpchk OPTIONS /primary
  http-check expect status 200
  default-server inter 500ms fall 2 rise 1 on-marked-down shutdown-sessions
${members.map((member) => `  server ${member.name} 127.0.0.1:${member.port} check port ${member.restPort}`).join("\n")}
`;
