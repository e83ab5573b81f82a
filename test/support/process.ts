import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const MAIN = fileURLToPath(new URL("../../dist/main.js", import.meta.url));

/** What the server says when it is ready, on a stdout that is no terminal. */
export interface Greeting {
  readonly url: string;
  readonly dashboardUrl: string | null;
  readonly graphiql: boolean;
  readonly apiToken: string | null;
  readonly sandbox: boolean;
  readonly msg: string;
}

/** The built server as a process of its own, with nothing in its environment but what is given. */
export class ServerProcess {
  readonly child: ChildProcess;
  stdout = "";
  stderr = "";
  readonly exited: Promise<number | null>;

  /** @param command another script than the server's own, with its arguments. */
  constructor(environment: Record<string, string>, command: readonly string[] = [MAIN]) {
    if (!existsSync(MAIN)) throw new Error("dist/main.js is not there: npm run build makes it.");
    this.child = spawn(process.execPath, command, {
      env: { PATH: process.env["PATH"] ?? "", PORT: "0", ...environment },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const { stdout, stderr } = this.child;
    stdout?.setEncoding("utf8").on("data", (text: string) => {
      this.stdout += text;
      this.child.emit("said");
    });
    stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.stderr += text;
      this.child.emit("said");
    });
    this.exited = once(this.child, "close").then(([code]) => code as number | null);
  }

  /** The lines of stdout so far, each as JSON: a server without a terminal writes nothing else there. */
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

  /** Waits until it greets whoever started it, and says where it is; fails where it ends before that. */
  async ready(): Promise<string> {
    for (;;) {
      const { greeting } = this;
      if (greeting !== undefined) return greeting.url;
      const said = once(this.child, "said").then(() => true);
      if (!(await Promise.race([said, this.exited.then(() => false)]))) {
        throw new Error(`The server ended: ${this.stdout}${this.stderr}`);
      }
    }
  }

  /** The API token that it shows; undefined where it shows none. */
  get token(): string | undefined {
    return this.greeting?.apiToken ?? undefined;
  }

  end(signal: NodeJS.Signals): Promise<number | null> {
    this.child.kill(signal);
    return this.exited;
  }
}

/** Asks a server at an address. */
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
  // biome-ignore lint/suspicious/noExplicitAny: an answer has whatever shape its query has.
  return (await response.json()) as { data: any; errors?: readonly { message: string }[] };
}
