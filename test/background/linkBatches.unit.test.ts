import { pino } from "pino";
import { expect, it } from "vitest";
import { LinkBatchRunner, type LinkBatchRunnerOptions } from "../../src/background/linkBatches.js";

it("a runner that is stopped during a step does not wait out the pause that the step asks for", {
  timeout: 5000,
}, async () => {
  const released: string[] = [];
  const gateway = { forBackground: () => gateway, holds: async () => [] };
  await new Promise<void>((resolve) => {
    const runner = new LinkBatchRunner({
      session: {
        query: async ({ statementName }: { statementName: string }) => {
          if (statementName === "link_batches_release") released.push(statementName);
          return statementName === "link_batches_own" ? [{ id: "a batch" }] : [];
        },
      },
      database: {
        // Telegram has asked to wait for an hour.
        transaction: async () => {
          void runner.stop().then(resolve);
          return { kind: "held", milliseconds: 3_600_000 };
        },
      },
      gateway,
      creationIntents: { finish: () => {} },
      storageGuard: { requireWritable: () => {} },
      serverId: "this server",
      log: pino({ level: "silent" }),
      onItem: () => {},
    } as unknown as LinkBatchRunnerOptions);
    runner.start();
  });
  expect(released).toHaveLength(1);
});
