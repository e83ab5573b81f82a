import type { BotStatus } from "../../domain/channels/channel.js";
import { builder } from "../builder/builder.js";
import { pageComplexity, toConnection } from "../builder/connection.js";
import { ChannelRef } from "./refs.js";

const BOT_STATUSES: Record<BotStatus, { description: string }> = {
  READY: { description: "The bot is an administrator that may invite users: links can be created." },
  MISSING_PERMISSION: { description: "The bot is in the chat without the right to invite users." },
  NOT_IN_CHANNEL: { description: "The bot is not in the chat, or was removed from it." },
  UNKNOWN: {
    description:
      "No answer of Telegram is known yet: the channel comes from an import, or from the grant of a token.",
  },
};

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
      resolve: async (_root, args, { channels }) => toConnection(await channels.page(args)),
    },
    ChannelConnection,
    ChannelEdge,
  ),
}));
