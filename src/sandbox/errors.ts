/** An error of the Bot API: `{"ok": false, "error_code", "description", "parameters"?}`. */
export class BotApiError extends Error {
  readonly code: number;
  readonly parameters: ErrorParameters | undefined;

  constructor(code: number, description: string, parameters?: ErrorParameters) {
    super(description);
    this.name = "BotApiError";
    this.code = code;
    this.parameters = parameters;
  }
}

export interface ErrorParameters {
  /** Seconds until the call may be repeated. */
  retry_after?: number;
  migrate_to_chat_id?: number;
}

export const unauthorized = () => new BotApiError(401, "Unauthorized: invalid token specified");
export const notFound = () => new BotApiError(404, "Not Found");
/** The sandbox's own: Telegram answers web pages, too. */
export const fromWebPage = () => new BotApiError(403, "Forbidden: the sandbox answers no web page");
export const internalError = () => new BotApiError(500, "Internal Server Error");
export const bodyTooLarge = () => new BotApiError(413, "Request Entity Too Large");
export const unreadableBody = () => new BotApiError(400, "Bad Request: can't parse parameters");
export const notUtf8 = () => badRequest("strings must be encoded in UTF-8");
export const tooManyRequests = (seconds: number) =>
  new BotApiError(429, `Too Many Requests: retry after ${seconds}`, { retry_after: seconds });

export const chatIdEmpty = () => badRequest("chat_id is empty");
export const chatNotFound = () => badRequest("chat not found");
export const userIdInvalid = () => badRequest("invalid user_id specified");
export const memberListInaccessible = () => badRequest("member list is inaccessible");
export const upgradedToSupergroup = (newId: number) =>
  new BotApiError(400, "Bad Request: group chat was upgraded to a supergroup chat", {
    migrate_to_chat_id: newId,
  });
export const botWasKicked = (type: string) =>
  new BotApiError(403, `Forbidden: bot was kicked from the ${type} chat`);
export const botIsNotMember = (type: string) =>
  new BotApiError(403, `Forbidden: bot is not a member of the ${type} chat`);

export const privateChatHasNoLinks = () => badRequest("can't invite members to a private chat");
export const memberLimitWithApproval = () =>
  badRequest("member limit can't be specified for links requiring administrator approval");
export const notEnoughRights = (what: "invite link" | "join requests" = "invite link") =>
  badRequest(`not enough rights to manage chat ${what}`);
/** There is no such request: it was answered or taken back, or there never was one. */
export const hideRequesterMissing = () => badRequest("HIDE_REQUESTER_MISSING");
export const userAlreadyParticipant = () => badRequest("USER_ALREADY_PARTICIPANT");
export const queryTooOld = () =>
  badRequest("query is too old and response timeout expired or query ID is invalid");
export const queryResultInvalid = () => badRequest("invalid result specified");
export const expireDateInvalid = () => badRequest("EXPIRE_DATE_INVALID");
export const usageLimitInvalid = () => badRequest("USAGE_LIMIT_INVALID");
export const inviteLinkEmpty = () => badRequest("invite link must be non-empty");
/** Telegram gives the same error for a link that never existed and for another administrator's link. */
export const inviteHashExpired = () => badRequest("INVITE_HASH_EXPIRED");
export const primaryLink = () => badRequest("CHAT_INVITE_PERMANENT");
export const subscriptionPricingInvalid = () => badRequest("invalid subscription pricing specified");
export const subscriptionPeriodInvalid = () => badRequest("SUBSCRIPTION_PERIOD_INVALID");
export const starsAmountInvalid = () => badRequest("STARS_AMOUNT_INVALID");
export const subscriptionsForChannelsOnly = () => badRequest("CHANNEL_INVALID");
export const subscriptionWithRestrictions = () =>
  badRequest("subscription plan can't be specified for links with additional restrictions");

export const webhookIsActive = () =>
  conflict(
    "can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first",
  );
export const otherGetUpdates = () =>
  conflict("terminated by other getUpdates request; make sure that only one bot instance is running");
export const terminatedBySetWebhook = () => conflict("terminated by setWebhook request");
export const webhookUrlInvalid = () => badRequest("bad webhook: invalid webhook URL specified");
export const secretTokenTooLong = () => badRequest("secret token is too long");
export const secretTokenCharacters = () => badRequest("secret token contains unallowed characters");

function badRequest(text: string): BotApiError {
  return new BotApiError(400, `Bad Request: ${text}`);
}

function conflict(text: string): BotApiError {
  return new BotApiError(409, `Conflict: ${text}`);
}
