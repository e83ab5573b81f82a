import { DELIVERY_STATES, type WebhookDelivery } from "../../domain/webhooks/deliveries.js";
import type { Webhook } from "../../domain/webhooks/webhook.js";
import { builder } from "../builder/builder.js";
import { COUNTING_COST, pageComplexity, selectsRows, toConnection } from "../builder/connection.js";

export const WebhookEventTypeRef = builder.enumType("WebhookEventType", {
  description: "A kind of event that a webhook can be told of.",
  values: {
    MEMBER_JOINED: { description: "Somebody joined." },
    MEMBER_STAYED: {
      description:
        "The member who joined `holdSeconds` ago is still there; told once a membership. A leave that Telegram reports only after this was told cannot take it back.",
    },
    MEMBER_LEFT: { description: "A member left or was removed." },
    JOIN_REQUESTED: { description: "Somebody asked to join." },
    LINK_CREATED: { description: "An invite link was created through this server." },
    LINK_UPDATED: { description: "An invite link's settings, budget, external id or tags were changed." },
    LINK_REVOKED: { description: "An invite link was revoked." },
    BOT_STATUS_CHANGED: { description: "The bot's status in a channel changed." },
  },
});

export const WebhookFormatRef = builder.enumType("WebhookFormat", {
  description: "What is sent to a webhook's address.",
  values: {
    STANDARD: {
      description:
        "POST of JSON, signed as the Standard Webhooks specification says: webhook-id, webhook-timestamp, webhook-signature.",
    },
    POSTBACK: {
      description:
        "GET of the address with {macros} filled in and percent-encoded: {event_id} {event} {occurred_at} {occurred_unix} {channel_id} {user_id} {link_id} {link_name} {link_url} {external_id} {budget} {tag:NAME OF A TYPE}. For ad trackers.",
    },
  },
});

const WebhookDeliveryState = builder.enumType("WebhookDeliveryState", {
  description: "The state of a delivery.",
  values: {
    WAITING: { description: "An attempt will be made." },
    DELIVERED: { description: "The receiver answered with a status of 200 to 299." },
    FAILED: { description: "All attempts failed. It can be sent again with redeliver." },
  },
});

export const WebhookDeliveryRef = builder.objectRef<WebhookDelivery>("WebhookDelivery");

builder.node(WebhookDeliveryRef, {
  description: "One event for one webhook.",
  id: {
    resolve: ({ id }) => id,
    description: "Global id, unique in the whole schema. Every attempt sends it as `webhook-id`.",
  },
  loadManyWithoutCache: (ids, { deliveries }) => Promise.all(ids.map((id) => deliveries.find(id))),
  fields: (t) => ({
    eventType: t.expose("eventType", { type: WebhookEventTypeRef, description: "What is told of." }),
    state: t.expose("state", { type: WebhookDeliveryState, description: "Its state." }),
    attemptCount: t.exposeInt("attemptCount", { description: "The number of attempts made." }),
    status: t.exposeInt("status", {
      nullable: true,
      description: "The HTTP status of the last attempt's answer; null if none came.",
    }),
    error: t.exposeString("error", {
      nullable: true,
      description: "Why the last attempt failed, as a text for people; null if it did not.",
    }),
    createdAt: t.expose("createdAt", {
      type: "DateTime",
      description: "The time at which the event was stored, and the delivery with it.",
    }),
    deliveredAt: t.expose("deliveredAt", {
      type: "DateTime",
      nullable: true,
      description: "The time of the successful attempt; null unless it is delivered.",
    }),
    nextAttemptAt: t.expose("nextAttemptAt", {
      type: "DateTime",
      nullable: true,
      description: "The time from which the next attempt is due; null unless it waits.",
    }),
  }),
});

const WebhookDeliveryEdge = builder.edgeObject({
  name: "WebhookDeliveryEdge",
  type: WebhookDeliveryRef,
  description: "A delivery on a page, with its cursor.",
});

const WebhookDeliveryConnection = builder.connectionObject(
  {
    name: "WebhookDeliveryConnection",
    type: WebhookDeliveryRef,
    description: "A page of deliveries.",
    fields: (t) => ({
      totalCount: t.int({
        description: "The number of deliveries on all pages. Computed only if selected.",
        complexity: COUNTING_COST,
        resolve: ({ totalCount }) => totalCount(),
      }),
    }),
  },
  WebhookDeliveryEdge,
);

export const WebhookRef = builder.objectRef<Webhook>("Webhook");

builder.node(WebhookRef, {
  description: "An address that is told of events. docs/webhooks.md says what it gets.",
  id: { resolve: ({ id }) => id, description: "Global id, unique in the whole schema." },
  loadManyWithoutCache: (ids, { webhooks }) => Promise.all(ids.map((id) => webhooks.find(id))),
  fields: (t) => ({
    url: t.exposeString("url", { description: "The address, with its macros for POSTBACK." }),
    format: t.expose("format", { type: WebhookFormatRef, description: "What is sent." }),
    eventTypes: t.field({
      type: [WebhookEventTypeRef],
      description: "The kinds of events that it is told of.",
      resolve: ({ eventTypes }) => [...eventTypes],
    }),
    channelIds: t.field({
      type: ["TelegramID"],
      nullable: true,
      description:
        "The Telegram chat ids of the channels whose events it is told of; null for every channel.",
      resolve: ({ chatIds }) => chatIds && [...chatIds],
    }),
    holdSeconds: t.exposeInt("holdSeconds", {
      nullable: true,
      description: "How long a member must have stayed for MEMBER_STAYED, in seconds; null without it.",
    }),
    isEnabled: t.exposeBoolean("isEnabled", {
      description: "Whether it is told of events. What happens while it is off is not told later.",
    }),
    disabledReason: t.exposeString("disabledReason", {
      nullable: true,
      description: "Why the server disabled it; null where it did not.",
    }),
    createdAt: t.expose("createdAt", { type: "DateTime", description: "The time of its creation." }),
    deliveries: t.connection(
      {
        type: WebhookDeliveryRef,
        description: "Its deliveries, the latest first. They are kept for 30 days.",
        args: {
          states: t.arg({
            type: [WebhookDeliveryState],
            description:
              "Only deliveries in one of these states; null for all. An empty list matches nothing.",
          }),
        },
        complexity: pageComplexity,
        resolve: async ({ id }, { states, ...args }, { deliveries }, info) =>
          toConnection(
            await deliveries.page(id, {
              states: states ?? DELIVERY_STATES,
              withRows: selectsRows(info),
              ...args,
            }),
          ),
      },
      WebhookDeliveryConnection,
      WebhookDeliveryEdge,
    ),
  }),
});

builder.queryField("webhooks", (t) =>
  t.field({
    type: [WebhookRef],
    description:
      "All webhooks, the oldest first. Requires the role ADMIN. A token limited to some channels sees only webhooks limited to those channels.",
    resolve: (_root, _args, { webhooks }) => webhooks.list(),
  }),
);
