import type { LookupFunction } from "node:net";
import { type Dispatcher, errors, Pool } from "undici";
import {
  allowedAddresses,
  PrivateAddressError,
  type Resolve,
  type ResolvedAddress,
} from "../../domain/webhooks/addresses.js";
import type { AttemptOutcome } from "../../domain/webhooks/deliveryQueue.js";

/** The time limit of an attempt, in milliseconds. */
const ATTEMPT_MS = 15_000;
/** An answer's body is read, so that its connection can be used again, but only so many bytes and milliseconds. */
const MAX_BODY_BYTES = 4096;
const MAX_BODY_MS = 1000;
/**
 * The next request waits for the answer to a request, or so many milliseconds, so that they are read in their order: a
 * receiver accepts connections one by one, and on a busy machine a later request may be there before an earlier one.
 */
const NEW_CONNECTION_MS = 100;
const OPEN_CONNECTION_MS = 10;
/** Connections of one webhook. */
export const MAX_CONNECTIONS = 20;
const KEEP_ALIVE_MS = 10_000;
/** Pools are closed when they were not used for so long. */
const UNUSED_MS = 60_000;

export interface ReceiverRequest {
  /** Has connections of its own, so that nobody waits for another webhook of the same receiver. */
  readonly webhookId: string;
  readonly url: string;
  readonly method: "GET" | "POST";
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
}

interface OpenPool {
  readonly pool: Pool;
  usedAt: number;
  /** How many connections were made. */
  connections: number;
}

const failed = (error: string, status: number | null = null): AttemptOutcome => ({
  isDelivered: false,
  status,
  error,
});

const TOO_LATE = failed(`No answer came within ${ATTEMPT_MS / 1000} s.`);

function outcomeOf(status: number): AttemptOutcome {
  if (status >= 200 && status < 300) return { isDelivered: true, status, error: null };
  const note = status >= 300 && status < 400 ? " Redirects are not followed." : "";
  return failed(`The receiver answered ${status}.${note}`, status);
}

function whatFailed(error: unknown, code: string): string {
  if (error instanceof errors.HTTPParserError || error instanceof errors.HeadersOverflowError)
    return "The receiver's answer was not valid HTTP";
  if (/CERT|LEAF_SIGNATURE/.test(code))
    return "The receiver's certificate is not trusted, or not valid now or for this name";
  if (/^ERR_SSL_|^EPROTO$/.test(code)) return "No secure connection could be made with the receiver";
  return "The receiver could not be reached, or ended the connection";
}

/** Errors of sockets and names have a code. Their texts would show addresses. */
function outcomeOfError(error: unknown): AttemptOutcome {
  if (error instanceof PrivateAddressError) return failed(error.message);
  if (error instanceof errors.ConnectTimeoutError) return TOO_LATE;
  const given = (error as { code?: unknown } | null)?.code;
  const code = typeof given === "string" && /^[A-Z0-9_]+$/.test(given) ? given : "";
  return failed(`${whatFailed(error, code)}${code && ` (${code})`}.`);
}

/** Gives a connection the addresses that were judged, instead of looking the name up again. */
const lookupOf =
  (addresses: readonly ResolvedAddress[]): LookupFunction =>
  (_hostname, options, callback) => {
    if (options.all) return callback(null, [...addresses]);
    const [first] = addresses;
    callback(null, first?.address ?? "", first?.family);
  };

/** One attempt. It is over with its first outcome; what comes later has no effect. */
class Attempt implements Dispatcher.DispatchHandler {
  readonly #onBegun: () => void;
  readonly #onOutcome: (outcome: AttemptOutcome) => void;
  readonly #limit = setTimeout(() => this.stop(), ATTEMPT_MS);
  #begunTimer: NodeJS.Timeout | undefined;
  #open: OpenPool | undefined;
  #connectionsBefore = 0;
  #controller: Dispatcher.DispatchController | undefined;
  #isOver = false;
  #bodyTimer: NodeJS.Timeout | undefined;
  #bodyBytes = 0;

  constructor(onBegun: () => void, onOutcome: (outcome: AttemptOutcome) => void) {
    this.#onBegun = onBegun;
    this.#onOutcome = onOutcome;
  }

