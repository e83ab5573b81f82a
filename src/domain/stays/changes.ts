import type { Attribution, JoinPath, MemberEventKind } from "../../database/generated/prisma/client.js";
import type { Instant } from "../../database/instant.js";
import { newId } from "../shared/ids.js";
import {
  compareMoments,
  decided,
  isMark,
  type Join,
  type Leave,
  type Moment,
  type PlacedStay,
  placed,
  type Request,
  type RequestOutcome,
  replay,
  type Told,
  type Transition,
  withOutcome,
} from "./history.js";

/** What is stored about one person in one channel. */
export interface PersonHistory {
  readonly channelId: string;
  readonly userId: number;
  readonly stays: readonly PlacedStay[];
  readonly requests: readonly Request[];
}

/** What happened to a person, as far as updates of a batch and Telegram's answers to decisions tell it. */
export interface PersonNews {
  readonly transitions: readonly Transition[];
  readonly requests: readonly Request[];
  readonly outcomes: readonly RequestOutcome[];
}

/** Nothing new: a history is only put in order. */
export const NO_NEWS: PersonNews = { transitions: [], requests: [], outcomes: [] };

/** A person's history before and after a batch. */
export interface PersonChange {
  readonly before: PersonHistory;
  readonly after: PersonHistory;
}

export function changeHistory(before: PersonHistory, news: PersonNews): PersonChange {
  const stays = placed(replay(before.stays, news.transitions), before.stays);
  const requests = [...before.requests, ...news.requests].map((request) => {
    const outcome = news.outcomes.find(({ requestId }) => requestId === request.id);
    return outcome ? withOutcome(request, outcome) : request;
  });
  return {
    before,
    after: { ...before, stays, requests: requests.length === 0 ? requests : decided(requests, stays) },
  };
}

/** A member event as a history tells it. */
export interface ToldEvent {
  /** The end of the stay, the request or the decline that the event tells of. It holds the sequence. */
  readonly of: Told;
  readonly kind: MemberEventKind;
  readonly linkId: string | null;
  readonly attribution: Attribution;
  readonly path: JoinPath | null;
  readonly isRemoval: boolean;
  readonly isRejoin: boolean;
  readonly isInferred: boolean;
}

const eventOfJoin = (join: Join, { isRejoin }: PlacedStay): ToldEvent => ({
  of: join,
  kind: "JOINED",
  linkId: join.linkId,
  attribution: join.attribution,
  path: join.path,
  isRemoval: false,
  isRejoin,
  isInferred: false,
});

const eventOfLeave = (leave: Leave, { join }: PlacedStay): ToldEvent => ({
  of: leave,
  kind: "LEFT",
  linkId: join?.linkId ?? null,
  attribution: join?.attribution ?? "NONE",
  path: null,
  isRemoval: leave.isRemoval,
  isRejoin: false,
  isInferred: leave.isInferred,
});

const eventOfRequest = (request: Request): ToldEvent => ({
  of: request,
  kind: "JOIN_REQUESTED",
  linkId: request.linkId,
  attribution: request.attribution,
  path: null,
  isRemoval: false,
  isRejoin: false,
  isInferred: false,
});

const eventOfDecline = (decline: Told, { linkId, attribution }: Request): ToldEvent => ({
  of: decline,
  kind: "JOIN_REQUEST_DECLINED",
  linkId,
  attribution,
  path: null,
  isRemoval: false,
  isRejoin: false,
  isInferred: false,
});

function eventsOfStay(stay: PlacedStay): ToldEvent[] {
  const { join, leave } = stay;
  if (isMark(stay)) return [];
  return [...(join ? [eventOfJoin(join, stay)] : []), ...(leave ? [eventOfLeave(leave, stay)] : [])];
}

/** The events that have no sequence yet. */
function newEventsOf({ stays, requests }: PersonHistory): ToldEvent[] {
  const events: ToldEvent[] = [];
  for (const stay of stays) {
    if (isMark(stay)) continue;
    if (stay.join?.sequence === null) events.push(eventOfJoin(stay.join, stay));
    if (stay.leave?.sequence === null) events.push(eventOfLeave(stay.leave, stay));
  }
  for (const request of requests) {
    if (request.sequence === null) events.push(eventOfRequest(request));
    if (request.decline?.sequence === null) events.push(eventOfDecline(request.decline, request));
  }
  return events;
}

/** A leave that a join shows comes before that join. */
const compareEvents = (one: ToldEvent, other: ToldEvent): number =>
  compareMoments(one.of, other.of) || Number(other.isInferred) - Number(one.isInferred);

export interface EventRow {
  readonly channelId: string;
  readonly id: string;
  readonly userId: number;
  readonly event: ToldEvent;
}

