import type { LinkSettings, TelegramInviteLink } from "../../telegram/gateway.js";
import { cleanLinkName } from "../../telegram/names.js";
import type { Problems } from "../shared/errors.js";
import { codePoints, foldName, isStorable } from "../shared/text.js";
import { type InviteLink, isExpired } from "./inviteLink.js";

/** Telegram silently truncates a longer name. */
const MAX_NAME_CODE_POINTS = 32;
export const MAX_MEMBER_LIMIT = 99_999;
export const MAX_SUBSCRIPTION_STARS = 10_000;
/** Telegram's dates have 32 bits; it silently takes a later date for none. */
const MAX_EXPIRE_SECONDS = 2 ** 31 - 1;

/** The settings of a link that a caller requests; null for no date or no limit. */
export interface RequestedSettings {
  readonly name: string;
  readonly createsJoinRequest: boolean;
  readonly expireDate: Date | null;
  readonly memberLimit: number | null;
}

/** @returns the name as Telegram will keep it. Adds to `problems` what is wrong with it. */
function checkName(name: string, problems: Problems): string {
  const cleaned = cleanLinkName(name);
  if (!name.isWellFormed()) problems.add("name", "Must be well-formed Unicode.");
  else if (cleaned === "") problems.add("name", "Must not be empty.");
  else if (codePoints(cleaned) > MAX_NAME_CODE_POINTS) {
    problems.add("name", `Must have at most ${MAX_NAME_CODE_POINTS} characters; Telegram would cut it.`);
  }
  return cleaned;
}

function toUnixSeconds(date: Date): number;
function toUnixSeconds(date: Date | null): number | null;
function toUnixSeconds(date: Date | null): number | null {
  return date === null ? null : Math.floor(date.getTime() / 1000);
}

/** @returns the date in Unix seconds. Adds to `problems` what is wrong with it. */
function checkExpireDate(date: Date | null, now: Date, problems: Problems): number | null {
  if (date === null) return null;
  const seconds = toUnixSeconds(date);
  if (seconds <= Math.floor(now.getTime() / 1000)) problems.add("expireDate", "Must be in the future.");
  else if (seconds > MAX_EXPIRE_SECONDS) problems.add("expireDate", "Must be before 2038-01-19T03:14:08Z.");
  return seconds;
}

function checkMemberLimit(
  { memberLimit, createsJoinRequest }: Pick<LinkSettings, "memberLimit" | "createsJoinRequest">,
  problems: Problems,
): void {
  if (memberLimit === null) return;
  if (memberLimit < 1 || memberLimit > MAX_MEMBER_LIMIT) {
    problems.add("memberLimit", `Must be from 1 to ${MAX_MEMBER_LIMIT}.`);
  }
  if (createsJoinRequest) {
    problems.add("memberLimit", "A link that creates join requests cannot have a member limit.");
  }
}

/** Checks that a link whose members pay has a name and a price, and no other setting. */
export function checkSubscription(
  {
    expireDate,
    memberLimit,
    createsJoinRequest,
  }: Omit<RequestedSettings, "name" | "expireDate"> & {
    readonly expireDate: unknown;
  },
  problems: Problems,
): void {
  if (expireDate !== null) problems.add("expireDate", "A subscription link does not expire.");
  if (memberLimit !== null) problems.add("memberLimit", "A subscription link has no member limit.");
  if (createsJoinRequest) problems.add("createsJoinRequest", "A subscription link creates no join requests.");
}

/**
 * @returns the settings as they are sent to Telegram. Adds to `problems` what Telegram would refuse or store otherwise.
 */
export function checkSettings(requested: RequestedSettings, now: Date, problems: Problems): LinkSettings {
  const { createsJoinRequest, memberLimit } = requested;
  checkMemberLimit(requested, problems);
  return {
    name: checkName(requested.name, problems),
    createsJoinRequest,
    expireDate: checkExpireDate(requested.expireDate, now, problems),
    memberLimit,
  };
}

