import type { Role } from "../../domain/shared/caller.js";
import { builder } from "../builder/builder.js";

const ROLE_DESCRIPTIONS: Record<Role, { description: string }> = {
  VIEWER: { description: "Reads." },
  EDITOR: { description: "Reads, and changes links and tags." },
  ADMIN: { description: "All, tokens and channels included." },
};

export const RoleType = builder.enumType("Role", {
  description: "What a token may do, in the channels that it may use.",
  values: ROLE_DESCRIPTIONS,
});
