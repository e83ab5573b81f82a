import type { FastifyInstance, onRequestHookHandler } from "fastify";
import type { RequestTrace, Tracing } from "../../tracing/tracing.js";

declare module "fastify" {
  interface FastifyRequest {
    /** Null for a request that is not traced. */
    trace: RequestTrace | null;
  }
}

const EVENT_STREAM = "text/event-stream";

/**
 * Traces requests. The log lines of a traced request have the trace's id. Whoever learns of the end of a request must end its
 * trace.
 * @param untraced the patterns of routes that are not traced
 */
export function addRequestTraces(
  server: FastifyInstance,
  tracing: Tracing | null,
  untraced: ReadonlySet<string>,
): void {
  server.decorateRequest("trace", null);
  if (tracing === null) return;
  server.addHook("onRequest", (request, _reply, done) => {
    const { method, protocol, id, headers, routeOptions } = request;
    const route = routeOptions.url ?? null;
    if (route !== null && untraced.has(route)) return done();
    const trace = tracing.beginRequest({
      method,
      route,
      // Behind a trusted proxy, the protocol is what X-Forwarded-Proto says, and so perhaps a caller's text.
      scheme: protocol === "https" ? "https" : "http",
      requestId: id,
      traceparent: headers["traceparent"],
    });
    request.trace = trace;
    request.log = request.log.child({ trace_id: trace.traceId });
    trace.run(done);
  });
  const goOn: onRequestHookHandler = ({ trace }, _reply, done) => (trace === null ? done() : trace.run(done));
  // The end of the body is an event of the socket, which is not bound to the request.
  server.addHook("preValidation", goOn);
  // A stream of events can last for days. Its request counts as ended when it begins.
  server.addHook("onSend", ({ trace, record }, reply, _payload, done) => {
    if (reply.getHeader("content-type") === EVENT_STREAM) trace?.end(reply.statusCode, record?.codes ?? []);
    done();
  });
}
