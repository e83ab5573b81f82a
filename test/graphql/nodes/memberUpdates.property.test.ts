import fc from "fast-check";
import { afterAll, beforeAll, expect, it } from "vitest";
import { UpdateIngestion } from "../../../src/domain/members/updateIngestion.js";
import {
  modelRetention,
  modelSeries,
  RETENTION,
  type Request,
  type Stay,
} from "../../domain/activity/history.js";
import { LINKS, model, received, type SeedUpdate, telegramUpdate } from "../../domain/members/updates.js";
import { newChatId } from "../../domain/support.js";
import { clocks, modelBorders, QUARTER } from "../../domain/time/model.js";
import { describeOnForms, USUAL_FORMS } from "../../support/databases.js";
import { givenSeed, propertyInTime, recordRuns } from "../../support/properties.js";
import { startTestServer, type TestServer } from "../../support/server.js";

// From Telegram's updates to the answers over HTTP. The model knows the updates alone: it makes stays of them, and works
// out every number from the stays.

const CHATS = 12;
const HOUR = 3_600;
const DAY = 86_400;
/** With changes of the clocks in both hemispheres. */
const SPAN = 300 * DAY;

const ZONES = [
  "America/New_York",
  "America/St_Johns",
  "Asia/Kathmandu",
  "Asia/Kolkata",
  "Australia/Lord_Howe",
  "Pacific/Apia",
  "Pacific/Chatham",
];

const end = Math.floor(Date.now() / 1000);

/** The hours in which the clocks of any of the zones change. */
const changes = ZONES.flatMap((zone) => {
  const isChanged = (from: number, to: number) =>
    clocks(zone, to * 1000) - clocks(zone, from * 1000) !== (to - from) * 1000;
  const found: number[] = [];
  for (let day = Math.floor((end - SPAN) / DAY) * DAY; day < end - DAY; day += DAY) {
    if (!isChanged(day, day + DAY)) continue;
    for (let hour = day; hour < day + DAY; hour += HOUR) if (isChanged(hour, hour + HOUR)) found.push(hour);
  }
  return found;
});

/** Any second of the span, seconds around changes of the clocks, and ends of quarters and hours. */
const moment = fc.oneof(
  fc.integer({ min: end - SPAN, max: end - 1 }),
  fc
    .tuple(fc.constantFrom(...changes), fc.integer({ min: -2 * HOUR, max: 2 * HOUR }))
    .map(([at, off]) => at + off),
  fc.integer({ min: 1, max: SPAN / HOUR }).map((hours) => Math.floor(end / HOUR - hours) * HOUR),
  fc.integer({ min: 1, max: SPAN / 900 }).map((quarters) => Math.floor(end / 900 - quarters) * 900 + 899),
);

/** Ends of the days of retention, to the second, and any others. */
const duration = fc.oneof(
  fc.tuple(fc.constantFrom(...RETENTION), fc.constantFrom(-1, 0, 1)).map(([days, off]) => days * DAY + off),
  fc.nat(60 * DAY),
);

const stay = fc.record({
  joined: moment,
  duration,
  link: fc.constantFrom(null, 0, 0, 1, 2),
  ends: fc.constantFrom("leave", "ban", "leave", "lost", "open"),
  asksFor: fc.constantFrom(null, null, 0, 3 * DAY),
  isByAdmin: fc.boolean(),
  isByFolder: fc.constantFrom(false, false, true),
  isLeaveAlone: fc.constantFrom(false, false, false, false, true),
});

/** What persons did, as updates. Their stays may overlap, so that leaves are inferred and joins are late. */
const history = fc.array(fc.array(stay, { minLength: 1, maxLength: 4 }), { minLength: 3, maxLength: 14 });

function toUpdates(
  chat: number,
  people: typeof history extends fc.Arbitrary<infer T> ? T : never,
): SeedUpdate[] {
  let updateId = -chat * 1000;
  return people.flatMap((stays, person) =>
    stays.flatMap(
      ({ joined, duration: lasted, link, ends, asksFor, isByAdmin, isByFolder, isLeaveAlone }) => {
        const one = (kind: SeedUpdate["kind"], date: number): SeedUpdate[] => {
          updateId += 1;
          const byRequest = asksFor !== null && link === null;
          if (date >= end) return [];
          return [
            {
              updateId,
              kind,
              chat,
              user: 100 + person,
              date,
              link,
              isByAdmin,
              isByRequest: byRequest,
              isByFolder,
            },
          ];
        };
        return [
          ...(asksFor === null ? [] : one("request", joined - asksFor)),
          ...(isLeaveAlone ? [] : one("join", joined)),
          ...(ends === "leave" || ends === "ban" ? one(ends, joined + lasted) : []),
        ];
      },
    ),
  );
}

