import { ApolloLink } from "@apollo/client";
import { print } from "graphql";
import { Observable } from "rxjs";
import type { Connection } from "./connection.js";

/** How often a subscription whose token was rejected looks for another token, in milliseconds. */
const TOKEN_POLL_MS = 1_000;

const UNAUTHENTICATED = 401;

/** Whether a result says that the token was revoked while the stream was open. */
const isRefusal = ({ errors }: ApolloLink.Result): boolean =>
  errors?.some(({ extensions }) => extensions?.["code"] === "UNAUTHENTICATED") === true;

/**
 * Carries subscriptions over server-sent events. The client for them is loaded with the first subscription. When the
 * connection breaks, a subscription goes on as soon as the server answers again; when the token is rejected, as soon as the
 * user has signed in again.
 * @param getToken the API token of the moment
 * @param onRefused called when the server rejects a token
 * @param onResumed called when a subscription goes on after a break, in which events may have been missed
 */
export const createEventsLink = (
  getToken: () => string,
  connection: Connection,
  onRefused: (token: string) => void,
  onResumed: () => void,
): ApolloLink =>
  new ApolloLink(
    ({ query, variables, operationName }) =>
      new Observable((observer) => {
        const closed = new AbortController();
        let stop = (): void => {};
        /** The token and the status of the last attempt to connect; the status is null without an answer. */
        let token = "";
        let status: number | null = null;
        let wasConnected = false;

        const anotherToken = async () => {
          onRefused(token);
          while (!closed.signal.aborted && getToken() === token)
            await new Promise((resolve) => setTimeout(resolve, TOKEN_POLL_MS));
        };
        const start = async () => {
          const { createClient } = await import("graphql-sse");
          if (closed.signal.aborted) return;
          const client = createClient({
            url: "/graphql",
            headers: () => {
              token = getToken();
              return { authorization: `Bearer ${token}` };
            },
            fetchFn: async (input: RequestInfo, init: RequestInit) => {
              status = null;
              const response = await fetch(input, init);
              status = response.status;
              return response;
            },
            retryAttempts: Number.POSITIVE_INFINITY,
            retry: async () => {
              if (status === UNAUTHENTICATED) return anotherToken();
              // The server will refuse the same request again.
              if (status !== null && status >= 400 && status < 500)
                throw new Error(`The server answered ${status}.`);
              connection.lose();
              await connection.restored();
            },
            onMessage: () => connection.restore(),
            on: {
              connected: () => {
                if (wasConnected) onResumed();
                wasConnected = true;
              },
            },
          });
          let isRefused = false;
          stop = client.subscribe(
            { query: print(query), variables, ...(operationName !== undefined && { operationName }) },
            {
              next: (message) => {
                const result = message as ApolloLink.Result;
                if (isRefusal(result)) isRefused = true;
                else observer.next(result);
              },
              error: (error) => observer.error(error),
              complete: () => {
                if (isRefused) void anotherToken().then(run);
                else observer.complete();
              },
            },
          );
        };
        const run = () => void start().catch((error: unknown) => observer.error(error));
        run();
        return () => {
          closed.abort();
          stop();
        };
      }),
  );
