import { createHash } from "node:crypto";
import type { Prisma } from "../../../database/generated/prisma/client.js";
import type { Channel } from "../../channels/channel.js";
import type { Problems } from "../../shared/errors.js";
import { codePoints, isStorable } from "../../shared/text.js";
import type { Loaders } from "../linkLoaders.js";
import {
  checkBudget,
  checkSettings,
  checkSubscription,
  externalIdProblem,
  MAX_SUBSCRIPTION_STARS,
} from "../settings.js";
import { checkTags } from "../tagging/linkTags.js";
import type { LinkSpec } from "./storeCreatedLink.js";

/** A link as a caller asks for it. */
export interface RequestedLink {
  readonly name: string;
  readonly createsJoinRequest: boolean;
  readonly expireDate?: Date | null | undefined;
  readonly memberLimit?: number | null | undefined;
  /** An exact decimal, in the channel's currency. */
  readonly budget: string;
  /** Global ids or bare UUIDs. */
  readonly tagIds: readonly string[];
  /** The price is in Telegram Stars for thirty days. */
  readonly subscription?: { readonly priceStars: number } | null | undefined;
  /** The caller's own id of the link; null for none. */
  readonly externalId?: string | null | undefined;
}

/** In code points. */
const MAX_KEY_LENGTH = 255;

/** @returns the key. Adds to `problems` what is wrong with it. */
export function checkIdempotencyKey(given: string | null | undefined, problems: Problems): string | null {
  const key = given ?? null;
  if (key !== null && (key === "" || codePoints(key) > MAX_KEY_LENGTH)) {
    problems.add("idempotencyKey", `Must have 1 to ${MAX_KEY_LENGTH} characters.`);
  } else if (key !== null && !isStorable(key)) {
    problems.add("idempotencyKey", "Must be well-formed Unicode without NUL.");
  }
  return key;
}

/** The arguments of a creation, in a form that is the same for equal arguments. Texts are made fit for the database. */
export const argumentsOf = (
  chatId: number,
  link: RequestedLink,
  tagIds: readonly string[],
): Prisma.InputJsonObject => ({
  // The names and their order are stored and hashed: another version of the server must find the same.
  channelId: chatId,
  name: link.name.toWellFormed().replaceAll("\0", " "),
  createsJoinRequest: link.createsJoinRequest,
  expireDate: link.expireDate?.toISOString() ?? null,
  memberLimit: link.memberLimit ?? null,
  budget: link.budget,
  tagIds: [...tagIds].sort(),
  priceStars: link.subscription?.priceStars ?? null,
  // Earlier versions of the server knew no external ids.
  ...(link.externalId == null ? {} : { externalId: link.externalId.toWellFormed().replaceAll("\0", " ") }),
});

export const hashOf = (value: Prisma.InputJsonValue): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(createHash("sha256").update(JSON.stringify(value)).digest());

/**
 * Checks everything about a link that can be checked before Telegram is called, except whether its external id is free.
 * @param tagIds the parsed tag ids; null in the place of one that is not valid.
 * @param channel null for a channel that is not known yet.
 * @returns the link, which is to be created only if `problems` has nothing.
 */
export async function checkLink(
  link: RequestedLink,
  tagIds: readonly (string | null)[],
  { channel, loaders, problems }: { channel: Channel | null; loaders: Loaders; problems: Problems },
): Promise<LinkSpec> {
  const { subscription = null, expireDate = null, memberLimit = null, createsJoinRequest } = link;
  const settings = checkSettings(
    { name: link.name, createsJoinRequest, expireDate, memberLimit },
    new Date(),
    problems,
  );
  checkBudget(link.budget, problems);
  if (subscription) {
    if (subscription.priceStars < 1 || subscription.priceStars > MAX_SUBSCRIPTION_STARS) {
      problems.add("subscription.priceStars", `Must be from 1 to ${MAX_SUBSCRIPTION_STARS}.`);
    }
    checkSubscription({ expireDate, memberLimit, createsJoinRequest }, problems);
  }
  if (subscription && channel && channel.kind !== "CHANNEL") {
    problems.add("subscription", "Only channels have subscription links, not groups.");
  }
  await checkTags(tagIds, channel?.id, "tagIds", loaders, problems);
  const externalId = link.externalId ?? null;
  const problem = externalId === null ? null : externalIdProblem(externalId);
  if (problem !== null) problems.add("externalId", problem);
  return {
    settings,
    subscriptionPrice: subscription?.priceStars ?? null,
    budget: link.budget,
    externalId: problem === null ? externalId : null,
  };
}
