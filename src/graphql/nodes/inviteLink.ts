import { type InviteLink, isExpired, SUBSCRIPTION_PERIOD_SECONDS } from "../../domain/links/inviteLink.js";
import { builder } from "../builder/builder.js";
import { pageComplexity, selectsRows, toConnection } from "../builder/connection.js";
import { lookAhead } from "../builder/lookAhead.js";
import { depthCost, filterCost, orderCost, SCAN_COST } from "./filterCost.js";
import { InviteLinkConnection, InviteLinkEdge, toLinkConnection } from "./inviteLinkConnection.js";
import { InviteLinkFilterInput, InviteLinkOrderInput } from "./inviteLinkFilter.js";
import { InviteLinkStatsRef } from "./inviteLinkStats.js";
import { JoinRequestPolicy } from "./joinRequestPolicy.js";
import { MembershipConnection, MembershipEdge, MembershipRef } from "./membership.js";
import { ChannelRef, InviteLinkRef, TagRef } from "./refs.js";

const selectsStats = lookAhead(["edges", "node", "stats"], ["nodes", "stats"]);

const SubscriptionRef = builder.objectRef<{ priceStars: number }>("InviteLinkSubscription").implement({
  description: "The price that members of a link pay.",
  fields: (t) => ({
    periodSeconds: t.int({
      description: "The period in seconds: 2592000, thirty days, the only period that Telegram accepts.",
      resolve: () => SUBSCRIPTION_PERIOD_SECONDS,
    }),
    priceStars: t.exposeInt("priceStars", { description: "The price in Telegram Stars for each period." }),
  }),
});

builder.node(InviteLinkRef, {
  description: "An invite link of a channel.",
  id: { resolve: ({ id }) => id, description: "Global id, unique in the whole schema." },
  loadManyWithoutCache: (ids, { loaders }) => Promise.all(ids.map((id) => loaders.inviteLink.load(id))),
  fields: (t) => ({
    channelId: t.expose("chatId", {
      type: "TelegramID",
      description: "The Telegram chat id of the link's channel.",
    }),
    channel: t.field({
      type: ChannelRef,
      description: "The link's channel.",
      resolve: async ({ channelId }, _args, { loaders }) => {
        const channel = await loaders.channel.load(channelId);
        if (channel === null) throw new Error(`The channel ${channelId} of a link does not exist.`);
        return channel;
      },
    }),
    name: t.exposeString("name", {
      nullable: true,
      description: "The name that administrators see in Telegram; null for a link without a name.",
    }),
    url: t.expose("url", { type: "URL", description: "The address of the link, https://t.me/+…" }),
    createsJoinRequest: t.exposeBoolean("createsJoinRequest", {
      description: "Whether an administrator must approve each person who joins by the link.",
    }),
    expireDate: t.expose("expireDate", {
      type: "DateTime",
      nullable: true,
      description: "The time at which the link expires; null for a link that does not expire.",
    }),
    memberLimit: t.exposeInt("memberLimit", {
      nullable: true,
      description: "The largest number of members at once who joined by the link; null for no limit.",
    }),
    subscription: t.field({
      type: SubscriptionRef,
      nullable: true,
      description: "The price of a link whose members pay; null for other links.",
      resolve: ({ subscriptionPrice }) =>
        subscriptionPrice === null ? null : { priceStars: subscriptionPrice },
    }),
    budget: t.expose("budget", {
      type: "Decimal",
      description: "The price of the placement in the channel's currency.",
    }),
    creatorId: t.expose("creatorId", {
      type: "TelegramID",
      nullable: true,
      description:
        "The Telegram user who created the link: the user of the API token if it names one, otherwise the bot. For a link that the server learned of from Telegram, the link's creator there.",
    }),
    isBotCreated: t.exposeBoolean("isBotCreated", {
      description: "False for a link that an administrator created in Telegram.",
    }),
    isRevoked: t.exposeBoolean("isRevoked", { description: "Whether the link was revoked." }),
    isExpired: t.boolean({
      description: "Whether the link's expireDate has passed.",
      resolve: (link) => isExpired(link, new Date()),
    }),
    createdAt: t.expose("createdAt", { type: "DateTime", description: "The time of its creation." }),
    updatedAt: t.expose("updatedAt", {
      type: "DateTime",
      nullable: true,
      description: "The time of its last change; null if it was never changed.",
    }),
    tags: t.field({
      type: [TagRef],
      description: "The link's tags, in the order of their creation.",
      // A DataLoader reads the tags of all links of a page at once. The tag cache answers if it has all tags of the link.
      resolve: (link, _args, { loaders }) => loaders.tagsOf(link),
    }),
    externalId: t.exposeString("externalId", {
      nullable: true,
      description:
        "The caller's own id of the link, such as an ad's or a click's, unique in the channel; null if none was given.",
    }),
    joinRequestPolicy: t.field({
      type: JoinRequestPolicy,
      description: "How requests to join by the link are decided, if it asks for approval.",
      resolve: async ({ id }, _args, { joinRequests }) => {
        const approveAfterSeconds = await joinRequests.approveAfter(id);
        return {
          decider: approveAfterSeconds === null ? "PEOPLE" : "AUTOMATIC",
          approveAfterSeconds,
        } as const;
      },
    }),
    stats: t.field({
      type: InviteLinkStatsRef,
      description: "Who came by the link, in numbers. Computed only if selected.",
      // The counters come with the links of a page. For others, a DataLoader reads them.
      resolve: (link, _args, { linkStatistics }) => linkStatistics.withCounts(link),
    }),
    members: t.connection(
      {
        type: MembershipRef,
        description: "The stays of members who came by the link, the latest first.",
        args: {
          isActive: t.arg.boolean({
            description:
              "True for members who are still in the channel, false for those who left, null for both.",
          }),
        },
        complexity: (args) => {
          const { field, multiplier } = pageComplexity(args);
          // An index has all members of a link, of whom any number can be here, or can have left.
          return { field: field + (args.isActive == null ? 0 : SCAN_COST), multiplier };
        },
        resolve: async (link, { isActive, ...args }, { linkStatistics }, info) =>
          toConnection(
            await linkStatistics.members(link, isActive ?? null, { withRows: selectsRows(info), ...args }),
          ),
      },
      MembershipConnection,
      MembershipEdge,
    ),
  }),
});

