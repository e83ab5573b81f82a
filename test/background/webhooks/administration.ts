// The mutations and queries of webhooks, for tests over HTTP.

import type { LiveServer } from "../../support/liveServers.js";

type Asked = Pick<LiveServer, "ask">;

export const WEBHOOK = "id url format eventTypes channelIds holdSeconds isEnabled disabledReason createdAt";
export const DELIVERY = "id eventType state attemptCount status error createdAt deliveredAt nextAttemptAt";

const SELECTIONS = {
  createWebhook: `webhook { ${WEBHOOK} } secret`,
  updateWebhook: `webhook { ${WEBHOOK} }`,
  deleteWebhook: "deletedWebhookId",
  redeliver: `deliveries { ${DELIVERY} }`,
} as const;

/** Runs a mutation of webhooks. @returns the member of its union, with `__typename`. */
export async function change(
  server: Asked,
  name: keyof typeof SELECTIONS,
  input: object,
  token?: string,
  // biome-ignore lint/suspicious/noExplicitAny: the shape depends on the mutation.
): Promise<any> {
  const type = `${name[0]?.toUpperCase()}${name.slice(1)}`;
  const { data, errors } = await server.ask(
    `mutation ($input: ${type}Input!) {
      ${name}(input: $input) {
        __typename ... on ${type}Success { ${SELECTIONS[name]} } ... on UserError { message }
        ... on ValidationError { fieldErrors { field message } }
      }
    }`,
    { input },
    token,
  );
  if (errors) throw new Error(JSON.stringify(errors));
  return data[name];
}

/** Creates a webhook. */
export async function makeWebhook(
  server: Asked,
  url: string,
  eventTypes: readonly string[],
  rest: object = {},
): Promise<{ readonly id: string; readonly secret: string }> {
  const made = await change(server, "createWebhook", { url, eventTypes, ...rest });
  if (!made.webhook) throw new Error(JSON.stringify(made));
  return { id: made.webhook.id, secret: made.secret };
}

export interface ShownDelivery {
  readonly id: string;
  readonly eventType: string;
  readonly state: string;
  readonly attemptCount: number;
  readonly status: number | null;
  readonly error: string | null;
  readonly nextAttemptAt: string | null;
  readonly deliveredAt: string | null;
}

/** A webhook with its latest deliveries. */
export async function showWebhook(
  server: Asked,
  id: string,
  args = "first: 100",
): Promise<{
  readonly isEnabled: boolean;
  readonly disabledReason: string | null;
  readonly deliveries: { readonly nodes: ShownDelivery[]; readonly totalCount: number };
}> {
  const { data, errors } = await server.ask(
    `query ($id: ID!) { node(id: $id) { ... on Webhook {
      ${WEBHOOK} deliveries(${args}) { nodes { ${DELIVERY} } totalCount pageInfo { hasNextPage } }
    } } }`,
    { id },
  );
  if (errors) throw new Error(JSON.stringify(errors));
  return data.node;
}
