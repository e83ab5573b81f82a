import type { Role } from "../../domain/shared/caller.js";
import { builder } from "../builder/builder.js";

const ROLE_DESCRIPTIONS: Record<Role, { description: string }> = {
  VIEWER: { description: "May read." },
  EDITOR: { description: "May read, and change links and tags." },
  ADMIN: { description: "May do everything, including changes of tokens and channels." },
};

export const RoleType = builder.enumType("Role", {
  description: "The rights of a token in the channels that it may use.",
  values: ROLE_DESCRIPTIONS,
});
