/** A request as its trace shows it. Nothing of it is a caller's text but the id, which has a bounded form. */
export interface TracedRequest {
  readonly method: string;
  /** The route's pattern; null if no route matches. */
  readonly route: string | null;
  readonly scheme: "http" | "https";
  /** The answer's X-Request-Id. */
  readonly requestId: string;
  /** The header that names the caller's trace, which then goes on here. Any other value counts as none. */
  readonly traceparent: unknown;
}

/** The trace of one request. */
export interface RequestTrace {
  /** 32 hexadecimal digits. */
  readonly traceId: string;
  /** Runs `work`. What it leads to until the end, however indirectly, belongs to the trace. */
  run(work: () => void): void;
  /**
   * Ends the request's span. Later calls change nothing.
   * @param status of the answer
   * @param codes of the errors in the answer
   */
  end(status: number, codes: readonly string[]): void;
}

export interface TracedOperation {
  /** A client's text of any length; null without a name. */
  readonly name: string | null;
  readonly type: string;
}

/** A statement that has just ended. */
export interface TracedStatement {
  readonly name: string;
  readonly milliseconds: number;
  /** The code of the error; null for a success. */
  readonly failure: string | null;
}

/** A call to Telegram that has just ended. */
export interface TracedCall {
  readonly method: string;
  /** The address of the Bot API server. A span has its host and port alone. */
  readonly apiRoot: string;
  readonly milliseconds: number;
  /** The HTTP status; null without an answer, or if it is unknown. */
  readonly status: number | null;
  /** Counts from 1. */
  readonly attempt: number;
  readonly failure: { readonly kind: string } | null;
}

/** An attempt to deliver to a webhook that has just ended. */
export interface TracedAttempt {
  readonly webhookId: string;
  readonly method: string;
  readonly milliseconds: number;
  /** The HTTP status; null without an answer. */
  readonly status: number | null;
  readonly isDelivered: boolean;
}

/**
 * Traces of what the server does. Each span belongs to the work in which it began, through promises and callbacks. Parts are
 * given null instead if traces are not exported.
 */
export interface Tracing {
  beginRequest(request: TracedRequest): RequestTrace;
  /**
   * Runs an operation of GraphQL in a span of its own.
   * @param codesOf is asked, when the work is done, for the codes of the errors in the result
   */
  runOperation<T>(
    operation: TracedOperation,
    work: () => Promise<T>,
    codesOf: () => readonly string[],
  ): Promise<T>;
  /**
   * Runs work beside requests in a span of its own: within the trace of a request that has begun the work and goes on,
   * otherwise in a new trace.
   */
  runInBackground<T>(name: string, work: () => Promise<T>): Promise<T>;
  /** Outside of any other span, a statement is not recorded. */
  recordStatement(statement: TracedStatement): void;
  /** Outside of any other span, a call is a trace of its own. */
  recordCall(call: TracedCall): void;
  recordAttempt(attempt: TracedAttempt): void;
  /** Exports what was recorded, but waits only a moment for the collector. */
  close(): Promise<void>;
}

/** Runs work beside requests, traced unless `tracing` is null. */
export const runInBackground = <T>(
  tracing: Tracing | null,
  name: string,
  work: () => Promise<T>,
): Promise<T> => (tracing === null ? work() : tracing.runInBackground(name, work));