interface Chat {
  readonly id: number;
  /** By the index of the link; null: without one. */
  readonly stays: ReadonlyMap<number | null, readonly Stay[]>;
  readonly requests: ReadonlyMap<number | null, readonly Request[]>;
}

const byLink = <Row>(
  rows: readonly { link: number | null; row: Row }[],
): ReadonlyMap<number | null, Row[]> => {
  const found = new Map<number | null, Row[]>([null, 0, 1, 2].map((link) => [link, []]));
  for (const { link, row } of rows) found.get(link)?.push(row);
  return found;
};

function toChat(id: number, updates: readonly SeedUpdate[]): Chat {
  const { stays, requests } = model(updates);
  return {
    id,
    stays: byLink(
      stays.map(({ user, link, joined, left, isRemoval, isRejoin, isFirstByLink }) => ({
        link,
        row: {
          id: "",
          userId: user,
          linkId: link === null ? null : String(link),
          joinedAt: joined === null ? null : joined * 1000,
          leftAt: left === null ? null : left * 1000,
          isRemoval,
          isRejoin,
          isFirstByLink,
        },
      })),
    ),
    requests: byLink(
      requests.map(({ user, link, requested, state }) => ({
        link,
        row: {
          userId: user,
          linkId: link === null ? null : String(link),
          at: requested * 1000,
          isPending: state === "PENDING",
        },
      })),
    ),
  };
}

const span = fc.record({
  unit: fc.constantFrom("HOUR" as const, "DAY" as const, "WEEK" as const, "MONTH" as const),
  timeZone: fc.constantFrom(...ZONES),
  // In milliseconds, near borders and anywhere.
  from: fc.tuple(moment, fc.constantFrom(0, 1, 999)).map(([at, off]) => at * 1000 + off),
  length: fc.double({ min: 0, max: 1, noNaN: true }),
});
const LENGTHS = { HOUR: 6 * DAY, DAY: 60 * DAY, WEEK: 200 * DAY, MONTH: 300 * DAY };

const NUMBERS =
  "joinCount leaveCount removedCount activeCount uniqueJoinCount joinRequestCount pendingJoinRequestCount firstJoinAt lastJoinAt";
const SUMS =
  "joinCount leaveCount removedCount activeCount joinRequestCount retention { days joinCount stayedCount rate }";
const BUCKET = "from to joinCount leaveCount joinRequestCount activeCount";

