import { Calls } from "./calls.js";
import type { SandboxContext } from "./context.js";
import { createControl, type SandboxControl } from "./control.js";
import { Faults } from "./faults.js";
import { HttpServer } from "./http.js";
import { newState } from "./state.js";
import { memoryOnly, readState, StateFile } from "./storage.js";
import type { BotIdentity, SandboxSeed } from "./types.js";
import { Updates } from "./updates.js";
import { WebhookDelivery } from "./webhook.js";

export type { SandboxCall } from "./calls.js";
export type { OtherLink, SandboxChat, SandboxControl } from "./control.js";
export type { FaultTarget, SandboxFault } from "./faults.js";
export type { PendingUpdate } from "./state.js";
export type * from "./types.js";

export interface SandboxOptions {
  /** 0, the default, picks a free one. Always listens on 127.0.0.1. */
  port?: number;
  /** A JSON file that holds the state, replaced atomically; it survives a kill at any moment. Without it: memory. */
  stateFile?: string;
  /** Used where there is no state yet. */
  initial?: SandboxSeed;
  /** Likewise: a state that is there has its bot, which {@link Sandbox.bot} names. */
  bot?: BotIdentity;
  /** The clock, in milliseconds since the epoch (default: the machine's); links expire by it. */
  now?: () => number;
}

export interface Sandbox {
  /** `http://127.0.0.1:PORT`, what a Bot API client calls its API root. */
  readonly apiRoot: string;
  readonly bot: Readonly<BotIdentity>;
  readonly control: SandboxControl;
  /** Ends open connections, long polls and deliveries, and leaves the state on disk. */
  close(): Promise<void>;
}

/**
 * Starts a local Bot API server: a Telegram of chats, links and members that checks and answers what the real one
 * would, and that can be told to fail.
 */
export async function startSandbox(options: SandboxOptions = {}): Promise<Sandbox> {
  const { stateFile, initial = {}, bot, now = Date.now } = options;
  const stored = stateFile === undefined ? undefined : await readState(stateFile);
  const state = stored ?? newState(initial, bot);
  const storage = stateFile === undefined ? memoryOnly : new StateFile(stateFile, state);
  const updates = new Updates(state, storage);
  const webhook = new WebhookDelivery(state, storage, now);
  updates.onUpdate = () => webhook.wake();

  const context: SandboxContext = { state, storage, updates, now };
  const calls = new Calls();
  const faults = new Faults();
  const server = new HttpServer({ ...context, webhook, calls, faults });
  storage.changed();
  await storage.settled();
  const port = await server.listen(options.port ?? 0);
  webhook.wake();

  return {
    apiRoot: `http://127.0.0.1:${port}`,
    bot: state.bot,
    control: createControl(context, calls, faults),
    async close() {
      await server.close();
      updates.close();
      webhook.close();
      await storage.settled();
    },
  };
}
