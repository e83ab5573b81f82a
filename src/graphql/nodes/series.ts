import { estimatedBuckets, type SeriesArguments, type TimeUnit } from "../../domain/time/buckets.js";
import type { SeriesBucket } from "../../domain/time/series.js";
import { builder } from "../builder/builder.js";

/** A series reads the quarters of an hour of all matching links. */
const SERIES_COST = 5;
/** So many buckets cost as much as one field. */
const BUCKETS_PER_FIELD = 10;

const UNITS: Record<TimeUnit, { description: string }> = {
  HOUR: {
    description:
      "Hours of the time zone. Where the clocks go back, the hour that comes twice is two buckets.",
  },
  DAY: { description: "Days of the time zone, from midnight." },
  WEEK: { description: "Weeks of the time zone, from Monday." },
  MONTH: { description: "Calendar months of the time zone." },
};

const TimeUnitType = builder.enumType("TimeUnit", {
  description: "The length of a series' buckets.",
  values: UNITS,
});

export const MemberSeriesBucketRef = builder.objectRef<SeriesBucket>("MemberSeriesBucket").implement({
  description:
    "What happened from one point in time up to another (exclusive): an hour, day, week or month of the time zone. The first and the last bucket are cut to the span of the series.",
  fields: (t) => ({
    from: t.expose("from", { type: "DateTime", description: "The beginning of the bucket." }),
    to: t.expose("to", { type: "DateTime", description: "The end of the bucket (exclusive)." }),
    joinCount: t.exposeInt("joinCount", { description: "The number of joins in the bucket." }),
    leaveCount: t.exposeInt("leaveCount", {
      description: "The number of members who left, or were removed, in the bucket.",
    }),
    joinRequestCount: t.exposeInt("joinRequestCount", {
      description: "The number of requests to join in the bucket.",
    }),
    activeCount: t.exposeInt("activeCount", {
      description:
        "The number of members at the end of the bucket: of those who ever came by the links counted; for a channel, of those whose join is known.",
    }),
  }),
});

/** The arguments of every series. */
export const seriesArgs = builder.args((t) => ({
  from: t.field({
    type: "DateTime",
    required: true,
    description: "The beginning of the span, taken down to a full quarter of an hour.",
  }),
  to: t.field({
    type: "DateTime",
    required: true,
    description:
      "The end of the span (exclusive), taken up to a full quarter of an hour. It must be after `from`.",
  }),
  unit: t.field({
    type: TimeUnitType,
    required: true,
    defaultValue: "DAY",
    description: "The length of a bucket. A span with more than 1,000 buckets is BAD_USER_INPUT.",
  }),
  timeZone: t.string({
    description:
      "The IANA name of the time zone whose hours, days, weeks or months the buckets are; null for the channel's own. An unknown name is BAD_USER_INPUT.",
  }),
}));

export const seriesCost = (args: SeriesArguments): number =>
  SERIES_COST + Math.ceil(estimatedBuckets(args) / BUCKETS_PER_FIELD);

/** The cost of a series does not depend on the fields that are selected of its buckets. */
export const seriesComplexity = (args: SeriesArguments) => ({ field: seriesCost(args), multiplier: 0 });
