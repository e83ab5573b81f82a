import type { Calls, SandboxCall } from "./calls.js";
import { botStatus, isInChat } from "./chats.js";
import type { SandboxContext } from "./context.js";
import type { Faults, FaultTarget, SandboxFault } from "./faults.js";
import { addLink, NO_SETTINGS } from "./links.js";
import { answerJoinRequest, join, leave, membersByLink, owner, setBotStatus, setMember } from "./members.js";
import { addChat, type ChatState, freeChatId, type LinkState, type PendingUpdate } from "./state.js";
import type {
  BotStatus,
  ChatSeed,
  ChatType,
  JoinOutcome,
  MemberStatus,
  SandboxLink,
  TelegramUser,
} from "./types.js";

/** Acts as Telegram's users and administrators, for tests and experiments. A group's old id finds its supergroup. */
export interface SandboxControl {
  /** Adds a chat without an update to the bot. @returns its id. */
  addChat(chat: ChatSeed): number;
  chats(): SandboxChat[];
  /** Changes the bot's status in a chat and sends a `my_chat_member` update. */
  setBot(chatId: number, status: BotStatus): void;
  /** Turns a group into a supergroup. Calls with the old id are answered with the new id. @returns the new id. */
  upgrade(chatId: number): number;

  /** All links of the chat by all administrators, including revoked links, in the order of creation. */
  links(chatId: number): SandboxLink[];
  /** Creates a link of another administrator, by default of the chat's owner. */
  makeLink(chatId: number, link?: OtherLink): SandboxLink;

  members(chatId: number): { user: TelegramUser; status: MemberStatus; joinedBy: string | null }[];
  /** A user joins by the link `url`, or directly without `url`. `asksBot`: a request is put to the bot as a query. */
  join(chatId: number, user: TelegramUser, by?: { url?: string; asksBot?: boolean }): JoinOutcome;
  leave(chatId: number, userId: number): void;
  promote(chatId: number, user: TelegramUser, rights?: { can_invite_users?: boolean }): void;
  /** Restricts a user inside the chat (`is_member` true, the default) or outside of it. */
  restrict(chatId: number, user: TelegramUser, restriction?: { is_member?: boolean }): void;
  ban(chatId: number, user: TelegramUser): void;
  /** The owner changes the status of a member. Does nothing if the status stays the same. */
  setMember(chatId: number, user: TelegramUser, status: MemberStatus): void;
  joinRequests(chatId: number): { user: TelegramUser; url: string }[];
  /** @returns false if there is no such request. */
  approveJoinRequest(chatId: number, userId: number): boolean;
  declineJoinRequest(chatId: number, userId: number): boolean;

  /** The updates that the bot has not acknowledged. */
  pendingUpdates(): PendingUpdate[];
  /**
   * Sends an update of any form, whatever types the bot asked for. With an `update_id` that was sent before, it is a
   * repetition. @param update gets the next id unless it has one. @returns the id.
   */
  inject(update: Readonly<Record<string, unknown>>): number;
  /** The next updates (default 1) get ids and are never sent. */
  loseUpdates(count?: number): void;
  /**
   * The next updates (default 1) wait until the returned function is called, and get their ids then; their dates tell
   * when they happened.
   */
  delayUpdates(count?: number): () => void;
  /** The id of the next update. As at Telegram after a quiet week, it may be lower than the last one. */
  setNextUpdateId(id: number): void;
  /**
   * The latest 10,000 received calls of one method, or of all methods but getUpdates and getChatMemberCount, which a
   * server calls by itself.
   */
  calls(method?: string): SandboxCall[];
  /** Resolves with the next such call, after its effect (except for getUpdates). */
  nextCall(method?: string): Promise<SandboxCall>;
  /** Makes coming calls fail. @returns a function that removes the fault. */
  fail(fault: SandboxFault, target?: FaultTarget): () => void;
  /** Makes coming calls take effect and wait with their answers. @returns a function that lets them be answered. */
  hold(target?: FaultTarget): () => void;
  clearFaults(): void;
}

export interface SandboxChat {
  id: number;
  type: ChatType;
  title: string;
  username: string | null;
  bot: MemberStatus;
  memberCount: number;
}

