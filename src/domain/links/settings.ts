import type { LinkSettings, TelegramInviteLink } from "../../telegram/gateway.js";
import { cleanLinkName } from "../../telegram/names.js";
import type { Problems } from "../shared/errors.js";
import { codePoints, foldName } from "../shared/text.js";
import { type InviteLink, isExpired } from "./inviteLink.js";

/** Telegram silently cuts what is longer. */
const MAX_NAME_CODE_POINTS = 32;
export const MAX_MEMBER_LIMIT = 99_999;
export const MAX_SUBSCRIPTION_STARS = 10_000;
/** Telegram's dates are 32 bit; a later one would silently mean none. */
const MAX_EXPIRE_SECONDS = 2 ** 31 - 1;

export interface RequestedSettings {
  readonly name: string;
  readonly createsJoinRequest: boolean;
  readonly expireDate: Date | null;
  readonly memberLimit: number | null;
}

/** @returns the name as Telegram will keep it; what is wrong with it is said in `problems`. */
function checkName(name: string, problems: Problems): string {
  const cleaned = cleanLinkName(name);
  if (!name.isWellFormed()) problems.add("name", "Must be well-formed Unicode.");
  else if (cleaned === "") problems.add("name", "Must not be empty.");
  else if (codePoints(cleaned) > MAX_NAME_CODE_POINTS) {
    problems.add("name", `Must have at most ${MAX_NAME_CODE_POINTS} characters; Telegram would cut it.`);
  }
  return cleaned;
}

/** In which Telegram counts. */
function toUnixSeconds(date: Date): number;
function toUnixSeconds(date: Date | null): number | null;
function toUnixSeconds(date: Date | null): number | null {
  return date === null ? null : Math.floor(date.getTime() / 1000);
}

/** @returns Unix seconds; what is wrong is said in `problems`. */
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

/** A link whose members pay has a name and a price, and nothing else. */
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

/** What a link shall be in Telegram; what Telegram would not take, or not as it stands, is said in `problems`. */
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

/** A link's columns as Telegram's answer has them; where it says nothing of a setting, as it was asked for. */
export function settledColumns(answer: TelegramInviteLink, asked: LinkSettings) {
  // Telegram's empty name is none, as 0 means none for the date and the limit.
  const name = (answer.name ?? asked.name) || null;
  const expireDate = answer.expire_date ?? asked.expireDate ?? 0;
  const memberLimit = answer.member_limit ?? asked.memberLimit ?? 0;
  return {
    name,
    nameKey: name === null ? null : foldName(name),
    createsJoinRequest: answer.creates_join_request ?? asked.createsJoinRequest,
    expireDate: expireDate === 0 ? null : new Date(expireDate * 1000),
    memberLimit: memberLimit === 0 ? null : memberLimit,
    isRevoked: answer.is_revoked ?? false,
  };
}

export const NO_SETTINGS: LinkSettings = {
  name: null,
  createsJoinRequest: false,
  expireDate: null,
  memberLimit: null,
};

/** As Telegram has them, as far as is known here. */
export const settingsOf = (link: InviteLink): LinkSettings => ({
  name: link.name,
  createsJoinRequest: link.createsJoinRequest,
  expireDate: toUnixSeconds(link.expireDate === null ? null : new Date(link.expireDate)),
  memberLimit: link.memberLimit,
});

/** Those that differ, as they are in the other. */
export function changedSettings(one: LinkSettings, other: LinkSettings): Partial<LinkSettings> {
  const keys = Object.keys(other) as (keyof LinkSettings)[];
  return Object.fromEntries(keys.filter((key) => one[key] !== other[key]).map((key) => [key, other[key]]));
}

/** Settings to change; those left out stay as they are. */
export interface ChangedSettings {
  readonly name?: string | null | undefined;
  readonly createsJoinRequest?: boolean | undefined;
  readonly expireDate?: Date | null | undefined;
  readonly memberLimit?: number | null | undefined;
}

/** What a link would be in Telegram, whether Telegram takes it or not; null is none, a name is as Telegram keeps it. */
export function mergeSettings(link: InviteLink, changed: ChangedSettings): LinkSettings {
  const known = settingsOf(link);
  const { name, createsJoinRequest, expireDate, memberLimit } = changed;
  return {
    name: name == null ? (name === undefined ? known.name : null) : cleanLinkName(name),
    createsJoinRequest: createsJoinRequest ?? known.createsJoinRequest,
    expireDate: expireDate === undefined ? known.expireDate : toUnixSeconds(expireDate),
    memberLimit: memberLimit === undefined ? known.memberLimit : memberLimit,
  };
}

/**
 * Why Telegram would not make of a link what it is asked to; what is wrong is said in `problems`.
 * @param merged what the link would be: mergeSettings of both.
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

/** What was paid cannot be less than nothing. */
export function checkBudget(budget: string, problems: Problems): void {
  if (budget.startsWith("-")) problems.add("budget", "Must not be negative.");
}
