import type { InviteLink } from "../../domain/links/inviteLink.js";
import { builder } from "../builder/builder.js";
import { InviteLinkRef } from "../nodes/refs.js";

/** The type of a mutation's success that has come to a link. */
export const linkSuccess = (name: string, description: string) =>
  builder.objectRef<{ inviteLink: InviteLink }>(name).implement({
    description,
    fields: (t) => ({
      inviteLink: t.field({
        type: InviteLinkRef,
        description: "The link as it is now.",
        resolve: ({ inviteLink }) => inviteLink,
      }),
    }),
  });
