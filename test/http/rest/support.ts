import type { TestServer } from "../../support/server.js";

export interface RestAnswer {
  readonly status: number;
  readonly headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: the shape of an answer depends on its route.
  readonly body: any;
}

export interface RestCall {
  /** The API token; null for none, undefined for the administrator's token. */
  readonly token?: string | null;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON; a text is sent unchanged. */
  readonly body?: unknown;
}

/** Calls the REST face of a server. */
export const callerOf =
  (server: () => TestServer) =>
  async (method: string, path: string, call: RestCall = {}): Promise<RestAnswer> => {
    const { token = server().token, headers = {}, body } = call;
    const response = await fetch(server().origin + path, {
      method,
      headers: {
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
    });
    return { status: response.status, headers: response.headers, body: parsed(await response.text()) };
  };

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
