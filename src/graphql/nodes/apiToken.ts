import type { ApiToken } from "../../database/generated/prisma/client.js";
import { listedTokens, visibleTokens } from "../../domain/access/tokens.js";
import { NotFoundError } from "../../domain/shared/errors.js";
import { builder } from "../builder/builder.js";
import { COMMON_ERRORS } from "./errors.js";
import { RoleType } from "./role.js";

const ApiTokenRef = builder.prismaNode("ApiToken", {
  description: "A token with which programs call. Its secret is kept nowhere.",
  // Null for what is not there or not to be seen, rather than an error.
  nullable: true,
  id: { field: "id", description: "Global id, unique in the whole graph." },
  findUnique: (id, { caller }) => ({ id, AND: [visibleTokens(caller)] }),
  fields: (t) => ({
    name: t.exposeString("name", { description: "What it is for." }),
    role: t.field({ type: RoleType, description: "What it may do.", resolve: ({ role }) => role }),
    channelIds: t.field({
      type: ["TelegramID"],
      nullable: true,
      description: "The channels that it may use; null for every channel.",
      select: { allChannels: true, grants: { select: { chatId: true }, orderBy: { chatId: "asc" } } },
      resolve: ({ allChannels, grants }) => (allChannels ? null : grants.map(({ chatId }) => Number(chatId))),
    }),
    createdAt: t.field({
      type: "DateTime",
      description: "When it was made.",
      resolve: (token) => token.createdAt,
    }),
    lastUsedAt: t.field({
      type: "DateTime",
      nullable: true,
      description: "When it was last used, to the minute; null for never.",
      resolve: (token) => token.lastUsedAt,
    }),
    revokedAt: t.field({
      type: "DateTime",
      nullable: true,
      description: "Since when it is no longer valid; null where it is.",
      resolve: (token) => token.revokedAt,
    }),
  }),
});

builder.queryField("apiTokens", (t) =>
  t.prismaField({
    type: ["ApiToken"],
    description:
      "All API tokens, the oldest first. Takes the role ADMIN; a token limited to some channels sees those that reach no further.",
    resolve: (query, _root, _args, { prisma, caller }) =>
      prisma.apiToken.findMany({ ...query, where: listedTokens(caller), orderBy: { id: "asc" } }),
  }),
);

const CreateApiTokenInput = builder.inputType("CreateApiTokenInput", {
  description: "An API token to make.",
  fields: (t) => ({
    name: t.string({ required: true, description: "What it is for: 1 to 100 characters." }),
    role: t.field({ type: RoleType, required: true, description: "What it may do." }),
    channelIds: t.field({ type: ["TelegramID"], description: "Null for every channel." }),
    telegramUserId: t.field({
      type: "TelegramID",
      description: "The Telegram user behind this token; becomes creatorId of the links made with it.",
    }),
  }),
});

const CreateApiTokenSuccess = builder
  .objectRef<{ apiToken: ApiToken; secret: string }>("CreateApiTokenSuccess")
  .implement({
    description: "The API token is made.",
    fields: (t) => ({
      apiToken: t.field({
        type: ApiTokenRef,
        description: "The new token.",
        resolve: ({ apiToken }) => apiToken,
      }),
      secret: t.exposeString("secret", {
        description: "What to send as `Authorization: Bearer …`. Shown this once; only its hash is kept.",
      }),
    }),
  });

const RevokeApiTokenInput = builder.inputType("RevokeApiTokenInput", {
  description: "Which API token to make invalid.",
  fields: (t) => ({ id: t.id({ required: true, description: "Its global id, or the bare UUID." }) }),
});

const RevokeApiTokenSuccess = builder.objectRef<{ apiToken: ApiToken }>("RevokeApiTokenSuccess").implement({
  description: "The API token is no longer valid.",
  fields: (t) => ({
    apiToken: t.field({ type: ApiTokenRef, description: "The token.", resolve: ({ apiToken }) => apiToken }),
  }),
});

builder.mutationFields((t) => ({
  createApiToken: t.field({
    type: CreateApiTokenSuccess,
    description:
      "Makes an API token. Takes the role ADMIN; a token limited to some channels makes only such as reach no further.",
    args: { input: t.arg({ type: CreateApiTokenInput, required: true, description: "What to make." }) },
    errors: { types: [...COMMON_ERRORS], union: { name: "CreateApiTokenResult" } },
    resolve: (_root, { input: { channelIds: chatIds, ...input } }, context) =>
      context.afresh().tokens.create({ ...input, chatIds }),
  }),
  revokeApiToken: t.field({
    type: RevokeApiTokenSuccess,
    description: "Makes an API token invalid, at once and for good. Takes the role ADMIN.",
    args: { input: t.arg({ type: RevokeApiTokenInput, required: true, description: "Which one." }) },
    errors: { types: [...COMMON_ERRORS, NotFoundError], union: { name: "RevokeApiTokenResult" } },
    resolve: async (_root, { input }, context) => ({ apiToken: await context.afresh().tokens.revoke(input) }),
  }),
}));