/** The columns of a link to store, from Telegram's answer. A setting that the answer leaves out is stored as requested. */
export function storedSettings(answer: TelegramInviteLink, requested: LinkSettings) {
  // In Telegram's answers an empty name means no name, and 0 means no date and no limit.
  const name = (answer.name ?? requested.name) || null;
  const expireDate = answer.expire_date ?? requested.expireDate ?? 0;
  const memberLimit = answer.member_limit ?? requested.memberLimit ?? 0;
  return {
    name,
    nameKey: name === null ? null : foldName(name),
    createsJoinRequest: answer.creates_join_request ?? requested.createsJoinRequest,
    expireDate: expireDate === 0 ? null : new Date(expireDate * 1000),
    memberLimit: memberLimit === 0 ? null : memberLimit,
    // A revocation is permanent. An answer that comes late must not undo one that was stored meanwhile.
    ...(answer.is_revoked && { isRevoked: true }),
  };
}

export const NO_SETTINGS: LinkSettings = {
  name: null,
  createsJoinRequest: false,
  expireDate: null,
  memberLimit: null,
};

/** The settings of a link in Telegram, as far as this server knows them. */
export const settingsOf = (link: InviteLink): LinkSettings => ({
  name: link.name,
  createsJoinRequest: link.createsJoinRequest,
  expireDate: toUnixSeconds(link.expireDate === null ? null : new Date(link.expireDate)),
  memberLimit: link.memberLimit,
});

/** The settings in which `other` differs from `one`, with the values of `other`. */
export function changedSettings(one: LinkSettings, other: LinkSettings): Partial<LinkSettings> {
  const keys = Object.keys(other) as (keyof LinkSettings)[];
  return Object.fromEntries(keys.filter((key) => one[key] !== other[key]).map((key) => [key, other[key]]));
}

/** Settings as an audit entry shows them. */
export const shownSettings = ({ expireDate, ...settings }: LinkSettings) => ({
  ...settings,
  expireDate: expireDate && new Date(expireDate * 1000).toISOString(),
});

/** Settings to change. A setting that is left out or undefined stays as it is; null removes it. */
export interface ChangedSettings {
  readonly name?: string | null | undefined;
  readonly createsJoinRequest?: boolean | undefined;
  readonly expireDate?: Date | null | undefined;
  readonly memberLimit?: number | null | undefined;
}

/** The settings of a link after a change, whether Telegram would accept it or not. The name is as Telegram keeps it. */
export function mergeSettings(link: InviteLink, changed: ChangedSettings): LinkSettings {
  const current = settingsOf(link);
  const { name, createsJoinRequest, expireDate, memberLimit } = changed;
  return {
    name: name == null ? (name === undefined ? current.name : null) : cleanLinkName(name),
    createsJoinRequest: createsJoinRequest ?? current.createsJoinRequest,
    expireDate: expireDate === undefined ? current.expireDate : toUnixSeconds(expireDate),
    memberLimit: memberLimit === undefined ? current.memberLimit : memberLimit,
  };
}

/**
 * Adds to `problems` why Telegram would refuse a change.
 * @param merged the settings after the change, from mergeSettings.
 */
export function checkEdit(
  link: InviteLink,
  changed: ChangedSettings,
  merged: LinkSettings,
  now: Date,
  problems: Problems,
): void {
  if (link.isRevoked) problems.add("id", "This link is revoked; Telegram changes nothing of it any more.");
  if (changed.name != null && merged.name !== link.name) checkName(changed.name, problems);
  if (link.subscriptionPrice !== null) {
    checkSubscription(merged, problems);
    return;
  }
  if (changed.expireDate === undefined && isExpired(link, now)) {
    problems.add(
      "expireDate",
      "This link has expired. Telegram takes no change of it that leaves it so: give a date to come, or null.",
    );
  } else checkExpireDate(changed.expireDate ?? null, now, problems);
  checkMemberLimit(merged, problems);
}

export function checkBudget(budget: string, problems: Problems): void {
  if (budget.startsWith("-")) problems.add("budget", "Must not be negative.");
}

/** In code points. */
const MAX_EXTERNAL_ID_LENGTH = 255;

/** Why a text cannot be an external id; null if it can. */
export function externalIdProblem(externalId: string): string | null {
  if (externalId === "" || codePoints(externalId) > MAX_EXTERNAL_ID_LENGTH) {
    return `Must have 1 to ${MAX_EXTERNAL_ID_LENGTH} characters.`;
  }
  return isStorable(externalId) ? null : "Must be well-formed Unicode without NUL.";
}

export const EXTERNAL_ID_TAKEN = "Another link of this channel has this external id.";

/** The columns of an external id. */
export const externalIdColumns = (externalId: string | null) => ({
  externalId,
  externalIdKey: externalId === null ? null : foldName(externalId),
});
