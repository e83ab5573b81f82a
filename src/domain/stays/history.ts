import type {
  Attribution,
  JoinPath,
  JoinRequestDecision,
  JoinRequestState,
} from "../../database/generated/prisma/client.js";
import type { Instant } from "../../database/instant.js";

/** When something happened. Updates are ordered by their time and, within a second, by their id. */
export interface Moment {
  readonly at: Instant;
  readonly updateId: number;
}

/** The link by which somebody joined or asked to join, and how it was found. */
export interface Source {
  readonly linkId: string | null;
  readonly attribution: Attribution;
}

/** An end of a stay, or a request: each has its member event. */
export interface Told extends Moment {
  /** Who did it; null for the member. Undefined for what was stored before: only the member event has it. */
  readonly actorId?: number | null;
  /** The sequence of the member event; null before the event has one. */
  sequence: number | null;
}

export interface Join extends Told, Source {
  readonly path: JoinPath;
}

export interface Leave extends Told {
  readonly isRemoval: boolean;
  /** Not sent by Telegram, but shown by a later update, whose moment it has. */
  readonly isInferred: boolean;
}

/**
 * One stay of a person in a channel: at least one of its ends is known. A stay without a join whose leave is inferred is a
 * *mark*: an update said that the person is not in the channel, and no stay was open then. A mark is no stay and has no
 * member event; it ends the stay of a join that arrives late.
 */
export interface Stay {
  /** The id of the membership; null before it is stored. */
  readonly id: string | null;
  readonly join: Join | null;
  /** Null while the person is in the channel. */
  readonly leave: Leave | null;
}

/** A stay with what follows from its place in the person's history. */
export interface PlacedStay extends Stay {
  /** Not the person's first stay in the channel. */
  readonly isRejoin: boolean;
  /** The person's first stay by its link; false without a link. */
  readonly isFirstByLink: boolean;
}

export interface Request extends Told, Source {
  readonly id: string;
  /** Follows from what the person did next, unless this API has decided. */
  readonly state: JoinRequestState;
  /** What this API decided and Telegram accepted; it stays, whatever comes next. Null if it decided nothing. */
  readonly decision: JoinRequestDecision | null;
  /** The decline by this API, which has a member event of its own; null without one. */
  readonly decline: Told | null;
  /** When the request ended; null while it is pending. */
  readonly decidedAt: Instant | null;
  /** Null as soon as the request has ended. */
  readonly bio: string | null;
}

/** How Telegram answered when this API decided a request. GONE: Telegram does not know the request any more. */
export interface RequestOutcome {
  readonly requestId: string;
  readonly outcome: "APPROVED" | "DECLINED" | "GONE";
  readonly at: Instant;
}

/**
 * What an update says about a person: a join, a leave, or only that the person is not in the channel, so that a stay that
 * is still open must have ended.
 */
export type Transition =
  | { readonly kind: "join"; readonly join: Join }
  | { readonly kind: "leave"; readonly leave: Leave }
  | ({ readonly kind: "absence" } & Moment);

const momentOf = (transition: Transition): Moment => {
  if (transition.kind === "join") return transition.join;
  return transition.kind === "leave" ? transition.leave : transition;
};

export function compareMoments(one: Moment, other: Moment): number {
  if (one.at !== other.at) return one.at < other.at ? -1 : 1;
  return one.updateId - other.updateId;
}

const keyOf = ({ at, updateId }: Moment): string => `${updateId} ${at}`;

export const isMark = ({ join, leave }: Stay): boolean => join === null && leave !== null && leave.isInferred;

/**
 * The transitions that stays came from. An inferred leave with the moment of a join came from that join; any other came
 * from an absence.
 */
function transitionsOf(stays: readonly Stay[]): Transition[] {
  const joins = new Set(stays.flatMap(({ join }) => (join ? [keyOf(join)] : [])));
  return stays.flatMap(({ join, leave }): Transition[] => [
    ...(join ? [{ kind: "join" as const, join }] : []),
    ...(leave && !leave.isInferred ? [{ kind: "leave" as const, leave }] : []),
    ...(leave?.isInferred && !joins.has(keyOf(leave))
      ? [{ kind: "absence" as const, at: leave.at, updateId: leave.updateId }]
      : []),
  ]);
}

const inferred = ({ at, updateId }: Moment): Leave => ({
  at,
  updateId,
  actorId: null,
  isRemoval: false,
  isInferred: true,
  sequence: null,
});

/** Builds the stays of transitions in the order of their moments. */
function staysOf(transitions: readonly Transition[]): { join: Join | null; leave: Leave | null }[] {
  const stays: { join: Join | null; leave: Leave | null }[] = [];
  let open: Join | null = null;
  for (const next of transitions) {
    if (next.kind === "join") {
      if (open) stays.push({ join: open, leave: inferred(next.join) });
      open = next.join;
    } else {
      stays.push({ join: open, leave: next.kind === "leave" ? next.leave : inferred(next) });
      open = null;
    }
  }
  if (open) stays.push({ join: open, leave: null });
  return stays;
}

/**
 * Gives stays the ids of the memberships, and leaves the member events, that they had before. Two channels of one chat may
 * have told one leave each by an event of its own: the leave gets the first of them.
 */