/**
 * The member events that are new, in the order of their sequences, which they get here.
 * @param lastSequences of the channels, by channel id; advanced to the last new event
 */
export function tellNewEvents(
  changes: readonly PersonChange[],
  lastSequences: Map<string, number>,
): EventRow[] {
  const rows: EventRow[] = [];
  for (const { after } of changes) {
    for (const event of newEventsOf(after))
      rows.push({ channelId: after.channelId, id: newId(), userId: after.userId, event });
  }
  rows.sort((one, other) => compareEvents(one.event, other.event));
  for (const { channelId, event } of rows) {
    const sequence = (lastSequences.get(channelId) ?? 0) + 1;
    lastSequences.set(channelId, sequence);
    event.of.sequence = sequence;
  }
  return rows;
}

/** A member event that says something else than before. */
export interface EventCorrection {
  readonly channelId: string;
  readonly occurredAt: Instant;
  readonly event: ToldEvent;
}

const isSameEvent = (one: ToldEvent, other: ToldEvent): boolean =>
  one.of.at === other.of.at &&
  one.linkId === other.linkId &&
  one.attribution === other.attribution &&
  one.path === other.path &&
  one.isRemoval === other.isRemoval &&
  one.isRejoin === other.isRejoin &&
  one.isInferred === other.isInferred;

/** The stored member events that a change makes wrong. */
export function correctionsOf({ before, after }: PersonChange): EventCorrection[] {
  if (before.stays.length === 0) return [];
  const stored = new Map(before.stays.flatMap(eventsOfStay).map((event) => [event.of.sequence, event]));
  return after.stays.flatMap(eventsOfStay).flatMap((event) => {
    const earlier = stored.get(event.of.sequence);
    if (!earlier || isSameEvent(earlier, event)) return [];
    return [{ channelId: after.channelId, occurredAt: event.of.at, event }];
  });
}

/** Two member events of one leave, by their sequences. */
export interface LeaveToldTwice {
  readonly kept: number;
  readonly dropped: number;
}

/** The leaves of which the channels that were merged have told each by an event of its own. */
export function leavesToldTwice({ before, after }: PersonChange): LeaveToldTwice[] {
  const told = new Set(after.stays.flatMap(eventsOfStay).map(({ of }) => of.sequence));
  return before.stays.flatMap(({ join, leave }) => {
    const dropped = leave?.sequence ?? null;
    if (leave === null || dropped === null || told.has(dropped)) return [];
    const isKept = leave.isInferred
      ? (stay: PlacedStay) => join !== null && isSameMoment(stay.join, join)
      : (stay: PlacedStay) => isSameMoment(stay.leave, leave);
    const kept = after.stays.find(isKept)?.leave?.sequence;
    return kept == null ? [] : [{ kept, dropped }];
  });
}

const isSameMoment = (one: Moment | null, other: Moment): boolean =>
  one !== null && compareMoments(one, other) === 0;

const isSameEnd = (one: Join | Leave | null, other: Join | Leave | null): boolean =>
  one === other ||
  (one !== null &&
    other !== null &&
    one.sequence === other.sequence &&
    one.updateId === other.updateId &&
    one.at === other.at);

const isSameStay = (one: PlacedStay, other: PlacedStay): boolean =>
  isSameEnd(one.join, other.join) &&
  isSameEnd(one.leave, other.leave) &&
  one.leave?.isInferred === other.leave?.isInferred &&
  one.isRejoin === other.isRejoin &&
  one.isFirstByLink === other.isFirstByLink;

/** What differs between two lists of rows. */
export interface RowChanges<Row> {
  /** The rows that are not there any more, or not as they were. */
  readonly gone: readonly Row[];
  /** The rows that are new, or not as they were. */
  readonly come: readonly Row[];
}

function changesOf<Row extends { readonly id: string | null }>(
  before: readonly Row[],
  after: readonly Row[],
  isSame: (one: Row, other: Row) => boolean,
): RowChanges<Row> {
  if (before.length === 0) return { gone: [], come: after };
  const kept = new Set<Row>();
  const come = after.filter((row) => {
    const stored = row.id === null ? undefined : before.find(({ id }) => id === row.id);
    if (!stored || !isSame(stored, row)) return true;
    kept.add(stored);
    return false;
  });
  return { gone: before.filter((row) => !kept.has(row)), come };
}

export const stayChanges = ({ before, after }: PersonChange): RowChanges<PlacedStay> =>
  changesOf(before.stays, after.stays, isSameStay);

export const requestChanges = ({ before, after }: PersonChange): RowChanges<Request> =>
  changesOf(
    before.requests,
    after.requests,
    (one, other) =>
      one.state === other.state && one.decidedAt === other.decidedAt && one.decision === other.decision,
  );
