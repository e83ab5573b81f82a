import type {
  ActivityCounts,
  CoverageGap,
  CoverageGapReason,
} from "../../domain/activity/channelActivity.js";
import type { BotStatus, Channel } from "../../domain/channels/channel.js";
import { builder } from "../builder/builder.js";
import { pageComplexity, selectsRows, toConnection } from "../builder/connection.js";
import { ChannelRef } from "./refs.js";
import { MemberSeriesBucketRef, seriesArgs, seriesComplexity } from "./series.js";

/** A channel with its counters. */
interface ChannelWithCounts {
  readonly channel: Channel;
  readonly counts: ActivityCounts;
}

const BOT_STATUSES: Record<BotStatus, { description: string }> = {
  READY: { description: "The bot is an administrator that may invite users: links can be created." },
  MISSING_PERMISSION: { description: "The bot is in the chat without the right to invite users." },
  NOT_IN_CHANNEL: { description: "The bot is not in the chat, or was removed from it." },
  UNKNOWN: {
    description:
      "No answer of Telegram is known yet: the channel comes from an import, or from the grant of a token.",
  },
};

const GAP_REASONS: Record<CoverageGapReason, { description: string }> = {
  BOT_ABSENT: { description: "The bot was not in the chat, or not an administrator there." },
  NOT_RECEIVING: {
    description: "No server asked Telegram for longer than the 24 hours for which Telegram keeps updates.",
  },
  UPDATES_MISSING: { description: "The ids of updates have a gap: some updates never came." },
};

const GapReasonType = builder.enumType("CoverageGapReason", {
  description: "Why updates may have been missed.",
  values: GAP_REASONS,
});

const CoverageGapRef = builder.objectRef<CoverageGap>("CoverageGap").implement({
  description: "A span in which updates may have been missed.",
  fields: (t) => ({
    from: t.expose("from", { type: "DateTime", description: "The beginning of the span." }),
    to: t.expose("to", {
      type: "DateTime",
      nullable: true,
      description: "The end of the span; null while it lasts.",
    }),
    reason: t.expose("reason", { type: GapReasonType, description: "Why updates may have been missed." }),
  }),
});

const ActivityRef = builder.objectRef<ChannelWithCounts>("ChannelActivity").implement({
  description: "All that was counted in a channel, with and without a link.",
  fields: (t) => ({
    joinCount: t.int({
      description: "The number of joins.",
      resolve: ({ counts }) => counts.joinCount,
    }),
    leaveCount: t.int({
      description: "The number of leaves, those of members whose join is unknown included.",
      resolve: ({ counts }) => counts.leaveCount,
    }),
    joinRequestCount: t.int({
      description: "The number of requests to join.",
      resolve: ({ counts }) => counts.joinRequestCount,
    }),
    withoutLinkCount: t.int({
      description: "The part of joinCount that came without a link, or by one that Telegram did not name.",
      resolve: ({ counts }) => counts.withoutLinkCount,
    }),
    series: t.field({
      type: [MemberSeriesBucketRef],
      description:
        "What happened in the channel, bucket by bucket, empty buckets included. Computed only if selected.",
      args: seriesArgs,
      complexity: seriesComplexity,
      resolve: ({ channel }, args, { channelActivities }) => channelActivities.series(channel, args),
    }),
  }),
});

const CoverageRef = builder.objectRef<ChannelWithCounts>("Coverage").implement({
  description: "What may be missing in the counts of a channel.",
  fields: (t) => ({
    since: t.field({
      type: "DateTime",
      nullable: true,
      description: "The time at which the first update of the channel was stored; null before.",
      resolve: ({ counts }) => counts.since,
    }),
    lastUpdateAt: t.field({
      type: "DateTime",
      nullable: true,
      description: "The time at which the last update of the channel was stored; null before the first one.",
      resolve: ({ counts }) => counts.lastUpdateAt,
    }),
    gaps: t.field({
      type: [CoverageGapRef],
      description: "The spans in which updates may have been missed, the latest first, at most 100.",
      resolve: ({ channel }, _args, { channelActivities }) => channelActivities.gaps(channel),
    }),
    drift: t.int({
      nullable: true,
      description:
        "memberCount less what the counts say it should be, beginning with the first memberCount; null where that is not known. If it is not 0, updates were missed.",
      resolve: ({ counts }) => counts.drift,
    }),
  }),
});

