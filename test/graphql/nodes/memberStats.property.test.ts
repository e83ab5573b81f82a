import fc from "fast-check";
import { afterAll, beforeAll, expect, it } from "vitest";
import { newId } from "../../../src/domain/shared/ids.js";
import {
  type History,
  historySeed,
  modelCost,
  modelRetention,
  modelSeries,
  modelTotals,
  RETENTION,
  storeHistory,
} from "../../domain/activity/history.js";
import { compareIds, compareTexts, contains, modelFold } from "../../domain/model.js";
import { amount, type NewLink, storeTagType, urlOf } from "../../domain/support.js";
import { labelOf, modelBorders, QUARTER } from "../../domain/time/model.js";
import { describeOnForms, USUAL_FORMS } from "../../support/databases.js";
import { givenSeed, propertyInTime, recordRuns } from "../../support/properties.js";
import { startTestServer, type TestServer } from "../../support/server.js";
import { globalId } from "../mutations/mutating.js";

// The histories are generated before the server starts, from the seed that is reported with the first test.

const CHANNELS = 30;
const DAY = 86_400_000;

const TOTALS =
  "budget joinCount leaveCount removedCount activeCount joinRequestCount costPerJoin costPerActiveMember";
const RETENTION_FIELDS = "retention { days joinCount stayedCount rate }";
const BUCKET = "from to joinCount leaveCount joinRequestCount activeCount";

// Filters and their model ─────────────────────────────────────────────────────────────────────

const filterSeed = fc.record(
  {
    isRevoked: fc.boolean(),
    minJoinCount: fc.integer({ min: -1, max: 3 }),
    hasPendingJoinRequests: fc.boolean(),
    externalIds: fc.array(fc.nat(9), { maxLength: 4 }),
    search: fc.record({
      link: fc.nat(9),
      what: fc.constantFrom("name", "externalId", "address", "spelled", "hash"),
    }),
    tagGroup: fc.record({ type: fc.nat(1), tags: fc.nat(63), withoutType: fc.boolean() }),
  },
  { requiredKeys: [] },
);
type FilterSeed = typeof filterSeed extends fc.Arbitrary<infer T> ? T : never;

function searchText(history: History, { link, what }: NonNullable<FilterSeed["search"]>): string {
  const one = history.links[link % history.links.length] as NewLink;
  const hash = urlOf(one.id).slice("https://t.me/+".length);
  const texts = {
    name: (one.name ?? "none").slice(1).toUpperCase(),
    externalId: (history.externalIds.get(one.id) ?? "none").toUpperCase(),
    address: urlOf(one.id),
    spelled: ` <telegram.me/joinchat/${hash}?utm=1> `,
    hash: hash.slice(4, 20).toUpperCase(),
  };
  return texts[what as keyof typeof texts];
}

function toFilter(history: History, seed: FilterSeed, typeIds: readonly string[]) {
  const { isRevoked, minJoinCount, hasPendingJoinRequests, externalIds, search, tagGroup } = seed;
  const named = externalIds?.map((index) => {
    const link = history.links[index % history.links.length];
    return (link && history.externalIds.get(link.id)) ?? "missing";
  });
  const text = search && searchText(history, search);
  const typeId = tagGroup && (typeIds[tagGroup.type] as string);
  const tagIds = history.tags
    .filter((tag, index) => tagGroup && tag.typeId === typeId && (tagGroup.tags >> index) & 1)
    .map(({ id }) => id);
  const filter = {
    isRevoked,
    minJoinCount,
    hasPendingJoinRequests,
    externalIds: named,
    search: text,
    tagGroups: tagGroup && [{ tagTypeId: typeId, tagIds, withoutType: tagGroup.withoutType }],
  };
  const passes = (link: NewLink): boolean => {
    const joins = history.stays.filter(({ linkId }) => linkId === link.id).length;
    const pending = history.requests.some((request) => request.linkId === link.id && request.isPending);
    const externalId = history.externalIds.get(link.id);
    if (isRevoked !== undefined && link.isRevoked !== isRevoked) return false;
    if (minJoinCount !== undefined && joins < minJoinCount) return false;
    if (hasPendingJoinRequests !== undefined && pending !== hasPendingJoinRequests) return false;
    if (named && (externalId === undefined || !named.includes(externalId))) return false;
    if (text !== undefined) {
      const isPart = [link.name, externalId, urlOf(link.id)].some(
        (one) => one != null && contains(one, text),
      );
      const isSpelled = search?.what === "spelled" && text.includes(urlOf(link.id).slice(14));
      if (!isPart && !isSpelled) return false;
    }
    if (!tagGroup || (tagIds.length === 0 && !tagGroup.withoutType)) return true;
    const ofType = link.tags.filter((tag) => tag.typeId === typeId);
    return ofType.some(({ id }) => tagIds.includes(id)) || (tagGroup.withoutType && ofType.length === 0);
  };
  return { filter, passes };
}

