import { refuse } from "./unreadable.js";

// The only parser of Telegram's ids of chats and users, and of chats named by an id or username.

/** The greatest absolute value of an id: Telegram's ids have at most 52 significant bits. */
export const MAX_TELEGRAM_ID = 2 ** 52 - 1;

const DECIMAL = /^-?\d{1,20}$/;
const NAMED_CHAT = /^(-?\d{1,20}|@\w{1,64})(?:\*(\d{1,16}))?$/;
/** "@" and 3 to 32 characters. */
const PUBLIC_USERNAME = /^@[A-Za-z]\w{2,31}$/;

/** Whether a number can be the id of a chat or user. */
const isTelegramId = (id: number): boolean =>
  Number.isInteger(id) && id !== 0 && Math.abs(id) <= MAX_TELEGRAM_ID;

/** Reads an id from an integer or its decimal string. Accepts 0, which is nobody's id. @throws UnreadableValueError */
export function parseTelegramId(input: unknown): number {
  const text = typeof input === "number" ? String(input) : input;
  if (typeof text !== "string" || !DECIMAL.test(text)) {
    return refuse("must be an integer or its decimal string.");
  }
  const value = Number(text);
  if (Math.abs(value) > MAX_TELEGRAM_ID) return refuse("must have at most 52 significant bits.");
  return value === 0 ? 0 : value;
}

const idOf = (text: string): number => (DECIMAL.test(text) ? Number(text) : 0);

/** Reads the id of a channel or group, which is negative. @throws UnreadableValueError */
export function parseChatId(text: string): number {
  const id = idOf(text);
  if (isTelegramId(id) && id < 0) return id;
  return refuse(
    "must be the id of a channel or group (negative, of at most 52 bits), such as -1001234567890.",
  );
}

/** Reads the id of a user, which is positive. @throws UnreadableValueError */
export function parseUserId(text: string): number {
  const id = idOf(text);
  return isTelegramId(id) && id > 0 ? id : refuse("must be the id of a Telegram user.");
}

/** A chat as the Bot API accepts it, and its topic. */
export interface NamedChat {
  /** An id or an @username. */
  readonly id: number | string;
  /** Null without a topic. */
  readonly topic: string | null;
}

/** Reads an id or an @username, optionally followed by `*` and the id of a topic. @throws UnreadableValueError */
export function parseChatWithTopic(text: string): NamedChat {
  const [, name = "", topic = null] = NAMED_CHAT.exec(text.trim()) ?? [];
  const id = name.startsWith("@") ? name : idOf(name);
  if (typeof id === "number" && !isTelegramId(id)) {
    return refuse("must be an id of at most 52 bits, an @username, or ID*TopicID, such as -1001234567890.");
  }
  return { id, topic };
}

/** Reads an id or a public @username. @throws UnreadableValueError */
export function parseChat(text: string): number | string {
  const [, name = "", topic] = NAMED_CHAT.exec(text.trim()) ?? [];
  const id = name.startsWith("@") ? name : idOf(name);
  const isChat = typeof id === "number" ? isTelegramId(id) : PUBLIC_USERNAME.test(id);
  return isChat && topic === undefined
    ? id
    : refuse("must be a chat's id, such as -1001234567890, or its @username.");
}
