import { builder } from "./builder/builder.js";
import { InviteLinkBatchRef } from "./nodes/inviteLinkBatch.js";
import { MemberEventRef } from "./nodes/memberEvent.js";
import { InviteLinkRef } from "./nodes/refs.js";

builder.subscriptionType({
  description:
    "Events as they are stored, over server-sent events (the protocol graphql-sse in its distinct connections mode). A stream ends with the code UNAUTHENTICATED when its token is revoked, and with FORBIDDEN when the token loses the channel.",
});

builder.subscriptionFields((t) => ({
  memberEvents: t.field({
    type: MemberEventRef,
    description:
      "Each member event of the channel, in the order in which the events are stored. Each event's id is also the id of its server-sent event, and the header Last-Event-ID stands for `after` when a client reconnects.",
    args: {
      channelId: t.arg({
        type: "TelegramID",
        required: true,
        description: "The Telegram chat id of the channel.",
      }),
      inviteLinkId: t.arg.id({ description: "Only events of this link: its global id or bare UUID." }),
      after: t.arg.id({
        description:
          "The id of the last event that the client has seen: first all events that came since are sent. An id that is no event of the channel is BAD_USER_INPUT. Null begins with the next event.",
      }),
    },
    subscribe: (_root, { channelId: chatId, inviteLinkId, after }, { liveMembers, lastEventId }) =>
      liveMembers.memberEvents({ chatId, inviteLinkId, after: lastEventId ?? after }),
    resolve: (event) => event,
  }),
  inviteLinkUpdated: t.field({
    type: InviteLinkRef,
    description:
      "A link of the channel that was created, changed or revoked, or whose numbers changed. One link comes at most once a second, always with its last state.",
    args: {
      channelId: t.arg({
        type: "TelegramID",
        required: true,
        description: "The Telegram chat id of the channel.",
      }),
    },
    subscribe: (_root, { channelId }, { liveMembers }) => liveMembers.inviteLinks(channelId),
    resolve: (link) => link,
  }),
  inviteLinkBatchUpdated: t.field({
    type: InviteLinkBatchRef,
    description:
      "The batch of links as it is now, then whenever it has moved, at most twice a second. The stream ends with the batch. An id that is no batch of the token's channels is BAD_USER_INPUT.",
    args: {
      id: t.arg.id({ required: true, description: "The batch: a global id or a bare UUID." }),
    },
    subscribe: (_root, { id }, { linkBatches }) => linkBatches.follow(id),
    resolve: (batch) => batch,
  }),
}));
