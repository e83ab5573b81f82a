import * as z from "zod";
import { httpUrl, readVariables } from "../environment.js";

/** How traces are exported. OpenTelemetry itself reads everything else from the process' environment. */
export interface TracingConfig {
  readonly protocol: "http/protobuf" | "http/json";
}

const protocol = z.enum(["http/protobuf", "http/json"]);
const PROTOCOLS = "http/protobuf or http/json";

/** Names and percent-encoded values: `authorization=Bearer%20abc,x-tenant=a`. */
const headers = z.string().regex(/^[^=,\s]+\s*=[^,]*(,\s*[^=,\s]+\s*=[^,]*)*$/);
const HEADERS = "a comma-separated list of name=value";

/** The values of headers as they are written, decoded, and without the name of a scheme such as Bearer. */
function valuesOf(list: string): string[] {
  return list.split(",").flatMap((header) => {
    const value = header.slice(header.indexOf("=") + 1).trim();
    let decoded = value;
    try {
      decoded = decodeURIComponent(value);
    } catch {
      // OpenTelemetry leaves such a header out.
    }
    return [value, decoded, decoded.slice(decoded.lastIndexOf(" ") + 1)];
  });
}

/** The variables whose values the server judges, because OpenTelemetry would ignore a wrong one without a word. */
export const TRACING_VARIABLES = {
  OTEL_EXPORTER_OTLP_ENDPOINT: {
    schema: httpUrl,
    accepts: "the http(s) address of a collector",
    secret: true,
  },
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: {
    schema: httpUrl,
    accepts: "the http(s) address of a collector for traces",
    secret: true,
  },
  OTEL_EXPORTER_OTLP_PROTOCOL: { schema: protocol, accepts: PROTOCOLS },
  OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: { schema: protocol, accepts: PROTOCOLS },
  OTEL_EXPORTER_OTLP_HEADERS: { schema: headers, accepts: HEADERS, secret: valuesOf },
  OTEL_EXPORTER_OTLP_TRACES_HEADERS: { schema: headers, accepts: HEADERS, secret: valuesOf },
  OTEL_TRACES_EXPORTER: { schema: z.enum(["otlp", "none"]), accepts: "otlp or none" },
  OTEL_TRACES_SAMPLER: {
    schema: z.enum([
      "always_on",
      "always_off",
      "traceidratio",
      "parentbased_always_on",
      "parentbased_always_off",
      "parentbased_traceidratio",
    ]),
    accepts: "always_on, always_off or traceidratio, each also with parentbased_ before it",
  },
  OTEL_TRACES_SAMPLER_ARG: {
    schema: z.coerce.number().min(0).max(1),
    accepts: "a number from 0 to 1",
  },
  OTEL_SDK_DISABLED: {
    schema: z
      .string()
      .toLowerCase()
      .pipe(z.enum(["true", "false"]))
      .transform((value) => value === "true"),
    accepts: "true or false",
  },
} as const;

/**
 * Reads OpenTelemetry's own variables.
 * @param problems gets a line for each value that is not acceptable
 * @returns null if no address is set or tracing is turned off. The other variables are not judged then, because they are
 * often set for all programs of a machine.
 */
export function readTracingConfig(env: NodeJS.ProcessEnv, problems: string[]): TracingConfig | null {
  const { values, problems: found } = readVariables(TRACING_VARIABLES, env);
  const hasAddress = [env["OTEL_EXPORTER_OTLP_ENDPOINT"], env["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"]].some(
    (address = "") => address.trim() !== "",
  );
  if (!hasAddress || values.OTEL_SDK_DISABLED || values.OTEL_TRACES_EXPORTER === "none") return null;
  problems.push(...found);
  return {
    protocol:
      values.OTEL_EXPORTER_OTLP_TRACES_PROTOCOL ?? values.OTEL_EXPORTER_OTLP_PROTOCOL ?? "http/protobuf",
  };
}
