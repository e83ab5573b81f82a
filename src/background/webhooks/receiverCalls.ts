import type { LookupFunction } from "node:net";
import { type Dispatcher, errors, Pool } from "undici";
import {
  allowedAddresses,
  PrivateAddressError,
  type Resolve,
  type ResolvedAddress,
} from "../../domain/webhooks/addresses.js";
import type { AttemptOutcome } from "../../domain/webhooks/deliveryQueue.js";
import { NameLookups } from "./nameLookups.js";

/** The time limit of an attempt, in milliseconds. */
const ATTEMPT_MS = 15_000;
/** An answer's body is read, so that its connection can be used again, but only so many bytes and milliseconds. */
const MAX_BODY_BYTES = 4096;
const MAX_BODY_MS = 1000;
/**
 * A request on a new connection may be read after a later one on an old connection, because a receiver accepts connections
 * one by one. So the next request waits for its answer, or so many milliseconds.
 */
const NEW_CONNECTION_MS = 100;
/** Connections to one address. */
export const MAX_CONNECTIONS = 20;
const KEEP_ALIVE_MS = 10_000;
/** Pools are closed when they were not used for so long. */
const UNUSED_MS = 60_000;

export interface ReceiverRequest {
  readonly url: string;
  readonly method: "GET" | "POST";
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
}

interface OpenPool {
  readonly pool: Pool;
  usedAt: number;
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

/** Errors of sockets and names have a code. Their texts would show addresses. */
function outcomeOfError(error: unknown): AttemptOutcome {
  if (error instanceof PrivateAddressError) return failed(error.message);
  if (error instanceof errors.ConnectTimeoutError) return TOO_LATE;
  const code = (error as { code?: unknown } | null)?.code;
  return failed(
    typeof code === "string" && /^[A-Z0-9_]+$/.test(code)
      ? `The receiver could not be reached, or ended the connection (${code}).`
      : "The receiver could not be reached, or ended the connection.",
  );
}

/** Gives a connection the addresses that were judged, instead of looking the name up again. */
const lookupOf =
  (addresses: readonly ResolvedAddress[]): LookupFunction =>
  (_hostname, options, callback) => {
    if (options.all) return callback(null, [...addresses]);
    const [first] = addresses;
    callback(null, first?.address ?? "", first?.family);
  };

/** Reports an attempt's steps. What comes after the outcome has no effect on it. */
class AttemptHandler implements Dispatcher.DispatchHandler {
  readonly #onWritten: () => void;
  readonly #onOutcome: (outcome: AttemptOutcome) => void;
  readonly #signal: AbortSignal;
  #bodyTimer: NodeJS.Timeout | undefined;
  #bodyBytes = 0;

  constructor(signal: AbortSignal, onWritten: () => void, onOutcome: (outcome: AttemptOutcome) => void) {
    this.#signal = signal;
    this.#onWritten = onWritten;
    this.#onOutcome = onOutcome;
  }

  /** Called right before the request is written. */
  onRequestStart(controller: Dispatcher.DispatchController): void {
    const abort = () => controller.abort(new Error("The attempt is over."));
    this.#signal.addEventListener("abort", abort, { once: true });
    if (this.#signal.aborted) abort();
    else this.#onWritten();
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number): void {
    if (status < 200) return;
    this.#onOutcome(outcomeOf(status));
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
    this.#onOutcome(outcomeOfError(error));
  }
}

/** Calls the receivers of webhooks. A connection is made to the very addresses that were judged for its attempt. */
export class ReceiverCalls {
  readonly #allowPrivate: boolean;
  readonly #resolve: Resolve;
  /** By origin and addresses. */
  readonly #pools = new Map<string, OpenPool>();
  readonly #sweeper: NodeJS.Timeout;

  constructor(allowPrivate: boolean, resolve: Resolve = new NameLookups().lookUp) {
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
  async call(request: ReceiverRequest, onBegun: () => void, signal: AbortSignal): Promise<AttemptOutcome> {
    const ended = new AbortController();
    const end = () => ended.abort();
    const timer = setTimeout(end, ATTEMPT_MS);
    signal.addEventListener("abort", end, { once: true });
    if (signal.aborted) end();
    const over = new Promise<AttemptOutcome>((resolve) => {
      if (ended.signal.aborted) resolve(TOO_LATE);
      ended.signal.addEventListener("abort", () => resolve(TOO_LATE), { once: true });
    });
    try {
      return await Promise.race([over, this.#attempt(request, onBegun, ended.signal)]);
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      onBegun();
    }
  }

  async close(): Promise<void> {
    clearInterval(this.#sweeper);
    await Promise.all([...this.#pools.values()].map(({ pool }) => pool.destroy()));
    this.#pools.clear();
  }

  async #attempt(
    request: ReceiverRequest,
    onBegun: () => void,
    signal: AbortSignal,
  ): Promise<AttemptOutcome> {
    try {
      const url = new URL(request.url);
      if (url.protocol !== "https:" && !this.#allowPrivate) throw new PrivateAddressError();
      const addresses = await allowedAddresses(url, this.#allowPrivate, this.#resolve);
      if (signal.aborted) return TOO_LATE;
      const pool = this.#poolOf(url.origin, addresses);
      return await new Promise((resolve) => {
        let isReused = true;
        const onWritten = () => {
          if (isReused) onBegun();
          else setTimeout(onBegun, NEW_CONNECTION_MS).unref();
        };
        pool.dispatch(
          {
            path: `${url.pathname}${url.search}`,
            method: request.method,
            headers: request.headers,
            body: request.body,
          },
          new AttemptHandler(signal, onWritten, resolve),
        );
        // A request for an open connection is written at once.
        isReused = false;
      });
    } catch (error) {
      return outcomeOfError(error);
    }
  }

  #poolOf(origin: string, addresses: readonly ResolvedAddress[]): Pool {
    const key = [origin, ...addresses.map(({ address }) => address).sort()].join(" ");
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
      open = { pool, usedAt: 0 };
      this.#pools.set(key, open);
    }
    open.usedAt = performance.now();
    return open.pool;
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
