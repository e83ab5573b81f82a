import fc from "fast-check";
import type { Database } from "../../../src/database/database.js";
import { newId } from "../../../src/domain/shared/ids.js";
import { foldName } from "../../../src/domain/shared/text.js";
import {
  type NewLink,
  type NewTag,
  type StoredChannel,
  storeChannel,
  storeLinks,
  storeTags,
} from "../support.js";

// Channels with a history of their members, generated and stored without any code of the server. All counters and
// roll-ups are worked out from the list of stays and requests, as plainly as possible.

const QUARTER = 900_000;
const DAY = 86_400_000;
export const RETENTION = [1, 3, 7, 14, 30];

/** One stay of one person. At least one of its ends is known. */
export interface Stay {
  readonly id: string;
  readonly userId: number;
  readonly linkId: string | null;
  readonly joinedAt: number | null;
  readonly leftAt: number | null;
  readonly isRemoval: boolean;
  readonly isRejoin: boolean;
  readonly isFirstByLink: boolean;
}

export interface Request {
  readonly userId: number;
  readonly linkId: string | null;
  readonly at: number;
  readonly isPending: boolean;
}

export type EventKind = "JOINED" | "LEFT" | "JOIN_REQUESTED";

export interface Event {
  readonly id: string;
  readonly sequence: number;
  readonly kind: EventKind;
  readonly userId: number;
  readonly linkId: string | null;
  readonly at: number;
}

export interface History {
  readonly channel: StoredChannel;
  readonly timeZone: string;
  readonly tags: readonly NewTag[];
  readonly links: readonly NewLink[];
  readonly externalIds: ReadonlyMap<string, string>;
  readonly stays: readonly Stay[];
  readonly requests: readonly Request[];
  readonly events: readonly Event[];
}

const ZONES = [
  "Europe/Berlin",
  "America/New_York",
  "Asia/Kathmandu",
  "Australia/Lord_Howe",
  "America/Santiago",
];
const NAMES = ["Ad", "Реклама", "ad 2", "οδός", null];
const LINKS = 9;

/** Eight months: with both changes of the clocks. */
const SPAN = 240 * DAY;
const second = fc.nat(SPAN / 1000);
/** Ends of days on which retention depends, to the second, and any others. */
const duration = fc.oneof(
  fc
    .tuple(fc.constantFrom(...RETENTION), fc.constantFrom(-1, 0, 1))
    .map(([days, off]) => (days * DAY) / 1000 + off),
  fc.nat(60 * 86_400),
);

const staySeed = fc.record({
  link: fc.option(fc.nat(LINKS - 1), { nil: null, freq: 5 }),
  gap: fc.oneof(fc.nat(3 * 86_400), fc.constant(0)),
  duration: fc.option(duration, { nil: null, freq: 4 }),
  isRemoval: fc.boolean(),
});

export const historySeed = fc.record({
  timeZone: fc.constantFrom(...ZONES),
  tags: fc.array(fc.nat(1), { minLength: 3, maxLength: 6 }),
  links: fc.array(
    fc.record({
      name: fc.constantFrom(...NAMES),
      createdAt: second,
      cents: fc.constantFrom(0n, 1n, 5n, 100n, 1_000n, 150_050n, 99_999_999_999_999n),
      creatorId: fc.constantFrom(null, 7, 8, 9),
      isRevoked: fc.boolean(),
      tags: fc.nat(63),
      externalId: fc.option(fc.constantFrom("Click-", "Объявление ", "ﬁ"), { nil: null }),
    }),
    { minLength: 1, maxLength: LINKS },
  ),
  people: fc.array(
    fc.record({
      start: second,
      // Somebody who was here before updates came.
      wasThere: fc.constantFrom(false, false, false, true),
      stays: fc.array(staySeed, { minLength: 1, maxLength: 3 }),
    }),
    { maxLength: 25 },
  ),
  requests: fc.array(
    fc.record({
      at: second,
      link: fc.option(fc.nat(LINKS - 1), { nil: null, freq: 5 }),
      isPending: fc.boolean(),
    }),
    { maxLength: 8 },
  ),
});
export type HistorySeed = typeof historySeed extends fc.Arbitrary<infer T> ? T : never;

