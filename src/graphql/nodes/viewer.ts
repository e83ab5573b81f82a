import type { Caller } from "../../domain/shared/caller.js";
import { builder } from "../builder/builder.js";
import { RoleType } from "./role.js";

const Bot = builder
  .objectRef<{ readonly id: number; readonly username: string; readonly name: string }>("Bot")
  .implement({
    description: "The helper bot.",
    fields: (t) => ({
      telegramId: t.expose("id", { type: "TelegramID", description: "The bot's Telegram user id." }),
      username: t.exposeString("username", { description: "The username without the @." }),
      name: t.exposeString("name", { description: "The name in Telegram." }),
    }),
  });

const Viewer = builder.objectRef<Caller>("Viewer").implement({
  description:
    "The caller: the name, the role and the channels of its API token, and the bot that acts for it.",
  fields: (t) => ({
    name: t.exposeString("name", { description: "The token's name." }),
    role: t.expose("role", { type: RoleType, description: "The token's role." }),
    bot: t.field({
      type: Bot,
      nullable: true,
      description: "The helper bot, as Telegram told; null before it did.",
      resolve: (_caller, _args, { bot }) => bot,
    }),
    channelIds: t.field({
      type: ["TelegramID"],
      nullable: true,
      description: "The Telegram chat ids of the channels that the token may use; null for all channels.",
      resolve: ({ chatIds }) => (chatIds === null ? null : [...chatIds]),
    }),
  }),
});

builder.queryField("viewer", (t) =>
  t.field({ type: Viewer, description: "The caller.", resolve: (_root, _args, { caller }) => caller }),
);
