import { ApolloLink } from "@apollo/client";
import { print } from "graphql";
import { Observable } from "rxjs";
import type { Connection } from "./connection.js";

/**
 * Carries subscriptions over server-sent events. The client for them is loaded with the first subscription. When the
 * connection breaks, a subscription goes on as soon as the server answers again.
 * @param getToken the API token of the moment
 */
export const createEventsLink = (getToken: () => string, connection: Connection): ApolloLink =>
  new ApolloLink(
    ({ query, variables, operationName }) =>
      new Observable((observer) => {
        let isClosed = false;
        let stop = (): void => {};
        const start = async () => {
          const { createClient } = await import("graphql-sse");
          if (isClosed) return;
          const client = createClient({
            url: "/graphql",
            headers: () => ({ authorization: `Bearer ${getToken()}` }),
            retryAttempts: Number.POSITIVE_INFINITY,
            retry: async () => {
              connection.lose();
              await connection.restored();
            },
            onMessage: () => connection.restore(),
          });
          stop = client.subscribe(
            { query: print(query), variables, ...(operationName !== undefined && { operationName }) },
            {
              next: (result) => observer.next(result as ApolloLink.Result),
              error: (error) => observer.error(error),
              complete: () => observer.complete(),
            },
          );
        };
        start().catch((error: unknown) => observer.error(error));
        return () => {
          isClosed = true;
          stop();
        };
      }),
  );
