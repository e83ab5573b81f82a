import sql, { type Sql } from "sql-template-tag";
import { ForbiddenError } from "./errors.js";

/** Ordered by rights: each role may do everything that the roles before it may. */
export const ROLES = ["VIEWER", "EDITOR", "ADMIN"] as const;
export type Role = (typeof ROLES)[number];

/** The key of the caller with the ADMIN_TOKEN. */
export const ADMIN_KEY = "admin";

/** Who makes a request. The caller's rights are decided from this alone. */
export interface Caller {
  /** 'token:<id>', 'admin' for ADMIN_TOKEN, or 'cli': identifies the caller in creation intents and audit entries. */
  readonly key: string;
  readonly name: string;
  readonly role: Role;
  /** The chats that the caller may use; null for every chat. Another set after a chat migration; see moveChat. */
  chatIds: ReadonlySet<number> | null;
  /** The Telegram user behind the token; null for none. */
  readonly telegramUserId: number | null;
}

/** The names of the callers that have no token. */
export const NAMES_WITHOUT_TOKEN = { admin: "ADMIN_TOKEN", cli: "Command line" } as const;

/** Gives a caller who may use a chat the chat's id after a migration. */
export function moveChat(caller: Pick<Caller, "chatIds">, from: number, to: number): void {
  if (!caller.chatIds?.has(from)) return;
  const chatIds = new Set(caller.chatIds);
  chatIds.delete(from);
  caller.chatIds = chatIds.add(to);
}

/** @throws ForbiddenError if the caller's role has fewer rights. */
export function requireRole(caller: Caller, role: Role): void {
  if (ROLES.indexOf(caller.role) < ROLES.indexOf(role)) {
    throw new ForbiddenError(
      `This requires a token with the role ${role}; this one has the role ${caller.role}.`,
    );
  }
}

export const mayUseChannel = (caller: Caller, chatId: number): boolean =>
  caller.chatIds === null || caller.chatIds.has(chatId);

/**
 * @param named the chat as the caller named it, for the message: a chat id that the caller may not know is not revealed.
 * @throws ForbiddenError if the caller may not use the chat, whether it has a channel here or not.
 */
export function requireChannel(caller: Caller, chatId: number, named: number | string = chatId): void {
  if (!mayUseChannel(caller, chatId))
    throw new ForbiddenError(`This token may not use the channel ${named}.`);
}

export const mayUseEveryChannel = ({ chatIds }: Pick<Caller, "chatIds">): boolean => chatIds === null;

/** For changes of objects that all channels share. @throws ForbiddenError if the caller is limited to some channels. */
export function requireEveryChannel(caller: Caller): void {
  if (!mayUseEveryChannel(caller)) {
    throw new ForbiddenError("All channels share this, so it requires a token that may use every channel.");
  }
}

/** The SQL condition for rows of channels that the caller may see. */
export function visible(caller: Caller, chatIdColumn: Sql): Sql {
  return caller.chatIds === null ? sql`true` : sql`${chatIdColumn} = any(${[...caller.chatIds]}::bigint[])`;
}
