import { listedTokens, visibleTokens } from "../../domain/access/tokens.js";
import { builder } from "../builder/builder.js";
import { RoleType } from "./role.js";

export const ApiTokenRef = builder.prismaNode("ApiToken", {
  description: "An API token. Its secret is not stored, only the secret's hash.",
  // Null instead of an error for a token that does not exist or that the caller may not see.
  nullable: true,
  id: { field: "id", description: "Global id, unique in the whole schema." },
  findUnique: (id, { caller }) => ({ id, AND: [visibleTokens(caller)] }),
  fields: (t) => ({
    name: t.exposeString("name", { description: "The token's purpose." }),
    role: t.expose("role", { type: RoleType, description: "The token's role." }),
    channelIds: t.field({
      type: ["TelegramID"],
      nullable: true,
      description: "The Telegram chat ids of the channels that the token may use; null for all channels.",
      select: { allChannels: true, grants: { select: { chatId: true }, orderBy: { chatId: "asc" } } },
      resolve: ({ allChannels, grants }) => (allChannels ? null : grants.map(({ chatId }) => Number(chatId))),
    }),
    createdAt: t.expose("createdAt", { type: "DateTime", description: "The time of its creation." }),
    lastUsedAt: t.expose("lastUsedAt", {
      type: "DateTime",
      nullable: true,
      description: "The time of its last use, accurate to the minute; null if it was never used.",
    }),
    revokedAt: t.expose("revokedAt", {
      type: "DateTime",
      nullable: true,
      description: "The time of its revocation; null for a valid token.",
    }),
  }),
});

builder.queryField("apiTokens", (t) =>
  t.prismaField({
    type: ["ApiToken"],
    description:
      "All API tokens, the oldest first. Requires the role ADMIN. A token limited to some channels sees only tokens limited to those channels.",
    resolve: async (query, _root, _args, context) => {
      await context.followMovedGrants();
      const where = listedTokens(context.caller);
      return context.prisma.apiToken.findMany({ ...query, where, orderBy: { id: "asc" } });
    },
  }),
);
