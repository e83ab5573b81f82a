import type { LinkSettings } from "../../telegram/gateway.js";
import { cleanLinkName } from "../../telegram/names.js";
import type { Problems } from "../errors.js";
import { codePoints } from "../text.js";

/** Telegram silently cuts what is longer. */
export const MAX_NAME_CODE_POINTS = 32;
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
export function checkName(name: string, problems: Problems): string {
  const cleaned = cleanLinkName(name);
  if (!name.isWellFormed()) problems.add("name", "Must be well-formed Unicode.");
  else if (cleaned === "") problems.add("name", "Must not be empty.");
  else if (codePoints(cleaned) > MAX_NAME_CODE_POINTS) {
    problems.add("name", `Must have at most ${MAX_NAME_CODE_POINTS} characters; Telegram would cut it.`);
  }
  return cleaned;
}

/** @returns Unix seconds, in which Telegram counts; what is wrong is said in `problems`. */
export function checkExpireDate(date: Date | null, now: Date, problems: Problems): number | null {
  if (date === null) return null;
  const seconds = Math.floor(date.getTime() / 1000);
  if (seconds <= Math.floor(now.getTime() / 1000)) problems.add("expireDate", "Must be in the future.");
  else if (seconds > MAX_EXPIRE_SECONDS) problems.add("expireDate", "Must be before 2038-01-19T03:14:08Z.");
  return seconds;
}

/** What a link shall be in Telegram; what Telegram would not take, or not as it stands, is said in `problems`. */
export function checkSettings(requested: RequestedSettings, now: Date, problems: Problems): LinkSettings {
  const { createsJoinRequest, memberLimit } = requested;
  if (memberLimit !== null && (memberLimit < 1 || memberLimit > MAX_MEMBER_LIMIT)) {
    problems.add("memberLimit", `Must be from 1 to ${MAX_MEMBER_LIMIT}.`);
  }
  if (memberLimit !== null && createsJoinRequest) {
    problems.add("memberLimit", "A link that creates join requests cannot have a member limit.");
  }
  return {
    name: checkName(requested.name, problems),
    createsJoinRequest,
    expireDate: checkExpireDate(requested.expireDate, now, problems),
    memberLimit,
  };
}

/** What was paid cannot be less than nothing. */
export function checkBudget(budget: string, problems: Problems): void {
  if (budget.startsWith("-")) problems.add("budget", "Must not be negative.");
}
