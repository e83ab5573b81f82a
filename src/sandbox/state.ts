import type {
  AdministratorStatus,
  BotIdentity,
  ChatType,
  MemberStatus,
  SandboxLink,
  SandboxSeed,
  TelegramUser,
} from "./types.js";

/** The whole state of a sandbox, in the form of the state file. Only values that JSON preserves. */
export interface SandboxState {
  version: 1;
  bot: BotIdentity;
  chats: ChatState[];
  updates: PendingUpdate[];
  /** When each pending update came, in milliseconds since 1970, by its id. */
  arrivals: Record<string, number>;
  nextUpdateId: number;
  /** The types of updates that the bot asked for; null for Telegram's default types. */
  allowedUpdates: string[] | null;
  webhook: WebhookState | null;
}

export interface ChatState {
  id: number;
  type: ChatType;
  title: string;
  username: string | null;
  /** By user id, including the bot. */
  members: Record<string, MemberState>;
  links: LinkState[];
  joinRequests: JoinRequestState[];
  /** The id of the supergroup that this group became; null for a chat that was not upgraded. */
  upgradedTo: number | null;
}

export interface MemberState {
  user: TelegramUser;
  status: MemberStatus;
  /** The link by which the user joined; null for other joins and after leaving. */
  joinedBy: string | null;
}

export interface JoinRequestState {
  user: TelegramUser;
  url: string;
  /** The query that the bot has to answer, and when it was sent, in milliseconds since 1970. */
  query?: { readonly id: string; readonly at: number };
}

/** The stored part of a link. Its members are counted from the chat's members. */
export type LinkState = Omit<SandboxLink, "memberCount" | "pendingJoinRequestCount">;

export interface PendingUpdate {
  update_id: number;
  [type: string]: unknown;
}

export interface WebhookState {
  url: string;
  secretToken: string;
  /** Absent in older state files. */
  maxConnections?: number;
  lastError: { date: number; message: string } | null;
}

const DEFAULT_BOT: BotIdentity = {
  id: 7_000_000_001,
  token: "7000000001:SANDBOX-not-a-secret",
  username: "sandbox_helper_bot",
  firstName: "Sandbox helper",
};

/** By default the bot has all rights that it needs. */
const DEFAULT_BOT_STATUS: AdministratorStatus = { status: "administrator", can_invite_users: true };

export function newState(seed: SandboxSeed, bot: BotIdentity = DEFAULT_BOT): SandboxState {
  const state: SandboxState = {
    version: 1,
    bot,
    chats: [],
    updates: [],
    arrivals: {},
    // Like at Telegram, the first id is an arbitrary number.
    nextUpdateId: 100_000_001,
    allowedUpdates: null,
    webhook: null,
  };
  for (const chat of seed.chats ?? []) {
    addChat(state, chat);
  }
  return state;
}

/** Adds a chat without an update to the bot. */
export function addChat(state: SandboxState, seed: NonNullable<SandboxSeed["chats"]>[number]): ChatState {
  const id = seed.id ?? freeChatId(state, seed.type);
  if (state.chats.some((chat) => chat.id === id)) {
    throw new Error(`The sandbox already has a chat ${id}`);
  }
  const chat: ChatState = {
    id,
    type: seed.type,
    title: seed.title,
    username: seed.username ?? null,
    members: {},
    links: [],
    joinRequests: [...(seed.joinRequests ?? [])],
    upgradedTo: null,
  };
  const owner = seed.owner ?? { id: 1_000_001, is_bot: false, first_name: "Owner" };
  putMember(chat, owner, { status: "creator" });
  putMember(chat, botUser(state), seed.bot ?? DEFAULT_BOT_STATUS);
  for (const member of seed.members ?? []) {
    putMember(chat, member.user, member.status ?? { status: "member" }, member.joinedBy);
  }
  for (const link of seed.links ?? []) {
    chat.links.push({
      url: link.url,
      creator: link.creator ?? botUser(state),
      name: link.name ?? "",
      expireDate: link.expireDate ?? 0,
      memberLimit: link.memberLimit ?? 0,
      createsJoinRequest: link.createsJoinRequest ?? false,
      isPrimary: link.isPrimary ?? false,
      isRevoked: link.isRevoked ?? false,
      subscription: link.subscription ?? null,
    });
  }
  state.chats.push(chat);
  return chat;
}

export function botUser(state: SandboxState): TelegramUser {
  return { id: state.bot.id, is_bot: true, first_name: state.bot.firstName, username: state.bot.username };
}

export function freeChatId(state: SandboxState, type: ChatType): number {
  const first = {
    channel: -1_001_000_000_001,
    supergroup: -1_002_000_000_001,
    group: -500_001,
    private: 2_000_001,
  };
  const step = type === "private" ? 1 : -1;
  let id = first[type];
  while (state.chats.some((chat) => chat.id === id)) {
    id += step;
  }
  return id;
}

function putMember(
  chat: ChatState,
  user: TelegramUser,
  status: MemberStatus,
  joinedBy: string | null = null,
): void {
  chat.members[user.id] = { user, status, joinedBy };
}