export interface OtherLink {
  creator?: TelegramUser;
  name?: string;
  /** Unix seconds. */
  expireDate?: number;
  memberLimit?: number;
  createsJoinRequest?: boolean;
  isPrimary?: boolean;
}

export function createControl(context: SandboxContext, calls: Calls, faults: Faults): SandboxControl {
  const { state, storage, updates } = context;

  function chatOf(chatId: number): ChatState {
    const chat = state.chats.find(({ id }) => id === chatId);
    if (!chat) {
      throw new Error(`The sandbox has no chat ${chatId}`);
    }
    return chat.upgradedTo === null ? chat : chatOf(chat.upgradedTo);
  }

  return {
    addChat(seed) {
      const { id } = addChat(state, seed);
      storage.changed();
      return id;
    },
    chats: () =>
      state.chats
        .filter(({ upgradedTo }) => upgradedTo === null)
        .map((chat) => ({
          id: chat.id,
          type: chat.type,
          title: chat.title,
          username: chat.username,
          bot: botStatus(state, chat),
          memberCount: Object.values(chat.members).filter(({ status }) => isInChat(status)).length,
        })),
    setBot: (chatId, status) => setBotStatus(context, chatOf(chatId), status),
    upgrade(chatId) {
      const group = chatOf(chatId);
      if (group.type !== "group") {
        throw new Error(`Chat ${chatId} is a ${group.type}: only a group becomes a supergroup`);
      }
      const supergroup: ChatState = { ...group, id: freeChatId(state, "supergroup"), type: "supergroup" };
      state.chats.push(supergroup);
      Object.assign(group, { members: {}, links: [], joinRequests: [], upgradedTo: supergroup.id });
      storage.changed();
      return supergroup.id;
    },

    links(chatId) {
      const chat = chatOf(chatId);
      const members = membersByLink(chat);
      return chat.links.map((link) => linkOf(chat, link, members));
    },
    makeLink(chatId, { creator, isPrimary = false, ...settings } = {}) {
      const chat = chatOf(chatId);
      const link = addLink(
        context,
        chat,
        creator ?? owner(chat),
        { ...NO_SETTINGS, ...settings },
        { isPrimary },
      );
      return linkOf(chat, link, new Map());
    },

    members: (chatId) => structuredClone(Object.values(chatOf(chatId).members)),
    join: (chatId, user, { url, asksBot } = {}) => join(context, chatOf(chatId), user, url, asksBot),
    leave: (chatId, userId) => leave(context, chatOf(chatId), userId),
    promote: (chatId, user, { can_invite_users = true } = {}) =>
      setMember(context, chatOf(chatId), user, { status: "administrator", can_invite_users }),
    restrict: (chatId, user, { is_member = true } = {}) =>
      setMember(context, chatOf(chatId), user, { status: "restricted", is_member }),
    ban: (chatId, user) => setMember(context, chatOf(chatId), user, { status: "kicked" }),
    setMember: (chatId, user, status) => setMember(context, chatOf(chatId), user, status),
    joinRequests: (chatId) => structuredClone(chatOf(chatId).joinRequests),
    approveJoinRequest: (chatId, userId) => answerJoinRequest(context, chatOf(chatId), userId, true),
    declineJoinRequest: (chatId, userId) => answerJoinRequest(context, chatOf(chatId), userId, false),

    pendingUpdates: () => structuredClone(state.updates),
    inject: (update) => updates.add(structuredClone(update)),
    loseUpdates: (count = 1) => updates.loseNext(count),
    delayUpdates: (count = 1) => updates.delayNext(count),
    setNextUpdateId(id) {
      state.nextUpdateId = id;
      storage.changed();
    },
    calls: (method) => calls.list(method),
    nextCall: (method) => calls.next(method),
    fail: (fault, target) => faults.arm(fault, target),
    hold(target) {
      let release = () => {};
      const until = new Promise<void>((resolve) => {
        release = resolve;
      });
      const disarm = faults.arm({ kind: "held", until }, target);
      return () => {
        disarm();
        release();
      };
    },
    clearFaults: () => faults.clear(),
  };
}

function linkOf(chat: ChatState, link: LinkState, members: Map<string, number>): SandboxLink {
  return {
    ...link,
    memberCount: members.get(link.url) ?? 0,
    pendingJoinRequestCount: chat.joinRequests.filter(({ url }) => url === link.url).length,
  };
}
