import { randomUUID } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import { botStatus, isInChat } from "./chats.js";
import { type SandboxContext, unixSeconds } from "./context.js";
import { botUser, type ChatState, type LinkState } from "./state.js";
import type { JoinOutcome, MemberStatus, TelegramUser } from "./types.js";
import { chatView, linkView, memberView } from "./views.js";

/** How long the bot may take to answer a query, in milliseconds. */
const QUERY_MS = 10_000;

/** A user opens the chat or one of its links and presses "Join". */
export function join(
  context: SandboxContext,
  chat: ChatState,
  user: TelegramUser,
  url?: string,
  asksBot = false,
): JoinOutcome {
  const present = chat.members[user.id]?.status ?? { status: "left" };
  if (isInChat(present)) {
    return "already-member";
  }
  if (present.status === "kicked") {
    return "banned";
  }
  if (url === undefined) {
    enter(context, chat, user, undefined);
    return "joined";
  }
  const link = chat.links.find((candidate) => candidate.url === url);
  if (!link) {
    return "unknown-link";
  }
  const refusal = closedFor(context, chat, link);
  if (refusal) {
    return refusal;
  }
  if (link.createsJoinRequest) {
    request(context, chat, user, link, asksBot);
    return "requested";
  }
  enter(context, chat, user, link);
  return "joined";
}

/** An administrator answers a join request. @returns whether there was a request. */
export function answerJoinRequest(
  context: SandboxContext,
  chat: ChatState,
  userId: number,
  approve: boolean,
  actor = owner(chat),
): boolean {
  const index = chat.joinRequests.findIndex(({ user }) => user.id === userId);
  const [pending] = index < 0 ? [] : chat.joinRequests.splice(index, 1);
  if (!pending) {
    return false;
  }
  context.storage.changed();
  if (approve) {
    const link = chat.links.find(({ url }) => url === pending.url);
    enter(context, chat, pending.user, link, actor);
  }
  return true;
}

/** The bot answers a query about a join request. @returns whether the query was still open. */
export function answerQuery(
  context: SandboxContext,
  queryId: string,
  result: "approve" | "decline" | "queue",
): boolean {
  const chat = context.state.chats.find(({ joinRequests }) =>
    joinRequests.some(({ query }) => query?.id === queryId),
  );
  const pending = chat?.joinRequests.find(({ query }) => query?.id === queryId);
  if (!chat || !pending?.query || pending.query.at < context.now() - QUERY_MS) {
    return false;
  }
  delete pending.query;
  context.storage.changed();
  if (result !== "queue") {
    answerJoinRequest(context, chat, pending.user.id, result === "approve", botUser(context.state));
  }
  return true;
}

export function leave(context: SandboxContext, chat: ChatState, userId: number): void {
  const member = chat.members[userId];
  if (!member || !isInChat(member.status)) {
    throw new Error(`User ${userId} is not in chat ${chat.id}`);
  }
  const left: MemberStatus =
    member.status.status === "restricted" ? { status: "restricted", is_member: false } : { status: "left" };
  setMember(context, chat, member.user, left, { actor: member.user });
}

/** Changes the status of a user and sends an update if Telegram would. */
export function setMember(
  context: SandboxContext,
  chat: ChatState,
  user: TelegramUser,
  status: MemberStatus,
  { actor = owner(chat), link }: { actor?: TelegramUser; link?: LinkState | undefined } = {},
): void {
  const { state } = context;
  const isBot = user.id === state.bot.id;
  const before = chat.members[user.id];
  const oldStatus = before?.status ?? { status: "left" };
  if (isDeepStrictEqual(oldStatus, status)) {
    return;
  }
  const joinedBy = link?.url ?? before?.joinedBy ?? null;
  chat.members[user.id] = { user, status, joinedBy: isInChat(status) ? joinedBy : null };
  context.storage.changed();
  // Only administrators receive updates about other members.
  if (isBot || botStatus(state, chat).status === "administrator") {
    context.updates.emit(isBot ? "my_chat_member" : "chat_member", {
      chat: chatView(chat),
      from: actor,
      date: unixSeconds(context),
      old_chat_member: memberView(chat, user, oldStatus),
      new_chat_member: memberView(chat, user, status),
      ...(link && { invite_link: linkView(state, chat, link) }),
    });
  }
}

/** Counts by link the members who joined by it and are still in the chat. */
export function membersByLink(chat: ChatState): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { joinedBy } of Object.values(chat.members)) {
    if (joinedBy !== null) {
      counts.set(joinedBy, (counts.get(joinedBy) ?? 0) + 1);
    }
  }
  return counts;
}

export function owner(chat: ChatState): TelegramUser {
  const creator = Object.values(chat.members).find(({ status }) => status.status === "creator");
  if (!creator) {
    throw new Error(`Chat ${chat.id} has no owner`);
  }
  return creator.user;
}

function closedFor(context: SandboxContext, chat: ChatState, link: LinkState): JoinOutcome | undefined {
  if (link.isRevoked) {
    return "revoked";
  }
  if (link.expireDate !== 0 && link.expireDate <= unixSeconds(context)) {
    return "expired";
  }
  if (link.memberLimit !== 0 && (membersByLink(chat).get(link.url) ?? 0) >= link.memberLimit) {
    return "full";
  }
  return undefined;
}

function request(
  context: SandboxContext,
  chat: ChatState,
  user: TelegramUser,
  link: LinkState,
  asksBot: boolean,
): void {
  if (chat.joinRequests.some((pending) => pending.user.id === user.id)) {
    return;
  }
  const query = asksBot ? { id: randomUUID(), at: context.now() } : undefined;
  chat.joinRequests.push({ user, url: link.url, ...(query && { query }) });
  context.storage.changed();
  const bot = botStatus(context.state, chat);
  if (bot.status === "administrator" && bot.can_invite_users) {
    context.updates.emit("chat_join_request", {
      chat: chatView(chat),
      from: user,
      user_chat_id: user.id,
      date: unixSeconds(context),
      invite_link: linkView(context.state, chat, link),
      ...(query && { query_id: query.id }),
    });
  }
}

function enter(
  context: SandboxContext,
  chat: ChatState,
  user: TelegramUser,
  link: LinkState | undefined,
  actor: TelegramUser = user,
): void {
  const before = chat.members[user.id]?.status;
  const status: MemberStatus =
    before?.status === "restricted" ? { status: "restricted", is_member: true } : { status: "member" };
  setMember(context, chat, user, status, { actor, link });
}

export function setBotStatus(context: SandboxContext, chat: ChatState, status: MemberStatus): void {
  setMember(context, chat, botUser(context.state), status);
}
