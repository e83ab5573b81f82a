// An HTTP API of links, of the kind that `invite-links import --from-rest` reads, with faults that a test puts into it.

import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";

/** A request that the API received. */
export interface ApiRequest {
  readonly method: string | undefined;
  readonly path: string;
  readonly page: number;
  readonly limit: number;
  readonly query: URLSearchParams;
  readonly authorization: string | undefined;
  readonly body: string;
}

/** Answers a request in place of the API. False leaves the answer to the API. */
export type Fault = (request: ApiRequest, response: ServerResponse) => boolean | undefined;

export type Item = Readonly<Record<string, unknown>>;

export interface LinksApi {
  readonly url: URL;
  items: Item[];
  /** The first fault sees every request, and is removed once it has answered one. */
  readonly faults: Fault[];
  readonly requests: ApiRequest[];
  close(): Promise<void>;
}

export const TOKEN = "token-of-the-source";

export const itemOf = (number: number, more: Item = {}): Item => ({
  id: `link-${number}`,
  name: `Link ${number}`,
  channel_id: -1001234567890,
  invite_link: `https://t.me/+${number}`,
  creates_join_request: false,
  expire_date: null,
  member_limit: null,
  created_at: new Date(1.7e12 + number * 1000).toISOString(),
  updated_at: null,
  is_bot_created: true,
  creator_id: 456,
  budget: number / 4,
  tags: [{ id: "t", name: `Tag ${number % 3}`, color: "#00FF00", type: { id: "y", name: "Platform" } }],
  ...more,
});

async function read(request: IncomingMessage): Promise<ApiRequest> {
  let body = "";
  for await (const chunk of request) body += chunk;
  const { pathname, searchParams: query } = new URL(request.url ?? "", "http://api");
  return {
    method: request.method,
    path: pathname,
    page: Number(query.get("page")),
    limit: Number(query.get("limit")),
    query,
    authorization: request.headers.authorization,
    body,
  };
}

export const json = (response: ServerResponse, status: number, body: unknown, headers = {}): true => {
  response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body));
  return true;
};

export async function startLinksApi(items: Item[] = []): Promise<LinksApi> {
  const server = createServer(async (incoming, response) => {
    const request = await read(incoming);
    api.requests.push(request);
    if (api.faults[0]?.(request, response)) {
      api.faults.shift();
      return;
    }
    if (request.path !== "/base/invite_links/all") json(response, 404, { detail: "Not Found" });
    else if (request.authorization !== `Bearer ${TOKEN}`) json(response, 401, { detail: "Unauthorized" });
    else {
      const { page, limit } = request;
      const shown = api.items.slice((page - 1) * limit, page * limit);
      json(response, 200, { page, limit, total: api.items.length, items: shown });
    }
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new TypeError("A TCP server must have a port.");
  const api: LinksApi = {
    url: new URL(`http://127.0.0.1:${address.port}/base/`),
    items,
    faults: [],
    requests: [],
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
  return api;
}
