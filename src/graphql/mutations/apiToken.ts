import type { ApiToken } from "../../database/generated/prisma/client.js";
import { NotFoundError } from "../../domain/shared/errors.js";
import { builder } from "../builder/builder.js";
import { ApiTokenRef } from "../nodes/apiToken.js";
import { COMMON_ERRORS } from "../nodes/errors.js";
import { RoleType } from "../nodes/role.js";
import { nodeSuccess } from "./success.js";

const CreateApiTokenInput = builder.inputType("CreateApiTokenInput", {
  description: "The API token to create.",
  fields: (t) => ({
    name: t.string({ required: true, description: "The token's purpose: 1 to 100 characters." }),
    role: t.field({ type: RoleType, required: true, description: "The token's role." }),
    channelIds: t.field({
      type: ["TelegramID"],
      description: "The Telegram chat ids of the channels that the token may use; null for all channels.",
    }),
    telegramUserId: t.field({
      type: "TelegramID",
      description:
        "The Telegram user to whom the token belongs. Links created with the token get this id as their creatorId.",
    }),
  }),
});

const CreateApiTokenSuccess = builder
  .objectRef<{ apiToken: ApiToken; secret: string }>("CreateApiTokenSuccess")
  .implement({
    description: "The API token was created.",
    fields: (t) => ({
      apiToken: t.expose("apiToken", { type: ApiTokenRef, description: "The new token." }),
      secret: t.exposeString("secret", {
        description:
          "The secret, to be sent as `Authorization: Bearer …`. It is shown only now: the server stores only its hash.",
      }),
    }),
  });

const RevokeApiTokenInput = builder.inputType("RevokeApiTokenInput", {
  description: "The API token to revoke.",
  fields: (t) => ({ id: t.id({ required: true, description: "The token's global id or bare UUID." }) }),
});

const RevokeApiTokenSuccess = nodeSuccess(
  "RevokeApiTokenSuccess",
  "The API token is no longer valid.",
  ApiTokenRef,
  { name: "apiToken", description: "The revoked token." },
);

builder.mutationFields((t) => ({
  createApiToken: t.field({
    type: CreateApiTokenSuccess,
    description:
      "Creates an API token. Requires the role ADMIN. A token limited to some channels can create only tokens limited to those channels.",
    args: {
      input: t.arg({ type: CreateApiTokenInput, required: true, description: "The API token to create." }),
    },
    errors: { types: [...COMMON_ERRORS], union: { name: "CreateApiTokenResult" } },
    resolve: (_root, { input: { channelIds: chatIds, ...input } }, { tokens }) =>
      tokens.create({ ...input, chatIds }),
  }),
  revokeApiToken: t.field({
    type: RevokeApiTokenSuccess,
    description: "Revokes an API token, at once and permanently. Requires the role ADMIN.",
    args: {
      input: t.arg({ type: RevokeApiTokenInput, required: true, description: "The API token to revoke." }),
    },
    errors: { types: [...COMMON_ERRORS, NotFoundError], union: { name: "RevokeApiTokenResult" } },
    resolve: async (_root, { input }, { tokens }) => ({ apiToken: await tokens.revoke(input) }),
  }),
}));
