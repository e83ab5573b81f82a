import type { Instant } from "../../database/instant.js";
import { isMark, type PlacedStay, type Request } from "../stays/history.js";

/** The days after which retention is counted. */
export const RETENTION_DAYS = [1, 3, 7, 14, 30] as const;

const QUARTER_MS = 900_000;
const DAY_MS = 86_400_000;

/** The quarter of an hour of an instant: Unix seconds divided by 900. */
export const quarterOf = (at: Instant): number => Math.floor(Date.parse(at) / QUARTER_MS);

/** What happened in a quarter of an hour; `left` belongs to the quarter of the join, by RETENTION_DAYS. */
export interface QuarterCounts {
  joins: number;
  leaves: number;
  /** The part of `leaves` whose join is unknown. */
  unknownLeaves: number;
  /** The part of `leaves` that somebody else did. */
  removed: number;
  requests: number;
  left: number[];
}

export interface LinkCounts {
  joins: number;
  uniqueJoins: number;
  leaves: number;
  removed: number;
  requests: number;
  pendingRequests: number;
  /** By RETENTION_DAYS. */
  left: number[];
  /** The earliest and the latest of the joins that were added; null without one. */
  firstJoinAt: Instant | null;
  lastJoinAt: Instant | null;
}

export interface ChannelCounts {
  joins: number;
  leaves: number;
  requests: number;
  joinsWithoutLink: number;
}

/** The change of a channel's counters and roll-ups that a batch of updates makes. */
export class Contributions {
  readonly channel: ChannelCounts = { joins: 0, leaves: 0, requests: 0, joinsWithoutLink: 0 };
  /** By link id. */
  readonly links = new Map<string, LinkCounts>();
  /** By link id and then by quarter. The key null is for what happened without a link. */
  readonly quarters = new Map<string | null, Map<number, QuarterCounts>>();

  /** Adds a stay (1), or takes one back that was stored before (-1). */
  stay(stay: PlacedStay, times: 1 | -1): void {
    if (isMark(stay)) return;
    const { join, leave, isFirstByLink } = stay;
    const linkId = join?.linkId ?? null;
    const link = linkId === null ? null : this.#link(linkId);
    if (join) {
      this.channel.joins += times;
      if (linkId === null) this.channel.joinsWithoutLink += times;
      this.#quarter(linkId, join.at).joins += times;
      if (link) {
        link.joins += times;
        if (isFirstByLink) link.uniqueJoins += times;
        if (times === 1) {
          if (link.firstJoinAt === null || join.at < link.firstJoinAt) link.firstJoinAt = join.at;
          if (link.lastJoinAt === null || join.at > link.lastJoinAt) link.lastJoinAt = join.at;
        }
      }
    }
    if (!leave) return;
    this.channel.leaves += times;
    const quarter = this.#quarter(linkId, leave.at);
    quarter.leaves += times;
    if (leave.isRemoval) quarter.removed += times;
    if (link) {
      link.leaves += times;
      if (leave.isRemoval) link.removed += times;
    }
    if (!join) {
      quarter.unknownLeaves += times;
      return;
    }
    const { left } = this.#quarter(linkId, join.at);
    const lasted = Date.parse(leave.at) - Date.parse(join.at);
    for (const [index, days] of RETENTION_DAYS.entries()) {
      if (lasted >= days * DAY_MS) continue;
      left[index] = (left[index] ?? 0) + times;
      if (link) link.left[index] = (link.left[index] ?? 0) + times;
    }
  }

  /** Adds a request (1), or takes one back that was stored before (-1). */
  request({ linkId, at, state }: Request, times: 1 | -1): void {
    this.channel.requests += times;
    this.#quarter(linkId, at).requests += times;
    if (linkId === null) return;
    const link = this.#link(linkId);
    link.requests += times;
    if (state === "PENDING") link.pendingRequests += times;
  }

  #link(id: string): LinkCounts {
    let counts = this.links.get(id);
    if (!counts) {
      counts = {
        joins: 0,
        uniqueJoins: 0,
        leaves: 0,
        removed: 0,
        requests: 0,
        pendingRequests: 0,
        left: RETENTION_DAYS.map(() => 0),
        firstJoinAt: null,
        lastJoinAt: null,
      };
      this.links.set(id, counts);
    }
    return counts;
  }

  #quarter(linkId: string | null, at: Instant): QuarterCounts {
    let quarters = this.quarters.get(linkId);
    if (!quarters) {
      quarters = new Map();
      this.quarters.set(linkId, quarters);
    }
    const number = quarterOf(at);
    let counts = quarters.get(number);
    if (!counts) {
      const left = RETENTION_DAYS.map(() => 0);
      counts = { joins: 0, leaves: 0, unknownLeaves: 0, removed: 0, requests: 0, left };
      quarters.set(number, counts);
    }
    return counts;
  }
}
