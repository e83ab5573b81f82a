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
  /** The port on 127.0.0.1; 0, the default, picks a free port. */
  port?: number;
  /** A JSON file for the state, which survives a crash at any moment. Default: the state is kept in memory. */
  stateFile?: string;
  /** The initial chats; ignored if the state file exists. */
  initial?: SandboxSeed;
  /** The bot; ignored if the state file exists, which names its own bot. */
  bot?: BotIdentity;
  /** The clock by which links expire, in milliseconds since 1970. Default: the machine's clock. */
  now?: () => number;
}

export interface Sandbox {
  /** `http://127.0.0.1:PORT`, the API root for Bot API clients. */
  readonly apiRoot: string;
  readonly bot: Readonly<BotIdentity>;
  readonly control: SandboxControl;
  /** Ends connections, long polls and deliveries. Resolves when the state is on disk. */
  close(): Promise<void>;
}

/**
 * Starts a local Bot API server with chats, links and members of its own. The server checks and answers calls as
 * Telegram does, and can be made to fail.
 */
export async function startSandbox(options: SandboxOptions = {}): Promise<Sandbox> {
  const { stateFile, initial = {}, bot, now = Date.now } = options;
  const stored = stateFile === undefined ? undefined : await readState(stateFile);
  const state = stored ?? newState(initial, bot);
  const storage = stateFile === undefined ? memoryOnly : new StateFile(stateFile, state);
  const updates = new Updates(state, storage, now);
  const webhook = new WebhookDelivery(state, storage, updates, now);
  updates.onUpdate = (added) => webhook.add(added);

  const context: SandboxContext = { state, storage, updates, now };
  const calls = new Calls();
  const faults = new Faults();
  const server = new HttpServer({ ...context, webhook, calls, faults });
  storage.changed();
  await storage.settled();
  const port = await server.listen(options.port ?? 0);
  webhook.start();

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
