import { setTimeout as delay } from "node:timers/promises";

/** The waits after requests that failed for a while, in milliseconds. When all are used up, the command fails. */
const BACKOFF_MS = [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000];
const TIMEOUT_MS = 60_000;
const MAX_WAIT_MS = 300_000;
const TEMPORARY = new Set([408, 429, 502, 503, 504]);

interface Answer {
  readonly data?: unknown;
  readonly errors?: readonly { readonly message: string }[];
}

/** Asks the GraphQL API of a server. Requests are repeated while the server is away, so they must be repeatable. */
export class ApiClient {
  readonly #url: URL;
  readonly #token: string;
  readonly #signal: AbortSignal;
  readonly #timeoutMs: number;

  /**
   * @param server the server's base address, with or without /graphql
   * @param timeoutMs how long one request may take
   */
  constructor(server: URL, token: string, signal: AbortSignal, timeoutMs = TIMEOUT_MS) {
    const base = server.href.replace(/\/+$/, "");
    this.#url = new URL(base.endsWith("/graphql") ? base : `${base}/graphql`);
    this.#token = token;
    this.#signal = signal;
    this.#timeoutMs = timeoutMs;
  }

  /**
   * @param wait how long to wait for a server that is away; "briefly" for the first request, so that a wrong address is
   * noticed.
   * @throws Error with the errors of the answer
   */
  async ask<Data>(query: string, variables: object, wait: "briefly" | "long" = "long"): Promise<Data> {
    const waits = wait === "briefly" ? BACKOFF_MS.slice(0, 2) : BACKOFF_MS;
    for (const pause of waits) {
      try {
        return (await this.#send(query, variables)) as Data;
      } catch (error) {
        if (!(error instanceof TemporaryError)) throw error;
        await delay(error.waitMs ?? pause, undefined, { signal: this.#signal }).catch(() => {});
        this.#signal.throwIfAborted();
      }
    }
    return (await this.#send(query, variables)) as Data;
  }

  async #send(query: string, variables: object): Promise<unknown> {
    let response: Response;
    let text: string;
    // Node.js 20 drops a time limit that is only a part of AbortSignal.any. The use below keeps it.
    const timeout = AbortSignal.timeout(this.#timeoutMs);
    try {
      response = await fetch(this.#url, {
        method: "POST",
        headers: { "content-type": "application/json", authorization: `Bearer ${this.#token}` },
        body: JSON.stringify({ query, variables }),
        // A redirect is not followed, because the token must not be sent to another address.
        redirect: "manual",
        signal: AbortSignal.any([this.#signal, timeout]),
      });
      text = await response.text();
    } catch (error) {
      this.#signal.throwIfAborted();
      if (timeout.aborted)
        throw new TemporaryError(`${this.#url.origin} did not answer within ${this.#timeoutMs / 1000} s.`);
      const { code } = ((error as Error).cause ?? {}) as { code?: unknown };
      throw new TemporaryError(
        `${this.#url.origin} cannot be reached${typeof code === "string" ? ` (${code})` : ""}.`,
      );
    }
    if (response.status >= 300 && response.status < 400) {
      const location = response.headers.get("location") ?? "";
      const to = URL.canParse(location, this.#url) ? new URL(location, this.#url) : null;
      throw new Error(
        `${this.#url.href} redirects (${response.status})${to ? ` to ${to.origin}${to.pathname}` : ""}. The token is not sent there; use the server's actual address.`,
      );
    }
    if (TEMPORARY.has(response.status)) {
      const seconds = Number(response.headers.get("retry-after"));
      const waitMs = seconds > 0 ? Math.min(seconds * 1000, MAX_WAIT_MS) : null;
      throw new TemporaryError(`${this.#url.origin} answered with status ${response.status}.`, waitMs);
    }
    const answer = parse(text);
    if (answer === null)
      throw new Error(`${this.#url.href} is no GraphQL API: it answered with status ${response.status}.`);
    if (answer.errors) throw new Error(answer.errors.map(({ message }) => message).join(" "));
    return answer.data;
  }
}

/** The same request may succeed later. */
class TemporaryError extends Error {
  override readonly name = "TemporaryError";
  /** How long the server asks to wait; null if it does not say. */
  readonly waitMs: number | null;

  constructor(message: string, waitMs: number | null = null) {
    super(message);
    this.waitMs = waitMs;
  }
}

function parse(text: string): Answer | null {
  try {
    const answer: unknown = JSON.parse(text);
    const isAnswer =
      typeof answer === "object" && answer !== null && ("data" in answer || "errors" in answer);
    return isAnswer ? (answer as Answer) : null;
  } catch {
    return null;
  }
}
