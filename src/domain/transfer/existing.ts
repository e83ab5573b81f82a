import type { Prisma } from "../../database/generated/prisma/client.js";
import { foldName } from "../shared/text.js";
import { keyOfLink, type TransferLink } from "./transferLink.js";

/** What is compared of a link that is there already. */
export type ExistingLink = Prisma.InviteLinkGetPayload<{
  include: { tags: { select: { tagId: true; typeId: true } } };
}>;

export const keyOfTag = (channelId: string, typeId: string, nameKey: string): string =>
  `${channelId} ${typeId} ${nameKey}`;

/** What is there already of all that a batch of links names, by what each is known by; its ids. */
export interface Existing {
  /** By chat id. */
  readonly channels: Map<number, string>;
  /** By folded name. */
  readonly types: Map<string, string>;
  /** By keyOfTag. */
  readonly tags: Map<string, string>;
  /** By keyOfLink with the channel's id. */
  readonly links: Map<string, ExistingLink>;
}

const distinct = <T>(values: readonly T[]): T[] => [...new Set(values)];

/** Looks up what a batch names, in four statements. */
export async function lookUpExisting(
  prisma: Prisma.TransactionClient,
  batch: readonly TransferLink[],
): Promise<Existing> {
  const tags = batch.flatMap((link) => link.tags?.tags ?? []);
  const ofTypes = batch.flatMap((link) => link.tags?.ofTypes ?? []);
  const typeKeys = distinct([...tags.map(({ type }) => type), ...ofTypes]).map(foldName);
  const chatIds = distinct(batch.map(({ chatId }) => chatId)).map(BigInt);
  const channels = await prisma.channel.findMany({
    where: { chatId: { in: chatIds } },
    select: { id: true, chatId: true },
  });
  const channelId = { in: channels.map(({ id }) => id) };
  const types = await prisma.tagType.findMany({
    where: { nameKey: { in: typeKeys } },
    select: { id: true, nameKey: true },
  });
  const known = await prisma.tag.findMany({
    where: {
      channelId,
      typeId: { in: types.map(({ id }) => id) },
      nameKey: { in: distinct(tags.map(({ name }) => name)).map(foldName) },
    },
    select: { id: true, channelId: true, typeId: true, nameKey: true },
  });
  const links = await prisma.inviteLink.findMany({
    where: { channelId, url: { in: batch.map(({ url }) => url) } },
    include: { tags: { select: { tagId: true, typeId: true } } },
  });
  return {
    channels: new Map(channels.map(({ id, chatId }) => [Number(chatId), id])),
    types: new Map(types.map(({ id, nameKey }) => [nameKey, id])),
    tags: new Map(known.map((tag) => [keyOfTag(tag.channelId, tag.typeId, tag.nameKey), tag.id])),
    links: new Map(links.map((link) => [keyOfLink(link.channelId, link.url), link])),
  };
}
