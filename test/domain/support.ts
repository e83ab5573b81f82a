import type { Database } from "../../src/database/database.js";
import { CallerCache } from "../../src/domain/access/callerCache.js";
import type { Caller } from "../../src/domain/shared/caller.js";
import type { StorageGuard } from "../../src/domain/shared/databaseErrors.js";
import { newId } from "../../src/domain/shared/ids.js";
import { foldName } from "../../src/domain/shared/text.js";
import type { WebhookServices } from "../../src/domain/webhooks/webhooks.js";

/** A caller of every channel, or of some. */
export const callerOf = (
  chatIds: Iterable<number> | null = null,
  role: Caller["role"] = "VIEWER",
): Caller => ({
  key: "token:00000000-0000-7000-8000-000000000001",
  name: "test",
  role,
  chatIds: chatIds === null ? null : new Set(chatIds),
  telegramUserId: null,
});

/** Remembers nobody. */
export const noKnownCallers = new CallerCache({ remembers: false, isShared: false });

/** What webhooks share, where nobody sends. */
export const TEST_WEBHOOKS: WebhookServices = {
  allowPrivate: true,
  resolve: async () => [],
  onChanged: () => {},
};

let lastChatId = -1_000_000_000_000;

/** A chat id that no other test of the file has. */
export function newChatId(): number {
  lastChatId -= 1;
  return lastChatId;
}

export interface StoredChannel {
  readonly id: string;
  readonly chatId: number;
}

export async function storeChannel(
  database: Database,
  chatId = newChatId(),
  id = newId(),
): Promise<StoredChannel> {
  await database.prisma.channel.create({
    data: { id, chatId: BigInt(chatId), kind: "CHANNEL", title: `Chat ${chatId}`, createdAt: new Date() },
  });
  return { id, chatId };
}

export async function storeTagType(database: Database, name: string): Promise<string> {
  const id = newId();
  await database.prisma.tagType.create({
    data: { id, name, nameKey: foldName(name), createdAt: new Date() },
  });
  return id;
}

export interface NewTag {
  readonly id: string;
  readonly typeId: string;
  readonly name: string;
}

export async function storeTags(
  database: Database,
  channelId: string,
  tags: readonly NewTag[],
): Promise<void> {
  await database.prisma.tag.createMany({
    data: tags.map((tag) => ({
      ...tag,
      channelId,
      nameKey: foldName(tag.name),
      color: "#00FF00",
      createdAt: new Date(),
    })),
  });
}

export interface NewLink {
  readonly id: string;
  readonly name: string | null;
  readonly createdAt: Date;
  readonly cents: bigint;
  readonly creatorId: number | null;
  readonly isRevoked: boolean;
  readonly isBotCreated: boolean;
  readonly expireDate: Date | null;
  readonly tags: readonly NewTag[];
}

/** An exact amount with two fraction digits. */
export const amount = (cents: bigint): string => `${cents / 100n}.${String(cents % 100n).padStart(2, "0")}`;

export const urlOf = (linkId: string): string => `https://t.me/+${linkId}`;

export async function storeLinks(
  database: Database,
  channelId: string,
  links: readonly NewLink[],
): Promise<void> {
  await database.prisma.inviteLink.createMany({
    data: links.map(({ tags, cents, creatorId, ...link }) => ({
      ...link,
      channelId,
      url: urlOf(link.id),
      nameKey: link.name === null ? null : foldName(link.name),
      budget: amount(cents),
      creatorId: creatorId === null ? null : BigInt(creatorId),
    })),
  });
  const carried = links.flatMap(({ id, createdAt, tags }) =>
    tags.map((tag) => ({ linkId: id, tagId: tag.id, channelId, typeId: tag.typeId, createdAt })),
  );
  if (carried.length > 0) await database.prisma.inviteLinkTag.createMany({ data: carried });
}

/** A storage guard that refuses nothing. */
export const UNGUARDED: StorageGuard = { requireWritable() {}, recordFailure() {}, trackStoring() {} };
