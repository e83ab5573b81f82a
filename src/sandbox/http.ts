import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout } from "node:timers/promises";
import { readParameters } from "./body.js";
import type { Calls } from "./calls.js";
import {
  BotApiError,
  fromWebPage,
  internalError,
  notFound,
  tooManyRequests,
  unauthorized,
} from "./errors.js";
import type { Faults, SandboxFault } from "./faults.js";
import { findMethod, type MethodContext } from "./methods.js";
import { Parameters } from "./parameters.js";

export interface HttpContext extends MethodContext {
  readonly calls: Calls;
  readonly faults: Faults;
}

interface Answer {
  status: number;
  type: "application/json" | "text/html";
  body: string;
}

const LOCAL_HOST = /^(localhost|127\.0\.0\.1)(:\d{1,5})?$/i;

/**
 * Whether a web page in a browser of this machine may have sent a request. The sandbox's token is public, so a page could
 * otherwise act as the bot, for example send the updates elsewhere by setWebhook. Another Host than this machine is that of
 * a page whose name was made to lead here.
 */
const isOfWebPage = ({ headers }: IncomingMessage): boolean =>
  headers.origin !== undefined ||
  ![undefined, "none"].includes(headers["sec-fetch-site"] as string | undefined) ||
  !LOCAL_HOST.test(headers.host ?? "");

/** The Bot API over HTTP: `/bot<token>/<method>`. */
export class HttpServer {
  readonly #context: HttpContext;
  readonly #server: Server;
  readonly #closing = new AbortController();
  readonly #closed = once(this.#closing.signal, "abort");

  constructor(context: HttpContext) {
    this.#context = context;
    this.#server = createServer((request, response) => {
      // Only a broken connection fails here, and nobody can be answered then.
      this.#handle(request, response).catch(() => response.destroy());
    });
  }

  /** @returns the port. */
  async listen(port: number): Promise<number> {
    this.#server.listen(port, "127.0.0.1");
    await once(this.#server, "listening");
    return (this.#server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    this.#closing.abort();
    const closed = once(this.#server, "close");
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (isOfWebPage(request)) {
      return send(response, errorAnswer(fromWebPage()));
    }
    const called = parsePath(request.url ?? "");
    if (!called) {
      return send(response, errorAnswer(notFound()));
    }
    let values: Record<string, unknown>;
    try {
      values = await readParameters(request, called.query);
    } catch (error) {
      return send(response, errorAnswer(error));
    }
    const method = findMethod(called.method);
    const name = method?.name ?? called.method;
    this.#context.calls.record({ method: name, parameters: values, at: new Date(this.#context.now()) });

    const fault = this.#context.faults.take(name, values);
    const refusal = fault && refusalOf(fault);
    if (refusal) {
      return send(response, refusal);
    }
    if (fault && "effect" in fault && fault.effect === "before") {
      return lose(response, fault);
    }
    const answer = await this.#answer(called.token, method?.run, new Parameters(values));
    if (fault) {
      return this.#sendFaulty(response, answer, fault);
    }
    return send(response, answer);
  }

  async #answer(
    token: string,
    run: ((context: MethodContext, parameters: Parameters) => unknown) | undefined,
    parameters: Parameters,
  ): Promise<Answer> {
    try {
      if (token !== this.#context.state.bot.token) {
        throw unauthorized();
      }
      if (!run) {
        throw notFound();
      }
      const result = await run(this.#context, parameters);
      // A link must be on disk before it is answered, because after a crash nobody could learn its address again.
      await this.#context.storage.settled();
      return json(200, { ok: true, result });
    } catch (error) {
      return errorAnswer(error);
    }
  }

  /** Sends a wrong answer to a call that took effect. */
  async #sendFaulty(response: ServerResponse, answer: Answer, fault: SandboxFault): Promise<void> {
    switch (fault.kind) {
      case "hang":
      case "cut":
        return lose(response, fault);
      case "server-error":
        return send(response, serverError(fault));
      case "half-body":
        return sendHalf(response, answer);
      case "not-json":
        return send(response, { status: 200, type: "text/html", body: html("It works!") });
      case "slow":
        await setTimeout(fault.ms, undefined, { signal: this.#closing.signal });
        return send(response, answer);
      case "held":
        await Promise.race([fault.until, this.#closed]);
        return send(response, answer);
      default:
        return send(response, answer);
    }
  }
}

function parsePath(path: string): { token: string; method: string; query: URLSearchParams } | undefined {
  const [, token, method, query] = /^\/bot([^/?]+)\/([^/?]+)\/?(?:\?(.*))?$/.exec(path) ?? [];
  if (token === undefined || method === undefined) {
    return undefined;
  }
  // Some clients escape the colon.
  return { token: token.replace(/%3a/i, ":"), method, query: new URLSearchParams(query) };
}

/** @returns the answer of a fault that keeps the call from taking effect; undefined for any other fault. */
function refusalOf(fault: SandboxFault): Answer | undefined {
  switch (fault.kind) {
    case "too-many-requests":
      return errorAnswer(tooManyRequests(fault.retryAfter));
    case "unauthorized":
      return errorAnswer(unauthorized());
    case "error":
      return errorAnswer(new BotApiError(fault.error_code, fault.description, fault.parameters));
    case "html-error":
      return { status: fault.status ?? 403, type: "text/html", body: html("Refused") };
    case "server-error":
      return fault.effect === "after" ? undefined : serverError(fault);
    default:
      return undefined;
  }
}

function serverError({
  status = 500,
  body = "json",
}: Extract<SandboxFault, { kind: "server-error" }>): Answer {
  switch (body) {
    case "json":
      return errorAnswer(status === 500 ? internalError() : new BotApiError(status, "Bad Gateway"));
    case "html":
      return { status, type: "text/html", body: html("Bad Gateway") };
    case "empty":
      return { status, type: "text/html", body: "" };
  }
}

function errorAnswer(error: unknown): Answer {
  const { code, message, parameters } = error instanceof BotApiError ? error : internalError();
  return json(code, { ok: false, error_code: code, description: message, parameters });
}

function json(status: number, body: object): Answer {
  return { status, type: "application/json", body: JSON.stringify(body) };
}

function html(text: string): string {
  return `<html><body><h1>${text}</h1></body></html>`;
}

function writeHead(response: ServerResponse, answer: Answer): void {
  response.writeHead(answer.status, {
    "content-type": answer.type,
    "content-length": Buffer.byteLength(answer.body),
  });
}

function send(response: ServerResponse, answer: Answer): void {
  writeHead(response, answer);
  response.end(answer.body);
}

function sendHalf(response: ServerResponse, answer: Answer): void {
  writeHead(response, answer);
  const body = Buffer.from(answer.body);
  response.write(body.subarray(0, body.length >> 1), () => response.destroy());
}

/** Gives no answer. The connection is closed at once or left open, depending on the fault. */
function lose(response: ServerResponse, fault: SandboxFault): void {
  if (fault.kind === "cut") {
    response.destroy();
  }
}
