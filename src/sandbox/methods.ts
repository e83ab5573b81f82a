import { accessibleChat, botStatus, isInChat, requireLinkRights } from "./chats.js";
import type { SandboxContext } from "./context.js";
import {
  hideRequesterMissing,
  memberListInaccessible,
  privateChatHasNoLinks,
  queryResultInvalid,
  queryTooOld,
  secretTokenCharacters,
  secretTokenTooLong,
  userAlreadyParticipant,
  userIdInvalid,
  webhookIsActive,
  webhookUrlInvalid,
} from "./errors.js";
import {
  createChatInviteLink,
  createChatSubscriptionInviteLink,
  editChatInviteLink,
  editChatSubscriptionInviteLink,
  exportChatInviteLink,
  revokeChatInviteLink,
} from "./links.js";
import { answerJoinRequest, answerQuery } from "./members.js";
import type { Parameters } from "./parameters.js";
import { botUser } from "./state.js";
import { botView, chatFullView, memberView } from "./views.js";
import { DEFAULT_CONNECTIONS, type WebhookDelivery } from "./webhook.js";

export interface MethodContext extends SandboxContext {
  readonly webhook: WebhookDelivery;
}

/** @returns the result. @throws BotApiError */
export type Method = (context: MethodContext, parameters: Parameters) => unknown;

const MAX_LONG_POLL_SECONDS = 50;

const methods: Record<string, Method> = {
  getMe: ({ state }) => botView(state.bot),
  getChat,
  getChatMember,
  getChatMemberCount,
  createChatInviteLink,
  editChatInviteLink,
  revokeChatInviteLink,
  exportChatInviteLink,
  createChatSubscriptionInviteLink,
  editChatSubscriptionInviteLink,
  approveChatJoinRequest: (context, parameters) => decideJoinRequest(context, parameters, true),
  declineChatJoinRequest: (context, parameters) => decideJoinRequest(context, parameters, false),
  answerChatJoinRequestQuery,
  getUpdates,
  setWebhook,
  deleteWebhook: (context, parameters) => changeWebhook(context, "", parameters),
  getWebhookInfo,
};

const byLowerCaseName = new Map(
  Object.entries(methods).map(([name, run]) => [name.toLowerCase(), { name, run }]),
);

/** Names of methods are case-insensitive. */
export function findMethod(name: string): { name: string; run: Method } | undefined {
  return byLowerCaseName.get(name.toLowerCase());
}

function getChat({ state }: MethodContext, parameters: Parameters) {
  return chatFullView(state, accessibleChat(state, parameters, "read"));
}

function getChatMember({ state }: MethodContext, parameters: Parameters) {
  const userId = parameters.id("user_id");
  if (userId <= 0) {
    throw userIdInvalid();
  }
  const isBot = userId === state.bot.id;
  const chat = accessibleChat(state, parameters, isBot ? "read" : "members");
  if (chat.type === "channel" && !isBot && botStatus(state, chat).status !== "administrator") {
    throw memberListInaccessible();
  }
  const member = chat.members[userId];
  return member
    ? memberView(chat, member.user, member.status)
    : memberView(chat, { id: userId, is_bot: false, first_name: String(userId) }, { status: "left" });
}

function getChatMemberCount({ state }: MethodContext, parameters: Parameters) {
  const chat = accessibleChat(state, parameters, "read");
  return Object.values(chat.members).filter(({ status }) => isInChat(status)).length;
}

function decideJoinRequest(context: MethodContext, parameters: Parameters, approve: boolean): true {
  const { state } = context;
  const chat = accessibleChat(state, parameters, "write");
  if (chat.type === "private") {
    throw privateChatHasNoLinks();
  }
  requireLinkRights(state, chat, "join requests");
  const userId = parameters.id("user_id");
  if (userId <= 0) {
    throw userIdInvalid();
  }
  const member = chat.members[userId];
  if (approve && member && isInChat(member.status)) {
    throw userAlreadyParticipant();
  }
  if (!answerJoinRequest(context, chat, userId, approve, botUser(state))) {
    throw hideRequesterMissing();
  }
  return true;
}

function answerChatJoinRequestQuery(context: MethodContext, parameters: Parameters): true {
  const queryId = parameters.text("chat_join_request_query_id");
  const result = parameters.text("result").toLowerCase();
  if (result !== "approve" && result !== "decline" && result !== "queue") {
    throw queryResultInvalid();
  }
  if (!answerQuery(context, queryId, result)) {
    throw queryTooOld();
  }
  return true;
}

function getUpdates({ state, updates }: MethodContext, parameters: Parameters) {
  if (state.webhook) {
    throw webhookIsActive();
  }
  const offset = parameters.integer("offset", 0, -(2 ** 31));
  const limit = parameters.integer("limit", 100, 1, 100);
  const timeout = parameters.integer("timeout", 0, 0, MAX_LONG_POLL_SECONDS);
  updates.allow(parameters.list("allowed_updates"));
  updates.acknowledge(offset);
  return updates.poll(offset, limit, timeout);
}

function setWebhook(context: MethodContext, parameters: Parameters): true {
  const url = parameters.text("url");
  // Telegram accepts only https. A self-hosted Bot API server, like this one, accepts http too.
  if (url !== "" && (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol))) {
    throw webhookUrlInvalid();
  }
  const secretToken = parameters.text("secret_token");
  if (secretToken.length > 256) {
    throw secretTokenTooLong();
  }
  if (!/^[\w-]*$/.test(secretToken)) {
    throw secretTokenCharacters();
  }
  return changeWebhook(context, url, parameters);
}

function changeWebhook(context: MethodContext, url: string, parameters: Parameters): true {
  const { state, storage, updates, webhook } = context;
  webhook.stop();
  if (url !== "") {
    updates.endPollForWebhook();
    updates.allow(parameters.list("allowed_updates"));
  }
  if (parameters.boolean("drop_pending_updates")) {
    updates.acknowledge(state.nextUpdateId);
  }
  state.webhook =
    url === ""
      ? null
      : {
          url,
          secretToken: parameters.text("secret_token"),
          maxConnections: parameters.integer("max_connections", DEFAULT_CONNECTIONS, 1, 100),
          lastError: null,
        };
  storage.changed();
  webhook.start();
  return true;
}

function getWebhookInfo({ state }: MethodContext) {
  return {
    url: state.webhook?.url ?? "",
    has_custom_certificate: false,
    pending_update_count: state.updates.length,
    ...(state.webhook?.lastError && {
      last_error_date: state.webhook.lastError.date,
      last_error_message: state.webhook.lastError.message,
    }),
    ...(state.webhook && {
      max_connections: state.webhook.maxConnections ?? DEFAULT_CONNECTIONS,
      ip_address: "127.0.0.1",
    }),
    ...(state.allowedUpdates && { allowed_updates: state.allowedUpdates }),
  };
}