function toStays(
  seed: HistorySeed["people"],
  links: readonly NewLink[],
  origin: number,
  end: number,
): Stay[] {
  return seed.flatMap(({ start, wasThere, stays }, person) => {
    const found: Stay[] = [];
    let at = origin + start * 1000;
    for (const [index, stay] of stays.entries()) {
      at += stay.gap * 1000;
      if (at >= end) break;
      const isUnknown = wasThere && index === 0;
      const link = stay.link === null || isUnknown ? null : (links[stay.link % links.length]?.id ?? null);
      const left = stay.duration === null ? null : at + stay.duration * 1000;
      const leftAt = left === null || left >= end ? null : left;
      if (isUnknown && leftAt === null) break;
      found.push({
        id: newId(),
        userId: 1_000 + person,
        linkId: link,
        joinedAt: isUnknown ? null : at,
        leftAt,
        isRemoval: leftAt !== null && stay.isRemoval,
        isRejoin: found.length > 0,
        isFirstByLink: link !== null && !found.some(({ linkId }) => linkId === link),
      });
      if (leftAt === null) break;
      at = leftAt;
    }
    return found;
  });
}

const quarterOf = (at: number): number => Math.floor(at / QUARTER);

interface Quarter {
  joinCount: number;
  leaveCount: number;
  unknownLeaveCount: number;
  joinRequestCount: number;
  left: number[];
}

const noQuarter = (): Quarter => ({
  joinCount: 0,
  leaveCount: 0,
  unknownLeaveCount: 0,
  joinRequestCount: 0,
  left: RETENTION.map(() => 0),
});

function at<Key, Value>(map: Map<Key, Value>, key: Key, make: () => Value): Value {
  const found = map.get(key) ?? make();
  map.set(key, found);
  return found;
}

/** The roll-ups of what `of` says belongs together. */
function quartersOf<Key>(
  stays: readonly Stay[],
  requests: readonly Request[],
  of: (linkId: string | null) => Key | undefined,
): Map<Key, Map<number, Quarter>> {
  const quarters = new Map<Key, Map<number, Quarter>>();
  const quarter = (linkId: string | null, instant: number): Quarter => {
    const key = of(linkId);
    if (key === undefined) return noQuarter();
    return at(
      at(quarters, key, () => new Map<number, Quarter>()),
      quarterOf(instant),
      noQuarter,
    );
  };
  for (const { linkId, joinedAt, leftAt } of stays) {
    if (joinedAt !== null) quarter(linkId, joinedAt).joinCount += 1;
    if (leftAt === null) continue;
    quarter(linkId, leftAt).leaveCount += 1;
    if (joinedAt === null) quarter(linkId, leftAt).unknownLeaveCount += 1;
    else {
      for (const [index, days] of RETENTION.entries())
        if (leftAt - joinedAt < days * DAY) (quarter(linkId, joinedAt).left[index] as number) += 1;
    }
  }
  for (const { linkId, at: instant } of requests) quarter(linkId, instant).joinRequestCount += 1;
  return quarters;
}

const leftColumns = (left: readonly number[]) => ({
  leftWithin1: left[0] as number,
  leftWithin3: left[1] as number,
  leftWithin7: left[2] as number,
  leftWithin14: left[3] as number,
  leftWithin30: left[4] as number,
});

const columnsOf = ({ left, unknownLeaveCount: _, ...counts }: Quarter) => ({
  ...counts,
  ...leftColumns(left),
});

const dateOf = (instant: number | null): Date | null => (instant === null ? null : new Date(instant));

