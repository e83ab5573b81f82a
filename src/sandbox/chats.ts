import {
  botIsNotMember,
  botWasKicked,
  chatIdEmpty,
  chatNotFound,
  notEnoughRights,
  privateChatHasNoLinks,
  upgradedToSupergroup,
} from "./errors.js";
import type { Parameters } from "./parameters.js";
import type { ChatState, SandboxState } from "./state.js";
import type { MemberStatus } from "./types.js";

/** `write` is needed to change links. In a public chat, `read` is possible without being a member. */
export type Access = "read" | "members" | "write";

/** Finds the chat that `chat_id` names by an id or @username. @throws BotApiError if the bot has no such access. */
export function accessibleChat(state: SandboxState, parameters: Parameters, access: Access): ChatState {
  const chat = findChat(state, parameters);
  checkAccess(chat, botStatus(state, chat), access);
  return chat;
}

/** Finds a chat that can have links. Telegram checks the bot's rights later: see {@link requireLinkRights}. */
export function chatWithLinks(state: SandboxState, parameters: Parameters): ChatState {
  const chat = accessibleChat(state, parameters, "write");
  if (chat.type === "private") {
    throw privateChatHasNoLinks();
  }
  return chat;
}

export function requireLinkRights(
  state: SandboxState,
  chat: ChatState,
  what: "invite link" | "join requests" = "invite link",
): void {
  const status = botStatus(state, chat);
  if (status.status !== "administrator" || !status.can_invite_users) {
    throw notEnoughRights(what);
  }
}

export function botStatus(state: SandboxState, chat: ChatState): MemberStatus {
  return chat.members[state.bot.id]?.status ?? { status: "left" };
}

export function isInChat(status: MemberStatus): boolean {
  return status.status === "restricted"
    ? status.is_member
    : status.status !== "left" && status.status !== "kicked";
}

function findChat(state: SandboxState, parameters: Parameters): ChatState {
  const named = parameters.text("chat_id");
  if (named === "") {
    throw chatIdEmpty();
  }
  const chat = named.startsWith("@")
    ? state.chats.find(({ username }) => username?.toLowerCase() === named.slice(1).toLowerCase())
    : state.chats.find(({ id }) => id === parameters.id("chat_id"));
  if (!chat) {
    throw chatNotFound();
  }
  if (chat.upgradedTo !== null) {
    throw upgradedToSupergroup(chat.upgradedTo);
  }
  return chat;
}

function checkAccess(chat: ChatState, bot: MemberStatus, access: Access): void {
  if (chat.type === "private" || isInChat(bot)) {
    return;
  }
  const kicked = bot.status === "kicked";
  if (chat.type === "group") {
    // A bot that left a basic group can still read the group, but not its members.
    if (access !== "read") {
      throw kicked ? botWasKicked("group") : botIsNotMember("group");
    }
  } else if (kicked) {
    throw botWasKicked(chat.type);
  } else if (access === "write" || chat.username === null) {
    throw botIsNotMember(chat.type);
  }
}
