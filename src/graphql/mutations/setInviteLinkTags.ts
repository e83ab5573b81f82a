import type { InviteLink } from "../../domain/links/inviteLink.js";
import { NotFoundError } from "../../domain/shared/errors.js";
import { builder } from "../builder/builder.js";
import { COMMON_ERRORS } from "../nodes/errors.js";
import { InviteLinkRef } from "../nodes/refs.js";

const SetInviteLinkTagsInput = builder.inputType("SetInviteLinkTagsInput", {
  description:
    "Tags to add to and to remove from up to 250 links of one channel. Either all links are changed or none.",
  fields: (t) => ({
    ids: t.idList({ required: true, description: "The links: global ids or bare UUIDs." }),
    addTagIds: t.idList({
      required: true,
      defaultValue: [],
      description: "Tags of the channel to add to each link. A link can have at most 100 tags.",
    }),
    removeTagIds: t.idList({
      required: true,
      defaultValue: [],
      description: "Tags of the channel to remove from each link.",
    }),
  }),
});

const SetInviteLinkTagsSuccess = builder
  .objectRef<{ inviteLinks: InviteLink[] }>("SetInviteLinkTagsSuccess")
  .implement({
    description: "The links' tags were changed.",
    fields: (t) => ({
      inviteLinks: t.expose("inviteLinks", {
        type: [InviteLinkRef],
        description: "The updated links, each once, in the order of the ids in the input.",
      }),
    }),
  });

builder.mutationField("setInviteLinkTags", (t) =>
  t.field({
    type: SetInviteLinkTagsSuccess,
    description: "Adds and removes tags of many links at once. Requires the role EDITOR.",
    args: {
      input: t.arg({ type: SetInviteLinkTagsInput, required: true, description: "The links and the tags." }),
    },
    errors: { types: [...COMMON_ERRORS, NotFoundError], union: { name: "SetInviteLinkTagsResult" } },
    resolve: async (_root, { input }, { bulkTagging }) => ({ inviteLinks: await bulkTagging.set(input) }),
  }),
);
