import { pino } from "pino";
import { expect, it } from "vitest";
import {
  UpdateReceiver,
  type UpdateReceiverOptions,
} from "../../../src/background/updates/updateReceiver.js";

it("a lease that is given back while a server reads who holds it is taken at once", {
  timeout: 5000,
}, async () => {
  const other = { ownerId: "another server", webhookHash: null, setAside: 0, gaps: 0 };
  let attempts = 0;
  await new Promise<void>((resolve) => {
    const receiver = new UpdateReceiver({
      transport: { mode: "polling" },
      lease: {
        prepare: async () => {},
        read: async () => other,
        acquire: async () => {
          attempts += 1;
          // The other server gives the lease back when it has been read, and its notification is faster than the answer.
          if (attempts === 1) receiver.wake();
          else void receiver.stop().then(resolve);
          return { term: null, state: other };
        },
      },
      log: pino({ level: "silent" }),
      jobs: [],
      onDatabaseError: () => {},
      // The server does not look for the lease by itself.
      times: { renewMs: 600_000 },
    } as unknown as UpdateReceiverOptions);
    void receiver.start();
  });
  expect(attempts).toBe(2);
});
