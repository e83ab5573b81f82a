import type { JoinRequestDecider } from "../../domain/joinRequests/policies.js";
import { builder } from "../builder/builder.js";

const DECIDERS: Record<JoinRequestDecider, { description: string }> = {
  PEOPLE: { description: "An administrator, by this API or in Telegram." },
  AUTOMATIC: { description: "This server approves each request, `approveAfterSeconds` after it came." },
};

export const JoinRequestDeciderType = builder.enumType("JoinRequestDecider", {
  description: "Who decides requests to join.",
  values: DECIDERS,
});

export const JoinRequestPolicy = builder
  .objectRef<{ readonly decider: JoinRequestDecider; readonly approveAfterSeconds: number | null }>(
    "JoinRequestPolicy",
  )
  .implement({
    description: "How requests to join by a link are decided.",
    fields: (t) => ({
      decider: t.expose("decider", { type: JoinRequestDeciderType, description: "Who decides." }),
      approveAfterSeconds: t.exposeInt("approveAfterSeconds", {
        nullable: true,
        description:
          "How long after a request the server approves it, in seconds; null unless the decider is AUTOMATIC.",
      }),
    }),
  });
