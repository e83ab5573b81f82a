import type { GraphQLError } from "graphql";
import { bytesOf, jsonOf } from "../executor/json.js";
import type { OperationResult } from "./operation.js";

/** Keeps a connection open while there are no events. */
export const COMMENT = ":\n\n";
/** The operation is over: the client does not reconnect. */
export const COMPLETE = "event: complete\ndata:\n\n";

/** The events of results that several subscribers share. */
const knownEvents = new WeakMap<OperationResult, Buffer>();

function errorOf(error: GraphQLError): object {
  const { http: _http, ...extensions } = error.extensions;
  return { ...error.toJSON(), extensions };
}

/** One result as an event of the protocol graphql-sse, in its distinct connections mode. */
export function eventOf(result: OperationResult): Buffer {
  const known = knownEvents.get(result);
  if (known) return known;
  const { data, errors, eventId } = result;
  const parts = [
    ...(errors ? [`"errors":${jsonOf(errors.map(errorOf))}`] : []),
    ...(data === undefined ? [] : [`"data":${data}`]),
  ];
  const id = eventId === undefined ? "" : `id: ${eventId}\n`;
  const event = bytesOf(`${id}event: next\ndata: {${parts.join(",")}}\n\n`);
  knownEvents.set(result, event);
  return event;
}
