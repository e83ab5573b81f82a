import { isTelegramId } from "./ids.js";

/** A chat as the Bot API takes it, and the topic that was named with it. */
export interface NamedChat {
  /** An id, or an @username. */
  readonly id: number | string;
  /** Null where none was named. */
  readonly topic: string | null;
}

const NAMED_CHAT = /^(-?\d{1,16}|@\w{1,64})(?:\*(\d{1,16}))?$/;

/** Reads an id, an @username, or either with `*` and the id of a topic behind it. @throws RangeError */
export function parseChat(chat: string): NamedChat {
  const [, name = "", topic = null] = NAMED_CHAT.exec(chat) ?? [];
  const id = name.startsWith("@") ? name : Number(name);
  if (typeof id === "number" && !isTelegramId(id)) {
    throw new RangeError(
      "chat must be an id of at most 52 bits, an @username, or ID*TopicID, such as -1001234567890",
    );
  }
  return { id, topic };
}
