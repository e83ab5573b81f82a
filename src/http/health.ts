import type { FastifyInstance } from "fastify";

/** The sources of the states that /readyz shows. */
export interface Readiness {
  /** Whether the database answers and stores. All migrations were applied before the server started to listen. */
  database(): Promise<"ok" | "unavailable" | "read-only" | "full">;
  /** Whether a replica answers reads while the primary is away. */
  isReadOnly(): boolean;
  telegram(): string;
  /** The state of the traffic with Telegram, such as its holds, by name. */
  updates(): Promise<object>;
  /** Whether the server was asked to stop. */
  stopping(): boolean;
}

/** /healthz says that the process is alive. /readyz says that it can serve requests, which needs the database but not Telegram. */
export function addHealth(server: FastifyInstance, readiness: Readiness): void {
  server.get("/healthz", async () => ({ status: "ok" }));
  server.get("/readyz", async (_request, reply) => {
    const updates = readiness.updates();
    const database = readiness.stopping() ? "stopping" : await readiness.database();
    const ready = database === "ok" || (database === "read-only" && readiness.isReadOnly());
    return reply.code(ready ? 200 : 503).send({
      status: ready ? "ok" : database,
      database,
      migrations: ready ? "ok" : database,
      telegram: readiness.telegram(),
      updates: await updates,
    });
  });
}
