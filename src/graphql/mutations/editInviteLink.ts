import { BotPermissionError, NotFoundError } from "../../domain/shared/errors.js";
import { builder } from "../builder/builder.js";
import { COMMON_ERRORS, TELEGRAM_ERRORS } from "../nodes/errors.js";
import { linkSuccess } from "./success.js";

const EDIT_ERRORS = [...COMMON_ERRORS, NotFoundError, ...TELEGRAM_ERRORS, BotPermissionError] as const;
const ID_DESCRIPTION = "Its global id, or the bare UUID.";

const UpdateInviteLinkInput = builder.inputType("UpdateInviteLinkInput", {
  description:
    "What to change of a link. A field left out keeps its value. Null clears name, expireDate and memberLimit, and is a ValidationError for the others. Telegram takes no change of an expired link that leaves it expired: a ValidationError on expireDate says so; budget and tagIds can always be changed.",
  fields: (t) => ({
    id: t.id({ required: true, description: ID_DESCRIPTION }),
    name: t.string({
      description: "1 to 32 code points after Telegram's own cleaning of white space; null for none.",
    }),
    createsJoinRequest: t.boolean({
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
      description: "What was paid for the placement, in the channel's currency: 0 or more.",
    }),
    tagIds: t.idList({ description: "Tags of its channel: all that it shall carry." }),
  }),
});

const UpdateInviteLinkSuccess = linkSuccess(
  "UpdateInviteLinkSuccess",
  "The link is changed, in Telegram and here.",
);

const RevokeInviteLinkInput = builder.inputType("RevokeInviteLinkInput", {
  description: "Which link to revoke.",
  fields: (t) => ({ id: t.id({ required: true, description: ID_DESCRIPTION }) }),
});

const RevokeInviteLinkSuccess = linkSuccess(
  "RevokeInviteLinkSuccess",
  "The link is revoked, in Telegram and here.",
);

builder.mutationFields((t) => ({
  updateInviteLink: t.field({
    type: UpdateInviteLinkSuccess,
    description:
      "Changes a link, in Telegram only where it is something that Telegram knows of. Takes the role EDITOR. Where an answer of Telegram's was lost (outcomeUnknown), doing it again puts it right. Links of other administrators cannot be changed.",
    args: {
      input: t.arg({ type: UpdateInviteLinkInput, required: true, description: "What to change." }),
    },
    errors: { types: [...EDIT_ERRORS], union: { name: "UpdateInviteLinkResult" } },
    resolve: async (_root, { input }, context) => ({
      inviteLink: await context.afresh().linkEditor.update(input),
    }),
  }),
  revokeInviteLink: t.field({
    type: RevokeInviteLinkSuccess,
    description:
      "Makes a link invalid for good: nobody can join by it any more. One that is revoked stays so. Takes the role EDITOR. Where an answer of Telegram's was lost (outcomeUnknown), doing it again puts it right.",
    args: { input: t.arg({ type: RevokeInviteLinkInput, required: true, description: "Which one." }) },
    errors: { types: [...EDIT_ERRORS], union: { name: "RevokeInviteLinkResult" } },
    resolve: async (_root, { input }, context) => ({
      inviteLink: await context.afresh().linkEditor.revoke(input),
    }),
  }),
}));
