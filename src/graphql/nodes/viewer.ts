import type { RemainingLimit } from "../../domain/access/rateLimit.js";
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

const RateLimitRef = builder.objectRef<RemainingLimit>("RateLimit").implement({
  description:
    "What a token may spend in a minute: the sum of the costs of its operations and REST calls, on all servers. The cost of an operation is that of the limit for one document. An operation that costs more than is left ends with RATE_LIMITED (HTTP 429 with Retry-After) before it is executed.",
  fields: (t) => ({
    limit: t.exposeInt("limit", { description: "The cost that the token may spend in a minute." }),
    remaining: t.exposeInt("remaining", {
      description: "What the token may still spend until resetAt, this operation subtracted.",
    }),
    resetAt: t.expose("resetAt", {
      type: "DateTime",
      description: "The end of the minute, when the token may spend the whole limit again.",
    }),
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
    rateLimit: t.field({
      type: RateLimitRef,
      nullable: true,
      description: "What the token may still spend; null if it is not limited.",
      resolve: (_caller, _args, context) => context.remainingLimit(),
    }),
  }),
});

builder.queryField("viewer", (t) =>
  t.field({ type: Viewer, description: "The caller.", resolve: (_root, _args, { caller }) => caller }),
);
