import { pino } from "pino";
import { expect, it } from "vitest";
import type { ReceiverLease } from "../../../src/background/updates/lease.js";
import { WebhookRegistration } from "../../../src/background/updates/webhookRegistration.js";
import type { UpdateCalls } from "../../../src/telegram/updateCalls.js";
import { UPDATE_KINDS } from "../../../src/telegram/updates.js";

const { signal } = new AbortController();

/** Telegram and the database, which two servers share. */
class Installation {
  url = "";
  #hash: Uint8Array | null = null;
  /** Called before a hash is stored. */
  beforeStoring = async (): Promise<void> => {};

  server(url: string): WebhookRegistration {
    const calls = {
      webhookInfo: async () => ({ url: this.url, allowed_updates: [...UPDATE_KINDS] }),
      setWebhook: async (set: string) => {
        this.url = set;
      },
    };
    const lease = {
      read: async () => ({ webhookHash: this.#hash }),
      storeWebhookHash: async (hash: Uint8Array) => {
        await this.beforeStoring();
        this.#hash = hash;
      },
    };
    return new WebhookRegistration(
      { url, secret: "a secret" },
      calls as unknown as UpdateCalls,
      lease as unknown as ReceiverLease,
      pino({ level: "silent" }),
    );
  }
}

it("a newer server's webhook prevails over the check of an older server that began before its hash was stored", async () => {
  const installation = new Installation();
  const older = installation.server("https://older.example/hook");
  const newer = installation.server("https://newer.example/hook");
  await older.register(signal);
  const stored: (() => void)[] = [];
  let isChecking = Promise.resolve();
  installation.beforeStoring = async () => {
    // The newer server stores its hash before the older one, which has just seen the newer one's webhook.
    installation.beforeStoring = () => new Promise((resolve) => stored.push(resolve));
    isChecking = older.check(signal);
    await new Promise(setImmediate);
  };
  await newer.register(signal);
  for (const store of stored) store();
  await isChecking;
  await newer.check(signal);
  expect(installation.url).toBe("https://newer.example/hook");
});
