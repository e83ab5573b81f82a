// The only file of the server that loads OpenTelemetry. app.ts imports it where traces are exported.

import { AsyncLocalStorage } from "node:async_hooks";
import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import {
  type Attributes,
  type Context,
  defaultTextMapGetter,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from "@opentelemetry/api";
import { W3CTraceContextPropagator } from "@opentelemetry/core";
import {
  defaultResource,
  detectResources,
  envDetector,
  resourceFromAttributes,
} from "@opentelemetry/resources";
import { BasicTracerProvider, BatchSpanProcessor } from "@opentelemetry/sdk-trace-base";
import type { Logger } from "../log.js";
import { openExporter } from "./collector.js";
import type { TracingConfig } from "./config.js";
import type {
  RequestTrace,
  TracedAttempt,
  TracedCall,
  TracedOperation,
  TracedRequest,
  TracedStatement,
  Tracing,
} from "./tracing.js";

/** How long the end of the server waits for the collector, in milliseconds. */
const CLOSE_MS = 3000;
/** The longest name of an operation, in characters. */
const MAX_NAME = 64;
/** Codes of Prisma begin with P and a digit other than 0, and those of Node.js have no digit. */
const SQLSTATE = /^(?!P[1-9])(?=.*\d)[0-9A-Z]{5}$/;
/** Codes of errors that are the server's fault. */
const FAULTS: ReadonlySet<string> = new Set(["INTERNAL_SERVER_ERROR", "DATABASE_UNAVAILABLE"]);

/** Work whose spans become children of its own. */
interface Scope {
  readonly span: Span;
  readonly context: Context;
  /**
   * What must be added to performance.now() for the time since 1970, in milliseconds. One value for a whole trace: a clock
   * that is set meanwhile would let children begin before their parents.
   */
  readonly clock: number;
  /** Whether the span has ended. The span itself does not tell: one that is not sampled never records. */
  isEnded: boolean;
}

interface NewSpan {
  readonly kind: SpanKind;
  readonly attributes?: Attributes;
}

const clockNow = (): number => Date.now() - performance.now();

/** Marks a span as failed. @param type the code or kind of the error, never a text */
function fail(span: Span, type: string): void {
  span.setAttribute("error.type", type);
  span.setStatus({ code: SpanStatusCode.ERROR });
}

/** @param status of the answer; undefined if there is none */
function setErrors(span: Span, codes: readonly string[], status?: number): void {
  const distinct = [...new Set(codes)];
  if (distinct.length > 0) span.setAttribute("invite_links.error_codes", distinct);
  const fault = distinct.find((code) => FAULTS.has(code));
  if (fault !== undefined) fail(span, fault);
  else if (status !== undefined && status >= 500) fail(span, String(status));
}

/** The server of an http(s) address. */
function serverOf(address: string): Attributes {
  const { protocol, hostname, port } = new URL(address);
  return {
    // The brackets of an IPv6 address are the URL's.
    "server.address": hostname.replace(/^\[|\]$/g, ""),
    "server.port": Number(port) || (protocol === "https:" ? 443 : 80),
  };
}

/** Traces over the API and SDK of OpenTelemetry. Nothing is registered globally: a process may run several servers. */
class OpenTelemetry implements Tracing {
  readonly #provider: BasicTracerProvider;
  readonly #tracer: Tracer;
  readonly #propagator = new W3CTraceContextPropagator();
  readonly #scopes = new AsyncLocalStorage<Scope>();

  constructor(provider: BasicTracerProvider) {
    this.#provider = provider;
    this.#tracer = provider.getTracer("invite-links");
  }

  beginRequest({ method, route, scheme, requestId, traceparent }: TracedRequest): RequestTrace {
    const attributes: Attributes = {
      "http.request.method": method,
      "url.scheme": scheme,
      // Addresses can contain ids. The route's pattern has their names instead.
      ...(route !== null && { "http.route": route, "url.path": route }),
      "http.response.header.x-request-id": [requestId],
    };
    // The caller's tracestate, whose text is free, would be exported with each span.
    const caller = this.#propagator.extract(ROOT_CONTEXT, { traceparent }, defaultTextMapGetter);
    const name = route === null ? method : `${method} ${route}`;
    const scope = this.#begin(name, { kind: SpanKind.SERVER, attributes }, caller, clockNow());
    const { span } = scope;
    return {
      traceId: span.spanContext().traceId,
      run: (work) => this.#scopes.run(scope, work),
      end: (status, codes) => {
        if (scope.isEnded) return;
        span.setAttribute("http.response.status_code", status);
        setErrors(span, codes, status);
        this.#end(scope);
      },
    };
  }

  async runOperation<T>(
    { name, type }: TracedOperation,
    work: () => Promise<T>,
    codesOf: () => readonly string[],
  ): Promise<T> {
    const shown = name?.slice(0, MAX_NAME);
    const scope = this.#beginInside(shown === undefined ? type : `${type} ${shown}`, {
      kind: SpanKind.INTERNAL,
      attributes: {
        "graphql.operation.type": type,
        ...(shown !== undefined && { "graphql.operation.name": shown }),
      },
    });
    try {
      return await this.#scopes.run(scope, work);
    } finally {
      setErrors(scope.span, codesOf());
      this.#end(scope);
    }
  }

  async runInBackground<T>(name: string, work: () => Promise<T>): Promise<T> {
    const scope = this.#beginInside(name, { kind: SpanKind.INTERNAL });
    try {
      return await this.#scopes.run(scope, work);
    } catch (error) {
      fail(scope.span, error instanceof Error ? error.name : "unknown");
      throw error;
    } finally {
      this.#end(scope);
    }
  }

  recordStatement({ name, milliseconds, failure }: TracedStatement): void {
    if (this.#current() === undefined) return;
    const attributes: Attributes = {
      "db.system.name": "postgresql",
      "db.query.summary": name,
      ...(failure !== null && SQLSTATE.test(failure) && { "db.response.status_code": failure }),
    };
    this.#record(name, milliseconds, { kind: SpanKind.CLIENT, attributes }, failure);
  }

  recordCall({ method, apiRoot, milliseconds, status, attempt, failure }: TracedCall): void {
    const attributes: Attributes = {
      "http.request.method": "POST",
      "telegram.method": method,
      ...serverOf(apiRoot),
      ...(status !== null && { "http.response.status_code": status }),
      ...(attempt > 1 && { "http.request.resend_count": attempt - 1 }),
    };
    this.#record(`telegram ${method}`, milliseconds, { kind: SpanKind.CLIENT, attributes }, failure?.kind);
  }

  recordAttempt({ webhookId, method, milliseconds, status, isDelivered }: TracedAttempt): void {
    const attributes: Attributes = {
      "http.request.method": method,
      "invite_links.webhook_id": webhookId,
      ...(status !== null && { "http.response.status_code": status }),
    };
    this.#record(
      "deliver to webhook",
      milliseconds,
      { kind: SpanKind.CLIENT, attributes },
      isDelivered ? undefined : String(status ?? "unreachable"),
    );
  }

  async close(): Promise<void> {
    // What the exporter could not send has a log line already.
    const sent = this.#provider.shutdown().catch(() => {});
    await Promise.race([sent, delay(CLOSE_MS, undefined, { ref: false })]);
  }

  /** The scope of the current work; undefined outside of spans, and in work that goes on after its span has ended. */
  #current(): Scope | undefined {
    const scope = this.#scopes.getStore();
    return scope?.isEnded ? undefined : scope;
  }

  #beginInside(name: string, { kind, attributes = {} }: NewSpan): Scope {
    const parent = this.#current();
    return this.#begin(
      name,
      { kind, attributes },
      parent?.context ?? ROOT_CONTEXT,
      parent?.clock ?? clockNow(),
    );
  }

  #begin(name: string, options: NewSpan, parent: Context, clock: number): Scope {
    const span = this.#tracer.startSpan(name, { ...options, startTime: clock + performance.now() }, parent);
    return { span, context: trace.setSpan(parent, span), clock, isEnded: false };
  }

  #end(scope: Scope): void {
    scope.isEnded = true;
    scope.span.end(scope.clock + performance.now());
  }

  /** Records what has just ended. @param failure its kind or code; null or undefined for a success */
  #record(name: string, milliseconds: number, span: NewSpan, failure?: string | null): void {
    const scope = this.#current();
    const end = (scope?.clock ?? clockNow()) + performance.now();
    const recorded = this.#tracer.startSpan(
      name,
      { ...span, startTime: end - milliseconds },
      scope?.context ?? ROOT_CONTEXT,
    );
    if (failure != null) fail(recorded, failure);
    recorded.end(end);
  }
}

/** Begins to trace. The sampler, the limits and what identifies the service are read from the process' environment. */
export async function openTracing(config: TracingConfig, version: string, log: Logger): Promise<Tracing> {
  const own = resourceFromAttributes({
    "service.name": "invite-links",
    "service.version": version,
    "service.instance.id": randomUUID(),
  });
  const given = detectResources({ detectors: [envDetector] });
  return new OpenTelemetry(
    new BasicTracerProvider({
      resource: defaultResource().merge(own).merge(given),
      spanProcessors: [new BatchSpanProcessor(await openExporter(config, log))],
    }),
  );
}
