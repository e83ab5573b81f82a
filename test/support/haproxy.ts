import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { connect } from "node:net";
import { delimiter, join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { freePort } from "../../tools/postgres.mjs";

const CONFIGURATION = fileURLToPath(new URL("../../haproxy.cfg", import.meta.url));

/** A haproxy process in front of three servers, with the configuration that docs/operating.md shows. */
export interface Balancer {
  readonly port: number;
  /** One line for each request and for each server that comes or goes. */
  readonly log: readonly string[];
  stop(): Promise<void>;
}

const program = [...(process.env["PATH"] ?? "").split(delimiter), "/usr/sbin", "/usr/local/sbin"]
  .map((folder) => join(folder, "haproxy"))
  .find((path) => existsSync(path));

/** The reason why this machine has no balancer; null if it has one. */
export const missingBalancer = program === undefined ? "this machine has no haproxy" : null;

/**
 * Starts haproxy.
 * @param ports on which the servers listen, or will listen
 * @throws Error if there is no haproxy, or with its output if it ends.
 */
export async function startBalancer(ports: readonly [number, number, number]): Promise<Balancer> {
  if (program === undefined) throw new Error("This machine has no haproxy.");
  const port = await freePort();
  const servers = ports.map((target, index) => [`SERVER_${index + 1}`, `127.0.0.1:${target}`]);
  const child: ChildProcess = spawn(program, ["-db", "-f", CONFIGURATION], {
    env: { BALANCER_BIND: `127.0.0.1:${port}`, ...Object.fromEntries(servers) },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const log: string[] = [];
  for (const stream of [child.stdout, child.stderr])
    if (stream) createInterface({ input: stream }).on("line", (line) => log.push(line));
  const exited = once(child, "exit");
  while (!(await accepts(port))) {
    if (child.exitCode !== null) throw new Error(`haproxy ended: ${log.join("\n")}`);
    await delay(20);
  }
  return {
    port,
    log,
    async stop() {
      child.kill("SIGKILL");
      await exited;
    },
  };
}

/** Whether something accepts connections at a port of this machine. */
async function accepts(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  const isOpen = await Promise.race([
    once(socket, "connect").then(() => true),
    once(socket, "error").then(() => false),
  ]).catch(() => false);
  socket.destroy();
  return isOpen;
}
