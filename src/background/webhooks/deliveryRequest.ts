import { Webhook } from "standardwebhooks";
import { globalId } from "../../domain/shared/ids.js";
import { addressOf, bodyOf } from "../../domain/webhooks/deliveryContent.js";
import type { DueDelivery } from "../../domain/webhooks/deliveryQueue.js";
import type { ReceiverRequest } from "./receiverCalls.js";

const USER_AGENT = "invite-links-webhooks/1";

/** The request of an attempt. A STANDARD delivery is signed at each attempt, since the signature holds the time. */
export function requestOf(
  webhookId: string,
  { id, url, secret, content, person }: DueDelivery,
  now: Date,
): ReceiverRequest {
  const deliveryId = globalId("WebhookDelivery", id);
  const headers = { "user-agent": USER_AGENT, "webhook-id": deliveryId };
  if (secret === null)
    return { webhookId, url: addressOf(url, content, person), method: "GET", headers, body: null };
  const body = bodyOf(content, person);
  return {
    webhookId,
    url,
    method: "POST",
    headers: {
      ...headers,
      "content-type": "application/json",
      "webhook-timestamp": String(Math.floor(now.getTime() / 1000)),
      "webhook-signature": new Webhook(secret).sign(deliveryId, now, body),
    },
    body,
  };
}
