// The built server as a child process, for tests of start, signals and crashes. Needs `npm run build`.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const MAIN = fileURLToPath(new URL("../../dist/main.js", import.meta.url));

/** The line that the server writes when it is ready, if stdout is not a terminal. */
export interface Greeting {
  readonly url: string;
  readonly dashboardUrl: string | null;
  readonly graphiql: boolean;
  readonly apiToken: string | null;
  readonly sandbox: boolean;
  readonly msg: string;
}

/** A server process with only the given environment, PATH and a free port. */
export class ServerProcess {
  readonly child: ChildProcess;
  stdout = "";
  stderr = "";
  readonly exited: Promise<number | null>;

  /** @param command the script to run and its arguments; the server by default. */
  constructor(environment: Record<string, string>, command: readonly string[] = [MAIN]) {
    if (!existsSync(MAIN)) throw new Error("dist/main.js is missing. Run npm run build.");
    this.child = spawn(process.execPath, command, {
      env: { PATH: process.env["PATH"] ?? "", PORT: "0", ...environment },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const { stdout, stderr } = this.child;
    stdout?.setEncoding("utf8").on("data", (text: string) => {
      this.stdout += text;
      this.child.emit("output");
    });
    stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.stderr += text;
      this.child.emit("output");
    });
    this.exited = once(this.child, "close").then(([code]) => code as number | null);
  }

  /** The complete lines of stdout so far. Without a terminal the server writes only JSON lines. */
  get lines(): { readonly msg: string; readonly [key: string]: unknown }[] {
    const whole = this.stdout.slice(0, this.stdout.lastIndexOf("\n") + 1);
    return whole
      .split("\n")
      .slice(0, -1)
      .map((line) => JSON.parse(line));
  }

  get greeting(): Greeting | undefined {
    if (!this.stdout.includes("invite-links is ready")) return undefined;
    const found: object | undefined = this.lines.find(({ msg }) => msg.startsWith("invite-links is ready"));
    return found as Greeting | undefined;
  }

  /**
   * Waits until the server is ready.
   * @returns its GraphQL address.
   * @throws Error with the output if the process ends before.
   */
  async ready(): Promise<string> {
    for (;;) {
      const { greeting } = this;
      if (greeting !== undefined) return greeting.url;
      const output = once(this.child, "output").then(() => true);
      if (!(await Promise.race([output, this.exited.then(() => false)]))) {
        throw new Error(`The server ended: ${this.stdout}${this.stderr}`);
      }
    }
  }

  /** The API token in the greeting; undefined if there is none. */
  get token(): string | undefined {
    return this.greeting?.apiToken ?? undefined;
  }

  end(signal: NodeJS.Signals): Promise<number | null> {
    this.child.kill(signal);
    return this.exited;
  }
}

/** Sends a GraphQL operation to an address. */
export async function askAt(
  url: string,
  token: string,
  query: string,
  { variables = {}, headers = {} }: { variables?: object; headers?: Record<string, string> } = {},
) {
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${token}`, ...headers },
    body: JSON.stringify({ query, variables }),
  });
  // biome-ignore lint/suspicious/noExplicitAny: the shape of a response depends on its query.
  return (await response.json()) as { data: any; errors?: readonly { message: string }[] };
}