builder.queryFields((t) => ({
  inviteLink: t.field({
    type: InviteLinkRef,
    nullable: true,
    description:
      "The link with this id. Null if there is none, if it is not in the given channel, or if the token may not see it.",
    args: {
      id: t.arg.id({ required: true, description: "The link's global id or bare UUID." }),
      channelId: t.arg({
        type: "TelegramID",
        description: "The Telegram chat id of the channel in which the link must be; null for any channel.",
      }),
    },
    resolve: (_root, { id, channelId: chatId }, { links }): Promise<InviteLink | null> =>
      links.find(id, chatId),
  }),
  inviteLinks: t.connection(
    {
      type: InviteLinkRef,
      description: [
        "The links of a channel.",
        "Page by cursor with `first`/`after` or `last`/`before`, or by number with `page`, which counts from 1 with `first` as the page's size. `first` is 10 by default and may be 0. `after` together with `before` gives the links between both. These are BAD_USER_INPUT: a size over 100, `first` together with `last`, and `page` together with a cursor or `last`. hasNextPage and hasPreviousPage are exact in every mode.",
        "Without orderBy the newest links come first. Links that are equal in the given order are ordered by id, in the direction of the last order. So no link is shown twice or skipped while other links are added.",
      ].join("\n\n"),
      args: {
        channelId: t.arg({
          type: "TelegramID",
          required: true,
          description: "The Telegram chat id of the channel.",
        }),
        filter: t.arg({
          type: InviteLinkFilterInput,
          description: "The conditions that the links must meet; null for all links.",
        }),
        orderBy: t.arg({
          type: [InviteLinkOrderInput],
          defaultValue: [{ field: "CREATED_AT", direction: "DESC" }],
          description: "The order. Later entries order links that are equal in all earlier ones.",
        }),
        page: t.arg.int({ description: "The page's number, counted from 1, instead of a cursor." }),
      },
      complexity: (args) => {
        const { field, multiplier } = pageComplexity(args);
        const cost = filterCost(args.filter) + orderCost(args.orderBy) + depthCost(args.page, multiplier);
        return { field: field + cost, multiplier };
      },
      resolve: async (_root, { channelId: chatId, ...args }, { links }, info) =>
        toLinkConnection(
          await links.page({ chatId, withRows: selectsRows(info), withCounts: selectsStats(info), ...args }),
        ),
    },
    InviteLinkConnection,
    InviteLinkEdge,
  ),
}));
