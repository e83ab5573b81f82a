import type { BotStatus, Channel } from "../../domain/channels/channel.js";
import { NotFoundError } from "../../domain/shared/errors.js";
import { builder } from "../builder/builder.js";
import { pageComplexity, toConnection } from "../builder/connection.js";
import { COMMON_ERRORS, TELEGRAM_ERRORS } from "./errors.js";
import { ChannelRef } from "./refs.js";

const BOT_STATUSES: Record<BotStatus, { description: string }> = {
  READY: { description: "An administrator that may invite users: links can be made." },
  MISSING_PERMISSION: { description: "In the chat, without the right to invite users." },
  NOT_IN_CHANNEL: { description: "Not in the chat, or removed from it." },
  UNKNOWN: { description: "Not asked yet: known from a grant or an import alone." },
};

const BotStatusType = builder.enumType("BotStatus", {
  description: "What the helper bot can do in a channel, as Telegram last told.",
  values: BOT_STATUSES,
});

builder.node(ChannelRef, {
  description:
    "A channel or group whose links are kept. Its id is its own and stays when Telegram gives the chat another id (a group that becomes a supergroup).",
  id: { resolve: ({ id }) => id, description: "Global id, unique in the whole graph." },
  loadManyWithoutCache: (ids, { loaders }) => Promise.all(ids.map((id) => loaders.channel.load(id))),
  fields: (t) => ({
    telegramId: t.field({
      type: "TelegramID",
      description: "The Telegram chat id.",
      resolve: ({ chatId }) => chatId,
    }),
    title: t.exposeString("title", { description: "As Telegram shows it." }),
    username: t.exposeString("username", {
      nullable: true,
      description: "Without the @; null for a private chat.",
    }),
    currency: t.exposeString("currency", {
      description: "ISO 4217; what the budgets of its links are counted in.",
    }),
    botStatus: t.field({
      type: BotStatusType,
      description: "Whether links can be made.",
      resolve: ({ botStatus }) => botStatus,
    }),
    createdAt: t.field({
      type: "DateTime",
      description: "When this server learned of it.",
      resolve: ({ createdAt }) => createdAt,
    }),
  }),
});

const ChannelEdge = builder.edgeObject({
  name: "ChannelEdge",
  type: ChannelRef,
  description: "A channel's place in a page.",
});

const ChannelConnection = builder.connectionObject(
  {
    name: "ChannelConnection",
    type: ChannelRef,
    description: "A page of channels.",
    fields: (t) => ({
      totalCount: t.int({
        description: "All channels that the token may use. Computed only when asked for.",
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
    description: "The channel of a Telegram chat; null where it is not known yet.",
    args: { telegramId: t.arg({ type: "TelegramID", required: true, description: "The Telegram chat id." }) },
    resolve: (_root, { telegramId }, { channels }) => channels.find(telegramId),
  }),
  channels: t.connection(
    {
      type: ChannelRef,
      description: "The channels that the token may use, in the order in which they came to be known.",
      complexity: pageComplexity,
      resolve: async (_root, args, { channels }) => toConnection(await channels.page(args)),
    },
    ChannelConnection,
    ChannelEdge,
  ),
}));

const ConnectChannelInput = builder.inputType("ConnectChannelInput", {
  description: "Which chat to connect.",
  fields: (t) => ({
    chat: t.string({
      required: true,
      description:
        "The chat's id (-1001234567890) or its @username; the helper bot must be an administrator of it.",
    }),
    currency: t.string({
      description: "ISO 4217. Null keeps the channel's own; USD for a new one.",
    }),
  }),
});

const ConnectChannelSuccess = builder.objectRef<{ channel: Channel }>("ConnectChannelSuccess").implement({
  description: "The channel is connected.",
  fields: (t) => ({
    channel: t.field({
      type: ChannelRef,
      description: "As Telegram described it just now.",
      resolve: ({ channel }) => channel,
    }),
  }),
});

const UpdateChannelInput = builder.inputType("UpdateChannelInput", {
  description: "What is set for a channel here, rather than in Telegram.",
  fields: (t) => ({
    id: t.id({
      required: true,
      description: "The channel's own id, not Telegram's: global, or the bare UUID.",
    }),
    currency: t.string({
      required: true,
      description:
        "ISO 4217; what the budgets of its links are counted in from now on. No amount is converted.",
    }),
  }),
});

const UpdateChannelSuccess = builder.objectRef<{ channel: Channel }>("UpdateChannelSuccess").implement({
  description: "The channel is as was asked for.",
  fields: (t) => ({
    channel: t.field({ type: ChannelRef, description: "The channel.", resolve: ({ channel }) => channel }),
  }),
});

builder.mutationFields((t) => ({
  connectChannel: t.field({
    type: ConnectChannelSuccess,
    description:
      "Asks Telegram about a chat and what the bot may do there, and stores it. Takes the role ADMIN. Repeat it to refresh what is known.",
    args: { input: t.arg({ type: ConnectChannelInput, required: true, description: "Which chat." }) },
    errors: { types: [...COMMON_ERRORS, ...TELEGRAM_ERRORS], union: { name: "ConnectChannelResult" } },
    resolve: async (_root, { input }, context) => ({
      channel: await context.afresh().channels.connect(input),
    }),
  }),
  updateChannel: t.field({
    type: UpdateChannelSuccess,
    description: "Changes the currency that a channel's budgets are counted in. Takes the role ADMIN.",
    args: { input: t.arg({ type: UpdateChannelInput, required: true, description: "What it becomes." }) },
    errors: { types: [...COMMON_ERRORS, NotFoundError], union: { name: "UpdateChannelResult" } },
    resolve: async (_root, { input }, context) => ({
      channel: await context.afresh().channels.update(input),
    }),
  }),
}));