/** Stores what the members of a channel did, with all counters. */
export async function storeMembers(
  { prisma }: Database,
  channelId: string,
  stays: readonly Stay[],
  requests: readonly Request[],
  events: readonly Event[],
): Promise<void> {
  const untold = [...events];
  /** Each event belongs to one stay or request, also where a person joins twice at one moment. */
  const takeSequence = (kind: EventKind, userId: number, at: number | null): bigint | null => {
    const place = untold.findIndex((one) => one.kind === kind && one.userId === userId && one.at === at);
    const [event] = place < 0 ? [] : untold.splice(place, 1);
    return event ? BigInt(event.sequence) : null;
  };
  await prisma.membership.createMany({
    data: stays.map(({ userId, joinedAt, leftAt, ...stay }) => ({
      ...stay,
      channelId,
      userId: BigInt(userId),
      joinedAt: dateOf(joinedAt),
      leftAt: dateOf(leftAt),
      joinSequence: takeSequence("JOINED", userId, joinedAt),
      leaveSequence: takeSequence("LEFT", userId, leftAt),
      attribution: stay.linkId === null ? "NONE" : "EXACT",
      path: joinedAt === null ? null : stay.linkId === null ? "DIRECT" : "INVITE_LINK",
    })),
  });
  await prisma.joinRequest.createMany({
    data: requests.map(({ userId, linkId, at: instant, isPending }, index) => ({
      id: newId(),
      channelId,
      userId: BigInt(userId),
      linkId,
      attribution: linkId === null ? "NONE" : "EXACT",
      requestedAt: new Date(instant),
      decidedAt: isPending ? null : new Date(instant),
      updateId: BigInt(index),
      sequence: takeSequence("JOIN_REQUESTED", userId, instant) ?? 0n,
      state: isPending ? "PENDING" : "GONE",
    })),
  });
  await prisma.memberEvent.createMany({
    data: events.map(({ userId, at: instant, ...event }) => ({
      ...event,
      channelId,
      userId: BigInt(userId),
      occurredAt: new Date(instant),
      attribution: event.linkId === null ? "NONE" : "EXACT",
    })),
  });
  for (const [linkId, quarters] of quartersOf(stays, requests, (id) => id ?? undefined)) {
    await prisma.linkQuarter.createMany({
      data: [...quarters].map(([quarter, counts]) => ({ channelId, linkId, quarter, ...columnsOf(counts) })),
    });
    const [mine, asked] = [stays, requests].map((list) => list.filter((one) => one.linkId === linkId)) as [
      Stay[],
      Request[],
    ];
    const joins = mine.map(({ joinedAt }) => joinedAt as number);
    const left = mine.filter(({ leftAt }) => leftAt !== null);
    const leftWithin = RETENTION.map((_, index) =>
      [...quarters.values()].reduce((sum, quarter) => sum + (quarter.left[index] as number), 0),
    );
    await prisma.linkActivity.update({
      where: { linkId },
      data: {
        joinCount: joins.length,
        leaveCount: left.length,
        activeCount: joins.length - left.length,
        removedCount: left.filter(({ isRemoval }) => isRemoval).length,
        uniqueJoinCount: mine.filter(({ isFirstByLink }) => isFirstByLink).length,
        joinRequestCount: asked.length,
        pendingJoinRequestCount: asked.filter(({ isPending }) => isPending).length,
        firstJoinAt: joins.length === 0 ? null : new Date(Math.min(...joins)),
        lastJoinAt: joins.length === 0 ? null : new Date(Math.max(...joins)),
        ...leftColumns(leftWithin),
      },
    });
  }
  for (const [hasLink, quarters] of quartersOf(stays, requests, (id) => id !== null)) {
    await prisma.channelQuarter.createMany({
      data: [...quarters].map(([quarter, counts]) => ({
        channelId,
        hasLink,
        quarter,
        unknownLeaveCount: counts.unknownLeaveCount,
        ...columnsOf(counts),
      })),
    });
  }
  const joined = stays.filter(({ joinedAt }) => joinedAt !== null);
  await prisma.channelActivity.update({
    where: { channelId },
    data: {
      lastSequence: BigInt(events.length),
      joinCount: joined.length,
      leaveCount: stays.filter(({ leftAt }) => leftAt !== null).length,
      joinRequestCount: requests.length,
      withoutLinkCount: joined.filter(({ linkId }) => linkId === null).length,
    },
  });
}

/** Stores a channel with its links and the history of its members, which ends at `end`. */
export async function storeHistory(
  database: Database,
  typeIds: readonly [string, string],
  seed: HistorySeed,
  end: number,
): Promise<History> {
  const { timeZone } = seed;
  const origin = end - SPAN;
  const channel = await storeChannel(database);
  await database.prisma.channel.update({ where: { id: channel.id }, data: { timeZone } });
  const tags = seed.tags.map((type, index) => ({
    id: newId(),
    typeId: typeIds[type] as string,
    name: `${"bAЯäC_"[index]}`,
  }));
  await storeTags(database, channel.id, tags);
  const links = seed.links.map(
    (link): NewLink => ({
      id: newId(),
      name: link.name,
      createdAt: new Date(origin + link.createdAt * 1000),
      cents: link.cents,
      creatorId: link.creatorId,
      isRevoked: link.isRevoked,
      isBotCreated: true,
      expireDate: null,
      tags: tags.filter((_, index) => (link.tags >> index) & 1),
    }),
  );
  await storeLinks(database, channel.id, links);
  const externalIds = new Map<string, string>();
  for (const [index, { externalId }] of seed.links.entries()) {
    if (externalId === null) continue;
    const [id, text] = [links[index]?.id as string, `${externalId}${index}`];
    externalIds.set(id, text);
    await database.prisma.inviteLink.update({
      where: { id },
      data: { externalId: text, externalIdKey: foldName(text) },
    });
  }
  const stays = toStays(seed.people, links, origin, end);
  const requests = seed.requests.map(({ at: after, link, isPending }, index) => ({
    userId: 5_000 + index,
    linkId: link === null ? null : (links[link % links.length]?.id ?? null),
    at: origin + after * 1000,
    isPending,
  }));
  const told = [
    ...stays.flatMap(({ userId, linkId, joinedAt, leftAt }) => [
      ...(joinedAt === null ? [] : [{ kind: "JOINED" as const, userId, linkId, at: joinedAt }]),
      ...(leftAt === null ? [] : [{ kind: "LEFT" as const, userId, linkId, at: leftAt }]),
    ]),
    ...requests.map(({ userId, linkId, at: instant }) => ({
      kind: "JOIN_REQUESTED" as const,
      userId,
      linkId,
      at: instant,
    })),
  ];
  // Some events are stored later than they happened.
  const sorted = told
    .map((event) => ({ event, storedAt: event.at + (event.userId % 3) * DAY }))
    .sort((one, other) => one.storedAt - other.storedAt);
  const events = sorted.map(({ event }, index) => ({ id: newId(), sequence: index + 1, ...event }));
  await storeMembers(database, channel.id, stays, requests, events);
  return { channel, timeZone, tags, links, externalIds, stays, requests, events };
}

