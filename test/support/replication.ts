import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import pg from "pg";
import { vi } from "vitest";
import { startPostgres } from "../../tools/postgres.mjs";

const run = promisify(execFile);

/** One server of a pair. */
export class ReplicationServer {
  readonly url: string;
  readonly #data: string;
  readonly #stop: () => Promise<void>;

  constructor(url: string, folder: string, stop: () => Promise<void>) {
    this.url = url;
    this.#data = join(folder, "data");
    this.#stop = stop;
  }

  async query<Row extends pg.QueryResultRow>(text: string): Promise<Row[]> {
    const client = new pg.Client(this.url);
    await client.connect();
    try {
      return (await client.query<Row>(text)).rows;
    } finally {
      await client.end();
    }
  }

  /** Ends the server as a crash of its machine does. */
  async kill(): Promise<void> {
    await this.#signal("SIGKILL");
  }

  /** The server and its connections stay open, and nothing answers. */
  async freeze(): Promise<void> {
    await this.#signal("SIGSTOP");
  }

  async thaw(): Promise<void> {
    await this.#signal("SIGCONT");
  }

  async stop(): Promise<void> {
    await this.thaw().catch(() => {});
    await this.#stop();
  }

  /** Sends a signal to all processes of the server. */
  async #signal(signal: NodeJS.Signals): Promise<void> {
    const [postmaster = ""] = readFileSync(join(this.#data, "postmaster.pid"), "utf8").split("\n");
    const children = readFileSync(`/proc/${postmaster}/task/${postmaster}/children`, "utf8");
    for (const pid of [postmaster, ...children.trim().split(" ")]) {
      try {
        process.kill(Number(pid), signal);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
      }
    }
  }
}

/** A primary and its streaming replica. */
export interface ReplicationPair {
  readonly primary: ReplicationServer;
  readonly replica: ReplicationServer;
  /** Resolves when the replica has replayed everything that is stored on the primary. */
  caughtUp(): Promise<void>;
  stop(): Promise<void>;
}

/** @returns null if this machine has no PostgreSQL that runs, or does not list the processes of one in /proc */
export async function startReplication(): Promise<ReplicationPair | null> {
  if (process.platform !== "linux") return null;
  const folders = await Promise.all(
    ["primary", "replica"].map((name) => mkdtemp(join(tmpdir(), `invite-links-${name}-`))),
  );
  const [primaryFolder = "", replicaFolder = ""] = folders;
  const start = async (folder: string, settings: Record<string, string> = {}) => {
    const server = await startPostgres({ folder, settings: { shared_buffers: "32MB", ...settings } });
    return server && new ReplicationServer(server.url, folder, () => server.stop());
  };
  const first = await start(primaryFolder);
  if (first === null) return null;
  // A copy of a server that was stopped needs no backup program.
  await first.stop();
  await run("cp", ["-a", join(primaryFolder, "data"), replicaFolder]);
  await writeFile(join(replicaFolder, "data", "standby.signal"), "");
  const primary = await start(primaryFolder);
  const replica =
    primary &&
    (await start(replicaFolder, {
      primary_conninfo: `host=127.0.0.1 port=${new URL(primary.url).port} user=postgres`,
      wal_receiver_status_interval: "1s",
    }));
  if (!primary || !replica) throw new Error("PostgreSQL did not start again.");
  return {
    primary,
    replica,
    async caughtUp() {
      const [end] = await primary.query<{ lsn: string }>("select pg_current_wal_flush_lsn()::text as lsn");
      const isDone = async () => {
        const [row] = await replica.query<{ done: boolean }>(
          `select pg_last_wal_replay_lsn() >= '${end?.lsn}' as done`,
        );
        return row?.done === true;
      };
      await vi.waitUntil(isDone, { timeout: 60_000, interval: 50 });
    },
    async stop() {
      await Promise.all([primary.stop(), replica.stop()]);
      await Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true })));
    },
  };
}
