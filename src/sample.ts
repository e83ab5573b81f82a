import { readFile } from "node:fs/promises";
import * as z from "zod";
import type { Database, UnitOfWork } from "./database/database.js";
import type { Instant } from "./database/instant.js";
import { statement } from "./database/statement.js";
import { newId } from "./domain/shared/ids.js";
import { foldName } from "./domain/shared/text.js";
import type { SandboxSeed, TelegramUser } from "./sandbox/sandbox.js";

const DAY_MS = 86_400_000;

const sampleSchema = z.object({
  channels: z.array(
    z.object({
      id: z.uuid(),
      chatId: z.number(),
      type: z.enum(["channel", "supergroup"]),
      title: z.string(),
      username: z.string().nullable(),
      currency: z.string(),
    }),
  ),
  tagTypes: z.array(z.object({ id: z.uuid(), name: z.string() })),
  tags: z.array(
    z.object({ id: z.uuid(), channel: z.number(), type: z.string(), name: z.string(), color: z.string() }),
  ),
  links: z.array(
    z.object({
      channel: z.number(),
      name: z.string(),
      url: z.string(),
      daysAgo: z.number(),
      budget: z.string(),
      tags: z.array(z.string()),
      createsJoinRequest: z.boolean().default(false),
      memberLimit: z.number().optional(),
      expiresInDays: z.number().optional(),
      isRevoked: z.boolean().default(false),
    }),
  ),
});

/** The channels, tags and links of a new sandbox. */
export type Sample = z.infer<typeof sampleSchema>;

export async function readSample(): Promise<Sample> {
  const text = await readFile(new URL("../prisma/sample.json", import.meta.url), "utf8");
  return sampleSchema.parse(JSON.parse(text));
}

/** One visit of a person to a channel of the sample. */
export interface SampleVisit {
  readonly chatId: number;
  readonly person: TelegramUser;
  /** The address of the link; null for somebody who joined without one. */
  readonly url: string | null;
  /** Null for somebody who did not have to ask. */
  readonly requestedAt: Date | null;
  /** Null while the request is pending. */
  readonly joinedAt: Date | null;
  /** Null for somebody who is still there. */
  readonly leftAt: Date | null;
  readonly isRemoval: boolean;
}

type SampleLink = Sample["links"][number];

const createdAt = (link: SampleLink, now: Date) => new Date(now.getTime() - link.daysAgo * DAY_MS);
/** Rounded down to the second, because Telegram stores whole seconds. */
const expireDate = ({ expiresInDays }: SampleLink, now: Date) =>
  expiresInDays === undefined
    ? null
    : new Date(Math.floor((now.getTime() + expiresInDays * DAY_MS) / 1000) * 1000);

/** The part of the sample that the sandbox's Telegram has. @param visits of the history */
export function toSandbox(sample: Sample, now: Date, visits: readonly SampleVisit[] = []): SandboxSeed {
  return {
    chats: sample.channels.map(({ chatId, type, title, username }) => ({
      id: chatId,
      type,
      title,
      ...(username === null ? {} : { username }),
      members: visits
        .filter((visit) => visit.chatId === chatId && visit.joinedAt !== null && visit.leftAt === null)
        .map(({ person, url }) => ({ user: person, ...(url === null ? {} : { joinedBy: url }) })),
      joinRequests: visits
        .filter((visit) => visit.chatId === chatId && visit.joinedAt === null)
        .map(({ person, url }) => ({ user: person, url: url ?? "" })),
      links: sample.links
        .filter(({ channel }) => channel === chatId)
        .map((link) => ({
          url: link.url,
          name: link.name,
          expireDate: (expireDate(link, now)?.getTime() ?? 0) / 1000,
          memberLimit: link.memberLimit ?? 0,
          createsJoinRequest: link.createsJoinRequest,
          isRevoked: link.isRevoked,
        })),
    })),
  };
}

/**
 * When the sample was written whose history has not been stored, because the process ended meanwhile. The sample's channels
 * count since then, and an update of each channel is part of the history.
 */
