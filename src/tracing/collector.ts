import { type ExportResult, ExportResultCode } from "@opentelemetry/core";
import type { ReadableSpan, SpanExporter } from "@opentelemetry/sdk-trace-base";
import type { Logger } from "../log.js";
import type { TracingConfig } from "./config.js";

/** Sends spans to the collector, and logs the beginning and the end of each of its outages. */
class LoggedExporter implements SpanExporter {
  readonly #exporter: SpanExporter;
  readonly #log: Logger;
  #isAway = false;

  constructor(exporter: SpanExporter, log: Logger) {
    this.#exporter = exporter;
    this.#log = log;
  }

  export(spans: ReadableSpan[], done: (result: ExportResult) => void): void {
    this.#exporter.export(spans, (result) => {
      this.#record(result);
      done(result);
    });
  }

  shutdown(): Promise<void> {
    return this.#exporter.shutdown();
  }

  #record({ code, error }: ExportResult): void {
    const isAway = code !== ExportResultCode.SUCCESS;
    if (isAway === this.#isAway) return;
    this.#isAway = isAway;
    // The message of an error about several addresses is empty.
    const reason = error?.message || (error as { readonly code?: string } | undefined)?.code;
    if (isAway) this.#log.warn({ reason }, "traces cannot be sent to the collector and are lost");
    else this.#log.info("traces are sent to the collector again");
  }
}

/** Opens the exporter, which reads the collector's address and headers from the process' environment. */
export async function openExporter({ protocol }: TracingConfig, log: Logger): Promise<SpanExporter> {
  const { OTLPTraceExporter } =
    protocol === "http/json"
      ? await import("@opentelemetry/exporter-trace-otlp-http")
      : await import("@opentelemetry/exporter-trace-otlp-proto");
  return new LoggedExporter(new OTLPTraceExporter(), log);
}