const BotStatusType = builder.enumType("BotStatus", {
  description: "The helper bot's rights in a channel, according to Telegram's last answer.",
  values: BOT_STATUSES,
});

builder.node(ChannelRef, {
  description:
    "A Telegram channel or group whose links are managed here. Its global id stays the same when Telegram gives the chat another chat id, as for a group that becomes a supergroup.",
  id: { resolve: ({ id }) => id, description: "Global id, unique in the whole schema." },
  loadManyWithoutCache: (ids, { loaders }) => Promise.all(ids.map((id) => loaders.channel.load(id))),
  fields: (t) => ({
    telegramId: t.expose("chatId", { type: "TelegramID", description: "The Telegram chat id." }),
    title: t.exposeString("title", { description: "The title in Telegram." }),
    username: t.exposeString("username", {
      nullable: true,
      description: "The username without the @; null for a private chat.",
    }),
    currency: t.exposeString("currency", {
      description: "The ISO 4217 code of the currency of the links' budgets.",
    }),
    botStatus: t.expose("botStatus", {
      type: BotStatusType,
      description: "The helper bot's rights in the channel.",
    }),
    createdAt: t.expose("createdAt", {
      type: "DateTime",
      description: "The time at which the channel was first stored here.",
    }),
    timeZone: t.exposeString("timeZone", {
      description:
        "The IANA name of the time zone whose days are meant where no other is given; UTC for a new channel.",
    }),
    isPublic: t.boolean({
      description:
        "Whether the chat has a username, as far as Telegram told; false where that is not known. Members of a public chat mostly join without a link.",
      resolve: ({ username }) => username !== null,
    }),
    memberCount: t.int({
      nullable: true,
      description:
        "Telegram's last known number of members, asked at most once in ten minutes; null before the first answer.",
      resolve: async (channel, _args, { channelActivities }) =>
        (await channelActivities.counts(channel)).memberCount,
    }),
    activity: t.field({
      type: ActivityRef,
      description: "All that was counted in the channel, with and without a link. Computed only if selected.",
      resolve: async (channel, _args, { channelActivities }) => ({
        channel,
        counts: await channelActivities.counts(channel),
      }),
    }),
    coverage: t.field({
      type: CoverageRef,
      description: "What may be missing in the counts. Computed only if selected.",
      resolve: async (channel, _args, { channelActivities }) => ({
        channel,
        counts: await channelActivities.counts(channel),
      }),
    }),
  }),
});

const ChannelEdge = builder.edgeObject({
  name: "ChannelEdge",
  type: ChannelRef,
  description: "A channel on a page, with its cursor.",
});

const ChannelConnection = builder.connectionObject(
  {
    name: "ChannelConnection",
    type: ChannelRef,
    description: "A page of channels.",
    fields: (t) => ({
      totalCount: t.int({
        description: "The number of channels that the token may use. Computed only if selected.",
        resolve: ({ totalCount }) => totalCount(),
      }),
    }),
  },
  ChannelEdge,
);

builder.queryFields((t) => ({
  channel: t.field({
    type: ChannelRef,
    nullable: true,
    description: "The channel of a Telegram chat; null for a chat that is not stored here yet.",
    args: { telegramId: t.arg({ type: "TelegramID", required: true, description: "The Telegram chat id." }) },
    resolve: (_root, { telegramId }, { channels }) => channels.find(telegramId),
  }),
  channels: t.connection(
    {
      type: ChannelRef,
      description: "The channels that the token may use, in the order in which they were stored here.",
      complexity: pageComplexity,
      resolve: async (_root, args, { channels }, info) =>
        toConnection(await channels.page({ withRows: selectsRows(info), ...args })),
    },
    ChannelConnection,
    ChannelEdge,
  ),
}));
