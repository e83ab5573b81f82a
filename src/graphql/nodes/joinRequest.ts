import type { JoinRequest, JoinRequestState } from "../../domain/joinRequests/joinRequest.js";
import { builder } from "../builder/builder.js";
import { COUNTING_COST, pageComplexity, selectsRows, toConnection } from "../builder/connection.js";
import { requestFilterCost } from "./filterCost.js";
import { InviteLinkRef } from "./refs.js";

const STATES: Record<JoinRequestState, { description: string }> = {
  PENDING: { description: "Nobody has decided it, as far as Telegram tells." },
  APPROVED: { description: "This API approved it, or the person joined by it." },
  DECLINED: {
    description:
      "This API declined it. Telegram does not tell of requests that another administrator declines.",
  },
  GONE: {
    description:
      "Telegram does not know it any more: it was taken back or declined elsewhere, another request of the person followed, or the person came by another way.",
  },
};

const StateType = builder.enumType("JoinRequestState", {
  description: "What became of a request to join.",
  values: STATES,
});

export const JoinRequestRef = builder.objectRef<JoinRequest>("JoinRequest");

builder.node(JoinRequestRef, {
  description: "A person's request to join a channel.",
  id: { resolve: ({ id }) => id, description: "Global id, unique in the whole schema." },
  loadManyWithoutCache: (ids, { joinRequests }) => Promise.all(ids.map((id) => joinRequests.find(id))),
  fields: (t) => ({
    channelId: t.expose("chatId", {
      type: "TelegramID",
      description: "The Telegram chat id of the channel.",
    }),
    userId: t.expose("userId", {
      type: "TelegramID",
      description:
        "The Telegram user id of the person. For a person who was erased, a negative number that stands for that person alone.",
    }),
    inviteLink: t.field({
      type: InviteLinkRef,
      nullable: true,
      description:
        "The link by which the person asked; null for somebody who asked without a link, or by one that Telegram did not name.",
      resolve: ({ linkId }, _args, { loaders }) => (linkId === null ? null : loaders.inviteLink.load(linkId)),
    }),
    bio: t.exposeString("bio", {
      nullable: true,
      description:
        "What the person tells of themselves in Telegram; null if Telegram did not send it, and as soon as the request has ended.",
    }),
    state: t.expose("state", { type: StateType, description: "What became of the request." }),
    requestedAt: t.expose("requestedAt", { type: "DateTime", description: "The time of the request." }),
    decidedAt: t.expose("decidedAt", {
      type: "DateTime",
      nullable: true,
      description: "When the request ended, as far as it is known; null while it is pending.",
    }),
  }),
});

const JoinRequestEdge = builder.edgeObject({
  name: "JoinRequestEdge",
  type: JoinRequestRef,
  description: "A request on a page, with its cursor.",
});

const JoinRequestConnection = builder.connectionObject(
  {
    name: "JoinRequestConnection",
    type: JoinRequestRef,
    description: "A page of requests to join.",
    fields: (t) => ({
      totalCount: t.int({
        description: "The number of matching requests on all pages. Computed only if selected.",
        complexity: COUNTING_COST,
        resolve: ({ totalCount }) => totalCount(),
      }),
    }),
  },
  JoinRequestEdge,
);

const JoinRequestFilterInput = builder.inputType("JoinRequestFilter", {
  description: "Conditions on requests to join. A request must meet all of them.",
  fields: (t) => ({
    states: t.field({
      type: [StateType],
      description: "Only requests in these states. An empty list matches no request.",
    }),
    inviteLinkIds: t.idList({
      description:
        "Only requests by these links: global ids or bare UUIDs. An empty list matches no request.",
    }),
    requestedFrom: t.field({ type: "DateTime", description: "Only requests from this time on." }),
    requestedTo: t.field({ type: "DateTime", description: "Only requests before this time (exclusive)." }),
  }),
});

builder.queryField("joinRequests", (t) =>
  t.connection(
    {
      type: JoinRequestRef,
      description: "The requests to join a channel, the latest first. At most 100 requests a page.",
      args: {
        channelId: t.arg({
          type: "TelegramID",
          required: true,
          description: "The Telegram chat id of the channel.",
        }),
        filter: t.arg({
          type: JoinRequestFilterInput,
          description: "The conditions that the requests must meet; null for all requests.",
        }),
      },
      complexity: (args) => {
        const { field, multiplier } = pageComplexity(args);
        return { field: field + requestFilterCost(args.filter), multiplier };
      },
      resolve: async (_root, { channelId: chatId, ...args }, { joinRequests }, info) =>
        toConnection(await joinRequests.page({ chatId, withRows: selectsRows(info), ...args })),
    },
    JoinRequestConnection,
    JoinRequestEdge,
  ),
);