// Spans ───────────────────────────────────────────────────────────────────────────────────────────

const LENGTHS = { HOUR: 6 * DAY, DAY: 60 * DAY, WEEK: 120 * DAY, MONTH: 240 * DAY };

const spanSeed = fc.record({
  unit: fc.constantFrom("HOUR", "DAY", "WEEK", "MONTH"),
  timeZone: fc.constantFrom(null, "Asia/Kolkata", "Pacific/Chatham", "America/Havana"),
  start: fc.double({ min: 0, max: 1, noNaN: true }),
  length: fc.double({ min: 0, max: 1, noNaN: true }),
});

await describeOnForms("the numbers of members over HTTP", USUAL_FORMS, (form) => {
  let server: TestServer;
  const histories: History[] = [];
  const typeIds: string[] = [];
  const end = Date.now();
  const seed = givenSeed ?? Math.floor(Math.random() * 2 ** 31);

  beforeAll(async () => {
    server = await startTestServer({}, form, async (database) => {
      typeIds.push(await storeTagType(database, "Source"), await storeTagType(database, "Buyer"));
      for (const one of fc.sample(historySeed, { numRuns: CHANNELS, seed }))
        histories.push(await storeHistory(database, typeIds as [string, string], one, end));
    });
  });
  afterAll(() => server?.stop());

  const anyHistory = fc.nat(CHANNELS - 1).map((index) => () => histories[index] as History);

  const ask = async (query: string, variables: object) => {
    const { data, errors } = await server.ask(query, variables);
    expect(errors).toBeUndefined();
    return data;
  };

  /** The span, and its buckets as the model has them. */
  function spanOf(
    history: History,
    { unit, timeZone, start, length }: typeof spanSeed extends fc.Arbitrary<infer T> ? T : never,
  ) {
    const from = Math.floor(end - 245 * DAY * (1 - start));
    const to = from + 1 + Math.floor(length * LENGTHS[unit as keyof typeof LENGTHS]);
    const borders = modelBorders(
      timeZone ?? history.timeZone,
      unit as keyof typeof LENGTHS,
      Math.floor(from / QUARTER) * QUARTER,
      Math.ceil(to / QUARTER) * QUARTER,
    );
    return { args: { from: new Date(from), to: new Date(to), unit, timeZone }, borders };
  }

  /** What the model says now; the quarter of an hour may end while the server answers. */
  const retentionNow = (of: readonly History["stays"][number][], before: number) => [
    modelRetention(of, before),
    modelRetention(of, Date.now()),
  ];

  const ofLinks = ({ stays, requests }: History, links: readonly NewLink[]) => {
    const ids = new Set<string | null>(links.map(({ id }) => id));
    return {
      stays: stays.filter(({ linkId }) => ids.has(linkId)),
      requests: requests.filter(({ linkId }) => ids.has(linkId)),
    };
  };

  it("each link has the numbers, the retention, the series and the members that its history gives", async () => {
    await fc.assert(
      propertyInTime(anyHistory, spanSeed, async (historyOf, span) => {
        const history = historyOf();
        const { args, borders } = spanOf(history, span);
        const before = Date.now();
        const { inviteLinks } = await ask(
          `query ($chat: TelegramID!, $from: DateTime!, $to: DateTime!, $unit: TimeUnit!, $timeZone: String) {
            inviteLinks(channelId: $chat, first: 20) { nodes {
              id externalId
              stats {
                joinCount leaveCount removedCount activeCount uniqueJoinCount joinRequestCount
                pendingJoinRequestCount costPerJoin costPerActiveMember firstJoinAt lastJoinAt
                ${RETENTION_FIELDS}
                series(from: $from, to: $to, unit: $unit, timeZone: $timeZone) { ${BUCKET} }
              }
              members(first: 50) { totalCount nodes { id channelId userId joinedAt leftAt isRemoval isRejoin path } }
              active: members(first: 50, isActive: true) { totalCount nodes { userId } }
              left: members(last: 50, isActive: false) { totalCount nodes { userId } pageInfo { hasNextPage hasPreviousPage } }
            } }
          }`,
          { chat: history.channel.chatId, ...args },
        );
        expect(inviteLinks.nodes).toHaveLength(history.links.length);
        for (const link of history.links) {
          const found = inviteLinks.nodes.find(
            ({ id }: { id: string }) => id === globalId("InviteLink", link.id),
          );
          const { stays, requests } = ofLinks(history, [link]);
          const { retention, series, ...numbers } = found.stats;
          const joins = stays.map(({ joinedAt }) => joinedAt as number);
          const { budget: _, ...totals } = modelTotals(history, [link]);
          const instant = (of: number) => (joins.length === 0 ? null : new Date(of).toISOString());
          expect(numbers).toEqual({
            ...totals,
            uniqueJoinCount: new Set(stays.map(({ userId }) => userId)).size,
            pendingJoinRequestCount: requests.filter(({ isPending }) => isPending).length,
            firstJoinAt: instant(Math.min(...joins)),
            lastJoinAt: instant(Math.max(...joins)),
          });
          expect(found.externalId).toBe(history.externalIds.get(link.id) ?? null);
          expect(retentionNow(stays, before)).toContainEqual(retention);
          expect(series).toEqual(modelSeries(borders, stays, requests));
          const sorted = [...stays].sort(
            (one, other) =>
              (other.joinedAt as number) - (one.joinedAt as number) || compareIds(other.id, one.id),
          );
          expect(found.members).toEqual({
            totalCount: sorted.length,
            nodes: sorted.map((stay) => ({
              id: globalId("Membership", stay.id),
              channelId: history.channel.chatId,
              userId: stay.userId,
              joinedAt: new Date(stay.joinedAt as number).toISOString(),
              leftAt: stay.leftAt === null ? null : new Date(stay.leftAt).toISOString(),
              isRemoval: stay.isRemoval,
              isRejoin: stay.isRejoin,
              path: "INVITE_LINK",
            })),
          });
          const users = (isActive: boolean) =>
            sorted.filter(({ leftAt }) => (leftAt === null) === isActive).map(({ userId }) => ({ userId }));
          expect(found.active).toEqual({ totalCount: users(true).length, nodes: users(true) });
          expect(found.left).toEqual({
            totalCount: users(false).length,
            nodes: users(false),
            pageInfo: { hasNextPage: false, hasPreviousPage: false },
          });
        }
      }),
      { numRuns: 25 },
    );
    recordRuns({ planned: CHANNELS, begun: histories.length, seed });
  });

  it("the totals, the series and the groups under any filter are those of the links that pass", async () => {
    let listed = 0;
    await fc.assert(
      propertyInTime(
        anyHistory,
        filterSeed,
        spanSeed,
        fc.nat(1),
        async (historyOf, filterGiven, span, type) => {
          const history = historyOf();
          const { filter, passes } = toFilter(history, filterGiven, typeIds);
          const { args, borders } = spanOf(history, span);
          const links = history.links.filter(passes);
          listed += links.length;
          const before = Date.now();
          const group = `{ linkCount creatorId from tag { id } totals { ${TOTALS} ${RETENTION_FIELDS} } }`;
          const { inviteLinks } = await ask(
            `query ($chat: TelegramID!, $filter: InviteLinkFilter, $type: ID!, $from: DateTime!, $to: DateTime!, $unit: TimeUnit!, $timeZone: String) {
            inviteLinks(channelId: $chat, filter: $filter, first: 20) {
              totalCount nodes { id }
              totals { ${TOTALS} ${RETENTION_FIELDS} }
              series(from: $from, to: $to, unit: $unit, timeZone: $timeZone) { ${BUCKET} }
              tags: groups(by: TAG, tagTypeId: $type) ${group}
              creators: groups(by: CREATOR) ${group}
              days: groups(by: CREATED_DAY, timeZone: $timeZone) ${group}
              weeks: groups(by: CREATED_WEEK, timeZone: $timeZone) ${group}
              months: groups(by: CREATED_MONTH, timeZone: $timeZone) ${group}
            }
          }`,
            { chat: history.channel.chatId, filter, type: typeIds[type], ...args },
          );
          expect(inviteLinks.nodes.map(({ id }: { id: string }) => id).sort()).toEqual(
            links.map(({ id }) => globalId("InviteLink", id)).sort(),
          );
          expect(inviteLinks.totalCount).toBe(links.length);
          const expectTotals = (
            { retention, ...totals }: { retention: unknown } & Record<string, unknown>,
            of: readonly NewLink[],
          ) => {
            expect(totals).toEqual(modelTotals(history, of));
            expect(retentionNow(ofLinks(history, of).stays, before)).toContainEqual(retention);
          };
          expectTotals(inviteLinks.totals, links);
          const mine = ofLinks(history, links);
          expect(inviteLinks.series).toEqual(modelSeries(borders, mine.stays, mine.requests));

          // biome-ignore lint/suspicious/noExplicitAny: the shape of a response depends on its query.
          const expectGroups = (found: any[], expected: [shown: object, links: readonly NewLink[]][]) => {
            expect(found.map(({ totals: _, ...shown }) => shown)).toEqual(
              expected.map(([shown, of]) => ({
                tag: null,
                creatorId: null,
                from: null,
                linkCount: of.length,
                ...shown,
              })),
            );
            for (const [index, [, of]] of expected.entries()) expectTotals(found[index].totals, of);
          };
          const typeId = typeIds[type];
          const tags = history.tags
            .filter((tag) => tag.typeId === typeId)
            .sort((one, other) => compareTexts(modelFold(one.name), modelFold(other.name)))
            .map((tag): [object, NewLink[]] => [
              { tag: { id: globalId("Tag", tag.id) } },
              links.filter((link) => link.tags.some(({ id }) => id === tag.id)),
            ]);
          const without = links.filter((link) => !link.tags.some((tag) => tag.typeId === typeId));
          expectGroups(
            inviteLinks.tags,
            [...tags, [{}, without] as [object, NewLink[]]].filter(([, of]) => of.length > 0),
          );

          const joinsOf = (of: readonly NewLink[]) => modelTotals(history, of).joinCount;
          const creators = [7, 8, 9].map((creatorId): [{ creatorId: number }, NewLink[]] => [
            { creatorId },
            links.filter((link) => link.creatorId === creatorId),
          ]);
          creators.sort(([one, a], [other, b]) => joinsOf(b) - joinsOf(a) || one.creatorId - other.creatorId);
          const unknown = links.filter(({ creatorId }) => creatorId === null);
          expectGroups(
            inviteLinks.creators,
            [...creators, [{}, unknown] as [object, NewLink[]]].filter(([, of]) => of.length > 0),
          );

          for (const [name, unit] of [
            ["days", "DAY"],
            ["weeks", "WEEK"],
            ["months", "MONTH"],
          ] as const) {
            const zone = args.timeZone ?? history.timeZone;
            const periods = new Map<number, NewLink[]>();
            for (const link of links) {
              const at = Math.floor(link.createdAt.getTime() / QUARTER) * QUARTER;
              // The last border at or before the creation begins its period.
              const begun = modelBorders(zone, unit, at - 33 * DAY, at + 1).filter((border) => border <= at);
              const from = begun.at(-1) as number;
              periods.set(from, [...(periods.get(from) ?? []), link]);
            }
            const expected = [...periods]
              .sort(([one], [other]) => other - one)
              .map(([from, of]): [object, NewLink[]] => [{ from: new Date(from).toISOString() }, of]);
            expectGroups(inviteLinks[name], expected);
          }
        },
      ),
      { numRuns: 60 },
    );
    expect(listed).toBeGreaterThan(0);
  });

  it("the links of each tag have the totals, the series and the groups of a list filtered by the tag", async () => {
    await fc.assert(
      propertyInTime(anyHistory, spanSeed, fc.nat(1), async (historyOf, span, type) => {
        const history = historyOf();
        const { args, borders } = spanOf(history, span);
        const before = Date.now();
        const group = `{ linkCount creatorId from tag { id } totals { ${TOTALS} ${RETENTION_FIELDS} } }`;
        const groups = `
          byTag: groups(by: TAG, tagTypeId: $type) ${group}
          byCreator: groups(by: CREATOR) ${group}
          byDay: groups(by: CREATED_DAY, timeZone: $timeZone) ${group}
          byMonth: groups(by: CREATED_MONTH, timeZone: $timeZone) ${group}`;
        const given = { chat: history.channel.chatId, type: typeIds[type], ...args };
        const groupsOf = async (tagTypeId: string, tagId: string): Promise<Record<string, unknown>> =>
          (
            await ask(
              `query ($chat: TelegramID!, $type: ID!, $timeZone: String, $filter: InviteLinkFilter) {
                inviteLinks(channelId: $chat, filter: $filter, first: 0) { ${groups} }
              }`,
              { ...given, filter: { tagGroups: [{ tagTypeId, tagIds: [tagId] }] } },
            )
          ).inviteLinks;
        const asked = history.tags[span.start < 0.5 ? 0 : history.tags.length - 1];
        const groupsBefore = asked && (await groupsOf(asked.typeId, asked.id));
        const { tags } = await ask(
          `query ($chat: TelegramID!, $type: ID!, $from: DateTime!, $to: DateTime!, $unit: TimeUnit!, $timeZone: String) {
            tags(channelId: $chat, first: 10) { nodes { id inviteLinks(first: 1) {
              totals { ${TOTALS} ${RETENTION_FIELDS} }
              series(from: $from, to: $to, unit: $unit, timeZone: $timeZone) { ${BUCKET} }
              ${groups}
            } } }
          }`,
          given,
        );
        const groupsAfter = asked && (await groupsOf(asked.typeId, asked.id));
        for (const tag of history.tags) {
          const links = history.links.filter((link) => link.tags.some(({ id }) => id === tag.id));
          const found = tags.nodes.find(
            ({ id }: { id: string }) => id === globalId("Tag", tag.id),
          ).inviteLinks;
          const { retention, ...totals } = found.totals;
          expect(totals).toEqual(modelTotals(history, links));
          // The quarter of an hour, of which the retention depends, may end between the requests.
          if (tag === asked)
            for (const [by, ofFilter] of Object.entries(groupsBefore ?? {}))
              expect([ofFilter, groupsAfter?.[by]]).toContainEqual(found[by]);
          const mine = ofLinks(history, links);
          expect(retentionNow(mine.stays, before)).toContainEqual(retention);
          expect(found.series).toEqual(modelSeries(borders, mine.stays, mine.requests));
          const counted = found.byCreator.reduce(
            (sum: number, one: { linkCount: number }) => sum + one.linkCount,
            0,
          );
          expect(counted).toBe(links.length);
        }
      }),
      { numRuns: 15 },
    );
  });

  it("a channel's activity has everything, with and without a link", async () => {
    await fc.assert(
      propertyInTime(anyHistory, spanSeed, async (historyOf, span) => {
        const history = historyOf();
        const { args, borders } = spanOf(history, span);
        const { channel } = await ask(
          `query ($chat: TelegramID!, $from: DateTime!, $to: DateTime!, $unit: TimeUnit!, $timeZone: String) {
            channel(telegramId: $chat) {
              timeZone isPublic memberCount
              activity {
                joinCount leaveCount joinRequestCount withoutLinkCount
                series(from: $from, to: $to, unit: $unit, timeZone: $timeZone) { ${BUCKET} }
              }
              coverage { since lastUpdateAt drift gaps { from to reason } }
            }
          }`,
          { chat: history.channel.chatId, ...args },
        );
        const joined = history.stays.filter(({ joinedAt }) => joinedAt !== null);
        expect(channel).toEqual({
          timeZone: history.timeZone,
          isPublic: false,
          memberCount: null,
          activity: {
            joinCount: joined.length,
            leaveCount: history.stays.filter(({ leftAt }) => leftAt !== null).length,
            joinRequestCount: history.requests.length,
            withoutLinkCount: joined.filter(({ linkId }) => linkId === null).length,
            series: modelSeries(borders, history.stays, history.requests),
          },
          coverage: { since: null, lastUpdateAt: null, drift: null, gaps: [] },
        });
      }),
      { numRuns: 25 },
    );
  });

  it("the pages of member events are those of the model under any filter, from either end", async () => {
    const eventFilter = fc.record(
      {
        kinds: fc.subarray(["JOINED", "LEFT", "JOIN_REQUESTED", "JOIN_REQUEST_DECLINED"]),
        links: fc.array(fc.nat(9), { maxLength: 3 }),
        userId: fc.nat(26).map((person) => 1_000 + person),
        occurredFrom: fc.nat(240),
        occurredTo: fc.nat(240),
      },
      { requiredKeys: [] },
    );
    await fc.assert(
      propertyInTime(
        anyHistory,
        eventFilter,
        fc.integer({ min: 1, max: 7 }),
        fc.boolean(),
        async (historyOf, { kinds, links, userId, ...given }, size, backward) => {
          const history = historyOf();
          const ids = links?.map((link) => (history.links[link] ?? { id: newId() }).id);
          const [from, to] = [given.occurredFrom, given.occurredTo].map((days) =>
            days === undefined ? undefined : end - days * DAY,
          );
          const filter = {
            kinds,
            inviteLinkIds: ids,
            userId,
            occurredFrom: from === undefined ? undefined : new Date(from),
            occurredTo: to === undefined ? undefined : new Date(to),
          };
          const expected = history.events
            .filter(
              (event) =>
                (!kinds || (kinds as string[]).includes(event.kind)) &&
                (!ids || (event.linkId !== null && ids.includes(event.linkId))) &&
                (userId === undefined || event.userId === userId) &&
                (from === undefined || event.at >= from) &&
                (to === undefined || event.at < to),
            )
            .sort((one, other) => other.sequence - one.sequence)
            .map(({ id }) => globalId("MemberEvent", id));
          const shown: string[] = [];
          let cursor: string | null = null;
          for (;;) {
            const paging: object = backward ? { last: size, before: cursor } : { first: size, after: cursor };
            const { memberEvents } = await ask(
              `query ($chat: TelegramID!, $filter: MemberEventFilter, $first: Int, $after: String, $last: Int, $before: String) {
                memberEvents(channelId: $chat, filter: $filter, first: $first, after: $after, last: $last, before: $before) {
                  totalCount nodes { id } pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
                }
              }`,
              { chat: history.channel.chatId, filter, ...paging },
            );
            expect(memberEvents.totalCount).toBe(expected.length);
            const page = memberEvents.nodes.map(({ id }: { id: string }) => id);
            if (backward) shown.unshift(...page);
            else shown.push(...page);
            const { pageInfo } = memberEvents;
            cursor = backward ? pageInfo.startCursor : pageInfo.endCursor;
            if (!(backward ? pageInfo.hasPreviousPage : pageInfo.hasNextPage)) break;
          }
          expect(shown).toEqual(expected);
        },
      ),
      { numRuns: 25 },
    );
  });

  const ORDERS = ["JOIN_COUNT", "ACTIVE_COUNT", "LAST_JOIN_AT", "NAME", "BUDGET"] as const;

  it("links in the orders of their counters page from either end, with other orders and under any filter", async () => {
    const orders = fc.uniqueArray(
      fc.record({ field: fc.constantFrom(...ORDERS), direction: fc.constantFrom("ASC", "DESC") }),
      { minLength: 1, maxLength: 2, selector: ({ field }) => field },
    );
    await fc.assert(
      propertyInTime(
        anyHistory,
        orders,
        fc.option(filterSeed, { nil: null }),
        fc.integer({ min: 1, max: 4 }),
        fc.constantFrom("first", "last", "page"),
        async (historyOf, orderBy, filterGiven, size, mode) => {
          const history = historyOf();
          const { filter, passes } = toFilter(history, filterGiven ?? {}, typeIds);
          const orderValue = (
            link: NewLink,
            field: (typeof ORDERS)[number],
          ): number | bigint | string | null => {
            const { stays } = ofLinks(history, [link]);
            if (field === "NAME") return link.name === null ? null : modelFold(link.name);
            if (field === "BUDGET") return link.cents;
            if (field === "JOIN_COUNT") return stays.length;
            if (field === "ACTIVE_COUNT") return stays.filter(({ leftAt }) => leftAt === null).length;
            return stays.length === 0 ? null : Math.max(...stays.map(({ joinedAt }) => joinedAt as number));
          };
          const expected = history.links.filter(passes).sort((one, other) => {
            for (const { field, direction } of orderBy) {
              const [left, right] = [orderValue(one, field), orderValue(other, field)];
              if (left === right) continue;
              if (left === null) return 1;
              if (right === null) return -1;
              const difference =
                typeof left === "string"
                  ? compareTexts(left, right as string)
                  : left < (right as typeof left)
                    ? -1
                    : 1;
              if (difference !== 0) return direction === "ASC" ? difference : -difference;
            }
            const byId = compareIds(one.id, other.id);
            return orderBy.at(-1)?.direction === "ASC" ? byId : -byId;
          });
          const shown: string[] = [];
          let cursor: string | null = null;
          for (let page = 1; ; page += 1) {
            const paging: object =
              mode === "page"
                ? { first: size, page }
                : mode === "last"
                  ? { last: size, before: cursor }
                  : { first: size, after: cursor };
            const { inviteLinks } = await ask(
              `query ($chat: TelegramID!, $filter: InviteLinkFilter, $orderBy: [InviteLinkOrder!], $first: Int, $after: String, $last: Int, $before: String, $page: Int) {
                inviteLinks(channelId: $chat, filter: $filter, orderBy: $orderBy, first: $first, after: $after, last: $last, before: $before, page: $page) {
                  nodes { id } pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
                }
              }`,
              { chat: history.channel.chatId, filter, orderBy, ...paging },
            );
            const ids = inviteLinks.nodes.map(({ id }: { id: string }) => id);
            if (mode === "last") shown.unshift(...ids);
            else shown.push(...ids);
            const { pageInfo } = inviteLinks;
            const isMore = mode === "last" ? pageInfo.hasPreviousPage : pageInfo.hasNextPage;
            const isFirst = cursor === null && page === 1;
            expect(mode === "last" ? pageInfo.hasNextPage : pageInfo.hasPreviousPage).toBe(
              !isFirst && expected.length > 0,
            );
            cursor = mode === "last" ? pageInfo.startCursor : pageInfo.endCursor;
            if (!isMore) break;
          }
          expect(shown).toEqual(expected.map(({ id }) => globalId("InviteLink", id)));
        },
      ),
      { numRuns: 60 },
    );
  });

  it("the model's costs are rounded half away from zero", () => {
    expect([modelCost(5n, 2), modelCost(1n, 3), modelCost(0n, 3), modelCost(100n, 0)]).toEqual([
      "0.03",
      "0.00",
      null,
      null,
    ]);
    expect(amount(5n)).toBe("0.05");
    expect(RETENTION).toHaveLength(5);
    expect(labelOf("DAY", 0)).toBe("1970-01-01");
  });
});
