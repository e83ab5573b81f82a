import type { Caller } from "../../domain/shared/caller.js";
import { builder } from "../builder/builder.js";
import { RoleType } from "./role.js";

const Viewer = builder.objectRef<Caller>("Viewer").implement({
  description: "The caller: the name, the role and the channels of its API token.",
  fields: (t) => ({
    name: t.exposeString("name", { description: "The token's name." }),
    role: t.expose("role", { type: RoleType, description: "The token's role." }),
    channelIds: t.field({
      type: ["TelegramID"],
      nullable: true,
      description: "The Telegram chat ids of the channels that the token may use; null for all channels.",
      resolve: ({ chatIds }) => (chatIds === null ? null : [...chatIds]),
    }),
  }),
});

builder.queryField("viewer", (t) =>
  t.field({ type: Viewer, description: "The caller.", resolve: (_root, _args, { caller }) => caller }),
);
