import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import pg from "pg";
import { freePort } from "../../tools/postgres.mjs";

/** A pgbouncer process in front of one PostgreSQL server. */
export interface Pooler {
  /** The address of the same database through the pooler. */
  through(url: string): string;
  stop(): Promise<void>;
}

const program = [...(process.env["PATH"] ?? "").split(delimiter), "/usr/sbin", "/usr/local/sbin"]
  .map((folder) => join(folder, "pgbouncer"))
  .find((path) => existsSync(path));

/** The reason why this machine has no pooler; null if it has one. */
export const missingPooler = program === undefined ? "this machine has no pgbouncer" : null;

/**
 * Starts pgbouncer.
 * @param server an address of the PostgreSQL server behind it. Only the user in the address may connect.
 * @param settings replaces pgbouncer's defaults.
 * @throws Error if there is no pgbouncer, or with its output if it ends.
 */
export async function startPooler(server: string, settings: Record<string, string>): Promise<Pooler> {
  if (program === undefined) throw new Error("This machine has no pgbouncer.");
  const folder = await mkdtemp(join(tmpdir(), "invite-links-pooler-"));
  const { hostname, port: target, username } = new URL(server);
  const port = await freePort();
  const file = join(folder, "pgbouncer.ini");
  const all = {
    listen_addr: "127.0.0.1",
    listen_port: port,
    auth_type: "trust",
    auth_file: join(folder, "users.txt"),
    unix_socket_dir: "",
    ...settings,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name} = ${value}`);
  await writeFile(
    file,
    `[databases]\n* = host=${hostname} port=${target}\n[pgbouncer]\n${lines.join("\n")}\n`,
  );
  await writeFile(join(folder, "users.txt"), `"${username}" ""\n`);
  await chmod(folder, 0o755);
  const user = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};
  const child: ChildProcess = spawn(program, [file], { stdio: ["ignore", "ignore", "pipe"], ...user });
  let output = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    output = (output + text).slice(-2000);
  });
  const exited = once(child, "exit");
  const through = (url: string) => {
    const changed = new URL(url);
    changed.port = String(port);
    return changed.href;
  };
  for (;;) {
    const client = new pg.Client(through(server));
    client.on("error", () => {});
    const answers = await client.connect().then(
      () => true,
      () => false,
    );
    await client.end().catch(() => {});
    if (answers) break;
    if (child.exitCode !== null) throw new Error(`pgbouncer ended: ${output}`);
  }
  return {
    through,
    async stop() {
      child.kill("SIGQUIT");
      await exited;
      await rm(folder, { recursive: true, force: true });
    },
  };
}