// The model of what is read ─────────────────────────────────────────────────────────────────────

export interface ModelRetention {
  readonly days: number;
  readonly joinCount: number;
  readonly stayedCount: number;
  readonly rate: number | null;
}

export function modelRetention(stays: readonly Stay[], now: number): ModelRetention[] {
  const quarter = Math.floor(now / QUARTER) * QUARTER;
  return RETENTION.map((days) => {
    const over = stays.filter(({ joinedAt }) => joinedAt !== null && joinedAt < quarter - days * DAY);
    const stayed = over.filter(
      ({ joinedAt, leftAt }) => leftAt === null || leftAt - (joinedAt as number) >= days * DAY,
    );
    const rate = over.length === 0 ? null : stayed.length / over.length;
    return { days, joinCount: over.length, stayedCount: stayed.length, rate };
  });
}

export interface ModelBucket {
  readonly from: string;
  readonly to: string;
  readonly joinCount: number;
  readonly leaveCount: number;
  readonly joinRequestCount: number;
  readonly activeCount: number;
}

export function modelSeries(
  borders: readonly number[],
  stays: readonly Stay[],
  requests: readonly Request[],
): ModelBucket[] {
  return borders.slice(1).map((to, index) => {
    const from = borders[index] as number;
    const isIn = (instant: number | null) => instant !== null && instant >= from && instant < to;
    return {
      from: new Date(from).toISOString(),
      to: new Date(to).toISOString(),
      joinCount: stays.filter(({ joinedAt }) => isIn(joinedAt)).length,
      leaveCount: stays.filter(({ leftAt }) => isIn(leftAt)).length,
      joinRequestCount: requests.filter(({ at: instant }) => isIn(instant)).length,
      activeCount: stays.filter(
        ({ joinedAt, leftAt }) => joinedAt !== null && joinedAt < to && (leftAt === null || leftAt >= to),
      ).length,
    };
  });
}

/** A number of cents for each of so many people, rounded half away from zero. */
export function modelCost(cents: bigint, people: number): string | null {
  if (cents === 0n || people === 0) return null;
  const isRoundedUp = (cents % BigInt(people)) * 2n >= BigInt(people);
  const each = BigInt(cents / BigInt(people)) + BigInt(isRoundedUp);
  return `${each / 100n}.${String(each % 100n).padStart(2, "0")}`;
}

/** Of some links together. */
export function modelTotals(
  { stays, requests }: Pick<History, "stays" | "requests">,
  links: readonly NewLink[],
) {
  const ids = new Set<string | null>(links.map(({ id }) => id));
  const mine = stays.filter(({ linkId }) => ids.has(linkId));
  const left = mine.filter(({ leftAt }) => leftAt !== null);
  const cents = links.reduce((sum, link) => sum + link.cents, 0n);
  const activeCount = mine.length - left.length;
  return {
    budget: `${cents / 100n}.${String(cents % 100n).padStart(2, "0")}`,
    joinCount: mine.length,
    leaveCount: left.length,
    removedCount: left.filter(({ isRemoval }) => isRemoval).length,
    activeCount,
    joinRequestCount: requests.filter(({ linkId }) => ids.has(linkId)).length,
    costPerJoin: modelCost(cents, mine.length),
    costPerActiveMember: modelCost(cents, activeCount),
  };
}
