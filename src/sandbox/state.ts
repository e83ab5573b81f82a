import type {
  AdministratorStatus,
  BotIdentity,
  ChatType,
  MemberStatus,
  SandboxLink,
  SandboxSeed,
  TelegramUser,
} from "./types.js";

/** Everything the sandbox remembers, as it is written to the state file. Plain data: JSON brings it back whole. */
export interface SandboxState {
  version: 1;
  bot: BotIdentity;
  chats: ChatState[];
  updates: PendingUpdate[];
  nextUpdateId: number;
  /** What the bot last asked to be told; null is Telegram's default set. */
  allowedUpdates: string[] | null;
  webhook: WebhookState | null;
}

export interface ChatState {
  id: number;
  type: ChatType;
  title: string;
  username: string | null;
  /** By user id; the bot is one of them. */
  members: Record<string, MemberState>;
  links: LinkState[];
  joinRequests: JoinRequestState[];
  /** The supergroup that this group became. */
  upgradedTo: number | null;
}

export interface MemberState {
  user: TelegramUser;
  status: MemberStatus;
  /** The link this one joined by, for as long as they stay. */
  joinedBy: string | null;
}

export interface JoinRequestState {
  user: TelegramUser;
  url: string;
}

/** What is kept of a link; how many came by it is counted from the members. */
export type LinkState = Omit<SandboxLink, "memberCount" | "pendingJoinRequestCount">;

export interface PendingUpdate {
  update_id: number;
  [type: string]: unknown;
}

export interface WebhookState {
  url: string;
  secretToken: string;
  lastError: { date: number; message: string } | null;
}

const DEFAULT_BOT: BotIdentity = {
  id: 7_000_000_001,
  token: "7000000001:SANDBOX-not-a-secret",
  username: "sandbox_helper_bot",
  firstName: "Sandbox helper",
};

/** Where a seed says nothing about it, the bot may do all it needs. */
const DEFAULT_BOT_STATUS: AdministratorStatus = { status: "administrator", can_invite_users: true };

export function newState(seed: SandboxSeed, bot: BotIdentity = DEFAULT_BOT): SandboxState {
  const state: SandboxState = {
    version: 1,
    bot,
    chats: [],
    updates: [],
    // Telegram starts somewhere in the middle, too.
    nextUpdateId: 100_000_001,
    allowedUpdates: null,
    webhook: null,
  };
  for (const chat of seed.chats ?? []) {
    addChat(state, chat);
  }
  return state;
}

/** Puts a chat into the state without telling the bot, as if it had been there before the bot looked. */
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
    joinRequests: [],
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
