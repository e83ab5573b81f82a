import type { Caller } from "../../domain/shared/caller.js";
import { builder } from "../builder/builder.js";
import { RoleType } from "./role.js";

const Viewer = builder.objectRef<Caller>("Viewer").implement({
  description: "Who is calling: the API token's name, role and channels.",
  fields: (t) => ({
    name: t.exposeString("name", { description: "The token's name." }),
    role: t.field({ type: RoleType, description: "What it may do.", resolve: ({ role }) => role }),
    channelIds: t.field({
      type: ["TelegramID"],
      nullable: true,
      description: "Null for a token that may use every channel.",
      resolve: ({ chatIds }) => (chatIds === null ? null : [...chatIds]),
    }),
  }),
});

builder.queryField("viewer", (t) =>
  t.field({ type: Viewer, description: "Who is calling.", resolve: (_root, _args, { caller }) => caller }),
);
