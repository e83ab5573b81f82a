import { createHash } from "node:crypto";
import type { Logger } from "../../log.js";
import { type UpdateCalls, WEBHOOK_CONNECTIONS, type WebhookInfo } from "../../telegram/updateCalls.js";
import { UPDATE_KINDS } from "../../telegram/updates.js";
import type { ReceiverLease } from "./lease.js";

export interface Webhook {
  /** The full public address that Telegram calls. */
  readonly url: string;
  readonly secret: string;
}

const sameKinds = ({ allowed_updates: kinds = [] }: WebhookInfo): boolean =>
  [...kinds].sort().join() === [...UPDATE_KINDS].sort().join();

/** Registers the webhook with Telegram if it is not registered so already. Telegram does not tell the secret, hence the hash. */
export class WebhookRegistration {
  readonly #webhook: Webhook;
  readonly #calls: UpdateCalls;
  readonly #lease: ReceiverLease;
  readonly #log: Logger;
  readonly #hash: Buffer;
  #lastErrorAt = 0;

  constructor(webhook: Webhook, calls: UpdateCalls, lease: ReceiverLease, log: Logger) {
    this.#webhook = webhook;
    this.#calls = calls;
    this.#lease = lease;
    this.#log = log;
    const parts = [webhook.url, webhook.secret, UPDATE_KINDS, WEBHOOK_CONNECTIONS];
    this.#hash = createHash("sha256").update(JSON.stringify(parts)).digest();
  }

  /** For the start of the server. @throws UpdatesCallError, or an error of the database */
  async register(signal: AbortSignal): Promise<void> {
    const info = await this.#calls.webhookInfo(signal);
    if (this.#isAsSet(info) && (await this.#isOurs())) return;
    await this.#set(signal);
    await this.#lease.storeWebhookHash(this.#hash);
    this.#tell("the webhook is registered with Telegram");
  }

  /**
   * Registers the webhook again if somebody else has changed it. What a server of this installation has registered
   * meanwhile, or removed in favour of polling, stays.
   * @throws UpdatesCallError, or an error of the database
   */
  async check(signal: AbortSignal): Promise<void> {
    const info = await this.#calls.webhookInfo(signal);
    this.#reportError(info);
    if (this.#isAsSet(info) || !(await this.#isOurs())) return;
    await this.#set(signal);
    // The hash is not stored again: a newer server may have changed the webhook and not have stored its own hash yet.
    // With that, the newer server's next check registers its webhook again.
    this.#tell("somebody else had changed the webhook: it is registered again");
  }

  /** Whether Telegram has the address and the kinds of this webhook. It does not tell the secret. */
  #isAsSet(info: WebhookInfo): boolean {
    return info.url === this.#webhook.url && sameKinds(info);
  }

  /** Whether the webhook that a server has registered last is this one. */
  async #isOurs(): Promise<boolean> {
    const { webhookHash } = await this.#lease.read();
    return webhookHash !== null && this.#hash.equals(webhookHash);
  }

  async #set(signal: AbortSignal): Promise<void> {
    const { url, secret } = this.#webhook;
    await this.#calls.setWebhook(url, secret, signal);
  }

  #tell(message: string): void {
    this.#log.info({ host: new URL(this.#webhook.url).host }, message);
  }

  #reportError({ last_error_date: at = 0, last_error_message, pending_update_count }: WebhookInfo): void {
    if (at <= this.#lastErrorAt) return;
    this.#lastErrorAt = at;
    this.#log.warn(
      { at: new Date(at * 1000).toISOString(), reason: last_error_message, pending: pending_update_count },
      "Telegram could not deliver updates to the webhook",
    );
  }
}
