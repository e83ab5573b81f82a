import type { Retention } from "../../domain/links/stats/retention.js";
import { builder } from "../builder/builder.js";

/** Retention reads the quarters of an hour of all matching links. */
export const RETENTION_COST = 5;

export const RetentionRef = builder.objectRef<Retention>("Retention").implement({
  description:
    "How many members stayed at least a number of days. A day is 24 hours of each member's own time. Only joins whose days are over count.",
  fields: (t) => ({
    days: t.exposeInt("days", { description: "The number of days: 1, 3, 7, 14 or 30." }),
    joinCount: t.exposeInt("joinCount", {
      description: "The number of joins before the start of the current quarter of an hour, less the days.",
    }),
    stayedCount: t.exposeInt("stayedCount", {
      description: "The number of these joins after which the member stayed for at least the days.",
    }),
    rate: t.float({
      nullable: true,
      description: "stayedCount divided by joinCount; null without joins.",
      resolve: ({ joinCount, stayedCount }) => (joinCount === 0 ? null : stayedCount / joinCount),
    }),
  }),
});

/** The cost of retention: always five numbers of days. */
export const retentionComplexity = { field: RETENTION_COST, multiplier: 0 } as const;
