// A receiver of OpenTelemetry's protocol OTLP over HTTP, for tests of tracing.

import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { freePort } from "../../tools/postgres.mjs";

type Value =
  | { readonly stringValue: string }
  | { readonly intValue: number | string }
  | { readonly arrayValue: { readonly values: readonly Value[] } };

interface Attribute {
  readonly key: string;
  readonly value: Value;
}

interface SentSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly kind: number;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: readonly Attribute[];
  readonly status: { readonly code: number };
}

interface SentTraces {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly Attribute[] };
    readonly scopeSpans: readonly { readonly spans: readonly SentSpan[] }[];
  }[];
}

/** An attribute's text, number or list. */
type Plain = string | number | readonly Plain[];

/** The numbers of OTLP. */
export const KIND = { internal: 1, server: 2, client: 3 } as const;
export const STATUS = { unset: 0, error: 2 } as const;

export interface Span {
  readonly traceId: string;
  readonly id: string;
  /** Undefined for the first span of a trace. */
  readonly parentId: string | undefined;
  readonly name: string;
  readonly kind: number;
  readonly status: number;
  /** Nanoseconds since 1970. */
  readonly start: bigint;
  readonly end: bigint;
  readonly attributes: Readonly<Record<string, Plain>>;
}

const plainOf = (value: Value): Plain => {
  if ("stringValue" in value) return value.stringValue;
  return "intValue" in value ? Number(value.intValue) : value.arrayValue.values.map(plainOf);
};

const recordOf = (attributes: readonly Attribute[]): Record<string, Plain> =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, plainOf(value)]));

const spanOf = (sent: SentSpan): Span => ({
  traceId: sent.traceId,
  id: sent.spanId,
  parentId: sent.parentSpanId || undefined,
  name: sent.name,
  kind: sent.kind,
  status: sent.status.code,
  start: BigInt(sent.startTimeUnixNano),
  end: BigInt(sent.endTimeUnixNano),
  attributes: recordOf(sent.attributes),
});

export interface ReceivedExport {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** The variables by which a server exports at once, and in the form that Collector reads, to a port of this machine. */
export const environmentAt = (port: number): Record<string, string> => ({
  OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
  OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
  OTEL_BSP_SCHEDULE_DELAY: "50",
});

export class Collector {
  readonly #server: Server;
  readonly received: ReceivedExport[] = [];
  #onReceived = (): void => {};
  #next = this.#promise();

  private constructor() {
    this.#server = createServer(async (request, response) => {
      const body = Buffer.concat(await request.toArray());
      this.received.push({ path: request.url ?? "", headers: request.headers, body });
      response.setHeader("content-type", "application/json").end("{}");
      this.#onReceived();
      this.#next = this.#promise();
    });
  }

  /** @param port of an earlier collector; without it, a free one */
  static async listen(port?: number): Promise<Collector> {
    const collector = new Collector();
    await once(collector.#server.listen(port ?? (await freePort()), "127.0.0.1"), "listening");
    return collector;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** The variables by which a server exports to this collector. */
  get environment(): Record<string, string> {
    return environmentAt(this.port);
  }

  get #traces(): SentTraces["resourceSpans"] {
    return this.received.flatMap(({ body }) => (JSON.parse(body.toString()) as SentTraces).resourceSpans);
  }

  /** What identifies the service that sent the spans. */
  get resource(): Readonly<Record<string, Plain>> {
    return recordOf(this.#traces[0]?.resource.attributes ?? []);
  }

  get spans(): Span[] {
    return this.#traces.flatMap(({ scopeSpans }) => scopeSpans).flatMap(({ spans }) => spans.map(spanOf));
  }

  /** Resolves with the first span that fits, once it has arrived. The spans that ended before it are there as well. */
  async span(fits: (span: Span) => boolean): Promise<Span> {
    for (;;) {
      const found = this.spans.find(fits);
      if (found) return found;
      await this.#next;
    }
  }

  /** The spans of a trace, once the span of its request has arrived. */
  async trace(traceId: string): Promise<Span[]> {
    await this.span((span) => span.traceId === traceId && span.kind === KIND.server);
    return this.spans.filter((span) => span.traceId === traceId);
  }

  async close(): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, "close");
  }

  #promise(): Promise<void> {
    return new Promise((resolve) => {
      this.#onReceived = resolve;
    });
  }
}
