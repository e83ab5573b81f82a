/** The words of the sandbox's public face; snake_case where Telegram's own JSON is meant. */

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
  /** `<id>:<secret>`, as it stands in the path of every call. */
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
  /** In the chat only where `is_member` is true. */
  | { status: "restricted"; is_member: boolean }
  | { status: "left" }
  | { status: "kicked" };

/** What the bot can be in a chat. */
export type BotStatus = Exclude<MemberStatus, { status: "creator" }>;

/** A link as Telegram would hold it, never cut short. */
export interface SandboxLink {
  url: string;
  creator: TelegramUser;
  name: string;
  /** Unix seconds; 0 is none. */
  expireDate: number;
  /** 0 is none. */
  memberLimit: number;
  createsJoinRequest: boolean;
  isPrimary: boolean;
  isRevoked: boolean;
  subscription: { period: number; price: number } | null;
  /** How many are in the chat now that joined by it. */
  memberCount: number;
  pendingJoinRequestCount: number;
}

export interface ChatSeed {
  /** Without it, the next free id of the type's range. */
  id?: number;
  type: ChatType;
  title: string;
  /** Without the `@`; a chat that has one is public. */
  username?: string;
  /** Default: an administrator with `can_invite_users`. */
  bot?: BotStatus;
  /** Default: a user 1000001 named Owner. */
  owner?: TelegramUser;
  members?: { user: TelegramUser; status?: MemberStatus; joinedBy?: string }[];
  links?: LinkSeed[];
}

export interface LinkSeed
  extends Partial<Omit<SandboxLink, "url" | "memberCount" | "pendingJoinRequestCount">> {
  url: string;
}

export interface SandboxSeed {
  chats?: ChatSeed[];
}

/** What came of an attempt to join; everything but the first two changed nothing. */
export type JoinOutcome =
  | "joined"
  | "requested"
  | "already-member"
  | "banned"
  | "unknown-link"
  | "revoked"
  | "expired"
  | "full";
