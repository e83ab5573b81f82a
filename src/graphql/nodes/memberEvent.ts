import type { MemberEvent, MemberEventKind } from "../../domain/activity/memberEvent.js";
import type { Attribution } from "../../domain/activity/membership.js";
import { builder } from "../builder/builder.js";
import { COUNTING_COST, pageComplexity, selectsRows, toConnection } from "../builder/connection.js";
import { eventFilterCost } from "./filterCost.js";
import { JoinPathType } from "./membership.js";
import { InviteLinkRef } from "./refs.js";

const KINDS: Record<MemberEventKind, { description: string }> = {
  JOINED: { description: "Somebody joined." },
  LEFT: { description: "A member left, or was removed." },
  JOIN_REQUESTED: { description: "Somebody asked to join." },
  JOIN_REQUEST_DECLINED: {
    description:
      "A request was declined by this API. Telegram tells nobody of requests that another administrator declines or that a person takes back.",
  },
};

const KindType = builder.enumType("MemberEventKind", {
  description: "What happened to a member.",
  values: KINDS,
});

const ATTRIBUTIONS: Record<Attribution, { description: string }> = {
  EXACT: { description: "Telegram named the whole link." },
  BY_BEGINNING: {
    description:
      "Telegram shortened the link, and exactly one known link of that creator and name begins so; or none did, and the link was learned from this event.",
  },
  AMBIGUOUS: {
    description:
      "Telegram shortened the link, and several links begin so: the event counts for none of them.",
  },
  NONE: { description: "Telegram named no link." },
};

const AttributionType = builder.enumType("Attribution", {
  description: "How the link of an event was found; for LEFT, how the link of the member's join was found.",
  values: ATTRIBUTIONS,
});

export const MemberEventRef = builder.objectRef<MemberEvent>("MemberEvent");

builder.node(MemberEventRef, {
  description: "A member joined, left, asked to join, or was declined.",
  id: { resolve: ({ id }) => id, description: "Global id, unique in the whole schema." },
  loadManyWithoutCache: (ids, { members }) => Promise.all(ids.map((id) => members.event(id))),
  fields: (t) => ({
    kind: t.expose("kind", { type: KindType, description: "What happened." }),
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
        "The link by which the person came or asked to come; for LEFT, had come. Null for somebody who came without a link, or by one that Telegram did not name.",
      resolve: ({ linkId }, _args, { loaders }) => (linkId === null ? null : loaders.inviteLink.load(linkId)),
    }),
    attribution: t.expose("attribution", { type: AttributionType, description: "How the link was found." }),
    path: t.expose("path", {
      type: JoinPathType,
      nullable: true,
      description: "How the person joined; null unless the kind is JOINED.",
    }),
    isRemoval: t.exposeBoolean("isRemoval", {
      description: "For LEFT: whether somebody else removed or banned the person.",
    }),
    isRejoin: t.exposeBoolean("isRejoin", {
      description: "For JOINED: whether the person had been in the channel before.",
    }),
    isInferred: t.exposeBoolean("isInferred", {
      description:
        "Whether Telegram did not send this leave and a later update shows it: somebody who joins while their last stay has not ended must have left in between. The leave has the time of that update. Joins are never inferred.",
    }),
    actorId: t.expose("actorId", {
      type: "TelegramID",
      nullable: true,
      description:
        "The Telegram user who approved, added or removed the person; null if the person did it, or this API.",
    }),
    occurredAt: t.expose("occurredAt", { type: "DateTime", description: "The time that Telegram gave." }),
  }),
});

const MemberEventEdge = builder.edgeObject({
  name: "MemberEventEdge",
  type: MemberEventRef,
  description: "A member event on a page, with its cursor.",
});

const MemberEventConnection = builder.connectionObject(
  {
    name: "MemberEventConnection",
    type: MemberEventRef,
    description: "A page of member events.",
    fields: (t) => ({
      totalCount: t.int({
        description: "The number of matching events on all pages. Computed only if selected.",
        complexity: COUNTING_COST,
        resolve: ({ totalCount }) => totalCount(),
      }),
    }),
  },
  MemberEventEdge,
);

const MemberEventFilterInput = builder.inputType("MemberEventFilter", {
  description: "Conditions on member events. An event must meet all of them.",
  fields: (t) => ({
    kinds: t.field({
      type: [KindType],
      description: "Only events of these kinds. An empty list matches no event.",
    }),
    inviteLinkIds: t.idList({
      description: "Only events of these links: global ids or bare UUIDs. An empty list matches no event.",
    }),
    userId: t.field({ type: "TelegramID", description: "Only events of this Telegram user." }),
    occurredFrom: t.field({ type: "DateTime", description: "Only events at this time or later." }),
    occurredTo: t.field({ type: "DateTime", description: "Only events before this time (exclusive)." }),
  }),
});

builder.queryField("memberEvents", (t) =>
  t.connection(
    {
      type: MemberEventRef,
      description:
        "Everything that happened to the members of a channel, the last stored first. At most 100 events a page.",
      args: {
        channelId: t.arg({
          type: "TelegramID",
          required: true,
          description: "The Telegram chat id of the channel.",
        }),
        filter: t.arg({
          type: MemberEventFilterInput,
          description: "The conditions that the events must meet; null for all events.",
        }),
      },
      complexity: (args) => {
        const { field, multiplier } = pageComplexity(args);
        return { field: field + eventFilterCost(args.filter), multiplier };
      },
      resolve: async (_root, { channelId: chatId, ...args }, { members }, info) =>
        toConnection(await members.page({ chatId, withRows: selectsRows(info), ...args })),
    },
    MemberEventConnection,
    MemberEventEdge,
  ),
);
