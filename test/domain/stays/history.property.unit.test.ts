import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { changeHistory, leavesToldTwice } from "../../../src/domain/stays/changes.js";
import {
  decided,
  type PlacedStay,
  placed,
  type Request,
  replay,
  type Stay,
  type Transition,
} from "../../../src/domain/stays/history.js";

const at = (second: number): string => new Date(1_780_000_000_000 + second * 1000).toISOString();

/** What an update says: an action of one person at a second. The index is the update's id. */
interface Step {
  readonly action: "join" | "leave" | "absence";
  readonly second: number;
  readonly link: string | null;
}

const steps = fc.array(
  fc.record({
    action: fc.constantFrom<Step["action"]>("join", "leave", "absence"),
    second: fc.integer({ min: 0, max: 8 }),
    link: fc.constantFrom(null, "a", "b"),
  }),
  { maxLength: 12 },
);

function toTransition({ action, second, link }: Step, index: number): Transition {
  const moment = { at: at(second), updateId: index + 1 };
  const told = { ...moment, actorId: null, sequence: null };
  if (action === "absence") return { kind: "absence", ...moment };
  if (action === "leave") return { kind: "leave", leave: { ...told, isRemoval: false, isInferred: false } };
  const attribution = link === null ? "NONE" : "EXACT";
  return { kind: "join", join: { ...told, linkId: link, attribution, path: "INVITE_LINK" } };
}

/** A plain model: the person's stays as [joined, left, whether the leave is inferred, link], by update ids. */
function model(given: readonly Step[]): (number | string | boolean | null)[][] {
  const stays: (number | string | boolean | null)[][] = [];
  const ordered = given.map((step, index) => ({ ...step, id: index + 1 }));
  ordered.sort((one, other) => one.second - other.second || one.id - other.id);
  let open: (number | string | boolean | null)[] | null = null;
  for (const { action, id, link } of ordered) {
    if (action === "join") {
      if (open) [open[1], open[2]] = [id, true];
      open = [id, null, false, link];
      stays.push(open);
    } else if (open) {
      [open[1], open[2]] = [id, action === "absence"];
      open = null;
    } else if (action === "leave") {
      stays.push([null, id, false, null]);
    }
  }
  return stays;
}

const isStay = ({ join, leave }: Stay): boolean => join !== null || leave?.isInferred === false;

const shown = (stays: readonly Stay[]) =>
  stays
    .filter(isStay)
    .map(({ join, leave }) => [
      join?.updateId ?? null,
      leave?.updateId ?? null,
      leave?.isInferred ?? false,
      join?.linkId ?? null,
    ]);

/** Stores stays: each gets an id, and each of its ends a member event. */
function store(stays: readonly PlacedStay[], events: { count: number }): PlacedStay[] {
  const numbered = <End extends { sequence: number | null }>(end: End | null): End | null => {
    if (end && end.sequence === null) {
      events.count += 1;
      return { ...end, sequence: events.count };
    }
    return end;
  };
  return stays.map((stay) => ({
    ...stay,
    id: stay.id ?? crypto.randomUUID(),
    join: numbered(stay.join),
    leave: isStay(stay) ? numbered(stay.leave) : stay.leave,
  }));
}

/** Replays transitions as they arrive in batches, and stores the result each time. */
function arrive(
  transitions: readonly Transition[],
  size: number,
  before: PlacedStay[],
  events: { count: number },
): PlacedStay[] {
  let stays = before;
  for (let from = 0; from < transitions.length; from += size) {
    const after = placed(replay(stays, transitions.slice(from, from + size)), stays);
    const ids = new Set(after.map(({ id }) => id));
    expect(stays.every(({ id }) => ids.has(id))).toBe(true);
    stays = store(after, events);
  }
  return stays;
}

/** The sequences of the member events by which stays are told, in ascending order. */
function sequencesOf(stays: readonly Stay[]): number[] {
  const ends = stays.filter(isStay).flatMap(({ join, leave }) => [join, leave]);
  return ends.flatMap((end) => (end ? [Number(end.sequence)] : [])).sort((one, other) => one - other);
}

