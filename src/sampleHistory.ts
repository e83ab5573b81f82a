import { uniformFloat64 } from "pure-rand/distribution/uniformFloat64";
import { uniformInt } from "pure-rand/distribution/uniformInt";
import { xoroshiro128plus } from "pure-rand/generator/xoroshiro128plus";
import type { Sample, SampleVisit } from "./sample.js";
import type { TelegramUser } from "./sandbox/sandbox.js";
import { type ReceivedUpdate, readUpdate } from "./telegram/updates.js";

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
/** The same history at every first start. */
const SEED = 20_261_127;
const FIRST_USER_ID = 900_000_001;
const MAX_JOINS_OF_LINK = 90;

const FIRST_NAMES = [
  "Alex",
  "Dana",
  "Ivan",
  "Kim",
  "Lena",
  "Marco",
  "Nadia",
  "Oleg",
  "Priya",
  "Sam",
  "Tanya",
  "Wei",
];

/** Draws the visits of one history. */
class Chance {
  readonly #generator = xoroshiro128plus(SEED);

  /** From 0 to less than 1. */
  fraction(): number {
    return uniformFloat64(this.#generator);
  }

  /** From `least` to `most`. */
  whole(least: number, most: number): number {
    return uniformInt(this.#generator, least, most);
  }

  isTrue(probability: number): boolean {
    return this.fraction() < probability;
  }

  /** An exponentially distributed number. */
  wait(mean: number): number {
    return -mean * Math.log(1 - this.fraction());
  }
}

/** How people come to a channel. */
interface Way {
  readonly chatId: number;
  /** Null for people who come without a link. */
  readonly url: string | null;
  readonly mustAsk: boolean;
  /** How many of the people stay for good, from 0 to 1. */
  readonly loyalty: number;
  /** When the last people come, in milliseconds. */
  readonly closed: number;
}

/** Telegram's dates have whole seconds. */
const wholeSeconds = (milliseconds: number): Date => new Date(Math.floor(milliseconds / 1000) * 1000);

/** More people come by a link that cost more, up to a limit; few of them long after the placement. */
function joinsOf({ budget, memberLimit }: Sample["links"][number], chance: Chance): number {
  const paid = Number(budget);
  const joins = paid === 0 ? chance.whole(5, 30) : Math.round(paid / (2 + 8 * chance.fraction()));
  return Math.max(3, Math.min(joins, MAX_JOINS_OF_LINK, memberLimit ?? MAX_JOINS_OF_LINK));
}

/**
 * What the members of the sample's channels did in the months before the first start: the same people with the same
 * pauses each time, relative to `now`.
 */
export function sampleHistory(sample: Sample, now: Date): readonly SampleVisit[] {
  const chance = new Chance();
  const begin = wholeSeconds(now.getTime()).getTime();
  const end = begin - HOUR_MS;
  let lastId = FIRST_USER_ID;
  const newPerson = (): TelegramUser => {
    lastId += chance.whole(1, 5000);
    const name = FIRST_NAMES[chance.whole(0, FIRST_NAMES.length - 1)] ?? "Alex";
    return { id: lastId, is_bot: false, first_name: name };
  };
  const visits: SampleVisit[] = [];

  const visit = (way: Way, arrival: number, person = newPerson()): void => {
    const { chatId, url, mustAsk, loyalty, closed } = way;
    if (arrival >= closed) return;
    const joined = mustAsk ? arrival + chance.wait(5 * HOUR_MS) : arrival;
    const isPending = joined > end || (mustAsk && chance.isTrue(0.06));
    const left = chance.isTrue(loyalty) ? Number.POSITIVE_INFINITY : joined + chance.wait(9 * DAY_MS);
    const hasLeft = !isPending && left <= end;
    const isRemoval = hasLeft && chance.isTrue(0.05);
    visits.push({
      chatId,
      url,
      person,
      requestedAt: mustAsk ? wholeSeconds(arrival) : null,
      joinedAt: isPending ? null : wholeSeconds(joined),
      leftAt: hasLeft ? wholeSeconds(left + 1000) : null,
      isRemoval,
    });
    // Some come back by the same link.
    if (url !== null && hasLeft && !isRemoval && chance.isTrue(0.15))
      visit(way, left + HOUR_MS + chance.wait(6 * DAY_MS), person);
  };

  for (const link of sample.links) {
    const created = begin - link.daysAgo * DAY_MS;
    const expires = link.expiresInDays === undefined ? end : begin + link.expiresInDays * DAY_MS;
    const way: Way = {
      chatId: link.channel,
      url: link.url,
      mustAsk: link.createsJoinRequest,
      loyalty: 0.45 + 0.4 * chance.fraction(),
      closed: Math.min(end, expires),
    };
    const count = joinsOf(link, chance);
    for (let number = 0; number < count; number += 1) visit(way, created + HOUR_MS + chance.wait(3 * DAY_MS));
  }
  for (const { chatId, username } of sample.channels) {
    const days = username === null ? 20 : 90;
    const direct = username === null ? 15 : 120;
    const way: Way = { chatId, url: null, mustAsk: false, loyalty: 0.8, closed: end };
    for (let number = 0; number < direct; number += 1) visit(way, end - chance.fraction() * days * DAY_MS);
  }
  return visits;
}

/** The owner of the sample's channels, who approves requests and removes members. */
const OWNER: TelegramUser = { id: 1_000_001, is_bot: false, first_name: "Owner" };

const member = (user: TelegramUser, isIn: boolean) => ({ user, status: isIn ? "member" : "left" });

/** The history as updates in the form in which Telegram sends them, in the order in which they happened. */
export function historyUpdates(sample: Sample, visits: readonly SampleVisit[]): readonly ReceivedUpdate[] {
  const chats = new Map(
    sample.channels.map(({ chatId, type, title, username }) => [
      chatId,
      { id: chatId, type, title, ...(username === null ? {} : { username }) },
    ]),
  );
  const links = new Map(sample.links.map((link) => [link.url, link]));
  const linkOf = (url: string | null) => {
    const link = url === null ? undefined : links.get(url);
    if (!link) return {};
    const { name, createsJoinRequest } = link;
    const creator = { id: OWNER.id, is_bot: true };
    return {
      invite_link: { invite_link: link.url, creator, name, creates_join_request: createsJoinRequest },
    };
  };
  const events = visits.flatMap(({ chatId, person, url, requestedAt, joinedAt, leftAt, isRemoval }) => {
    const chat = chats.get(chatId);
    const change = (at: Date, actor: TelegramUser, isIn: boolean) => ({
      at,
      content: {
        chat_member: {
          chat,
          from: actor,
          date: at.getTime() / 1000,
          old_chat_member: member(person, !isIn),
          new_chat_member: member(person, isIn),
          ...(isIn ? linkOf(url) : {}),
        },
      },
    });
    return [
      ...(requestedAt
        ? [
            {
              at: requestedAt,
              content: {
                chat_join_request: { chat, from: person, date: requestedAt.getTime() / 1000, ...linkOf(url) },
              },
            },
          ]
        : []),
      ...(joinedAt ? [change(joinedAt, requestedAt ? OWNER : person, true)] : []),
      ...(leftAt ? [change(leftAt, isRemoval ? OWNER : person, false)] : []),
    ];
  });
  return events
    .sort((one, other) => one.at.getTime() - other.at.getTime())
    .flatMap(({ content }, index) => readUpdate({ update_id: index + 1, ...content }) ?? []);
}
