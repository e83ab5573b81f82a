import type { UnitOfWork } from "../../database/database.js";
import type { Prisma } from "../../database/generated/prisma/client.js";
import { reservedExternalIds } from "../links/externalIds.js";
import { newId } from "../shared/ids.js";
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

/** The ids of rows by natural keys. */
export interface RowIds<Key> {
  get(key: Key): string | undefined;
  /** @returns the id of a row that is to be created. The row is found from then on. */
  plan(key: Key): string;
}

/** The links that have external ids, by keyOfExternalId. */
export interface ExternalIdOwners {
  /** Whether another link than the one with this address has the external id. */
  isTaken(key: string, url: string): boolean;
  take(key: string, url: string): void;
}

/** The rows that a batch of links names. */
export interface ExistingRows {
  /** By chat id. */
  readonly channels: RowIds<number>;
  /** By folded name. */
  readonly types: RowIds<string>;
  /** By keyOfTag. */
  readonly tags: RowIds<string>;
  /** By keyOfLink with the channel id. */
  readonly links: ReadonlyMap<string, ExistingLink>;
  readonly externalIds: ExternalIdOwners;
}

class StoredIds<Key> implements RowIds<Key> {
  readonly #ids: Map<Key, string>;

  constructor(ids: readonly (readonly [Key, string])[]) {
    this.#ids = new Map(ids);
  }

  get(key: Key): string | undefined {
    return this.#ids.get(key);
  }

  plan(key: Key): string {
    const id = newId();
    this.#ids.set(key, id);
    return id;
  }
}

type ReadingUnit = Pick<UnitOfWork, "prisma" | "query">;

const distinct = <T>(values: readonly T[]): T[] => [...new Set(values)];

/** The external ids of a batch that are taken. */
async function findExternalIds(
  unit: ReadingUnit,
  channelIds: readonly string[],
  batch: readonly TransferLink[],
): Promise<ExternalIdOwners> {
  /** The addresses of the links by keyOfExternalId; "" for a link that is still being created. */
  const owners = new Map<string, string>();
  const externalIds = batch.flatMap(({ fields }) => fields.externalId ?? []);
  if (externalIds.length > 0) {
    for (const { channelId, externalId } of await reservedExternalIds(unit, channelIds, externalIds))
      owners.set(keyOfExternalId(channelId, externalId), "");
    const links = await unit.prisma.inviteLink.findMany({
      where: { channelId: { in: [...channelIds] }, externalId: { in: externalIds } },
      select: { channelId: true, externalId: true, url: true },
    });
    for (const { channelId, externalId, url } of links)
      owners.set(keyOfExternalId(channelId, externalId ?? ""), url);
  }
  return {
    isTaken: (key, url) => (owners.get(key) ?? url) !== url,
    take: (key, url) => owners.set(key, url),
  };
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
    channels: new StoredIds(channels.map(({ id, chatId }) => [Number(chatId), id])),
    types: new StoredIds(types.map(({ id, nameKey }) => [nameKey, id])),
    tags: new StoredIds(tagRows.map((tag) => [keyOfTag(tag.channelId, tag.typeId, tag.nameKey), tag.id])),
    links: new Map(links.map((link) => [keyOfLink(link.channelId, link.url), link])),
  };
}
