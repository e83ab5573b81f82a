import { IdempotencyConflictError, NotFoundError } from "../../domain/shared/errors.js";
import { builder } from "../builder/builder.js";
import { COMMON_ERRORS } from "../nodes/errors.js";
import { InviteLinkBatchRef } from "../nodes/inviteLinkBatch.js";
import { SubscriptionInput } from "./createInviteLink.js";
import { nodeSuccess } from "./success.js";

const BatchedInviteLinkInput = builder.inputType("BatchedInviteLinkInput", {
  description: "A link of a batch: as CreateInviteLinkInput, without the channel and a key of its own.",
  fields: (t) => ({
    name: t.string({ required: true, description: "As in CreateInviteLinkInput." }),
    createsJoinRequest: t.boolean({
      required: true,
      defaultValue: false,
      description: "As in CreateInviteLinkInput.",
    }),
    expireDate: t.field({
      type: "DateTime",
      description:
        "As in CreateInviteLinkInput. A date that has passed when the link's turn comes fails the link.",
    }),
    memberLimit: t.int({ description: "As in CreateInviteLinkInput." }),
    budget: t.field({
      type: "Decimal",
      required: true,
      defaultValue: "0.00",
      description: "As in CreateInviteLinkInput.",
    }),
    tagIds: t.idList({ required: true, defaultValue: [], description: "As in CreateInviteLinkInput." }),
    subscription: t.field({ type: SubscriptionInput, description: "As in CreateInviteLinkInput." }),
    externalId: t.string({
      description:
        "As in CreateInviteLinkInput. The id is taken from now on, and free again if the link fails or is cancelled.",
    }),
  }),
});

const CreateInviteLinksInput = builder.inputType("CreateInviteLinksInput", {
  description: "The links to create.",
  fields: (t) => ({
    channelId: t.field({
      type: "TelegramID",
      required: true,
      description: "The Telegram chat id of the links' channel, which must be connected.",
    }),
    links: t.field({
      type: [BatchedInviteLinkInput],
      required: true,
      description: "1 to 1,000 links.",
    }),
    idempotencyKey: t.string({
      description:
        "A key of the caller's choice for the whole batch: 1 to 255 characters, kept for 24 hours after the batch has ended. A repeated call with the same key returns the batch of the first call.",
    }),
  }),
});

const CreateInviteLinksSuccess = nodeSuccess(
  "CreateInviteLinksSuccess",
  "The batch was stored, and its links are being created.",
  InviteLinkBatchRef,
  { name: "batch", description: "The batch." },
);

const CancelInviteLinkBatchInput = builder.inputType("CancelInviteLinkBatchInput", {
  description: "The batch to cancel.",
  fields: (t) => ({
    id: t.id({ required: true, description: "The batch: a global id or a bare UUID." }),
  }),
});

const CancelInviteLinkBatchSuccess = nodeSuccess(
  "CancelInviteLinkBatchSuccess",
  "The batch is cancelled, or had ended before.",
  InviteLinkBatchRef,
  { name: "batch", description: "The batch." },
);

builder.mutationFields((t) => ({
  createInviteLinks: t.field({
    type: CreateInviteLinksSuccess,
    description:
      "Creates up to 1,000 links of one channel. All are validated first: one that is not acceptable refuses all, and fieldErrors name it, such as links.7.name. Then they are created one after another in the background, whether or not the caller stays. Requires the role EDITOR.",
    args: {
      input: t.arg({ type: CreateInviteLinksInput, required: true, description: "The links to create." }),
    },
    errors: {
      types: [...COMMON_ERRORS, IdempotencyConflictError],
      union: { name: "CreateInviteLinksResult" },
    },
    resolve: async (_root, { input: { channelId: chatId, ...input } }, { linkBatches }) => ({
      batch: await linkBatches.create({ ...input, chatId }),
    }),
  }),
  cancelInviteLinkBatch: t.field({
    type: CancelInviteLinkBatchSuccess,
    description:
      "Cancels a batch of links: links that wait are not created; one that is being created is finished first. A batch that has ended stays as it is. Requires the role EDITOR.",
    args: {
      input: t.arg({
        type: CancelInviteLinkBatchInput,
        required: true,
        description: "The batch to cancel.",
      }),
    },
    errors: { types: [...COMMON_ERRORS, NotFoundError], union: { name: "CancelInviteLinkBatchResult" } },
    resolve: async (_root, { input }, { linkBatches }) => ({ batch: await linkBatches.cancel(input) }),
  }),
}));
