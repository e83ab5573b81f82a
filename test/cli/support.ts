import { execFile } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";

export const ROOT = fileURLToPath(new URL("../../", import.meta.url));
export const MAIN = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs Node.js with only the given variables and PATH in its environment. */
export function runNode(
  args: readonly string[],
  environment: Record<string, string> = {},
  cwd = ROOT,
): Promise<Outcome> {
  return new Promise((resolve) => {
    const env = { PATH: process.env["PATH"] ?? "", ...environment };
    execFile(process.execPath, args, { env, cwd, timeout: 110_000 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code ?? -1), stdout, stderr });
    });
  });
}

/** Runs the built command. Its output goes to a pipe, not a terminal. */
export function run(args: readonly string[], environment: Record<string, string> = {}): Promise<Outcome> {
  if (!existsSync(MAIN)) throw new Error("dist/cli/main.js is not there: npm run build makes it.");
  return runNode([MAIN, ...args], environment);
}

export interface Received {
  readonly url: string;
  readonly body: string;
}

/** Starts a server with any answers, for faults of a Bot API server. It is closed when the test ends. */
export async function badServer(
  answer: (response: ServerResponse, request: IncomingMessage) => void,
): Promise<{ apiRoot: string; received: Received[] }> {
  const received: Received[] = [];
  const server = createServer(async (request, response) => {
    received.push({ url: request.url ?? "", body: await text(request) });
    answer(response, request);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return { apiRoot: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, received };
}

/** Telegram's answer with a new link. */
export const answerWithLink = JSON.stringify({
  ok: true,
  result: {
    invite_link: "https://t.me/+hUgH4yjb_7wyZDBi",
    creator: { id: 6129457865, is_bot: true, first_name: "Бот", username: "sicheebot" },
    creates_join_request: false,
    is_primary: false,
    is_revoked: false,
  },
});
