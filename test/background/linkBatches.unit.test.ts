import { pino } from "pino";
import { expect, it } from "vitest";
import { LinkBatchRunner, type LinkBatchRunnerOptions } from "../../src/background/linkBatches.js";

/** A runner with one batch, which Telegram asks to wait for an hour. @param onStep called during each step of the batch */
function runnerOf(onStep: () => void, released: string[] = []): LinkBatchRunner {
  const gateway = { forBackground: () => gateway, holds: async () => [] };
  return new LinkBatchRunner({
    session: {
      query: async ({ statementName }: { statementName: string }) => {
        if (statementName === "link_batches_release") released.push(statementName);
        return statementName === "link_batches_own" ? [{ id: "a batch" }] : [];
      },
    },
    database: {
      transaction: async () => {
        onStep();
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
}

it("a runner that is stopped during a step does not wait out the pause that the step asks for", {
  timeout: 5000,
}, async () => {
  const released: string[] = [];
  await new Promise<void>((resolve) => {
    const runner = runnerOf(() => void runner.stop().then(resolve), released);
    runner.start();
  });
  expect(released).toHaveLength(1);
});

it("a runner that is woken during a step does not wait out the pause that the step asks for", {
  timeout: 5000,
}, async () => {
  let steps = 0;
  await new Promise<void>((resolve) => {
    const runner = runnerOf(() => {
      steps += 1;
      if (steps === 1) runner.wake();
      if (steps === 2) void runner.stop().then(resolve);
    });
    runner.start();
  });
  expect(steps).toBe(2);
});