  end(outcome: AttemptOutcome): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearTimeout(this.#limit);
    clearTimeout(this.#begunTimer);
    this.#onBegun();
    this.#onOutcome(outcome);
  }

  /** Ends the attempt early. */
  stop(): void {
    if (this.#isOver) return;
    this.end(TOO_LATE);
    this.#controller?.abort(new Error("The attempt is over."));
  }

  /** Makes the request. It is written soon, or when a new connection was made for it. */
  make({ method, headers, body }: ReceiverRequest, path: string, open: OpenPool): void {
    if (this.#isOver) return;
    this.#open = open;
    this.#connectionsBefore = open.connections;
    open.pool.dispatch({ path, method, headers, body }, this);
  }

  /** Called right before the request is written. */
  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#isOver) controller.abort(new Error("The attempt is over."));
    else {
      const isNew = this.#open?.connections !== this.#connectionsBefore;
      this.#begunTimer = setTimeout(this.#onBegun, isNew ? NEW_CONNECTION_MS : OPEN_CONNECTION_MS);
    }
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number): void {
    if (status < 200) return;
    this.end(outcomeOf(status));
    this.#bodyTimer = setTimeout(() => controller.abort(new Error("The body is too slow.")), MAX_BODY_MS);
    this.#bodyTimer.unref();
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#bodyBytes += chunk.length;
    if (this.#bodyBytes > MAX_BODY_BYTES) controller.abort(new Error("The body is too long."));
  }

  onResponseEnd(): void {
    clearTimeout(this.#bodyTimer);
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    clearTimeout(this.#bodyTimer);
    this.end(outcomeOfError(error));
  }
}

/** Calls the receivers of webhooks. A connection is made to the very addresses that were judged for its attempt. */
export class ReceiverCalls {
  readonly #allowPrivate: boolean;
  readonly #resolve: Resolve;
  /** By webhook, origin and addresses. */
  readonly #pools = new Map<string, OpenPool>();
  readonly #sweeper: NodeJS.Timeout;

  constructor(allowPrivate: boolean, resolve: Resolve) {
    this.#allowPrivate = allowPrivate;
    this.#resolve = resolve;
    this.#sweeper = setInterval(() => this.#closeUnused(), UNUSED_MS);
    this.#sweeper.unref();
  }

  /**
   * Makes one attempt. Never fails.
   * @param onBegun called when a later request cannot overtake this one any more, at the latest when the attempt is over
   * @param signal ends the attempt early
   */
  call(request: ReceiverRequest, onBegun: () => void, signal: AbortSignal): Promise<AttemptOutcome> {
    return new Promise((resolve) => {
      const attempt = new Attempt(onBegun, (outcome) => {
        signal.removeEventListener("abort", stop);
        resolve(outcome);
      });
      const stop = () => attempt.stop();
      signal.addEventListener("abort", stop, { once: true });
      if (signal.aborted) stop();
      void this.#dispatch(request, attempt);
    });
  }

  async close(): Promise<void> {
    clearInterval(this.#sweeper);
    await Promise.all([...this.#pools.values()].map(({ pool }) => pool.destroy()));
    this.#pools.clear();
  }

  async #dispatch(request: ReceiverRequest, attempt: Attempt): Promise<void> {
    try {
      const url = new URL(request.url);
      if (url.protocol !== "https:" && !this.#allowPrivate) throw new PrivateAddressError();
      const addresses = await allowedAddresses(url, this.#allowPrivate, this.#resolve);
      attempt.make(
        request,
        `${url.pathname}${url.search}`,
        this.#openPool(request.webhookId, url.origin, addresses),
      );
    } catch (error) {
      attempt.end(outcomeOfError(error));
    }
  }

  #openPool(webhookId: string, origin: string, addresses: readonly ResolvedAddress[]): OpenPool {
    const key = [webhookId, origin, ...addresses.map(({ address }) => address).sort()].join(" ");
    let open = this.#pools.get(key);
    if (!open) {
      const pool = new Pool(origin, {
        connections: MAX_CONNECTIONS,
        pipelining: 1,
        keepAliveTimeout: KEEP_ALIVE_MS,
        headersTimeout: ATTEMPT_MS,
        bodyTimeout: ATTEMPT_MS,
        allowH2: false,
        connect: { timeout: ATTEMPT_MS, lookup: lookupOf(addresses) },
      });
      const made: OpenPool = { pool, usedAt: 0, connections: 0 };
      pool.on("connect", () => {
        made.connections += 1;
      });
      this.#pools.set(key, made);
      open = made;
    }
    open.usedAt = performance.now();
    return open;
  }

  #closeUnused(): void {
    const before = performance.now() - UNUSED_MS;
    for (const [key, { pool, usedAt }] of this.#pools) {
      if (usedAt >= before) continue;
      this.#pools.delete(key);
      pool.close().catch(() => {});
    }
  }
}
