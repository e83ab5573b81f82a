import type { UnitOfWork } from "../../../database/database.js";
import type { LinkSettings, TelegramInviteLink } from "../../../telegram/gateway.js";
import { BOT_STATUS } from "../../channels/storeChannel.js";
import { audit } from "../../shared/audit.js";
import type { Caller } from "../../shared/caller.js";
import { newId } from "../../shared/ids.js";
import { NotStorableError } from "../persistResult.js";
import { settledColumns } from "../settings.js";
import { giveTags } from "../tagging/linkTags.js";

/** What is to be made, once the input was found acceptable. */
export interface LinkSpec {
  readonly settings: LinkSettings;
  /** Stars a month; null for a link that costs its members nothing. */
  readonly subscriptionPrice: number | null;
  readonly budget: string;
  readonly tagIds: readonly string[];
}

export interface CreatedLink {
  readonly creationId: string;
  readonly botId: number;
  /** Who says that it was made. */
  readonly caller: Pick<Caller, "key">;
  /** The Telegram user whose link it is to be; where null, whom Telegram names, else the bot. */
  readonly creatorId: number | null;
  readonly madeAt: Date;
  readonly plan: LinkSpec;
  readonly answer: TelegramInviteLink;
}

/** The link is another creation's, or was known before this one was asked for: whatever happened, not its outcome. */
export class ForeignLinkError extends NotStorableError {
  override readonly name = "ForeignLinkError";
}

/** Stores a link that Telegram has made, with its tags. @returns its id. @throws ForeignLinkError */
export async function storeCreatedLink(unit: UnitOfWork, made: CreatedLink): Promise<string> {
  const { prisma } = unit;
  const { creationId, botId, caller, creatorId, madeAt, plan, answer } = made;
  // Where the creation stands now: following a chat may have made one channel of two meanwhile, and an earlier try
  // may have stored the link, though nobody heard of it.
  const { channelId, linkId, channel, createdAt } = await prisma.linkCreation.findUniqueOrThrow({
    where: { id: creationId },
    select: { channelId: true, linkId: true, createdAt: true, channel: { select: { botStatus: true } } },
  });
  if (linkId !== null) return linkId;
  const [id, now] = [newId(), new Date()];
  const { settings } = plan;
  const state = {
    botId: BigInt(botId),
    ...settledColumns(answer, settings),
    subscriptionPrice: plan.subscriptionPrice,
    budget: plan.budget,
    creatorId: BigInt(creatorId ?? answer.creator?.id ?? botId),
    isBotCreated: true,
  };
  // It may be there already, seen in an update that came before the answer.
  const link = await prisma.inviteLink.upsert({
    where: { channelId_url: { channelId, url: answer.invite_link } },
    create: { id, channelId, url: answer.invite_link, createdAt: madeAt, ...state },
    update: { updatedAt: now, ...state },
    select: { id: true, createdAt: true },
  });
  if (link.id !== id) {
    const other = await prisma.linkCreation.findUnique({ where: { linkId: link.id }, select: { id: true } });
    if (other !== null || link.createdAt < createdAt) throw new ForeignLinkError(answer.invite_link);
  }
  await giveTags(unit, { linkIds: [link.id], tagIds: plan.tagIds });
  if (channel.botStatus !== BOT_STATUS.ready) {
    await prisma.channel.update({
      where: { id: channelId },
      data: { botStatus: BOT_STATUS.ready, updatedAt: now },
    });
  }
  const change = { url: answer.invite_link, name: state.name, budget: plan.budget, tagIds: [...plan.tagIds] };
  await audit(unit, caller, { action: "inviteLink.create", subjectId: link.id, channelId, change });
  return link.id;
}
