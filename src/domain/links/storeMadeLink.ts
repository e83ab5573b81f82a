import type { UnitOfWork } from "../../database/database.js";
import type { LinkSettings, TelegramInviteLink } from "../../telegram/gateway.js";
import type { Caller } from "../access/caller.js";
import { audit } from "../audit.js";
import { BOT_STATUS } from "../channels/store.js";
import { newId } from "../ids.js";
import { foldName } from "../text.js";

/** What is to be made, once the input was found acceptable. */
export interface LinkPlan {
  readonly settings: LinkSettings;
  /** Stars a month; null for a link that costs its members nothing. */
  readonly subscriptionPrice: number | null;
  readonly budget: string;
  readonly tagIds: readonly string[];
}

export interface MadeLink {
  readonly creationId: string;
  readonly botId: number;
  readonly caller: Caller;
  readonly plan: LinkPlan;
  readonly answer: TelegramInviteLink;
}

/** Telegram answered with a link that another creation has made already: whatever it did, this is not its outcome. */
export class LinkKnownError extends Error {
  override readonly name = "LinkKnownError";
}

/** Stores a link that Telegram has made, with its tags. @returns its id. @throws LinkKnownError */
export async function storeMadeLink(unit: UnitOfWork, made: MadeLink): Promise<string> {
  const { prisma } = unit;
  const { creationId, botId, caller, plan, answer } = made;
  // Where the creation stands now: following a chat may have made one channel of two meanwhile, and an earlier try
  // may have stored the link, though nobody heard of it.
  const { channelId, linkId, channel } = await prisma.linkCreation.findUniqueOrThrow({
    where: { id: creationId },
    select: { channelId: true, linkId: true, channel: { select: { botStatus: true } } },
  });
  if (linkId !== null) return linkId;
  const now = new Date();
  const { settings } = plan;
  // As Telegram says; where it says nothing that can be understood, as it was asked.
  const name = answer.name ?? settings.name;
  const expireDate = answer.expire_date ?? settings.expireDate ?? 0;
  const memberLimit = answer.member_limit ?? settings.memberLimit ?? 0;
  const state = {
    botId: BigInt(botId),
    name,
    nameKey: name === null ? null : foldName(name),
    createsJoinRequest: answer.creates_join_request ?? settings.createsJoinRequest,
    // 0 means none for both.
    expireDate: expireDate === 0 ? null : new Date(expireDate * 1000),
    memberLimit: memberLimit === 0 ? null : memberLimit,
    subscriptionPrice: plan.subscriptionPrice,
    budget: plan.budget,
    creatorId: BigInt(caller.telegramUserId ?? answer.creator?.id ?? botId),
    isBotCreated: true,
  };
  // It may be there already, seen in an update that came before the answer.
  const link = await prisma.inviteLink.upsert({
    where: { channelId_url: { channelId, url: answer.invite_link } },
    create: { id: newId(), channelId, url: answer.invite_link, createdAt: now, ...state },
    update: { updatedAt: now, ...state },
    select: { id: true },
  });
  if (await prisma.linkCreation.findUnique({ where: { linkId: link.id }, select: { id: true } })) {
    throw new LinkKnownError(answer.invite_link);
  }
  // Those that were deleted while Telegram was asked are left out, rather than the link lost.
  const tags = await prisma.tag.findMany({
    where: { id: { in: [...plan.tagIds] }, channelId },
    select: { id: true, typeId: true },
  });
  await prisma.inviteLinkTag.createMany({
    data: tags.map(({ id, typeId }) => ({ linkId: link.id, tagId: id, channelId, typeId })),
    skipDuplicates: true,
  });
  if (channel.botStatus !== BOT_STATUS.ready) {
    await prisma.channel.update({
      where: { id: channelId },
      data: { botStatus: BOT_STATUS.ready, updatedAt: now },
    });
  }
  const change = { url: answer.invite_link, name, budget: plan.budget, tagIds: [...plan.tagIds] };
  await audit(unit, caller, { action: "inviteLink.create", subjectId: link.id, channelId, change });
  return link.id;
}
