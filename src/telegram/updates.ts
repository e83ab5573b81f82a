import * as z from "zod";
import { readInviteLinkUrl } from "../parsers/inviteLinkUrl.js";
import type { TelegramBotStatus } from "./gateway.js";

/** The kinds of updates that are asked of Telegram. It sends no update of a kind that was not asked for when it happened. */
export const UPDATE_KINDS = ["chat_member", "my_chat_member", "chat_join_request"] as const;

/** An RFC 3339 text in UTC with milliseconds. */
type Instant = string;

/** The chat of an update, which is no person's. */
export interface UpdateChat {
  readonly id: number;
  readonly type: "group" | "supergroup" | "channel";
  readonly title: string | null;
  readonly username: string | null;
}

/** The invite link that an update names. */
export interface UpdateLink {
  /** https://t.me/+HASH. Telegram replaces the end of another administrator's hash by "...". */
  readonly url: string;
  readonly isShortened: boolean;
  /** The administrator who created the link. */
  readonly creatorId: number;
  readonly name: string | null;
  readonly createsJoinRequest: boolean;
  readonly expireDate: Instant | null;
  readonly memberLimit: number | null;
  /** Stars a month; null for a free link. */
  readonly subscriptionPrice: number | null;
  readonly isRevoked: boolean;
}

interface ChatUpdate {
  /** As Telegram dates it, in whole seconds. */
  readonly at: Instant;
  readonly chat: UpdateChat;
}

/** A member's status changed: https://core.telegram.org/bots/api#chatmemberupdated */
export interface MemberUpdate extends ChatUpdate {
  readonly kind: "member";
  readonly userId: number;
  /** Who changed the status; null for the member. */
  readonly actorId: number | null;
  /** Whether the member was in the chat before, and is in it now. */
  readonly wasIn: boolean;
  readonly isIn: boolean;
  /** The link by which the member joined; null if Telegram names none. */
  readonly link: UpdateLink | null;
  /** Whether a request without a link was approved. */
  readonly isByJoinRequest: boolean;
  readonly isByChatFolder: boolean;
}

/** Somebody asked to join: https://core.telegram.org/bots/api#chatjoinrequest */
export interface JoinRequestUpdate extends ChatUpdate {
  readonly kind: "joinRequest";
  readonly userId: number;
  readonly bio: string | null;
  readonly link: UpdateLink | null;
}

/** The bot's own status changed. */
export interface BotStatusUpdate extends ChatUpdate {
  readonly kind: "botStatus";
  readonly status: TelegramBotStatus;
  /** Only an administrator receives updates about members. */
  readonly isAdministrator: boolean;
}

/** An update of a kind that nobody asked for, or about a person's chat with the bot. */
export interface OtherUpdate {
  readonly kind: "other";
}

/** An update that says nothing that could be counted, because a part that it must have is missing or has another form. */
export interface UnreadableUpdate {
  readonly kind: "unreadable";
  /** Names the part, without its value. */
  readonly reason: string;
}

export type UpdateContent =
  | MemberUpdate
  | JoinRequestUpdate
  | BotStatusUpdate
  | OtherUpdate
  | UnreadableUpdate;

/** An update as it is stored. */
export interface ReceivedUpdate {
  readonly updateId: number;
  /** What Telegram sent, with each person reduced to `id` and `is_bot`. */
  readonly body: object;
  /** The person whom the update is about, and who acted if that was somebody else; null if there is none. */
  readonly userId: number | null;
  readonly actorId: number | null;
  readonly content: UpdateContent;
}

/** Characters; Telegram's own texts are far shorter. */
const MAX_TEXT = 255;
const MAX_BIO = 1000;
/** The end of the year 9999. */
const MAX_SECONDS = 253_402_300_799;

const storable = (text: string, length: number): string =>
  text.slice(0, length).toWellFormed().replaceAll("\0", " ");

