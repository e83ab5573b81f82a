import { AsyncLocalStorage } from "node:async_hooks";
import { subscribe } from "node:diagnostics_channel";
import type { IncomingMessage } from "node:http";

/** The HTTP status of a response. Telegraf does not report the status of a response that is not JSON. */
export interface ResponseStatus {
  /** Undefined before a response. */
  status?: number;
  /** Aborts the call. */
  readonly abort: AbortController;
}

const calls = new AsyncLocalStorage<ResponseStatus>();

/** A wrong API root may redirect. Redirects must not be followed, because each server could carry out the POST. */
const isRedirect = (status: number): boolean => status >= 300 && status < 400;

subscribe("http.client.response.finish", (message) => {
  const call = calls.getStore();
  const { statusCode } = (message as { response: IncomingMessage }).response;
  if (call === undefined || statusCode === undefined) return;
  call.status = statusCode;
  if (isRedirect(statusCode)) call.abort.abort();
});

let running = 0;

/** Runs a call of Telegraf and sets `response.status`. */
export async function withResponseStatus<T>(response: ResponseStatus, call: () => Promise<T>): Promise<T> {
  running += 1;
  try {
    return await calls.run(response, call);
  } finally {
    running -= 1;
    // An enabled AsyncLocalStorage follows every promise of the process, which slows down all requests.
    if (running === 0) calls.disable();
  }
}
