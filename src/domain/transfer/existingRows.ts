import type { UnitOfWork } from "../../database/database.js";
import type { Prisma } from "../../database/generated/prisma/client.js";
import { reservedExternalIds } from "../links/externalIds.js";
import { foldName } from "../shared/text.js";
import { keyOfLink, type TransferLink } from "./transferLink.js";

/** A stored link with its tags, which an import compares with its record. */
export type ExistingLink = Prisma.InviteLinkGetPayload<{
  include: { tags: { select: { tagId: true; typeId: true } } };
}>;

export const keyOfTag = (channelId: string, typeId: string, nameKey: string): string =>
  `${channelId} ${typeId} ${nameKey}`;

/** The key of an external id in a map. @param owner the channel id */
export const keyOfExternalId = (owner: string, externalId: string): string => `${owner} ${externalId}`;

/** The stored rows that a batch of links names: their ids by natural keys. */
export interface ExistingRows {
  /** By chat id. */
  readonly channels: Map<number, string>;
  /** By folded name. */
  readonly types: Map<string, string>;
  /** By keyOfTag. */
  readonly tags: Map<string, string>;
  /** By keyOfLink with the channel id. */
  readonly links: Map<string, ExistingLink>;
  /** The addresses of the links that have an external id, by keyOfExternalId; "" for a link that is still being created. */
  readonly externalIds: Map<string, string>;
}

type ReadingUnit = Pick<UnitOfWork, "prisma" | "query">;

const distinct = <T>(values: readonly T[]): T[] => [...new Set(values)];

/** The external ids of a batch that are taken, with the addresses of their links, by keyOfExternalId. */
async function findExternalIds(
  unit: ReadingUnit,
  channelIds: readonly string[],
  batch: readonly TransferLink[],
): Promise<Map<string, string>> {
  const externalIds = batch.flatMap(({ fields }) => fields.externalId ?? []);
  if (externalIds.length === 0) return new Map();
  const links = await unit.prisma.inviteLink.findMany({
    where: { channelId: { in: [...channelIds] }, externalId: { in: externalIds } },
    select: { channelId: true, externalId: true, url: true },
  });
  const reserved = await reservedExternalIds(unit, channelIds, externalIds);
  return new Map([
    ...reserved.map((one) => [keyOfExternalId(one.channelId, one.externalId), ""] as const),
    ...links.map((link) => [keyOfExternalId(link.channelId, link.externalId ?? ""), link.url] as const),
  ]);
}

/** Looks up the stored rows that a batch names, in six statements; in four if no link has an external id. */
export async function findExistingRows(
  unit: ReadingUnit,
  batch: readonly TransferLink[],
): Promise<ExistingRows> {
  const { prisma } = unit;
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
  const tagRows = await prisma.tag.findMany({
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
    externalIds: await findExternalIds(unit, channelId.in, batch),
    channels: new Map(channels.map(({ id, chatId }) => [Number(chatId), id])),
    types: new Map(types.map(({ id, nameKey }) => [nameKey, id])),
    tags: new Map(tagRows.map((tag) => [keyOfTag(tag.channelId, tag.typeId, tag.nameKey), tag.id])),
    links: new Map(links.map((link) => [keyOfLink(link.channelId, link.url), link])),
  };
}
