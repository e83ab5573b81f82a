import { costPer, type LinkWithCounts } from "../../domain/links/stats/memberCounts.js";
import { builder } from "../builder/builder.js";
import { RetentionRef, retentionComplexity } from "./retention.js";
import { MemberSeriesBucketRef, seriesArgs, seriesComplexity } from "./series.js";

export const InviteLinkStatsRef = builder.objectRef<LinkWithCounts>("InviteLinkStats").implement({
  description:
    "Numbers of a link, counted from Telegram's member updates. A leave belongs to the link by which the member had come. Every number is exact for the updates that Telegram delivered; see Channel.coverage for those that it did not.",
  fields: (t) => ({
    joinCount: t.exposeInt("joinCount", {
      description: "The number of joins by the link: somebody who came twice counts twice.",
    }),
    leaveCount: t.exposeInt("leaveCount", {
      description: "The number of members who had come by the link and left, or were removed.",
    }),
    removedCount: t.exposeInt("removedCount", {
      description: "The part of leaveCount that somebody else removed or banned.",
    }),
    activeCount: t.exposeInt("activeCount", {
      description: "joinCount less leaveCount.",
    }),
    uniqueJoinCount: t.exposeInt("uniqueJoinCount", {
      description: "The number of people who came by the link: somebody who came twice counts once.",
    }),
    joinRequestCount: t.exposeInt("joinRequestCount", {
      description: "The number of requests to join by the link.",
    }),
    pendingJoinRequestCount: t.exposeInt("pendingJoinRequestCount", {
      description: "The part of joinRequestCount that is not decided yet.",
    }),
    costPerJoin: t.field({
      type: "Decimal",
      nullable: true,
      description:
        "The budget divided by joinCount, rounded half away from zero; null without joins and for a budget of 0.00.",
      resolve: ({ budget, joinCount }) => costPer(budget, joinCount),
    }),
    costPerActiveMember: t.field({
      type: "Decimal",
      nullable: true,
      description:
        "The budget divided by activeCount, rounded half away from zero; null without active members and for a budget of 0.00.",
      resolve: ({ budget, activeCount }) => costPer(budget, activeCount),
    }),
    firstJoinAt: t.expose("firstJoinAt", {
      type: "DateTime",
      nullable: true,
      description: "The time of the first join; null without joins.",
    }),
    lastJoinAt: t.expose("lastJoinAt", {
      type: "DateTime",
      nullable: true,
      description: "The time of the last join; null without joins.",
    }),
    retention: t.field({
      type: [RetentionRef],
      description:
        "How many of the members stayed, after 1, 3, 7, 14 and 30 days, in this order. Computed only if selected.",
      complexity: retentionComplexity,
      resolve: async (link, _args, { linkStatistics }) => [...(await linkStatistics.retention(link))],
    }),
    series: t.field({
      type: [MemberSeriesBucketRef],
      description:
        "What happened by the link, bucket by bucket, empty buckets included. Computed only if selected.",
      args: seriesArgs,
      complexity: seriesComplexity,
      resolve: (link, args, { linkStatistics }) => linkStatistics.series(link, args),
    }),
  }),
});
