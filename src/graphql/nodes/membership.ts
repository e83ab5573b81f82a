import type { JoinPath, Membership } from "../../domain/activity/membership.js";
import { builder } from "../builder/builder.js";
import { InviteLinkRef } from "./refs.js";

const PATHS: Record<JoinPath, { description: string }> = {
  INVITE_LINK: { description: "By an invite link, with or without approval." },
  JOIN_REQUEST: { description: "By a request without a link, which was approved." },
  CHAT_FOLDER: { description: "By a chat folder. The link counts as well if Telegram named one." },
  ADDED: { description: "Added by another member or by an administrator." },
  DIRECT: {
    description: "Without a link, or by one that Telegram did not name, as on most public chats.",
  },
};

export const JoinPathType = builder.enumType("JoinPath", {
  description: "How somebody joined a channel.",
  values: PATHS,
});

export const MembershipRef = builder.objectRef<Membership>("Membership");

builder.node(MembershipRef, {
  description: "One stay of one person in a channel.",
  id: { resolve: ({ id }) => id, description: "Global id, unique in the whole schema." },
  loadManyWithoutCache: (ids, { members }) => Promise.all(ids.map((id) => members.membership(id))),
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
        "The link by which the person came; null for somebody who came without a link, or by one that Telegram did not name.",
      resolve: ({ linkId }, _args, { loaders }) => (linkId === null ? null : loaders.inviteLink.load(linkId)),
    }),
    path: t.expose("path", { type: JoinPathType, description: "How the person joined." }),
    joinedAt: t.expose("joinedAt", { type: "DateTime", description: "The time of the join." }),
    leftAt: t.expose("leftAt", {
      type: "DateTime",
      nullable: true,
      description: "The time of the leave; null while the person is in the channel.",
    }),
    isRemoval: t.exposeBoolean("isRemoval", {
      description: "Whether somebody else removed or banned the person.",
    }),
    isRejoin: t.exposeBoolean("isRejoin", {
      description: "Whether the person had been in the channel before.",
    }),
  }),
});

export const MembershipEdge = builder.edgeObject({
  name: "MembershipEdge",
  type: MembershipRef,
  description: "A membership on a page, with its cursor.",
});

export const MembershipConnection = builder.connectionObject(
  {
    name: "MembershipConnection",
    type: MembershipRef,
    description: "A page of memberships.",
    fields: (t) => ({
      totalCount: t.int({
        description: "The number of matching memberships on all pages. Computed only if selected.",
        resolve: ({ totalCount }) => totalCount(),
      }),
    }),
  },
  MembershipEdge,
);
