import type { ChatState, LinkState, SandboxState } from "./state.js";
import type { BotIdentity, ChatType, MemberStatus, TelegramUser } from "./types.js";

/** Telegram's objects as the Bot API shows them to the bot. */

export function botView(bot: BotIdentity) {
  return {
    id: bot.id,
    is_bot: true,
    first_name: bot.firstName,
    username: bot.username,
    can_join_groups: true,
    can_read_all_group_messages: false,
    supports_inline_queries: false,
  };
}

export function chatView(chat: ChatState) {
  return {
    id: chat.id,
    ...(chat.type === "private" ? { first_name: chat.title } : { title: chat.title }),
    ...(chat.username !== null && { username: chat.username }),
    type: chat.type,
  };
}

export function chatFullView(state: SandboxState, chat: ChatState) {
  const primary = chat.links.find(
    (link) => link.isPrimary && !link.isRevoked && link.creator.id === state.bot.id,
  );
  return {
    ...chatView(chat),
    ...(chat.username !== null && { active_usernames: [chat.username] }),
    ...(primary && { invite_link: primary.url }),
    accent_color_id: 0,
    max_reaction_count: 11,
  };
}

/** Like Telegram, shows another administrator's link with a shortened address. */
export function linkView(state: SandboxState, chat: ChatState, link: LinkState) {
  const pending = chat.joinRequests.filter(({ url }) => url === link.url).length;
  return {
    invite_link: link.creator.id === state.bot.id ? link.url : truncatedUrl(link.url),
    ...(link.name !== "" && { name: link.name }),
    creator: link.creator,
    ...(link.expireDate !== 0 && { expire_date: link.expireDate }),
    ...(link.memberLimit !== 0 && { member_limit: link.memberLimit }),
    ...(pending !== 0 && { pending_join_request_count: pending }),
    ...(link.subscription && {
      subscription_period: link.subscription.period,
      subscription_price: link.subscription.price,
    }),
    creates_join_request: link.createsJoinRequest,
    is_primary: link.isPrimary,
    is_revoked: link.isRevoked,
  };
}

export function memberView(chat: ChatState, user: TelegramUser, status: MemberStatus) {
  switch (status.status) {
    case "creator":
      return { user, status: status.status, is_anonymous: false };
    case "administrator":
      return {
        user,
        status: status.status,
        can_be_edited: false,
        ...administratorRights(chat.type, status.can_invite_users),
      };
    case "restricted":
      return {
        user,
        status: status.status,
        until_date: 0,
        can_send_messages: false,
        is_member: status.is_member,
      };
    case "kicked":
      return { user, status: status.status, until_date: 0 };
    default:
      return { user, status: status.status };
  }
}

function truncatedUrl(url: string): string {
  return `${url.slice(0, -8)}...`;
}

function administratorRights(type: ChatType, canInviteUsers: boolean) {
  return {
    can_manage_chat: true,
    can_change_info: false,
    ...(type === "channel" && { can_post_messages: false, can_edit_messages: false }),
    can_delete_messages: false,
    can_invite_users: canInviteUsers,
    can_restrict_members: false,
    ...(type !== "channel" && { can_pin_messages: false }),
    ...(type === "supergroup" && { can_manage_topics: false }),
    can_promote_members: false,
    can_manage_video_chats: false,
    can_post_stories: false,
    can_edit_stories: false,
    can_delete_stories: false,
    is_anonymous: false,
    can_manage_voice_chats: false,
  };
}
