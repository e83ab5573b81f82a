import { GraphQLError } from "graphql";
import { toUserError } from "../../domain/shared/databaseErrors.js";
import {
  DatabaseUnavailableError,
  RateLimitedError,
  TelegramUnavailableError,
  type UserError,
  ValidationError,
} from "../../domain/shared/errors.js";
import type { Logger } from "../../log.js";

/** How an HTTP door is to answer an error; it leaves this out of what it sends. */
export interface HttpExtension {
  readonly status: number;
  /** Only where the client speaks application/graphql-response+json. */
  readonly spec?: true;
  readonly headers?: Record<string, string>;
}

/** The request was none that could be executed. */
export const BAD_REQUEST: HttpExtension = { status: 400, spec: true };

/** The same error, at the same place of the document and the result, with other words. */
export function reword(
  error: GraphQLError,
  message: string,
  extensions: Record<string, unknown>,
): GraphQLError {
  return new GraphQLError(message, {
    nodes: error.nodes ?? null,
    source: error.source ?? null,
    positions: error.positions ?? null,
    path: error.path ?? null,
    extensions,
  });
}

/** An error at the same place for another reason. */
export const locatedAs = (error: GraphQLError, originalError: Error): GraphQLError =>
  new GraphQLError(originalError.message, {
    nodes: error.nodes ?? null,
    path: error.path ?? null,
    originalError,
  });

/** Gives an error a code, where it has none of its own, and what else is missing. */
export const complete = (error: GraphQLError, missing: Record<string, unknown>): GraphQLError =>
  reword(error, error.message, { ...missing, ...error.extensions });

/** With no more of its message than so many characters. */
export const shortened = (error: GraphQLError, characters: number): GraphQLError =>
  error.message.length <= characters
    ? error
    : reword(error, `${error.message.slice(0, characters)}…`, { ...error.extensions });

/** graphql-js names fields that were perhaps meant: of use while developing, telling strangers the graph elsewhere. */
export const withoutSuggestions = (error: GraphQLError): GraphQLError =>
  reword(error, error.message.replace(/ ?Did you mean [^?]*\?/g, ""), { ...error.extensions });

/** In every media type: whoever balances servers, or repeats requests, goes by the status. */
export const databaseUnavailable = ({ retryAfterSeconds }: DatabaseUnavailableError): HttpExtension => ({
  status: 503,
  headers: { "Retry-After": String(retryAfterSeconds) },
});

/** Whether the database could not do what an error is about. */
export const isOfDatabase = (error: GraphQLError): boolean =>
  error.extensions["code"] === "DATABASE_UNAVAILABLE";

/** What a domain error says beside its message: in a query's errors, which have no types of their own. */
function userErrorExtensions(error: UserError): Record<string, unknown> {
  if (error instanceof ValidationError) return { code: error.code, fieldErrors: error.fieldErrors };
  if (error instanceof RateLimitedError)
    return { code: error.code, retryAfterSeconds: error.retryAfterSeconds };
  if (error instanceof DatabaseUnavailableError)
    return { code: error.code, retryAfterSeconds: error.retryAfterSeconds, http: databaseUnavailable(error) };
  if (error instanceof TelegramUnavailableError)
    return { code: error.code, outcomeUnknown: error.outcomeUnknown };
  return { code: error.code };
}

/** An error of the execution as the caller may see it; what nobody planned for is logged here, and nowhere else. */
export function toShown(error: GraphQLError, requestId: string, log: Logger): GraphQLError {
  const cause = error.originalError;
  const known = toUserError(cause);
  if (known) return reword(error, known.message, { ...userErrorExtensions(known), requestId });
  // Made by graphql-js itself, of a value that the caller gave; or by one of our scalars.
  if (cause === undefined || (cause instanceof GraphQLError && cause.originalError === undefined)) {
    return complete(error, {
      code: "BAD_USER_INPUT",
      requestId,
      ...(error.path ? {} : { http: BAD_REQUEST }),
    });
  }
  log.error({ err: cause, path: error.path?.join(".") }, "an operation failed unexpectedly");
  return reword(error, "Something went wrong on the server; the request's id leads to it in the log.", {
    code: "INTERNAL_SERVER_ERROR",
    requestId,
  });
}
