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
  /** Names the query that the bot must answer within ten seconds; null if Telegram asks nothing of it. */
  readonly queryId: string | null;
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
const MAX_MEMBER_LIMIT = 100_000;
/** Stars. */
const MAX_PRICE = 10_000;

const storable = (text: string, length: number): string =>
  text.slice(0, length).toWellFormed().replaceAll("\0", " ");

type Fields = Readonly<Record<string, unknown>>;

class UnreadableUpdateError extends Error {
  override readonly name = "UnreadableUpdateError";
}

function refuse(path: string): never {
  throw new UnreadableUpdateError(`${path} is missing or has an unexpected form`);
}

// Each reader below is given a value and its path. A hand-written reader takes a tenth of the time that a schema library
// takes. test/telegram/updates.property.unit.test.ts compares it with a schema.

const isObject = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const readFields = (value: unknown, path: string): Fields => (isObject(value) ? value : refuse(path));

const isWhole = (value: unknown, least: number, most: number): value is number =>
  Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most;

const readId = (value: unknown, path: string): number =>
  Number.isSafeInteger(value) ? (value as number) : refuse(path);

const readSeconds = (value: unknown, path: string): number =>
  isWhole(value, 0, MAX_SECONDS) ? value : refuse(path);

/** A value that is true or false, or left out, which means false. */
function readFlag(value: unknown, path: string): boolean {
  if (value === undefined) return false;
  return typeof value === "boolean" ? value : refuse(path);
}

const readUser = (value: unknown, path: string): number => {
  const { id, is_bot: isBot } = readFields(value, path);
  const userId = readId(id, `${path}.id`);
  readFlag(isBot, `${path}.is_bot`);
  return userId;
};

/** A text that may be left out; one of another form counts as left out. */
const textOf = (value: unknown): string | null =>
  typeof value === "string" ? storable(value, MAX_TEXT) : null;

const instantOf = (unixSeconds: number): Instant => new Date(unixSeconds * 1000).toISOString();

const isChatType = (value: unknown): value is UpdateChat["type"] | "private" =>
  value === "channel" || value === "supergroup" || value === "group" || value === "private";

/** @returns null for a person's chat. */
function readChat(value: unknown): UpdateChat | null {
  const { id, type, title, username } = readFields(value, "chat");
  const chatId = readId(id, "chat.id");
  if (!isChatType(type)) return refuse("chat.type");
  return type === "private" ? null : { id: chatId, type, title: textOf(title), username: textOf(username) };
}

interface Member {
  readonly userId: number;
  readonly status: string;
  readonly isInChat: boolean;
  readonly mayInvite: boolean;
}

const STATUSES: ReadonlySet<unknown> = new Set([
  "creator",
  "administrator",
  "member",
  "restricted",
  "left",
  "kicked",
]);

function readMember(value: unknown, path: string): Member {
  const { user, status, is_member: isMember, can_invite_users: mayInvite } = readFields(value, path);
  const userId = readUser(user, `${path}.user`);
  if (!STATUSES.has(status)) return refuse(`${path}.status`);
  const isRestrictedIn = readFlag(isMember, `${path}.is_member`);
  return {
    userId,
    status: status as string,
    isInChat: status === "restricted" ? isRestrictedIn : status !== "left" && status !== "kicked",
    mayInvite: readFlag(mayInvite, `${path}.can_invite_users`),
  };
}

/** A link as Telegram describes it. Properties other than the address and the creator are dropped if they have another form. */
interface DescribedLink extends Omit<UpdateLink, "url" | "isShortened"> {
  readonly address: string;
}

/** @returns null if there is no link. */
function readLink(value: unknown): DescribedLink | null {
  if (value === undefined) return null;
  const link = readFields(value, "invite_link");
  const { invite_link: address, creator, expire_date: expires, member_limit: limit } = link;
  const { subscription_price: price, creates_join_request: createsJoinRequest, is_revoked: isRevoked } = link;
  if (typeof address !== "string") return refuse("invite_link.invite_link");
  return {
    address,
    creatorId: readUser(creator, "invite_link.creator"),
    name: textOf(link["name"]) || null,
    createsJoinRequest: createsJoinRequest === true,
    expireDate: isWhole(expires, 1, MAX_SECONDS) ? instantOf(expires) : null,
    memberLimit: isWhole(limit, 1, MAX_MEMBER_LIMIT) ? limit : null,
    subscriptionPrice: isWhole(price, 1, MAX_PRICE) ? price : null,
    isRevoked: isRevoked === true,
  };
}

