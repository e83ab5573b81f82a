import sql, { type Sql } from "sql-template-tag";
import { ForbiddenError } from "./errors.js";

/** From the least to the most that may be done; each may all that those before it may. */
export const ROLES = ["VIEWER", "EDITOR", "ADMIN"] as const;
export type Role = (typeof ROLES)[number];

/** Who is calling, as the door found out; decided from this alone is what may be seen and done. */
export interface Caller {
  /** 'token:<id>', or 'admin' for ADMIN_TOKEN: names the caller in creations and the audit. */
  readonly key: string;
  readonly name: string;
  readonly role: Role;
  /** Telegram chat ids; null for every channel. Follows a chat that Telegram gives another id meanwhile. */
  readonly channelIds: Set<number> | null;
  /** The person behind the token. */
  readonly telegramUserId: number | null;
}

/** @throws ForbiddenError where the caller's role is a lesser one. */
export function requireRole(caller: Caller, role: Role): void {
  if (ROLES.indexOf(caller.role) < ROLES.indexOf(role)) {
    throw new ForbiddenError(
      `This takes a token with the role ${role}; this one has the role ${caller.role}.`,
    );
  }
}

export const mayUseChannel = (caller: Caller, chatId: number): boolean =>
  caller.channelIds === null || caller.channelIds.has(chatId);

/**
 * @param named as the caller named it: what it did not know already is not told here.
 * @throws ForbiddenError where the caller was not given the channel, known or not.
 */
export function requireChannel(caller: Caller, chatId: number, named: number | string = chatId): void {
  if (!mayUseChannel(caller, chatId))
    throw new ForbiddenError(`This token may not use the channel ${named}.`);
}

/** @throws ForbiddenError where the caller is limited to some channels, and the thing is everybody's. */
export function requireEveryChannel(caller: Caller): void {
  if (caller.channelIds !== null) {
    throw new ForbiddenError("This is shared by all channels, and takes a token that may use every channel.");
  }
}

/** The condition under which a channel's rows are the caller's to see. */
export function visible(caller: Caller, chatIdColumn: Sql): Sql {
  return caller.channelIds === null
    ? sql`true`
    : sql`${chatIdColumn} = any(${[...caller.channelIds]}::bigint[])`;
}
