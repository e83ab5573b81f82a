import type { ServerResponse } from "node:http";
import { Readable } from "node:stream";
import type { OperationResult } from "../../graphql/pipeline/operation.js";
import { COMMENT, COMPLETE, eventOf } from "../../graphql/pipeline/serverSentEvents.js";

/** The results of a subscription, as the pipeline gives them. */
export interface Results {
  /**
   * Whether the results are of what happens now. They are then sent as they come, whether or not the client reads; results
   * of what happened before are sent only as fast as the client reads.
   */
  readonly isLive: boolean;
  /** Whether the results ended although the operation is not over, so that the client should reconnect. */
  readonly isInterrupted: boolean;
  /** Whether the results ended because the caller has lost rights. */
  readonly isRevoked: boolean;
  next(): Promise<IteratorResult<OperationResult>>;
  return(): Promise<unknown>;
}

export interface StreamLimits {
  /** A connection is cut off if more bytes than this wait for its client. */
  readonly maxWaiting: number;
  /** Milliseconds between two comments, which keep the connection open while there are no events. */
  readonly commentMs: number;
  /** A connection is cut off if its client reads nothing for so many milliseconds. Comments are sent more often. */
  readonly stallMs: number;
  /** How many milliseconds a response may take to end after the server has closed. */
  readonly endMs: number;
}

const LIMITS: StreamLimits = { maxWaiting: 1_048_576, commentMs: 15_000, stallMs: 30_000, endMs: 2000 };

/** Why a stream was ended before its operation was over, other than by its client. */
export type StreamCut = "slow" | "revoked" | "shutdown" | "database";
export const STREAM_CUTS: readonly StreamCut[] = ["slow", "revoked", "shutdown", "database"];

/** What is reported of streams. */
export interface StreamReport {
  onOpen(): void;
  /** @param cut null: the operation was over, or the client has left. */
  onClose(cut: StreamCut | null): void;
}

/** The body of a response that carries the results of a subscription. */
class EventStream extends Readable {
  readonly #results: Results;
  readonly #response: ServerResponse;
  readonly #maxWaiting: number;
  readonly #comments: NodeJS.Timeout;
  /** Lets a stream go on that waits until its client has read; null while none waits. */
  #resume: (() => void) | null = null;
  #hasRoom = false;
  /** The first reason counts. */
  cut: StreamCut | null = null;

  constructor(results: Results, response: ServerResponse, { maxWaiting, commentMs }: StreamLimits) {
    super({ emitClose: true });
    this.#results = results;
    this.#response = response;
    this.#maxWaiting = maxWaiting;
    // Some browsers show the response to a script only after its first byte.
    this.push(COMMENT);
    this.#comments = setInterval(() => {
      if (this.readableLength === 0) this.push(COMMENT);
    }, commentMs);
    void this.#send();
  }

  /** Ends the body without `complete`, so that the client reconnects. */
  end(cut: StreamCut | null): void {
    if (this.destroyed || this.readableEnded) return;
    this.cut ??= cut;
    this.#stop();
    this.push(null);
  }

  /** The client is too slow. */
  cutOff(): void {
    this.cut ??= "slow";
    this.#response.destroy();
  }

  override _read(): void {
    this.#hasRoom = true;
    this.#resume?.();
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#stop();
    callback(error);
  }

  #stop(): void {
    clearInterval(this.#comments);
    this.#hasEnded = true;
    this.#resume?.();
    void this.#results.return();
  }
  #hasEnded = false;

  async #send(): Promise<void> {
    while (!this.#hasEnded) {
      if (!this.#results.isLive && !this.#hasRoom) await this.#room();
      const { done, value } = await this.#results.next();
      if (this.#hasEnded) return;
      if (done) {
        const { isInterrupted, isRevoked } = this.#results;
        if (!isInterrupted) this.push(COMPLETE);
        this.end(isInterrupted ? "database" : isRevoked ? "revoked" : null);
        return;
      }
      this.#hasRoom = this.push(eventOf(value));
      if (this.readableLength + this.#response.writableLength > this.#maxWaiting) this.cutOff();
    }
  }

  async #room(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#resume = resolve;
    });
    this.#resume = null;
  }
}

/**
 * Responses whose bodies are event streams. When the server closes, all of them end properly but without the event
 * `complete`, so that clients reconnect and reach another server. A client that is too slow is cut off, so that it neither
 * occupies memory nor delays the end of the server; it reconnects and goes on after the last event that it has read.
 */
export class EventStreams {
  readonly #report: StreamReport;
  readonly #limits: StreamLimits;
  readonly #streams = new Set<EventStream>();
  /** The responses that were not sent in full yet. A response can outlive its stream, until its client has read it. */
  readonly #responses = new Set<ServerResponse>();
  #isClosing = false;

  constructor(report: StreamReport, limits: StreamLimits = LIMITS) {
    this.#report = report;
    this.#limits = limits;
  }

  /** @returns the body of the response. */
  open(results: Results, response: ServerResponse): Readable {
    if (!response.destroyed) this.#responses.add(response);
    response.once("close", () => this.#responses.delete(response));
    const stream = new EventStream(results, response, this.#limits);
    // Each write while the client reads renews the timeout.
    response.setTimeout(this.#limits.stallMs, () => stream.cutOff());
    this.#streams.add(stream);
    this.#report.onOpen();
    stream.once("close", () => {
      this.#streams.delete(stream);
      this.#report.onClose(stream.cut);
    });
    if (this.#isClosing) stream.end("shutdown");
    return stream;
  }

  /** Ends all streams, and from now on each new one at once. Cuts off the clients that do not read the end. */
  close(): void {
    this.#isClosing = true;
    for (const stream of this.#streams) stream.end("shutdown");
    setTimeout(() => {
      for (const response of this.#responses) response.destroy();
    }, this.#limits.endMs).unref();
  }
}
