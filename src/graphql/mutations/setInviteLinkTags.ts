import type { InviteLink } from "../../domain/links/inviteLink.js";
import { NotFoundError } from "../../domain/shared/errors.js";
import { builder } from "../builder/builder.js";
import { COMMON_ERRORS } from "../nodes/errors.js";
import { InviteLinkRef } from "../nodes/refs.js";

const SetInviteLinkTagsInput = builder.inputType("SetInviteLinkTagsInput", {
  description: "Gives and takes tags of up to 250 links of one channel at once, all or none.",
  fields: (t) => ({
    ids: t.idList({ required: true, description: "The links: global ids, or bare UUIDs." }),
    addTagIds: t.idList({
      required: true,
      defaultValue: [],
      description: "Tags of the channel that each shall carry; a link carries at most 100.",
    }),
    removeTagIds: t.idList({
      required: true,
      defaultValue: [],
      description: "Tags of the channel that none shall carry.",
    }),
  }),
});

const SetInviteLinkTagsSuccess = builder
  .objectRef<{ inviteLinks: readonly InviteLink[] }>("SetInviteLinkTagsSuccess")
  .implement({
    description: "The links' tags are changed.",
    fields: (t) => ({
      inviteLinks: t.field({
        type: [InviteLinkRef],
        description: "The links as they are now, each once, in the order of their ids in the input.",
        resolve: ({ inviteLinks }) => inviteLinks,
      }),
    }),
  });

builder.mutationField("setInviteLinkTags", (t) =>
  t.field({
    type: SetInviteLinkTagsSuccess,
    description: "Gives and takes tags of many links at once. Takes the role EDITOR.",
    args: {
      input: t.arg({ type: SetInviteLinkTagsInput, required: true, description: "Which links and tags." }),
    },
    errors: { types: [...COMMON_ERRORS, NotFoundError], union: { name: "SetInviteLinkTagsResult" } },
    resolve: async (_root, { input }, context) => ({
      inviteLinks: await context.afresh().bulkTagging.set(input),
    }),
  }),
);
