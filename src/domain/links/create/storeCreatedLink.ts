import * as z from "zod";
import type { UnitOfWork } from "../../../database/database.js";
import type { LinkSettings, TelegramInviteLink } from "../../../telegram/gateway.js";
import { BOT_STATUS } from "../../channels/storeChannel.js";
import { audit } from "../../shared/audit.js";
import type { Caller } from "../../shared/caller.js";
import { newId } from "../../shared/ids.js";
import { NotStorableError } from "../persistResult.js";
import { externalIdColumns, storedSettings } from "../settings.js";
import { addTags } from "../tagging/linkTags.js";

/** A link to create, from input that was checked. */
export interface LinkSpec {
  readonly settings: LinkSettings;
  /** Telegram Stars a month; null for a link that costs its members nothing. */
  readonly subscriptionPrice: number | null;
  readonly budget: string;
  /** Null for none. */
  readonly externalId: string | null;
}

export interface CreatedLink {
  readonly creationId: string;
  readonly botId: number;
  /** Who created the link, or settled its uncertain creation: for the audit. */
  readonly caller: Pick<Caller, "key">;
  /** The Telegram user who counts as the link's creator; null for the one that Telegram names, or else the bot. */
  readonly creatorId: number | null;
  readonly createdAt: Date;
  readonly spec: LinkSpec;
  readonly answer: TelegramInviteLink;
}

const Tagged = z.object({ tagIds: z.array(z.string()) });

/** The link belongs to another creation, or was stored before this creation began: so this creation did not create it. */
export class ForeignLinkError extends NotStorableError {
  override readonly name = "ForeignLinkError";
}

/**
 * The external id that a link was created with; null if another link has got it meanwhile. Telegram has created the link
 * by then, so the link is stored without it.
 */
async function freeExternalId(
  { prisma }: UnitOfWork,
  channelId: string,
  url: string,
  externalId: string | null,
): Promise<string | null> {
  if (externalId === null) return null;
  const taken = await prisma.inviteLink.findFirst({
    where: { channelId, externalId, NOT: { url } },
    select: { id: true },
  });
  return taken === null ? externalId : null;
}

/**
 * Stores a link that Telegram has created, with its tags.
 * @returns the link's id; the stored one if an earlier try, whose COMMIT was not confirmed, stored it already.
 * @throws ForeignLinkError
 */
export async function storeCreatedLink(unit: UnitOfWork, created: CreatedLink): Promise<string> {
  const { prisma } = unit;
  const { creationId, botId, caller, creatorId, createdAt, spec, answer } = created;
  // The intent is read again: a chat migration may have merged its channel and tags into others, and an earlier try may
  // have stored the link.
  const {
    channelId,
    linkId,
    channel,
    createdAt: begunAt,
    arguments: requested,
  } = await prisma.linkCreation.findUniqueOrThrow({
    where: { id: creationId },
    select: {
      channelId: true,
      linkId: true,
      createdAt: true,
      arguments: true,
      channel: { select: { botStatus: true } },
    },
  });
  if (linkId !== null) return linkId;
  const [id, now] = [newId(), new Date()];
  const { settings } = spec;
  const externalId = await freeExternalId(unit, channelId, answer.invite_link, spec.externalId);
  const state = {
    botId: BigInt(botId),
    ...storedSettings(answer, settings),
    subscriptionPrice: spec.subscriptionPrice,
    budget: spec.budget,
    ...(externalId === null ? {} : externalIdColumns(externalId)),
    creatorId: BigInt(creatorId ?? answer.creator?.id ?? botId),
    isBotCreated: true,
  };
  // The link may be stored already, from an update of Telegram's that came before the answer.
  const link = await prisma.inviteLink.upsert({
    where: { channelId_url: { channelId, url: answer.invite_link } },
    create: { id, channelId, url: answer.invite_link, createdAt, ...state },
    update: { updatedAt: now, ...state },
    select: { id: true, createdAt: true },
  });
  if (link.id !== id) {
    const other = await prisma.linkCreation.findUnique({ where: { linkId: link.id }, select: { id: true } });
    if (other !== null || link.createdAt < begunAt) throw new ForeignLinkError(answer.invite_link);
  }
  const tagIds = await addTags(unit, link.id, Tagged.parse(requested).tagIds);
  if (channel.botStatus !== BOT_STATUS.ready) {
    await prisma.channel.update({
      where: { id: channelId },
      data: { botStatus: BOT_STATUS.ready, updatedAt: now },
    });
  }
  const change = {
    url: answer.invite_link,
    name: state.name,
    budget: spec.budget,
    tagIds,
    ...(externalId === null ? {} : { externalId }),
  };
  await audit(unit, caller, { action: "inviteLink.create", subjectId: link.id, channelId, change });
  return link.id;
}
