import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const MAIN = fileURLToPath(new URL("../../dist/main.js", import.meta.url));

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

  /** Waits until it greets whoever started it, and says where it is; fails where it ends before that. */
  async ready(): Promise<string> {
    const url = () => /invite-links is ready: (\S+)[\s\S]*\n\n/.exec(this.stdout + this.stderr)?.[1];
    while (url() === undefined) {
      const said = once(this.child, "said").then(() => true);
      if (!(await Promise.race([said, this.exited.then(() => false)]))) {
        throw new Error(`The server ended: ${this.stdout}${this.stderr}`);
      }
    }
    return url() as string;
  }

  get token(): string | undefined {
    return /API token: (\S+)/.exec(this.stdout)?.[1];
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
