import { type InviteLink, isExpired, SUBSCRIPTION_PERIOD_SECONDS } from "../../domain/links/inviteLink.js";
import { builder } from "../builder/builder.js";
import { pageComplexity } from "../builder/connection.js";
import { depthCost, filterCost, orderCost } from "./filterCost.js";
import { InviteLinkConnection, InviteLinkEdge, toLinkConnection } from "./inviteLinkConnection.js";
import { InviteLinkFilterInput, InviteLinkOrderInput } from "./inviteLinkFilter.js";
import { ChannelRef, InviteLinkRef, TagRef } from "./refs.js";

const SubscriptionRef = builder.objectRef<{ priceStars: number }>("InviteLinkSubscription").implement({
  description: "What the members of a link pay.",
  fields: (t) => ({
    periodSeconds: t.int({
      description: "2592000: thirty days, the only period Telegram takes.",
      resolve: () => SUBSCRIPTION_PERIOD_SECONDS,
    }),
    priceStars: t.exposeInt("priceStars", { description: "Telegram Stars for each period." }),
  }),
});

builder.node(InviteLinkRef, {
  description: "An invite link of a channel.",
  id: { resolve: ({ id }) => id, description: "Global id, unique in the whole graph." },
  loadManyWithoutCache: (ids, { loaders }) => Promise.all(ids.map((id) => loaders.inviteLink.load(id))),
  fields: (t) => ({
    channelId: t.field({
      type: "TelegramID",
      description: "The Telegram chat id of its channel.",
      resolve: ({ chatId }) => chatId,
    }),
    channel: t.field({
      type: ChannelRef,
      description: "Its channel.",
      resolve: async ({ channelId }, _args, { loaders }) => {
        const channel = await loaders.channel.load(channelId);
        if (channel === null) throw new Error(`The channel ${channelId} of a link is not there.`);
        return channel;
      },
    }),
    name: t.exposeString("name", { nullable: true, description: "As administrators see it in Telegram." }),
    url: t.field({ type: "URL", description: "The link itself, https://t.me/+…", resolve: ({ url }) => url }),
    createsJoinRequest: t.exposeBoolean("createsJoinRequest", {
      description: "Whether those who come by it must be approved by an administrator.",
    }),
    expireDate: t.field({
      type: "DateTime",
      nullable: true,
      description: "Until when it can be used; null for ever.",
      resolve: ({ expireDate }) => expireDate,
    }),
    memberLimit: t.exposeInt("memberLimit", {
      nullable: true,
      description: "How many who came by it can be members at once; null for any number.",
    }),
    subscription: t.field({
      type: SubscriptionRef,
      nullable: true,
      description: "Set for links whose members pay Stars.",
      resolve: ({ subscriptionPrice }) =>
        subscriptionPrice === null ? null : { priceStars: subscriptionPrice },
    }),
    budget: t.field({
      type: "Decimal",
      description: "What was paid for the placement, in the channel's currency.",
      resolve: ({ budget }) => budget,
    }),
    creatorId: t.field({
      type: "TelegramID",
      nullable: true,
      description:
        "The Telegram user who made the link: the API user's own Telegram id where known, else the bot's; for links seen in updates, their creator.",
      resolve: ({ creatorId }) => creatorId,
    }),
    isBotCreated: t.exposeBoolean("isBotCreated", {
      description:
        "False for links that an administrator made in Telegram and that the server learned of from an update.",
    }),
    isRevoked: t.exposeBoolean("isRevoked", { description: "Whether it was made invalid before its time." }),
    isExpired: t.boolean({
      description: "Past its expireDate.",
      resolve: (link) => isExpired(link, new Date()),
    }),
    createdAt: t.field({
      type: "DateTime",
      description: "When it was made.",
      resolve: ({ createdAt }) => createdAt,
    }),
    updatedAt: t.field({
      type: "DateTime",
      nullable: true,
      description: "When it was last changed; null for never.",
      resolve: ({ updatedAt }) => updatedAt,
    }),
    tags: t.field({
      type: [TagRef],
      description: "The tags it carries, in the order in which the tags were made.",
      resolve: (link, _args, { loaders }) => loaders.tagsOf(link),
    }),
  }),
});

builder.queryFields((t) => ({
  inviteLink: t.field({
    type: InviteLinkRef,
    nullable: true,
    description:
      "A link by its id. Null where there is no such link, where it is in another channel than the one given, and where the token may not see it.",
    args: {
      id: t.arg.id({ required: true, description: "Global id, or the bare UUID." }),
      channelId: t.arg({ type: "TelegramID", description: "The channel in which it must be." }),
    },
    resolve: (_root, { id, channelId }, { links }): Promise<InviteLink | null> => links.find(id, channelId),
  }),
  inviteLinks: t.connection(
    {
      type: InviteLinkRef,
      description: [
        "The links of a channel.",
        "`first`/`after` and `last`/`before` page by cursor; `page` (from 1, with `first` as the page's size) jumps by number. `first` is 10 where nothing is given; 0 is allowed, over 100 is BAD_USER_INPUT, and so are both directions at once and `page` with a cursor or `last`; `after` with `before` is what lies between. hasNextPage and hasPreviousPage are exact in every mode.",
        "The default order (orderBy null, absent or empty) is the newest first. Every order is made total by the id, in the direction of the last order given, so that no link is shown twice or skipped while others are being added.",
      ].join("\n\n"),
      args: {
        channelId: t.arg({ type: "TelegramID", required: true, description: "The Telegram chat id." }),
        filter: t.arg({
          type: InviteLinkFilterInput,
          description: "Which links; all where nothing is given.",
        }),
        orderBy: t.arg({
          type: [InviteLinkOrderInput],
          defaultValue: [{ field: "CREATED_AT", direction: "DESC" }],
          description: "By what, the first before the second.",
        }),
        page: t.arg.int({ description: "The page's number, from 1, instead of a cursor." }),
      },
      complexity: (args) => {
        const { field, multiplier } = pageComplexity(args);
        const cost = filterCost(args.filter) + orderCost(args.orderBy) + depthCost(args.page, multiplier);
        return { field: field + cost, multiplier };
      },
      resolve: async (_root, { channelId: chatId, ...args }, { links }) =>
        toLinkConnection(await links.page({ chatId, ...args })),
    },
    InviteLinkConnection,
    InviteLinkEdge,
  ),
}));
