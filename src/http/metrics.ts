import type { FastifyInstance } from "fastify";
import type { Registry } from "prom-client";

/** Serves /metrics in the text format of Prometheus. */
export function addMetrics(server: FastifyInstance, registry: Registry): void {
  server.get("/metrics", async (_request, reply) =>
    reply.header("content-type", registry.contentType).send(await registry.metrics()),
  );
}