const id = z.number().int().refine(Number.isSafeInteger);
const seconds = z.number().int().min(0).max(MAX_SECONDS);
const text = z.string().transform((value) => storable(value, MAX_TEXT));
const user = z.object({ id, is_bot: z.boolean().optional() });

const chat = z.object({
  id,
  type: z.enum(["private", "group", "supergroup", "channel"]),
  title: text.optional().catch(undefined),
  username: text.optional().catch(undefined),
});

const member = z.object({
  user,
  status: z.enum(["creator", "administrator", "member", "restricted", "left", "kicked"]),
  is_member: z.boolean().optional(),
  can_invite_users: z.boolean().optional(),
});

/** Fields other than the address and the creator are dropped if they have another form. */
const inviteLink = z.object({
  invite_link: z.string(),
  creator: user,
  name: text.optional().catch(undefined),
  creates_join_request: z.boolean().optional().catch(undefined),
  expire_date: seconds.optional().catch(undefined),
  member_limit: z.number().int().min(0).max(100_000).optional().catch(undefined),
  subscription_price: z.number().int().min(1).max(10_000).optional().catch(undefined),
  is_revoked: z.boolean().optional().catch(undefined),
});

const memberUpdated = z.object({
  chat,
  from: user,
  date: seconds,
  old_chat_member: member,
  new_chat_member: member,
  invite_link: inviteLink.optional(),
  via_join_request: z.boolean().optional(),
  via_chat_folder_invite_link: z.boolean().optional(),
});

const joinRequest = z.object({
  chat,
  from: user,
  date: seconds,
  bio: z.string().optional().catch(undefined),
  invite_link: inviteLink.optional(),
});

type Member = z.infer<typeof member>;

const isInChat = ({ status, is_member }: Member): boolean =>
  status === "restricted" ? is_member === true : status !== "left" && status !== "kicked";

const instantOf = (unixSeconds: number): Instant => new Date(unixSeconds * 1000).toISOString();

/** @returns null for a person's chat. */
const toChat = ({ id: chatId, type, title, username }: z.infer<typeof chat>): UpdateChat | null =>
  type === "private" ? null : { id: chatId, type, title: title ?? null, username: username ?? null };

/** @throws UnreadableUpdateError for an address that is none of an invite link. */
function toLink(link: z.infer<typeof inviteLink>): UpdateLink {
  const address = readInviteLinkUrl(link.invite_link);
  if (address === null) throw new UnreadableUpdateError("invite_link.invite_link is not an invite link");
  return {
    ...address,
    creatorId: link.creator.id,
    name: link.name || null,
    createsJoinRequest: link.creates_join_request ?? false,
    expireDate: link.expire_date ? instantOf(link.expire_date) : null,
    memberLimit: link.member_limit || null,
    subscriptionPrice: link.subscription_price ?? null,
    isRevoked: link.is_revoked ?? false,
  };
}

class UnreadableUpdateError extends Error {
  override readonly name = "UnreadableUpdateError";
}

function read<Schema extends z.ZodType>(schema: Schema, value: unknown): z.infer<Schema> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const path = issue?.path.join(".") || "the update";
  throw new UnreadableUpdateError(`${path} is missing or has an unexpected form`);
}

function readMember(value: unknown): MemberUpdate | OtherUpdate {
  const update = read(memberUpdated, value);
  const ofChat = toChat(update.chat);
  if (ofChat === null) return { kind: "other" };
  const { old_chat_member: before, new_chat_member: after } = update;
  return {
    kind: "member",
    at: instantOf(update.date),
    chat: ofChat,
    userId: after.user.id,
    actorId: update.from.id === after.user.id ? null : update.from.id,
    wasIn: isInChat(before),
    isIn: isInChat(after),
    link: update.invite_link ? toLink(update.invite_link) : null,
    isByJoinRequest: update.via_join_request ?? false,
    isByChatFolder: update.via_chat_folder_invite_link ?? false,
  };
}

