import { NotFoundError } from "../../domain/shared/errors.js";
import { builder } from "../builder/builder.js";
import { COMMON_ERRORS, TELEGRAM_ERRORS } from "../nodes/errors.js";
import { ChannelRef } from "../nodes/refs.js";
import { nodeSuccess } from "./success.js";

const ConnectChannelInput = builder.inputType("ConnectChannelInput", {
  description: "The chat to connect.",
  fields: (t) => ({
    chat: t.string({
      required: true,
      description:
        "The chat's id (-1001234567890) or @username. The helper bot must be an administrator of the chat.",
    }),
    currency: t.string({
      description: "An ISO 4217 code. Null keeps the channel's currency; a new channel gets USD.",
    }),
  }),
});

const UpdateChannelInput = builder.inputType("UpdateChannelInput", {
  description:
    "The changes of a channel's settings that are stored here rather than in Telegram. An omitted field keeps its value; null is a ValidationError.",
  fields: (t) => ({
    id: t.id({
      required: true,
      description: "The channel's global id or bare UUID, not its Telegram chat id.",
    }),
    currency: t.string({
      description:
        "The ISO 4217 code of the currency of the links' budgets from now on. No amount is converted.",
    }),
    timeZone: t.string({
      description:
        "The IANA name of the time zone whose days are meant where no other is given, such as Europe/Berlin.",
    }),
  }),
});

const ConnectChannelSuccess = nodeSuccess("ConnectChannelSuccess", "The channel is connected.", ChannelRef, {
  name: "channel",
  description: "The channel as Telegram has just described it.",
});

const UpdateChannelSuccess = nodeSuccess("UpdateChannelSuccess", "The channel was changed.", ChannelRef, {
  name: "channel",
  description: "The updated channel.",
});

builder.mutationFields((t) => ({
  connectChannel: t.field({
    type: ConnectChannelSuccess,
    description:
      "Reads a chat and the helper bot's rights in it from Telegram, and stores both. Requires the role ADMIN. Repeat the mutation to refresh what is stored.",
    args: {
      input: t.arg({ type: ConnectChannelInput, required: true, description: "The chat to connect." }),
    },
    errors: { types: [...COMMON_ERRORS, ...TELEGRAM_ERRORS], union: { name: "ConnectChannelResult" } },
    resolve: async (_root, { input }, { channels }) => ({ channel: await channels.connect(input) }),
  }),
  updateChannel: t.field({
    type: UpdateChannelSuccess,
    description:
      "Changes the currency of the budgets of a channel's links, and its time zone. Requires the role ADMIN.",
    args: {
      input: t.arg({ type: UpdateChannelInput, required: true, description: "The channel and its changes." }),
    },
    errors: { types: [...COMMON_ERRORS, NotFoundError], union: { name: "UpdateChannelResult" } },
    resolve: async (_root, { input }, { channels }) => ({ channel: await channels.update(input) }),
  }),
}));
