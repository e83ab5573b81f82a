import type { FastifyInstance } from "fastify";

/** The state of the parts that /readyz names. */
export interface Readiness {
  /** Whether the database answers and stores; its migrations were applied before the server listened. */
  database(): Promise<"ok" | "unavailable" | "read-only" | "full">;
  telegram(): string;
  /** What is to be known of the traffic with Telegram; a name for each thing. */
  updates(): Promise<object>;
  stopping(): boolean;
}

/** /healthz: the process lives. /readyz: it can do its work, which takes the database, and not Telegram. */
export function addHealth(server: FastifyInstance, readiness: Readiness): void {
  server.get("/healthz", async () => ({ status: "ok" }));
  server.get("/readyz", async (_request, reply) => {
    const updates = readiness.updates();
    const database = readiness.stopping() ? "stopping" : await readiness.database();
    const ready = database === "ok";
    return reply
      .code(ready ? 200 : 503)
      .header("cache-control", "no-store")
      .send({
        status: ready ? "ok" : database,
        database,
        migrations: ready ? "ok" : database,
        telegram: readiness.telegram(),
        updates: await updates,
      });
  });
}