function readBotStatus(value: unknown): BotStatusUpdate | OtherUpdate {
  const update = read(memberUpdated, value);
  const ofChat = toChat(update.chat);
  if (ofChat === null) return { kind: "other" };
  const { status, can_invite_users: mayInvite } = update.new_chat_member;
  const isAdministrator = status === "creator" || status === "administrator";
  const mayMakeLinks = status === "creator" || (isAdministrator && mayInvite === true);
  return {
    kind: "botStatus",
    at: instantOf(update.date),
    chat: ofChat,
    status: mayMakeLinks ? "ready" : isInChat(update.new_chat_member) ? "missingRights" : "notInChat",
    isAdministrator,
  };
}

function readJoinRequest(value: unknown): JoinRequestUpdate | OtherUpdate {
  const update = read(joinRequest, value);
  const ofChat = toChat(update.chat);
  if (ofChat === null) return { kind: "other" };
  return {
    kind: "joinRequest",
    at: instantOf(update.date),
    chat: ofChat,
    userId: update.from.id,
    bio: update.bio === undefined ? null : storable(update.bio, MAX_BIO),
    link: update.invite_link ? toLink(update.invite_link) : null,
  };
}

const READERS: Readonly<Record<(typeof UPDATE_KINDS)[number], (value: unknown) => UpdateContent>> = {
  chat_member: readMember,
  my_chat_member: readBotStatus,
  chat_join_request: readJoinRequest,
};

function readContent(update: Readonly<Record<string, unknown>>): UpdateContent {
  const kind = UPDATE_KINDS.find((candidate) => candidate in update);
  if (kind === undefined) return { kind: "other" };
  try {
    return READERS[kind](update[kind]);
  } catch (error) {
    if (error instanceof UnreadableUpdateError)
      return { kind: "unreadable", reason: `${kind}: ${error.message}` };
    throw error;
  }
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** What an update tells of a person beside the id. */
const PERSONAL: ReadonlySet<string> = new Set([
  "user_chat_id",
  "bio",
  "custom_title",
  "tag",
  "first_name",
  "last_name",
  "contact",
]);

/**
 * The same JSON with each person reduced to `id` and `is_bot`: names and the like are never stored. All texts can be
 * stored by PostgreSQL.
 */
function withoutNames(value: unknown): unknown {
  if (typeof value === "string")
    return value.isWellFormed() && !value.includes("\0") ? value : storable(value, value.length);
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(withoutNames);
  const given = value as Readonly<Record<string, unknown>>;
  // A private chat is a person.
  if (given["type"] === "private") return { id: withoutNames(given["id"]), type: "private" };
  if ("is_bot" in given || "first_name" in given)
    return { id: withoutNames(given["id"]), is_bot: withoutNames(given["is_bot"]) };
  const reduced: Record<string, unknown> = {};
  for (const key of Object.keys(given)) if (!PERSONAL.has(key)) reduced[key] = withoutNames(given[key]);
  return reduced;
}

/** The ids of the persons of an update, as far as they can be found in one that is unreadable. */
function personsOf(update: Readonly<Record<string, unknown>>): {
  userId: number | null;
  actorId: number | null;
} {
  const content = UPDATE_KINDS.map((kind) => update[kind]).find(isObject);
  const idOf = (value: unknown): number | null =>
    isObject(value) && Number.isSafeInteger(value["id"]) ? Number(value["id"]) : null;
  const changed = content?.["new_chat_member"];
  const from = idOf(content?.["from"]);
  if ("my_chat_member" in update) return { userId: null, actorId: from };
  const subject = isObject(changed) ? idOf(changed["user"]) : null;
  return { userId: subject ?? from, actorId: from === subject || subject === null ? null : from };
}

/** Reads an update of Telegram's. @returns null if it has no id, by which it could be told from others. */
export function readUpdate(value: unknown): ReceivedUpdate | null {
  if (!isObject(value)) return null;
  const updateId = value["update_id"];
  if (typeof updateId !== "number" || !Number.isSafeInteger(updateId)) return null;
  return {
    updateId,
    body: withoutNames(value) as object,
    ...personsOf(value),
    content: readContent(value),
  };
}