function withStoredRows(
  stays: readonly { readonly join: Join | null; readonly leave: Leave | null }[],
  stored: readonly Stay[],
): Stay[] {
  const byJoin = new Map<string, Stay>();
  const byLeave = new Map<string, Stay>();
  for (const stay of stored) {
    if (stay.join) byJoin.set(keyOf(stay.join), stay);
    else if (stay.leave) byLeave.set(keyOf(stay.leave), stay);
  }
  return stays.map(({ join, leave }) => {
    const sameJoin = join ? byJoin.get(keyOf(join)) : undefined;
    const before = sameJoin ?? (leave ? byLeave.get(keyOf(leave)) : undefined);
    const earlier = sameJoin?.leave?.isInferred ? sameJoin.leave.sequence : null;
    const sequence = earlier === null ? leave?.sequence : Math.min(earlier, leave?.sequence ?? earlier);
    return {
      id: before?.id ?? null,
      join,
      leave: leave === null || sequence === undefined ? leave : { ...leave, sequence },
    };
  });
}

/**
 * Replays a person's history with further transitions. The result does not depend on the order in which the transitions
 * arrived: each counts at its own moment. A leave that takes the place of an inferred one gets that one's member event, so
 * that one leave is not told twice.
 * @param stored the stays so far, in any order
 * @param arrived in any order; one that is known already changes nothing
 * @returns all stays, the oldest first. A stored stay that is not among them, by its id, is part of another one.
 */
export function replay(stored: readonly Stay[], arrived: readonly Transition[]): Stay[] {
  const transitions = new Map<string, Transition>();
  for (const transition of [...transitionsOf(stored), ...arrived]) {
    const key = `${transition.kind} ${keyOf(momentOf(transition))}`;
    if (!transitions.has(key)) transitions.set(key, transition);
  }
  const sorted = [...transitions.values()].sort((one, other) =>
    compareMoments(momentOf(one), momentOf(other)),
  );
  return withStoredRows(staysOf(sorted), stored);
}

/**
 * Finds out which stays are the person's first. A stay that was stored as a later one stays a later one, even if it is the
 * first that is known: the earlier ones have lost the person's id.
 * @param stays the oldest first
 * @param stored as they were before
 */
export function placed(stays: readonly Stay[], stored: readonly PlacedStay[]): PlacedStay[] {
  const oldestFirst = stored.filter((stay) => !isMark(stay)).sort(compareStays);
  let isRejoin = oldestFirst[0]?.isRejoin ?? false;
  const links = new Set<string>();
  const seen = new Set<string>();
  for (const { join, isFirstByLink } of oldestFirst) {
    if (join?.linkId == null || seen.has(join.linkId)) continue;
    seen.add(join.linkId);
    if (!isFirstByLink) links.add(join.linkId);
  }
  return stays.map((stay) => {
    if (isMark(stay)) return { ...stay, isRejoin: false, isFirstByLink: false };
    const linkId = stay.join?.linkId ?? null;
    const result = { ...stay, isRejoin, isFirstByLink: linkId !== null && !links.has(linkId) };
    isRejoin = true;
    if (linkId !== null) links.add(linkId);
    return result;
  });
}

function compareStays(one: Stay, other: Stay): number {
  const [first, second] = [one.join ?? one.leave, other.join ?? other.leave];
  return first && second ? compareMoments(first, second) : 0;
}

/** Whether a join shows that a request was approved: it names the request's link, or both name none. */
const approves = (join: Join, { linkId, attribution }: Source): boolean =>
  linkId === null
    ? join.linkId === null &&
      (join.path === "JOIN_REQUEST" || (attribution === "AMBIGUOUS" && join.attribution === "AMBIGUOUS"))
    : join.linkId === linkId;

/**
 * Applies what Telegram answered. An answer that comes after the request has ended changes nothing, unless Telegram carried
 * out a decision on a request that seemed to be gone, or the join that it approved was told before.
 */
export function withOutcome(request: Request, { outcome, at }: Omit<RequestOutcome, "requestId">): Request {
  const { state, decision } = request;
  if (decision !== null) return request;
  if (state === "APPROVED") return outcome === "APPROVED" ? { ...request, decision: "APPROVE" } : request;
  if (state !== "PENDING" && (state !== "GONE" || outcome === "GONE")) return request;
  const ended = { ...request, state: outcome, decidedAt: at, bio: null };
  if (outcome === "GONE") return ended;
  if (outcome === "APPROVED") return { ...ended, decision: "APPROVE" };
  const decline = { at, updateId: request.updateId, actorId: null, sequence: null };
  return { ...ended, decision: "DECLINE", decline };
}

/**
 * The requests of a person with the states that follow from what came next: a join by the request's link approves it;
 * another join, or another request, ends it. A request that nothing followed keeps its state.
 * @param requests in any order
 */
export function decided(requests: readonly Request[], stays: readonly Stay[]): Request[] {
  const joins = stays.flatMap(({ join }) => (join ? [join] : [])).sort(compareMoments);
  const sorted = [...requests].sort(compareMoments);
  return sorted.map((request, index) => {
    if (request.decision !== null) return request;
    const join = joins.find((one) => compareMoments(one, request) > 0);
    const next = sorted[index + 1];
    if (join && (!next || compareMoments(join, next) < 0)) {
      return {
        ...request,
        state: approves(join, request) ? "APPROVED" : "GONE",
        decidedAt: join.at,
        bio: null,
      };
    }
    return next ? { ...request, state: "GONE", decidedAt: next.at, bio: null } : request;
  });
}
