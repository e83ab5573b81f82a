import { AsyncLocalStorage } from "node:async_hooks";
import { subscribe } from "node:diagnostics_channel";
import type { IncomingMessage } from "node:http";

/** The HTTP status of a call's answer, which Telegraf does not tell of an answer that is no JSON. */
export interface ResponseStatus {
  /** Undefined while there was none. */
  status?: number;
  readonly abort: AbortController;
}

const calls = new AsyncLocalStorage<ResponseStatus>();

/** Only a misplaced API root redirects; followed, a POST would be carried out again by each hop. */
const isRedirect = (status: number): boolean => status >= 300 && status < 400;

subscribe("http.client.response.finish", (message) => {
  const call = calls.getStore();
  const { statusCode } = (message as { response: IncomingMessage }).response;
  if (call === undefined || statusCode === undefined) return;
  call.status = statusCode;
  if (isRedirect(statusCode)) call.abort.abort();
});

let underWay = 0;

/** Runs a call of Telegraf's, noting the status of its answer. */
export async function withResponseStatus<T>(answer: ResponseStatus, call: () => Promise<T>): Promise<T> {
  underWay += 1;
  try {
    return await calls.run(answer, call);
  } finally {
    underWay -= 1;
    // While it is on, every promise of the process is followed, which makes all requests dearer.
    if (underWay === 0) calls.disable();
  }
}
