import type { LinkWithCounts } from "../../domain/links/stats/linkStatistics.js";
import { costPer } from "../../domain/links/stats/memberCounts.js";
import { builder } from "../builder/builder.js";
import { RetentionRef, retentionComplexity } from "./retention.js";
import { MemberSeriesBucketRef, seriesArgs, seriesComplexity } from "./series.js";

export const InviteLinkStatsRef = builder.objectRef<LinkWithCounts>("InviteLinkStats").implement({
  description:
    "Numbers of a link, counted from Telegram's member updates. A leave belongs to the link by which the member had come. Every number is exact for the updates that Telegram delivered; see Channel.coverage for those that it did not.",
  fields: (t) => ({
    joinCount: t.int({
      description: "The number of joins by the link: somebody who came twice counts twice.",
      resolve: ({ counts }) => counts.joinCount,
    }),
    leaveCount: t.int({
      description: "The number of members who had come by the link and left, or were removed.",
      resolve: ({ counts }) => counts.leaveCount,
    }),
    removedCount: t.int({
      description: "The part of leaveCount that somebody else removed or banned.",
      resolve: ({ counts }) => counts.removedCount,
    }),
    activeCount: t.int({
      description: "joinCount less leaveCount.",
      resolve: ({ counts }) => counts.activeCount,
    }),
    uniqueJoinCount: t.int({
      description: "The number of people who came by the link: somebody who came twice counts once.",
      resolve: ({ counts }) => counts.uniqueJoinCount,
    }),
    joinRequestCount: t.int({
      description: "The number of requests to join by the link.",
      resolve: ({ counts }) => counts.joinRequestCount,
    }),
    pendingJoinRequestCount: t.int({
      description: "The part of joinRequestCount that is not decided yet.",
      resolve: ({ counts }) => counts.pendingJoinRequestCount,
    }),
    costPerJoin: t.field({
      type: "Decimal",
      nullable: true,
      description:
        "The budget divided by joinCount, rounded half away from zero; null without joins and for a budget of 0.00.",
      resolve: ({ link, counts }) => costPer(link.budget, counts.joinCount),
    }),
    costPerActiveMember: t.field({
      type: "Decimal",
      nullable: true,
      description:
        "The budget divided by activeCount, rounded half away from zero; null without active members and for a budget of 0.00.",
      resolve: ({ link, counts }) => costPer(link.budget, counts.activeCount),
    }),
    firstJoinAt: t.field({
      type: "DateTime",
      nullable: true,
      description: "The time of the first join; null without joins.",
      resolve: ({ counts }) => counts.firstJoinAt,
    }),
    lastJoinAt: t.field({
      type: "DateTime",
      nullable: true,
      description: "The time of the last join; null without joins.",
      resolve: ({ counts }) => counts.lastJoinAt,
    }),
    retention: t.field({
      type: [RetentionRef],
      description:
        "How many of the members stayed, after 1, 3, 7, 14 and 30 days, in this order. Computed only if selected.",
      complexity: retentionComplexity,
      resolve: async ({ link }, _args, { linkStatistics }) => [...(await linkStatistics.retention(link))],
    }),
    series: t.field({
      type: [MemberSeriesBucketRef],
      description:
        "What happened by the link, bucket by bucket, empty buckets included. Computed only if selected.",
      args: seriesArgs,
      complexity: seriesComplexity,
      resolve: ({ link }, args, { linkStatistics }) => linkStatistics.series(link, args),
    }),
  }),
});