/** @throws UnreadableUpdateError for an address that is none of an invite link. */
function toLink(described: DescribedLink | null): UpdateLink | null {
  if (described === null) return null;
  const read = readInviteLinkUrl(described.address);
  if (read === null) throw new UnreadableUpdateError("invite_link.invite_link is not an invite link");
  const { creatorId, name, createsJoinRequest, expireDate, memberLimit, subscriptionPrice, isRevoked } =
    described;
  return {
    url: read.url,
    isShortened: read.isShortened,
    creatorId,
    name,
    createsJoinRequest,
    expireDate,
    memberLimit,
    subscriptionPrice,
    isRevoked,
  };
}

function readMemberUpdated(value: unknown) {
  const update = readFields(value, "the update");
  return {
    chat: readChat(update["chat"]),
    fromId: readUser(update["from"], "from"),
    date: readSeconds(update["date"], "date"),
    before: readMember(update["old_chat_member"], "old_chat_member"),
    after: readMember(update["new_chat_member"], "new_chat_member"),
    link: readLink(update["invite_link"]),
    isByJoinRequest: readFlag(update["via_join_request"], "via_join_request"),
    isByChatFolder: readFlag(update["via_chat_folder_invite_link"], "via_chat_folder_invite_link"),
  };
}

function readMemberUpdate(value: unknown): MemberUpdate | OtherUpdate {
  const { chat, fromId, date, before, after, link, isByJoinRequest, isByChatFolder } =
    readMemberUpdated(value);
  if (chat === null) return { kind: "other" };
  return {
    kind: "member",
    at: instantOf(date),
    chat,
    userId: after.userId,
    actorId: fromId === after.userId ? null : fromId,
    wasIn: before.isInChat,
    isIn: after.isInChat,
    link: toLink(link),
    isByJoinRequest,
    isByChatFolder,
  };
}

function readBotStatus(value: unknown): BotStatusUpdate | OtherUpdate {
  const { chat, date, after } = readMemberUpdated(value);
  if (chat === null) return { kind: "other" };
  const isAdministrator = after.status === "creator" || after.status === "administrator";
  const mayMakeLinks = after.status === "creator" || (isAdministrator && after.mayInvite);
  return {
    kind: "botStatus",
    at: instantOf(date),
    chat,
    status: mayMakeLinks ? "ready" : after.isInChat ? "missingRights" : "notInChat",
    isAdministrator,
  };
}

function readJoinRequest(value: unknown): JoinRequestUpdate | OtherUpdate {
  const update = readFields(value, "the update");
  const chat = readChat(update["chat"]);
  const userId = readUser(update["from"], "from");
  const date = readSeconds(update["date"], "date");
  const link = readLink(update["invite_link"]);
  if (chat === null) return { kind: "other" };
  const { bio, query_id: queryId } = update;
  return {
    kind: "joinRequest",
    at: instantOf(date),
    chat,
    userId,
    bio: typeof bio === "string" ? storable(bio, MAX_BIO) : null,
    link: toLink(link),
    queryId: typeof queryId === "string" && queryId !== "" ? storable(queryId, MAX_TEXT) : null,
  };
}

const READERS: Readonly<Record<(typeof UPDATE_KINDS)[number], (value: unknown) => UpdateContent>> = {
  chat_member: readMemberUpdate,
  my_chat_member: readBotStatus,
  chat_join_request: readJoinRequest,
};

function readContent(update: Fields): UpdateContent {
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

/** Where an update has persons. */
const PERSONS: ReadonlySet<string> = new Set(["from", "user", "creator"]);

const personOf = (given: Fields): object => ({
  id: withoutNames(given["id"]),
  is_bot: withoutNames(given["is_bot"]) ?? false,
});

/**
 * The same JSON with each person reduced to `id` and `is_bot`: names and the like are never stored. All texts can be
 * stored by PostgreSQL.
 */
function withoutNames(value: unknown): unknown {
  if (typeof value === "string")
    return value.isWellFormed() && !value.includes("\0") ? value : storable(value, value.length);
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(withoutNames);
  const given = value as Fields;
  // A private chat is a person.
  if (given["type"] === "private") return { id: withoutNames(given["id"]), type: "private" };
  if ("is_bot" in given || "first_name" in given) return personOf(given);
  const reduced: Record<string, unknown> = {};
  for (const key of Object.keys(given)) {
    const part = given[key];
    if (PERSONS.has(key) && isObject(part)) reduced[key] = personOf(part);
    else if (!PERSONAL.has(key)) reduced[key] = withoutNames(part);
  }
  return reduced;
}

/** The ids of the persons of an update, as far as they can be found in one that is unreadable. */
function personsOf(update: Fields): {
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
  const content = readContent(value);
  // Nothing follows from an update of another kind, so only its id is kept, for the ledger.
  if (content.kind === "other")
    return { updateId, body: { update_id: updateId }, userId: null, actorId: null, content };
  return { updateId, body: withoutNames(value) as object, ...personsOf(value), content };
}