async function historyMissingSince(unit: UnitOfWork, sample: Sample): Promise<Date | null> {
  const [found] = await unit.query<{ since: Instant | null }>(statement("sample_history_since")`
    select min(since) as since from channel_activity
    where channel_id = any(${sample.channels.map(({ id }) => id)}::uuid[])
    having bool_and(last_update_at is null)`);
  return found?.since ? new Date(found.since) : null;
}

/**
 * Writes the sample into the sandbox's database, unless the database has a channel already.
 * @returns the time of the first start if its history has to be stored now; otherwise null
 */
export async function fillWithSample(
  database: Database,
  sample: Sample,
  botId: number,
  now: Date,
): Promise<Date | null> {
  return database.transaction(async (unit) => {
    const { prisma } = unit;
    if ((await prisma.channel.count()) > 0) return historyMissingSince(unit, sample);
    const channelIds = new Map(sample.channels.map(({ chatId, id }) => [chatId, id]));
    const typeIds = new Map(sample.tagTypes.map(({ name, id }) => [name, id]));
    const idOf = <Key>(ids: Map<Key, string>, key: Key): string => {
      const id = ids.get(key);
      if (id === undefined)
        throw new Error(`prisma/sample.json refers to ${String(key)}, but does not define it.`);
      return id;
    };
    const tags = sample.tags.map((tag) => ({
      id: tag.id,
      channelId: idOf(channelIds, tag.channel),
      typeId: idOf(typeIds, tag.type),
      name: tag.name,
      nameKey: foldName(tag.name),
      color: tag.color,
      createdAt: now,
    }));
    const links = sample.links.map((link) => ({
      id: newId(),
      channelId: idOf(channelIds, link.channel),
      createdAt: createdAt(link, now),
      link,
    }));
    await prisma.channel.createMany({
      data: sample.channels.map(({ id, chatId, type, title, username, currency }) => ({
        id,
        chatId: BigInt(chatId),
        kind: type === "channel" ? ("CHANNEL" as const) : ("SUPERGROUP" as const),
        title,
        username,
        currency,
        botStatus: "READY" as const,
        createdAt: now,
      })),
    });
    await unit.execute(statement("sample_begin_history")`update channel_activity set since = ${now}`);
    await prisma.tagType.createMany({
      data: sample.tagTypes.map(({ id, name }) => ({ id, name, nameKey: foldName(name), createdAt: now })),
    });
    await prisma.tag.createMany({ data: tags });
    await prisma.inviteLink.createMany({
      data: links.map(({ id, channelId, createdAt, link }) => ({
        id,
        channelId,
        botId: BigInt(botId),
        name: link.name,
        nameKey: foldName(link.name),
        url: link.url,
        createsJoinRequest: link.createsJoinRequest,
        expireDate: expireDate(link, now),
        memberLimit: link.memberLimit ?? null,
        budget: link.budget,
        creatorId: BigInt(botId),
        isRevoked: link.isRevoked,
        createdAt,
      })),
    });
    await prisma.inviteLinkTag.createMany({
      data: links.flatMap(({ id, channelId, createdAt, link }) =>
        tags
          .filter((tag) => tag.channelId === channelId && link.tags.includes(tag.name))
          .map((tag) => ({ linkId: id, tagId: tag.id, channelId, typeId: tag.typeId, createdAt })),
      ),
    });
    return now;
  });
}

/** The channel and the tags of two types for GraphiQL's example queries; null if the sample has none. */
export function exampleChannel(sample: Sample) {
  const [channel] = sample.channels;
  const [first, second] = sample.tagTypes.map(({ id, name }) => ({
    typeId: id,
    tagIds: sample.tags
      .filter((tag) => tag.channel === channel?.chatId && tag.type === name)
      .slice(0, 2)
      .map((tag) => tag.id),
  }));
  return channel && first && second ? { chatId: channel.chatId, first, second } : null;
}
