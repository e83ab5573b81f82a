import type { JoinRequestResult } from "../../domain/joinRequests/decideRequests.js";
import type { JoinRequestDecision } from "../../domain/joinRequests/joinRequest.js";
import { NotFoundError } from "../../domain/shared/errors.js";
import { builder } from "../builder/builder.js";
import { COMMON_ERRORS, errorValue, UserErrorRef } from "../nodes/errors.js";
import { JoinRequestRef } from "../nodes/joinRequest.js";
import { JoinRequestDeciderType } from "../nodes/joinRequestPolicy.js";
import { InviteLinkRef } from "../nodes/refs.js";
import { nodeSuccess } from "./success.js";

const DECISIONS: Record<JoinRequestDecision, { description: string }> = {
  APPROVE: { description: "Let the person in." },
  DECLINE: { description: "Refuse the person, who can ask again." },
};

const DecisionType = builder.enumType("JoinRequestDecision", {
  description: "What becomes of a request to join.",
  values: DECISIONS,
});

const DecideJoinRequestsInput = builder.inputType("DecideJoinRequestsInput", {
  description:
    "Up to 100 requests of one channel. Each is decided by itself. Deciding a request again in the same way changes nothing and succeeds.",
  fields: (t) => ({
    ids: t.idList({ required: true, description: "The requests: global ids or bare UUIDs." }),
    decision: t.field({ type: DecisionType, required: true, description: "What becomes of them." }),
  }),
});

const JoinRequestResultRef = builder.objectRef<JoinRequestResult>("JoinRequestResult").implement({
  description: "What became of one request.",
  fields: (t) => ({
    joinRequest: t.expose("joinRequest", {
      type: JoinRequestRef,
      description: "The request as it stands now.",
    }),
    error: t.field({
      type: UserErrorRef,
      nullable: true,
      description:
        "Null if the request stands as it was asked for. BAD_USER_INPUT: it was decided in the other way before. NOT_FOUND: it is GONE. RATE_LIMITED: it was not reached in the mutation's time, so ask again. Otherwise what Telegram's answer means. Deciding can always be repeated.",
      resolve: ({ error }) => error && errorValue(error),
    }),
  }),
});

const DecideJoinRequestsSuccess = builder
  .objectRef<{ results: JoinRequestResult[] }>("DecideJoinRequestsSuccess")
  .implement({
    description: "The requests were decided, each as its result says.",
    fields: (t) => ({
      results: t.expose("results", {
        type: [JoinRequestResultRef],
        description: "A result for each id of the input, in their order.",
      }),
    }),
  });

const SetJoinRequestPolicyInput = builder.inputType("SetJoinRequestPolicyInput", {
  description: "How requests to join by a link are decided. Requests that are pending already are included.",
  fields: (t) => ({
    inviteLinkId: t.id({
      required: true,
      description: "The global id or bare UUID of a link of the bot that asks for approval.",
    }),
    decider: t.field({ type: JoinRequestDeciderType, required: true, description: "Who decides." }),
    approveAfterSeconds: t.int({
      description:
        "How long after a request the server approves it: 0 to 604800 seconds. Required for AUTOMATIC, otherwise not allowed.",
    }),
  }),
});

const SetJoinRequestPolicySuccess = nodeSuccess(
  "SetJoinRequestPolicySuccess",
  "The policy was stored.",
  InviteLinkRef,
  { name: "inviteLink", description: "The link with its new policy." },
);

builder.mutationFields((t) => ({
  decideJoinRequests: t.field({
    type: DecideJoinRequestsSuccess,
    description: "Approves or declines requests to join, in Telegram. Requires the role EDITOR.",
    args: {
      input: t.arg({
        type: DecideJoinRequestsInput,
        required: true,
        description: "The requests and the decision.",
      }),
    },
    errors: { types: [...COMMON_ERRORS, NotFoundError], union: { name: "DecideJoinRequestsResult" } },
    resolve: async (_root, { input }, { joinRequestDecisions }) => ({
      results: await joinRequestDecisions.decide(input),
    }),
  }),
  setJoinRequestPolicy: t.field({
    type: SetJoinRequestPolicySuccess,
    description:
      "Sets whether people or the server decide the requests to join by a link. Requires the role EDITOR.",
    args: {
      input: t.arg({
        type: SetJoinRequestPolicyInput,
        required: true,
        description: "The link and its policy.",
      }),
    },
    errors: { types: [...COMMON_ERRORS, NotFoundError], union: { name: "SetJoinRequestPolicyResult" } },
    resolve: async (_root, { input }, { joinRequestPolicies }) => ({
      inviteLink: await joinRequestPolicies.set(input),
    }),
  }),
}));
