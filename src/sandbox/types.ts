/** The types of the sandbox's interface. Fields of Telegram's own JSON are in snake_case. */

export type ChatType = "channel" | "supergroup" | "group" | "private";

export interface TelegramUser {
  id: number;
  is_bot: boolean;
  first_name: string;
  last_name?: string;
  username?: string;
}

export interface BotIdentity {
  id: number;
  /** `<id>:<secret>`, as in the path of every call. */
  token: string;
  /** Without the `@`. */
  username: string;
  firstName: string;
}

export interface AdministratorStatus {
  status: "administrator";
  can_invite_users: boolean;
}

export type MemberStatus =
  | { status: "creator" }
  | AdministratorStatus
  | { status: "member" }
  /** In the chat only if `is_member` is true. */
  | { status: "restricted"; is_member: boolean }
  | { status: "left" }
  | { status: "kicked" };

/** The possible states of the bot in a chat. */
export type BotStatus = Exclude<MemberStatus, { status: "creator" }>;

/** A link with its whole address. */
export interface SandboxLink {
  url: string;
  creator: TelegramUser;
  name: string;
  /** Unix seconds; 0 for no expiry. */
  expireDate: number;
  /** 0 for no limit. */
  memberLimit: number;
  createsJoinRequest: boolean;
  isPrimary: boolean;
  isRevoked: boolean;
  subscription: { period: number; price: number } | null;
  /** Members who joined by the link and are still in the chat. */
  memberCount: number;
  pendingJoinRequestCount: number;
}

export interface ChatSeed {
  /** Default: the next free id of the type's range. */
  id?: number;
  type: ChatType;
  title: string;
  /** Without the `@`. A chat with a username is public. */
  username?: string;
  /** Default: an administrator with `can_invite_users`. */
  bot?: BotStatus;
  /** Default: a user 1000001 named Owner. */
  owner?: TelegramUser;
  members?: { user: TelegramUser; status?: MemberStatus; joinedBy?: string }[];
  joinRequests?: { user: TelegramUser; url: string }[];
  links?: LinkSeed[];
}

export interface LinkSeed
  extends Partial<Omit<SandboxLink, "url" | "memberCount" | "pendingJoinRequestCount">> {
  url: string;
}

export interface SandboxSeed {
  chats?: ChatSeed[];
}

/** The outcome of an attempt to join. Only "joined" and "requested" change anything. */
export type JoinOutcome =
  | "joined"
  | "requested"
  | "already-member"
  | "banned"
  | "unknown-link"
  | "revoked"
  | "expired"
  | "full";
