import type { GraphQLError } from "graphql";
import type { FetchAPI } from "graphql-yoga";
import type { OperationResult } from "./operation.js";
import type { ResultStream } from "./resultStream.js";

/** Milliseconds between two comments, which keep the connection open while there are no events. */
const COMMENT_EVERY_MS = 15_000;
const COMMENT = ":\n\n";
/** The operation is over: the client does not reconnect. */
const COMPLETE = "event: complete\ndata:\n\n";

function errorOf(error: GraphQLError): object {
  const { http: _http, ...extensions } = error.extensions;
  return { ...error.toJSON(), extensions };
}

function textOf({ data, errors, eventId }: OperationResult): string {
  const parts = [
    ...(errors ? [`"errors":${JSON.stringify(errors.map(errorOf))}`] : []),
    ...(data === undefined ? [] : [`"data":${data}`]),
  ];
  const id = eventId === undefined ? "" : `id: ${eventId}\n`;
  return `${id}event: next\ndata: {${parts.join(",")}}\n\n`;
}

/** The results of a subscription in the distinct connections mode of the protocol graphql-sse. */
export function toEventStream(
  results: ResultStream,
  { ReadableStream, Response, TextEncoder }: FetchAPI,
): Response {
  const encoder = new TextEncoder();
  let comments: NodeJS.Timeout | undefined;
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      // Some browsers show the response to a script only after its first byte.
      controller.enqueue(encoder.encode(COMMENT));
      comments = setInterval(() => {
        if ((controller.desiredSize ?? 0) > 0) controller.enqueue(encoder.encode(COMMENT));
      }, COMMENT_EVERY_MS);
    },
    async pull(controller) {
      const { done, value } = await results.next();
      if (!done) return controller.enqueue(encoder.encode(textOf(value)));
      clearInterval(comments);
      controller.enqueue(encoder.encode(COMPLETE));
      controller.close();
    },
    async cancel() {
      clearInterval(comments);
      await results.return();
    },
  });
  return new Response(body, {
    headers: { "content-type": "text/event-stream", "cache-control": "no-cache", "content-encoding": "none" },
  });
}
