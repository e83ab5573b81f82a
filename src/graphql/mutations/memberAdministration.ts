import { builder } from "../builder/builder.js";
import { COMMON_ERRORS } from "../nodes/errors.js";

const EraseMemberInput = builder.inputType("EraseMemberInput", {
  description: "The person to erase.",
  fields: (t) => ({
    userId: t.field({
      type: "TelegramID",
      required: true,
      description: "The person's Telegram user id, a positive number.",
    }),
  }),
});

const RetryFailedUpdatesInput = builder.inputType("RetryFailedUpdatesInput", {
  description: "The failed updates to store again.",
  fields: (t) => ({
    ids: t.idList({
      required: true,
      description: "Global ids or bare UUIDs of failed updates, at most 100.",
    }),
  }),
});

const EraseMemberSuccess = builder
  .objectRef<{ readonly eventCount: number }>("EraseMemberSuccess")
  .implement({
    description: "The person's id was replaced everywhere.",
    fields: (t) => ({
      eventCount: t.exposeInt("eventCount", {
        description: "The number of the person's member events, in all channels.",
      }),
    }),
  });

const RetryFailedUpdatesSuccess = builder
  .objectRef<{ readonly succeededCount: number; readonly failedCount: number }>("RetryFailedUpdatesSuccess")
  .implement({
    description: "The updates were tried again.",
    fields: (t) => ({
      succeededCount: t.exposeInt("succeededCount", {
        description: "The number of updates that are stored now, or were stored before.",
      }),
      failedCount: t.exposeInt("failedCount", {
        description: "The number of updates that stay set aside, each with its new reason.",
      }),
    }),
  });

builder.mutationFields((t) => ({
  eraseMember: t.field({
    type: EraseMemberSuccess,
    description:
      "Replaces a person's id in everything that is stored, waiting updates included, by a negative number that stands for that person alone. Every count stays. An erased member who leaves later is not known any more: the leave has no link. Requires the role ADMIN and a token for all channels.",
    args: { input: t.arg({ type: EraseMemberInput, required: true, description: "The person to erase." }) },
    errors: { types: [...COMMON_ERRORS], union: { name: "EraseMemberResult" } },
    resolve: (_root, { input }, context) => context.eraseMember(input),
  }),
  retryFailedUpdates: t.field({
    type: RetryFailedUpdatesSuccess,
    description:
      "Stores updates that were set aside, as if they came now. Requires the role ADMIN and a token for all channels.",
    args: {
      input: t.arg({
        type: RetryFailedUpdatesInput,
        required: true,
        description: "The failed updates to store again.",
      }),
    },
    errors: { types: [...COMMON_ERRORS], union: { name: "RetryFailedUpdatesResult" } },
    resolve: (_root, { input }, { failedUpdates }) => failedUpdates.retry(input),
  }),
}));
