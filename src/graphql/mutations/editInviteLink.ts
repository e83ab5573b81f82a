import { BotPermissionError, NotFoundError } from "../../domain/shared/errors.js";
import { builder } from "../builder/builder.js";
import { COMMON_ERRORS, TELEGRAM_ERRORS } from "../nodes/errors.js";
import { InviteLinkRef } from "../nodes/refs.js";
import { nodeSuccess } from "./success.js";

const EDIT_ERRORS = [...COMMON_ERRORS, NotFoundError, ...TELEGRAM_ERRORS, BotPermissionError] as const;
const ID_DESCRIPTION = "The link's global id or bare UUID.";

const UpdateInviteLinkInput = builder.inputType("UpdateInviteLinkInput", {
  description:
    "The changes of a link. An omitted field keeps its value. Null clears name, expireDate, memberLimit and externalId, and is a ValidationError for other fields. Telegram refuses changes that leave an expired link expired: they are a ValidationError on expireDate. budget, tagIds and externalId can always be changed.",
  fields: (t) => ({
    id: t.id({ required: true, description: ID_DESCRIPTION }),
    name: t.string({
      description: "1 to 32 code points, counted after Telegram's cleaning of white space; null for no name.",
    }),
    createsJoinRequest: t.boolean({
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
      description: "The price of the placement, 0 or more, in the channel's currency.",
    }),
    tagIds: t.idList({
      description: "All tags that the link is to have: global ids or bare UUIDs of tags of the channel.",
    }),
    externalId: t.string({
      description:
        "The caller's own id of the link: 1 to 255 characters, or null for none. One that another link of the channel has is a ValidationError.",
    }),
  }),
});

const UpdateInviteLinkSuccess = nodeSuccess(
  "UpdateInviteLinkSuccess",
  "The link was changed in Telegram and here.",
  InviteLinkRef,
  { name: "inviteLink", description: "The updated link." },
);

const RevokeInviteLinkInput = builder.inputType("RevokeInviteLinkInput", {
  description: "The link to revoke.",
  fields: (t) => ({ id: t.id({ required: true, description: ID_DESCRIPTION }) }),
});

const RevokeInviteLinkSuccess = nodeSuccess(
  "RevokeInviteLinkSuccess",
  "The link was revoked in Telegram and here.",
  InviteLinkRef,
  { name: "inviteLink", description: "The revoked link." },
);

builder.mutationFields((t) => ({
  updateInviteLink: t.field({
    type: UpdateInviteLinkSuccess,
    description:
      "Changes a link. Telegram is called only if one of its own settings changes. Requires the role EDITOR. If Telegram's answer was lost (outcomeUnknown), repeat the mutation. Links of other administrators cannot be changed.",
    args: {
      input: t.arg({ type: UpdateInviteLinkInput, required: true, description: "The link and its changes." }),
    },
    errors: { types: [...EDIT_ERRORS], union: { name: "UpdateInviteLinkResult" } },
    resolve: async (_root, { input }, { linkEditor }) => ({ inviteLink: await linkEditor.update(input) }),
  }),
  revokeInviteLink: t.field({
    type: RevokeInviteLinkSuccess,
    description:
      "Revokes a link permanently: nobody can join by it any more. Revoking a revoked link changes nothing. Requires the role EDITOR. If Telegram's answer was lost (outcomeUnknown), repeat the mutation.",
    args: {
      input: t.arg({ type: RevokeInviteLinkInput, required: true, description: "The link to revoke." }),
    },
    errors: { types: [...EDIT_ERRORS], union: { name: "RevokeInviteLinkResult" } },
    resolve: async (_root, { input }, { linkEditor }) => ({ inviteLink: await linkEditor.revoke(input) }),
  }),
}));
