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

/** The HTTP status and headers of an error. This extension is not sent to the client. */
export interface HttpExtension {
  readonly status: number;
  /** True if the status applies only to responses of type application/graphql-response+json. */
  readonly spec?: true;
  readonly headers?: Record<string, string>;
}

/** The request cannot be executed. */
export const BAD_REQUEST: HttpExtension = { status: 400, spec: true };

/** The same error with another message and other extensions, at the same place of the document and of the result. */
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

/** An error with another cause, at the same place of the document and of the result. */
export const locatedAs = (error: GraphQLError, originalError: Error): GraphQLError =>
  new GraphQLError(originalError.message, {
    nodes: error.nodes ?? null,
    path: error.path ?? null,
    originalError,
  });

/** The error with further extensions, such as a code. Existing extensions take precedence. */
export const complete = (error: GraphQLError, missing: Record<string, unknown>): GraphQLError =>
  reword(error, error.message, { ...missing, ...error.extensions });

/** The error with its message cut to `characters` characters. */
export const shortened = (error: GraphQLError, characters: number): GraphQLError =>
  error.message.length <= characters
    ? error
    : reword(error, `${error.message.slice(0, characters)}…`, { ...error.extensions });

/** The error without graphql-js' suggestions of field names, which would show strangers parts of the schema. */
export const withoutSuggestions = (error: GraphQLError): GraphQLError =>
  reword(error, error.message.replace(/ ?Did you mean [^?]*\?/g, ""), { ...error.extensions });

/** 503 in every media type, because load balancers and clients that repeat requests decide by the status. */
export const databaseUnavailable = ({ retryAfterSeconds }: DatabaseUnavailableError): HttpExtension => ({
  status: 503,
  headers: { "Retry-After": String(retryAfterSeconds) },
});

/** 429 in every media type, for a caller who has spent the limit of the minute. */
export const rateLimited = ({ retryAfterSeconds }: RateLimitedError): HttpExtension => ({
  status: 429,
  headers: { "Retry-After": String(retryAfterSeconds) },
});

/** Whether an error says that the database is unavailable. */
export const isOfDatabase = (error: GraphQLError): boolean =>
  error.extensions["code"] === "DATABASE_UNAVAILABLE";

/** The extensions of a domain error in the errors list of a result. */
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

/** An execution error as the caller may see it. An unexpected error is masked, and logged only here. */
export function toShown(error: GraphQLError, requestId: string, log: Logger): GraphQLError {
  const cause = error.originalError;
  const userError = toUserError(cause);
  if (userError) return reword(error, userError.message, { ...userErrorExtensions(userError), requestId });
  // graphql-js itself, or one of our scalars, refused a value of the caller.
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
