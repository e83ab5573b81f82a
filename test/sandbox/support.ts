import { Telegram, TelegramError } from "telegraf";
import { onTestFinished } from "vitest";
import {
  type ChatSeed,
  type Sandbox,
  type SandboxOptions,
  startSandbox,
  type TelegramUser,
} from "../../src/sandbox/sandbox.js";

export const CHANNEL = -1_001_234_567_890;
export const SUPERGROUP = -1_009_876_543_210;

export const channel: ChatSeed = { id: CHANNEL, type: "channel", title: "News" };
export const supergroup: ChatSeed = {
  id: SUPERGROUP,
  type: "supergroup",
  title: "Talk",
  username: "TalkHere",
};

export const ada = person(11, "Ada");
export const ben = person(12, "Ben");

export function person(id: number, first_name: string): TelegramUser {
  return { id, is_bot: false, first_name };
}

export type Call = (
  method: string,
  parameters?: Record<string, unknown>,
  signal?: AbortSignal,
) => Promise<unknown>;

export interface Setup {
  sandbox: Sandbox;
  /** Telegraf's client, for the methods that it knows. */
  telegram: Telegram;
  call: Call;
}

/** Starts a sandbox with a channel and a supergroup in which the bot has all rights. Closed when the test ends. */
export async function setup(options: SandboxOptions = {}): Promise<Setup> {
  const sandbox = await startSandbox({ initial: { chats: [channel, supergroup] }, ...options });
  onTestFinished(() => sandbox.close());
  const telegram = new Telegram(sandbox.bot.token, { apiRoot: sandbox.apiRoot });
  return { sandbox, telegram, call: caller(telegram) };
}

export function caller(telegram: Telegram): Call {
  return (method, parameters = {}, signal) =>
    telegram.callApi(method as never, parameters as never, signal ? { signal: signal as never } : {});
}

/** `[error_code, description]` of an error, followed by its parameters if it has any. */
export async function refusal(answer: Promise<unknown>): Promise<unknown[]> {
  try {
    return ["no refusal", await answer];
  } catch (error) {
    if (!(error instanceof TelegramError)) {
      throw error;
    }
    return [error.code, error.description, ...(error.parameters ? [error.parameters] : [])];
  }
}

export interface Link {
  invite_link: string;
  name?: string;
  creator: TelegramUser;
  [field: string]: unknown;
}

export async function makeLink(call: Call, parameters: Record<string, unknown> = {}): Promise<Link> {
  return (await call("createChatInviteLink", { chat_id: CHANNEL, ...parameters })) as Link;
}
