import { BotPermissionError, IdempotencyConflictError } from "../../domain/shared/errors.js";
import { builder } from "../builder/builder.js";
import { COMMON_ERRORS, TELEGRAM_ERRORS } from "../nodes/errors.js";
import { InviteLinkRef } from "../nodes/refs.js";
import { nodeSuccess } from "./success.js";

export const SubscriptionInput = builder.inputType("InviteLinkSubscriptionInput", {
  description: "The price that members of a link pay.",
  fields: (t) => ({
    priceStars: t.int({
      required: true,
      description: "The price for thirty days: 1 to 10000 Telegram Stars.",
    }),
  }),
});

const CreateInviteLinkInput = builder.inputType("CreateInviteLinkInput", {
  description: "The invite link to create.",
  fields: (t) => ({
    channelId: t.field({
      type: "TelegramID",
      required: true,
      description: "The Telegram chat id of the link's channel.",
    }),
    name: t.string({
      required: true,
      description:
        "1 to 32 code points, counted after Telegram's cleaning of white space. Telegram silently cuts longer names; this API refuses them.",
    }),
    createsJoinRequest: t.boolean({
      required: true,
      defaultValue: false,
      description: "Whether an administrator must approve each person who joins by the link.",
    }),
    expireDate: t.field({
      type: "DateTime",
      description: "A time in the future, in whole seconds; null for a link that does not expire.",
    }),
    memberLimit: t.int({
      description:
        "The largest number of members at once: 1 to 99999, or null for no limit. Not allowed together with createsJoinRequest.",
    }),
    budget: t.field({
      type: "Decimal",
      required: true,
      defaultValue: "0.00",
      description: "The price of the placement, 0 or more, in the channel's currency.",
    }),
    tagIds: t.idList({
      required: true,
      defaultValue: [],
      description: "The tags of the link: global ids or bare UUIDs of tags of the channel.",
    }),
    subscription: t.field({
      type: SubscriptionInput,
      description:
        "The price of a link whose members pay. Only for channels, and not allowed together with expireDate, memberLimit or createsJoinRequest.",
    }),
    externalId: t.string({
      description:
        "The caller's own id of the link: 1 to 255 characters. One that another link of the channel has is a ValidationError.",
    }),
    idempotencyKey: t.string({
      description:
        "A key of the caller's choice: 1 to 255 characters, kept for 24 hours. A repeated call with the same key returns the link of the first call and creates no second one in Telegram. If it is unknown whether the first call created a link, the repeated call returns the same error (TelegramUnavailableError with outcomeUnknown) and does not try again.",
    }),
  }),
});

const CreateInviteLinkSuccess = nodeSuccess(
  "CreateInviteLinkSuccess",
  "The link was created in Telegram and stored here.",
  InviteLinkRef,
  { name: "inviteLink", description: "The new link." },
);

builder.mutationField("createInviteLink", (t) =>
  t.field({
    type: CreateInviteLinkSuccess,
    description:
      "Creates an invite link through the helper bot. Requires the role EDITOR. A channel that is not connected yet is connected first.",
    args: {
      input: t.arg({
        type: CreateInviteLinkInput,
        required: true,
        description: "The invite link to create.",
      }),
    },
    errors: {
      types: [...COMMON_ERRORS, ...TELEGRAM_ERRORS, BotPermissionError, IdempotencyConflictError],
      union: { name: "CreateInviteLinkResult" },
    },
    resolve: async (_root, { input: { channelId: chatId, ...input } }, { linkCreator }) => ({
      inviteLink: await linkCreator.create({ ...input, chatId }),
    }),
  }),
);
