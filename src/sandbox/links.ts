import { randomBytes } from "node:crypto";
import { chatWithLinks, requireLinkRights } from "./chats.js";
import { type SandboxContext, unixSeconds } from "./context.js";
import {
  expireDateInvalid,
  inviteHashExpired,
  inviteLinkEmpty,
  memberLimitWithApproval,
  notUtf8,
  primaryLink,
  starsAmountInvalid,
  subscriptionPeriodInvalid,
  subscriptionPricingInvalid,
  subscriptionsForChannelsOnly,
  subscriptionWithRestrictions,
  usageLimitInvalid,
} from "./errors.js";
import { cleanName } from "./names.js";
import type { Parameters } from "./parameters.js";
import { botUser, type ChatState, type LinkState } from "./state.js";
import type { TelegramUser } from "./types.js";
import { linkView } from "./views.js";

export type LinkSettings = Pick<LinkState, "name" | "expireDate" | "memberLimit" | "createsJoinRequest">;

export const NO_SETTINGS: LinkSettings = {
  name: "",
  expireDate: 0,
  memberLimit: 0,
  createsJoinRequest: false,
};

const SUBSCRIPTION_PERIOD = 2_592_000;
const MAX_SUBSCRIPTION_PRICE = 10_000;
const MAX_MEMBER_LIMIT = 99_999;

export function createChatInviteLink(context: SandboxContext, parameters: Parameters) {
  const chat = chatWithLinks(context.state, parameters);
  const settings = readSettings(parameters);
  requireLinkRights(context.state, chat);
  checkLimits(context, settings);
  return linkView(context.state, chat, addLink(context, chat, botUser(context.state), settings));
}

/** Replaces all settings. A setting that is absent is cleared. */
export function editChatInviteLink(context: SandboxContext, parameters: Parameters) {
  const chat = chatWithLinks(context.state, parameters);
  const settings = readSettings(parameters);
  requireLinkRights(context.state, chat);
  const link = editableLink(context, chat, parameters);
  if (link.subscription && (settings.expireDate || settings.memberLimit || settings.createsJoinRequest)) {
    throw subscriptionWithRestrictions();
  }
  checkLimits(context, settings);
  Object.assign(link, settings);
  context.storage.changed();
  return linkView(context.state, chat, link);
}

export function revokeChatInviteLink(context: SandboxContext, parameters: Parameters) {
  const chat = chatWithLinks(context.state, parameters);
  requireLinkRights(context.state, chat);
  const link = ownLink(context, chat, parameters);
  link.isRevoked = true;
  if (link.isPrimary) {
    // An administrator always has a primary link: Telegram creates the next one.
    addLink(context, chat, botUser(context.state), NO_SETTINGS, { isPrimary: true });
  }
  context.storage.changed();
  return linkView(context.state, chat, link);
}

export function exportChatInviteLink(context: SandboxContext, parameters: Parameters): string {
  const chat = chatWithLinks(context.state, parameters);
  requireLinkRights(context.state, chat);
  for (const link of chat.links) {
    if (link.isPrimary && link.creator.id === context.state.bot.id) {
      link.isRevoked = true;
    }
  }
  return addLink(context, chat, botUser(context.state), NO_SETTINGS, { isPrimary: true }).url;
}

export function createChatSubscriptionInviteLink(context: SandboxContext, parameters: Parameters) {
  const chat = chatWithLinks(context.state, parameters);
  const name = readName(parameters);
  const period = parameters.integer("subscription_period", 0, 0, 1_000_000_000);
  const price = parameters.integer("subscription_price", 0, 0, 1_000_000);
  if (period === 0 || price === 0) {
    throw subscriptionPricingInvalid();
  }
  requireLinkRights(context.state, chat);
  if (chat.type !== "channel") {
    throw subscriptionsForChannelsOnly();
  }
  if (period !== SUBSCRIPTION_PERIOD) {
    throw subscriptionPeriodInvalid();
  }
  if (price > MAX_SUBSCRIPTION_PRICE) {
    throw starsAmountInvalid();
  }
  const subscription = { period, price };
  const link = addLink(context, chat, botUser(context.state), { ...NO_SETTINGS, name }, { subscription });
  return linkView(context.state, chat, link);
}

/** Changes the name alone. */
export function editChatSubscriptionInviteLink(context: SandboxContext, parameters: Parameters) {
  const chat = chatWithLinks(context.state, parameters);
  const name = readName(parameters);
  requireLinkRights(context.state, chat);
  const link = editableLink(context, chat, parameters);
  link.name = name;
  context.storage.changed();
  return linkView(context.state, chat, link);
}

export function addLink(
  context: SandboxContext,
  chat: ChatState,
  creator: TelegramUser,
  settings: LinkSettings,
  kind: Partial<Pick<LinkState, "isPrimary" | "subscription">> = {},
): LinkState {
  const link: LinkState = {
    url: `https://t.me/+${randomBytes(12).toString("base64url")}`,
    creator,
    ...settings,
    isPrimary: false,
    isRevoked: false,
    subscription: null,
    ...kind,
  };
  chat.links.push(link);
  context.storage.changed();
  return link;
}

function readSettings(parameters: Parameters): LinkSettings {
  const settings = {
    name: readName(parameters),
    expireDate: parameters.integer("expire_date"),
    memberLimit: parameters.integer("member_limit", 0, 0, 100_000),
    createsJoinRequest: parameters.boolean("creates_join_request"),
  };
  if (settings.createsJoinRequest && settings.memberLimit > 0) {
    throw memberLimitWithApproval();
  }
  return settings;
}

function readName(parameters: Parameters): string {
  const name = parameters.text("name");
  if (!name.isWellFormed()) {
    throw notUtf8();
  }
  return cleanName(name);
}

function checkLimits(context: SandboxContext, settings: LinkSettings): void {
  if (settings.expireDate !== 0 && settings.expireDate <= unixSeconds(context)) {
    throw expireDateInvalid();
  }
  if (settings.memberLimit > MAX_MEMBER_LIMIT) {
    throw usageLimitInvalid();
  }
}

function editableLink(context: SandboxContext, chat: ChatState, parameters: Parameters): LinkState {
  const link = ownLink(context, chat, parameters);
  if (link.isPrimary) {
    throw primaryLink();
  }
  return link;
}

function ownLink(context: SandboxContext, chat: ChatState, parameters: Parameters): LinkState {
  const url = parameters.text("invite_link");
  if (url === "") {
    throw inviteLinkEmpty();
  }
  const link = chat.links.find((candidate) => candidate.url === url);
  if (!link || link.isRevoked || link.creator.id !== context.state.bot.id) {
    throw inviteHashExpired();
  }
  return link;
}
