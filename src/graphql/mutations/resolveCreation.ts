import { NotFoundError } from "../../domain/shared/errors.js";
import { builder } from "../builder/builder.js";
import { COMMON_ERRORS } from "../nodes/errors.js";
import { InviteLinkRef } from "../nodes/refs.js";

const ResolveCreationInput = builder.inputType("ResolveCreationInput", {
  description:
    "The outcome of an uncertain creation, as a person has found it in Telegram: either the link's address, or that no link was created.",
  fields: (t) => ({
    id: t.id({ required: true, description: "The UncertainCreation's global id or bare UUID." }),
    url: t.field({ type: "URL", description: "The address of the link that Telegram created." }),
    notMade: t.boolean({
      required: true,
      defaultValue: false,
      description: "True if Telegram created no link. The idempotency key can then be used again.",
    }),
  }),
});

const ResolveCreationSuccess = builder
  .objectRef<{ linkId: string | null }>("ResolveCreationSuccess")
  .implement({
    description: "The creation is settled.",
    fields: (t) => ({
      inviteLink: t.field({
        type: InviteLinkRef,
        nullable: true,
        description: "The link, stored now as it was requested; null if no link was created.",
        resolve: ({ linkId }, _args, { loaders }) =>
          linkId === null ? null : loaders.inviteLink.load(linkId),
      }),
    }),
  });

builder.mutationField("resolveCreation", (t) =>
  t.field({
    type: ResolveCreationSuccess,
    description:
      "Settles an uncertain creation. Either its link is stored as it was requested, and its idempotency key returns that link from now on; or the key can be used again. Requires the role ADMIN.",
    args: {
      input: t.arg({
        type: ResolveCreationInput,
        required: true,
        description: "The uncertain creation and its outcome.",
      }),
    },
    errors: { types: [...COMMON_ERRORS, NotFoundError], union: { name: "ResolveCreationResult" } },
    resolve: async (_root, { input }, { uncertainCreations }) => ({
      linkId: await uncertainCreations.resolve(input),
    }),
  }),
);
