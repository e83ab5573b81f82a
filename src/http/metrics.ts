import type { FastifyInstance } from "fastify";
import type { Registry } from "prom-client";

/** /metrics, in Prometheus' text format. */
export function addMetrics(server: FastifyInstance, registry: Registry): void {
  server.get("/metrics", async (_request, reply) =>
    reply
      .header("content-type", registry.contentType)
      .header("cache-control", "no-store")
      .send(await registry.metrics()),
  );
}
