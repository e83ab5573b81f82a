import { BotPermissionError, IdempotencyConflictError } from "../../domain/shared/errors.js";
import { builder } from "../builder/builder.js";
import { COMMON_ERRORS, TELEGRAM_ERRORS } from "../nodes/errors.js";
import { linkSuccess } from "./success.js";

const SubscriptionInput = builder.inputType("InviteLinkSubscriptionInput", {
  description: "What the members of a link shall pay.",
  fields: (t) => ({
    priceStars: t.int({ required: true, description: "1 to 10000 Telegram Stars for thirty days." }),
  }),
});

const CreateInviteLinkInput = builder.inputType("CreateInviteLinkInput", {
  description: "A link to make.",
  fields: (t) => ({
    channelId: t.field({
      type: "TelegramID",
      required: true,
      description: "The Telegram chat id of its channel.",
    }),
    name: t.string({
      required: true,
      description:
        "1 to 32 code points after Telegram's own cleaning of white space: Telegram silently cuts longer names, this API refuses them.",
    }),
    createsJoinRequest: t.boolean({
      required: true,
      defaultValue: false,
      description: "Whether those who come by it must be approved by an administrator.",
    }),
    expireDate: t.field({
      type: "DateTime",
      description: "In the future, to the second; null for a link that does not expire.",
    }),
    memberLimit: t.int({
      description: "1 to 99999, not together with createsJoinRequest; null for no limit.",
    }),
    budget: t.field({
      type: "Decimal",
      required: true,
      defaultValue: "0.00",
      description: "What was paid for the placement, in the channel's currency: 0 or more.",
    }),
    tagIds: t.idList({ required: true, defaultValue: [], description: "Tags of this channel." }),
    subscription: t.field({
      type: SubscriptionInput,
      description:
        "A link whose members pay: channels only, price 1 to 10000 Stars; not with expireDate, memberLimit or createsJoinRequest.",
    }),
    idempotencyKey: t.string({
      description:
        "1 to 255 characters, the caller's own, kept for 24 hours. A repeated call with the same key gives the first call's link and makes no second one in Telegram; where nobody knows whether the first call was carried out, it says so again (TelegramUnavailableError, outcomeUnknown) rather than try blindly.",
    }),
  }),
});

const CreateInviteLinkSuccess = linkSuccess(
  "CreateInviteLinkSuccess",
  "The link is made, in Telegram and here.",
);

builder.mutationField("createInviteLink", (t) =>
  t.field({
    type: CreateInviteLinkSuccess,
    description:
      "Makes an invite link through the helper bot. Takes the role EDITOR. A channel that is not known yet is learned on the way.",
    args: { input: t.arg({ type: CreateInviteLinkInput, required: true, description: "What to make." }) },
    errors: {
      types: [...COMMON_ERRORS, ...TELEGRAM_ERRORS, BotPermissionError, IdempotencyConflictError],
      union: { name: "CreateInviteLinkResult" },
    },
    resolve: async (_root, { input: { channelId: chatId, ...input } }, context) => ({
      inviteLink: await context.afresh().linkCreator.create({ ...input, chatId }),
    }),
  }),
);
