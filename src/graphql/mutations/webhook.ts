import { NotFoundError } from "../../domain/shared/errors.js";
import type { WebhookDelivery } from "../../domain/webhooks/deliveries.js";
import type { Webhook } from "../../domain/webhooks/webhook.js";
import { builder } from "../builder/builder.js";
import { COMMON_ERRORS } from "../nodes/errors.js";
import { WebhookDeliveryRef, WebhookEventTypeRef, WebhookFormatRef, WebhookRef } from "../nodes/webhook.js";
import { deletionSuccess, nodeSuccess } from "./success.js";

const CHANNELS =
  "The Telegram chat ids of the channels whose events it is told of; null for every channel. A token limited to some channels must name some of them.";
const HOLD =
  "How long a member must have stayed for MEMBER_STAYED, 0 to 2592000 seconds. Required with it, and only with it.";

const CreateWebhookInput = builder.inputType("CreateWebhookInput", {
  description: "The webhook to create.",
  fields: (t) => ({
    url: t.string({
      required: true,
      description:
        "https://, or http:// where WEBHOOK_ALLOW_PRIVATE is on; never an address of a private network otherwise, by whatever name it is reached. At most 2,048 characters.",
    }),
    format: t.field({
      type: WebhookFormatRef,
      required: true,
      defaultValue: "STANDARD",
      description: "What is sent. It cannot be changed later.",
    }),
    eventTypes: t.field({
      type: [WebhookEventTypeRef],
      required: true,
      description: "The kinds of events that it is told of, at least one.",
    }),
    channelIds: t.field({ type: ["TelegramID"], description: CHANNELS }),
    holdSeconds: t.int({ description: HOLD }),
  }),
});

const CreateWebhookSuccess = builder
  .objectRef<{ webhook: Webhook; secret: string | null }>("CreateWebhookSuccess")
  .implement({
    description: "The webhook was created.",
    fields: (t) => ({
      webhook: t.expose("webhook", { type: WebhookRef, description: "The new webhook." }),
      secret: t.exposeString("secret", {
        nullable: true,
        description:
          "The secret (whsec_…) with which its deliveries are signed. It is shown only now. Null for POSTBACK, which is not signed.",
      }),
    }),
  });

const UpdateWebhookInput = builder.inputType("UpdateWebhookInput", {
  description: "The changes of a webhook. A field that is left out keeps its value.",
  fields: (t) => ({
    id: t.id({ required: true, description: "The webhook's global id or bare UUID." }),
    url: t.string({ description: "As in CreateWebhookInput. Null is refused." }),
    eventTypes: t.field({
      type: [WebhookEventTypeRef],
      description: "As in CreateWebhookInput. Null is refused.",
    }),
    channelIds: t.field({ type: ["TelegramID"], description: CHANNELS }),
    holdSeconds: t.int({ description: `${HOLD} Null removes it.` }),
    isEnabled: t.boolean({
      description:
        "False switches it off, and what happens until it is switched on again is not told. True also ends a disabling by the server. Null is refused.",
    }),
  }),
});

const UpdateWebhookSuccess = nodeSuccess("UpdateWebhookSuccess", "The webhook was changed.", WebhookRef, {
  name: "webhook",
  description: "The changed webhook.",
});

const DeleteWebhookInput = builder.inputType("DeleteWebhookInput", {
  description: "The webhook to delete.",
  fields: (t) => ({ id: t.id({ required: true, description: "The webhook's global id or bare UUID." }) }),
});

const DeleteWebhookSuccess = deletionSuccess(
  "DeleteWebhookSuccess",
  "The webhook was deleted, its deliveries included.",
  "Webhook",
  "deletedWebhookId",
);

const RedeliverInput = builder.inputType("RedeliverInput", {
  description:
    "Failed or delivered deliveries of one webhook, up to 100, to be sent again under their own webhook-id. One that waits becomes due now.",
  fields: (t) => ({
    deliveryIds: t.idList({
      required: true,
      description: "Global ids or bare UUIDs of deliveries of one webhook, 1 to 100.",
    }),
  }),
});

const RedeliverSuccess = builder
  .objectRef<{ readonly deliveries: WebhookDelivery[] }>("RedeliverSuccess")
  .implement({
    description: "The deliveries are sent again.",
    fields: (t) => ({
      deliveries: t.expose("deliveries", {
        type: [WebhookDeliveryRef],
        description: "The deliveries, each once, in the order of the input.",
      }),
    }),
  });

builder.mutationFields((t) => ({
  createWebhook: t.field({
    type: CreateWebhookSuccess,
    description:
      "Creates a webhook, which is told of what happens from now on. Requires the role ADMIN. A token limited to some channels can create only webhooks limited to those channels.",
    args: {
      input: t.arg({ type: CreateWebhookInput, required: true, description: "The webhook to create." }),
    },
    errors: { types: [...COMMON_ERRORS], union: { name: "CreateWebhookResult" } },
    resolve: (_root, { input: { channelIds: chatIds, ...input } }, { webhooks }) =>
      webhooks.create({ ...input, chatIds }),
  }),
  updateWebhook: t.field({
    type: UpdateWebhookSuccess,
    description: "Changes a webhook, on every server at once. Requires the role ADMIN.",
    args: {
      input: t.arg({ type: UpdateWebhookInput, required: true, description: "The changes." }),
    },
    errors: { types: [...COMMON_ERRORS, NotFoundError], union: { name: "UpdateWebhookResult" } },
    resolve: async (_root, { input: { channelIds: chatIds, ...input } }, { webhooks }) => ({
      webhook: await webhooks.update({ ...input, chatIds }),
    }),
  }),
  deleteWebhook: t.field({
    type: DeleteWebhookSuccess,
    description: "Deletes a webhook with its deliveries. What waits is not sent. Requires the role ADMIN.",
    args: {
      input: t.arg({ type: DeleteWebhookInput, required: true, description: "The webhook to delete." }),
    },
    errors: { types: [...COMMON_ERRORS, NotFoundError], union: { name: "DeleteWebhookResult" } },
    resolve: (_root, { input }, { webhooks }) => webhooks.delete(input),
  }),
  redeliver: t.field({
    type: RedeliverSuccess,
    description:
      "Sends deliveries again, with a new schedule of attempts. A MEMBER_STAYED before its time stays as it is. Requires the role ADMIN.",
    args: { input: t.arg({ type: RedeliverInput, required: true, description: "The deliveries." }) },
    errors: { types: [...COMMON_ERRORS, NotFoundError], union: { name: "RedeliverResult" } },
    resolve: async (_root, { input }, { deliveries }) => ({
      deliveries: await deliveries.redeliver(input),
    }),
  }),
}));