await describeOnForms("Telegram's updates over HTTP", USUAL_FORMS, (form) => {
  let server: TestServer;
  const chats: Chat[] = [];
  const seed = givenSeed ?? Math.floor(Math.random() * 2 ** 31);

  beforeAll(async () => {
    const histories = fc.sample(
      fc.record({
        people: history,
        order: fc.infiniteStream(fc.nat()),
        size: fc.integer({ min: 1, max: 60 }),
      }),
      { numRuns: CHATS, seed },
    );
    server = await startTestServer({}, form, async (database) => {
      const ingestion = new UpdateIngestion({ database, botId: 7_000_000_001, notifies: false });
      for (const { people, order, size } of histories) {
        const id = newChatId();
        const updates = toUpdates(id, people);
        chats.push(toChat(id, updates));
        // In any order, and some twice.
        const arriving = [...updates, ...updates.filter(({ updateId }) => updateId % 5 === 0)]
          .map((update) => ({ update, at: order.next().value ?? 0 }))
          .sort((one, other) => one.at - other.at)
          .map(({ update }) => received(telegramUpdate(update)));
        for (let at = 0; at < arriving.length; at += size)
          await ingestion.ingest(arriving.slice(at, at + size), null);
      }
    });
  }, 120_000);
  afterAll(() => server?.stop());

  it("every number of links, of all links together and of the channel is what the updates mean, in every time zone", async () => {
    recordRuns({ planned: CHATS, begun: chats.length, seed });
    await fc.assert(
      propertyInTime(fc.nat(CHATS - 1), span, async (index, { unit, timeZone, from, length }) => {
        const { id, stays, requests } = chats[index] as Chat;
        const to = from + 1 + Math.floor(length * LENGTHS[unit] * 1000);
        const borders = modelBorders(
          timeZone,
          unit,
          Math.floor(from / QUARTER) * QUARTER,
          Math.ceil(to / QUARTER) * QUARTER,
        );
        const before = Date.now();
        const { data, errors } = await server.ask(
          `query ($chat: TelegramID!, $from: DateTime!, $to: DateTime!, $unit: TimeUnit!, $timeZone: String!) {
            channel(telegramId: $chat) { activity {
              joinCount leaveCount joinRequestCount withoutLinkCount
              series(from: $from, to: $to, unit: $unit, timeZone: $timeZone) { ${BUCKET} }
            } }
            inviteLinks(channelId: $chat) {
              nodes { url stats {
                ${NUMBERS} retention { days joinCount stayedCount rate }
                series(from: $from, to: $to, unit: $unit, timeZone: $timeZone) { ${BUCKET} }
              } }
              totals { ${SUMS} }
              series(from: $from, to: $to, unit: $unit, timeZone: $timeZone) { ${BUCKET} }
            }
            one: inviteLinks(channelId: $chat, filter: { minJoinCount: 1 }) {
              totals { ${SUMS} }
              series(from: $from, to: $to, unit: $unit, timeZone: $timeZone) { ${BUCKET} }
            }
          }`,
          { chat: id, from: new Date(from), to: new Date(to), unit, timeZone },
        );
        expect(errors).toBeUndefined();
        /** The quarter of an hour may end while the server answers. */
        const expectRetention = (found: unknown, of: readonly Stay[]) =>
          expect([modelRetention(of, before), modelRetention(of, Date.now())]).toContainEqual(found);
        const staysOf = (links: readonly (number | null)[]) => links.flatMap((link) => stays.get(link) ?? []);
        const requestsOf = (links: readonly (number | null)[]) =>
          links.flatMap((link) => requests.get(link) ?? []);
        const sumsOf = (links: readonly (number | null)[]) => {
          const of = staysOf(links);
          const left = of.filter(({ leftAt }) => leftAt !== null);
          return {
            joinCount: of.filter(({ joinedAt }) => joinedAt !== null).length,
            leaveCount: left.length,
            removedCount: left.filter(({ isRemoval }) => isRemoval).length,
            activeCount: of.filter(({ joinedAt }) => joinedAt !== null).length - left.length,
            joinRequestCount: requestsOf(links).length,
          };
        };

        for (const { url, stats } of data.inviteLinks.nodes) {
          const link = LINKS.findIndex(({ address }) => address === url);
          const { retention, series, ...numbers } = stats;
          const joins = staysOf([link]).map(({ joinedAt }) => joinedAt as number);
          const instant = (at: number) => (joins.length === 0 ? null : new Date(at).toISOString());
          expect(numbers).toEqual({
            ...sumsOf([link]),
            uniqueJoinCount: new Set(staysOf([link]).map(({ userId }) => userId)).size,
            pendingJoinRequestCount: requestsOf([link]).filter(({ isPending }) => isPending).length,
            firstJoinAt: instant(Math.min(...joins)),
            lastJoinAt: instant(Math.max(...joins)),
          });
          expectRetention(retention, staysOf([link]));
          expect(series).toEqual(modelSeries(borders, staysOf([link]), requestsOf([link])));
        }

        const all = [0, 1, 2];
        const joined = all.filter((link) => staysOf([link]).length > 0);
        for (const [list, links] of [
          [data.inviteLinks, all],
          [data.one, joined],
        ] as const) {
          const { retention, ...sums } = list.totals;
          expect(sums).toEqual(sumsOf(links));
          expectRetention(retention, staysOf(links));
          expect(list.series).toEqual(modelSeries(borders, staysOf(links), requestsOf(links)));
        }

        const everything = [null, ...all];
        const { activeCount: _, removedCount: __, ...counts } = sumsOf(everything);
        expect(data.channel.activity).toEqual({
          ...counts,
          withoutLinkCount: sumsOf([null]).joinCount,
          series: modelSeries(borders, staysOf(everything), requestsOf(everything)),
        });
      }),
      { numRuns: 80 },
    );
  });
});