describe("a person's history", () => {
  test("any order of arrival, with repetitions and in batches of any size, gives the stays of a plain model", () => {
    fc.assert(
      fc.property(
        steps.chain((given) =>
          fc.tuple(
            fc.constant(given),
            fc.shuffledSubarray([...given.keys(), ...given.keys()], { minLength: given.length * 2 }),
            fc.integer({ min: 1, max: 5 }),
          ),
        ),
        ([given, order, size]) => {
          const arriving = order.flatMap((index) => {
            const step = given[index];
            return step ? [toTransition(step, index)] : [];
          });
          const events = { count: 0 };
          const stays = arrive(arriving, size, [], events);
          expect(shown(stays)).toEqual(model(given));
          // Each end of a stay has exactly one member event.
          expect(sequencesOf(stays)).toEqual(Array.from({ length: events.count }, (_, index) => index + 1));
          // A stay is a later one unless it is the first, and the first by its link once.
          const known = stays.filter(isStay);
          expect(known.map(({ isRejoin }) => isRejoin)).toEqual(known.map((_, index) => index > 0));
          for (const link of ["a", "b"]) {
            const byLink = known.filter(({ join }) => join?.linkId === link);
            expect(byLink.map(({ isFirstByLink }) => isFirstByLink)).toEqual(
              byLink.map((_, index) => index === 0),
            );
          }
        },
      ),
      { numRuns: 2000 },
    );
  });

  test("the histories of two channels of one chat become the one of a plain model, with the older channel's events", () => {
    const merged = fc.tuple(steps, fc.infiniteStream(fc.nat()), fc.integer({ min: 1, max: 5 }));
    fc.assert(
      fc.property(merged, ([given, numbers, size]) => {
        const random = (): number => numbers.next().value ?? 0;
        const parts: [Transition[], Transition[], Transition[]] = [[], [], []];
        // The third part arrives after the merge.
        const order = given.map((step, index) => ({ transition: toTransition(step, index), at: random() }));
        order.sort((one, other) => one.at - other.at);
        for (const { transition } of order) parts[random() % 3]?.push(transition);
        const events = { count: 0 };
        const older = arrive(parts[0], size, [], events);
        const olderCount = events.count;
        const newer = arrive(parts[1], size, [], events);
        const before = { channelId: "", userId: 1, requests: [], stays: [...older, ...newer] };
        const change = changeHistory(before, { transitions: [], requests: [], outcomes: [] });
        const dropped = leavesToldTwice(change).map((leave) => leave.dropped);
        const after = store(change.after.stays, events);
        // Each event is told by the end of a stay or dropped, and only the newer channel's are dropped.
        const all = [...sequencesOf(after), ...dropped].sort((one, other) => one - other);
        expect(all).toEqual(Array.from({ length: events.count }, (_, index) => index + 1));
        expect(Math.min(...dropped)).toBeGreaterThan(olderCount);
        const stays = arrive(parts[2], size, after, events);
        expect(shown(stays)).toEqual(model(given));
        expect(sequencesOf(stays)).toHaveLength(events.count - dropped.length);
      }),
      { numRuns: 5000 },
    );
  });

  test("a stay whose earlier stays have lost the person stays a later one", () => {
    const join = {
      at: at(5),
      updateId: 5,
      linkId: "a",
      attribution: "EXACT",
      path: "INVITE_LINK",
      sequence: 5,
    } as const;
    const stored: PlacedStay[] = [{ id: "x", join, leave: null, isRejoin: true, isFirstByLink: false }];
    const again = toTransition({ action: "join", second: 9, link: "a" }, 20);
    expect(placed(replay(stored, [again]), stored)).toMatchObject([
      { isRejoin: true, isFirstByLink: false },
      { isRejoin: true, isFirstByLink: false },
    ]);
  });
});

describe("the requests of a person", () => {
  const request = (updateId: number, linkId: string | null, more: Partial<Request> = {}): Request => ({
    id: String(updateId),
    at: at(updateId),
    updateId,
    linkId,
    attribution: linkId === null ? "NONE" : "EXACT",
    state: "PENDING",
    decidedAt: null,
    decision: null,
    decline: null,
    bio: "Bio",
    sequence: null,
    ...more,
  });
  const joined = (
    second: number,
    link: string | null,
    path: "INVITE_LINK" | "DIRECT" | "JOIN_REQUEST",
  ): Stay => {
    const transition = toTransition({ action: "join", second, link }, second - 1);
    if (transition.kind !== "join") throw new Error("A join is no join.");
    return { id: null, join: { ...transition.join, path }, leave: null };
  };

  test.each([
    ["a join by its link approves a request", request(1, "a"), joined(2, "a", "INVITE_LINK"), "APPROVED"],
    ["a join by another link ends a request", request(1, "a"), joined(2, "b", "INVITE_LINK"), "GONE"],
    ["a join without a link ends a request by a link", request(1, "a"), joined(2, null, "DIRECT"), "GONE"],
    [
      "an approval without a link approves a request without one",
      request(1, null),
      joined(2, null, "JOIN_REQUEST"),
      "APPROVED",
    ],
    ["an ordinary join ends a request without a link", request(1, null), joined(2, null, "DIRECT"), "GONE"],
    ["a join before a request does not end it", request(3, "a"), joined(2, "a", "INVITE_LINK"), "PENDING"],
    [
      "a declined request stays declined",
      request(1, "a", { state: "DECLINED", decision: "DECLINE" }),
      joined(2, "a", "INVITE_LINK"),
      "DECLINED",
    ],
  ])("%s", (_title, one, stay, state) => {
    expect(decided([one], [stay])).toMatchObject([{ state }]);
  });

  test("another request ends a request, and only a pending request keeps its bio", () => {
    expect(decided([request(2, "a"), request(1, "a")], [])).toMatchObject([
      { id: "1", state: "GONE", decidedAt: at(2), bio: null },
      { id: "2", state: "PENDING", decidedAt: null, bio: "Bio" },
    ]);
  });

  test("a request that was approved here stays approved until the person joins", () => {
    const approved = request(1, "a", { state: "APPROVED", decidedAt: at(2), bio: null });
    expect(decided([approved], [])).toEqual([approved]);
  });
});
