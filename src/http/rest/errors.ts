import type { FastifyReply, FastifyRequest, FastifySchema } from "fastify";
import { z } from "zod";
import { toUserError } from "../../domain/shared/databaseErrors.js";
import {
  DatabaseUnavailableError,
  type ErrorCode,
  type FieldError,
  NotFoundError,
  RateLimitedError,
  TelegramUnavailableError,
  type UserError,
  ValidationError,
} from "../../domain/shared/errors.js";
import { RequestRefusedError } from "../lifecycle/requestFormat.js";
import { requestRecordOf } from "../lifecycle/requestRecord.js";
import { MalformedRequestError, type Problem } from "./validation.js";

const RefusalShape = z.object({ detail: z.string() }).meta({ id: "Refusal" });
const CodedShape = z.object({ detail: z.string(), code: z.string().optional() }).meta({ id: "CodedRefusal" });
const UnavailableShape = z
  .object({
    detail: z.string(),
    outcome_unknown: z.boolean().meta({
      description:
        "True if it is not known whether Telegram carried out the request. False if nothing was done.",
    }),
  })
  .meta({ id: "TelegramUnavailable" });
const InvalidShape = z
  .object({
    detail: z.array(
      z
        .object({
          loc: z.array(z.union([z.string(), z.int()])).meta({
            description: "The part of the request (body, query, path or header) and the path inside of it.",
          }),
          msg: z.string(),
          type: z.string(),
        })
        .meta({ id: "Problem" }),
    ),
  })
  .meta({ id: "Invalid" });
const MaskedShape = z.object({ detail: z.string(), request_id: z.string() }).meta({ id: "Masked" });

/** The description and the form of each refusal, for /openapi.json. */
const REFUSALS = {
  400: [
    "Telegram refused the request, the address is not UTF-8, or the body is not JSON in UTF-8.",
    RefusalShape,
  ],
  401: ["There is no API token, or it is not valid.", RefusalShape],
  403: ["The token may not do this, or the helper bot has no right to invite users.", RefusalShape],
  404: ["The object does not exist, or the token may not see it.", RefusalShape],
  406: ["The Accept header does not allow JSON in UTF-8. Nothing was done.", CodedShape],
  408: ["The request did not arrive in time.", RefusalShape],
  409: [
    "The helper bot is not in the channel, or a different request used the same idempotency key.",
    RefusalShape,
  ],
  413: ["The body is too large.", RefusalShape],
  415: ["The body is not application/json, is not in UTF-8, or is compressed.", RefusalShape],
  422: ["Some values are not acceptable; detail lists all of them.", InvalidShape],
  429: [
    "Telegram or this server asks the client to wait for Retry-After seconds: among other reasons, because the token has spent its limit of the minute, or because too many wrong API tokens came from the client's address.",
    CodedShape,
  ],
  500: ["Something went wrong on the server.", MaskedShape],
  502: ["Telegram is not available.", UnavailableShape],
  503: ["The server's database is not available. Try again after Retry-After seconds.", RefusalShape],
  504: ["Telegram did not answer in time.", UnavailableShape],
} as const;

export type RefusalStatus = keyof typeof REFUSALS;

const inJson = <Shape extends z.ZodType>(description: string, schema: Shape) => ({
  description,
  content: { "application/json": { schema } },
});

/** Describes the answers of a route: the successful one, the refusals that every route can give, and `refusals`. */
export function answers<Status extends 200 | 201, Shape extends z.ZodType>(
  status: Status,
  description: string,
  shape: Shape,
  ...refusals: readonly RefusalStatus[]
) {
  const refused = ([400, 401, 406, ...refusals, 422, 429, 500, 503] as const).map((refusal) => {
    const [meaning, form] = REFUSALS[refusal];
    return [refusal, inJson<z.ZodType>(meaning, form)];
  });
  return { ...Object.fromEntries(refused), [status]: inJson(description, shape) } as Record<
    Status,
    ReturnType<typeof inJson<Shape>>
  >;
}

/** The status of each error of the domain, and its `detail` if clients expect that of the former API. */
const TABLE: Record<ErrorCode, { readonly status: number; readonly detail?: string }> = {
  BAD_USER_INPUT: { status: 422 },
  NOT_FOUND: { status: 404 },
  FORBIDDEN: { status: 403 },
  BOT_NOT_IN_CHANNEL: { status: 409, detail: "Bot not added to channel exception" },
  BOT_PERMISSION_MISSING: { status: 403, detail: "Helper bot permissions exception" },
  TELEGRAM_REJECTED: { status: 400 },
  RATE_LIMITED: { status: 429 },
  TELEGRAM_UNAVAILABLE: { status: 502 },
  IDEMPOTENCY_CONFLICT: { status: 409 },
  DATABASE_UNAVAILABLE: { status: 503 },
};

/** The parameters for the domain's fields. If a field has several names, each route uses one of them. */
const PARAMETERS: Readonly<Record<string, readonly string[]>> = {
  id: ["invite_link_id", "tag_id"],
  ids: ["links_ids"],
  channelId: ["channel_id"],
  creatorId: ["creator_id"],
  createsJoinRequest: ["creates_join_request"],
  expireDate: ["expire_date"],
  memberLimit: ["member_limit"],
  tagIds: ["tags"],
  tagGroups: ["tags"],
  tagTypeId: ["tag_type_id", "type_id"],
  typeId: ["type_id"],
  idempotencyKey: ["idempotency-key"],
};

const PARTS = [
  ["path", "params"],
  ["query", "querystring"],
  ["header", "headers"],
  ["body", "body"],
] as const;

/** The names of the parameters in a part of a request. */
function namesIn(schema: unknown): readonly string[] {
  if (schema instanceof z.ZodObject) return Object.keys(schema.shape);
  return schema instanceof z.ZodOptional || schema instanceof z.ZodNullable ? namesIn(schema.unwrap()) : [];
}

/** A field's path. The former API has the properties of a filter as parameters of their own. */
function pathOf(field: string, { querystring }: FastifySchema): string[] {
  const path = field.split(".");
  return path[0] === "filter" && !namesIn(querystring).includes("filter") ? path.slice(1) : path;
}

/** The place in a route's request that belongs to a field of the domain. */
function locate(field: string, schema: FastifySchema): Problem["loc"] {
  const [first = "", ...rest] = pathOf(field, schema);
  const candidates = PARAMETERS[first] ?? [first];
  const path = rest.map((key) => (/^\d+$/.test(key) ? Number(key) : (PARAMETERS[key]?.[0] ?? key)));
  for (const [part, key] of PARTS) {
    const name = candidates.find((candidate) => namesIn(schema[key]).includes(candidate));
    if (name !== undefined) return [part, name, ...path];
  }
  return ["body", first, ...path];
}

const problemOf = ({ field, message }: FieldError, schema: FastifySchema): Problem => ({
  loc: locate(field, schema),
  msg: message,
  type: "value_error",
});

/** The detail of a 404, such as "Invite link not found". */
const notFound = ({ what }: NotFoundError): string =>
  `${what.charAt(0).toUpperCase()}${what.slice(1)} not found`;

/** Sends a refusal without the route's serializer, so that no schema can change it or fail on it. */
const send = (reply: FastifyReply, status: number, refusal: object): FastifyReply =>
  reply.code(status).header("content-type", "application/json; charset=utf-8").send(JSON.stringify(refusal));

/** Statuses that the former API did not have. Their bodies name a code. */
const CODED: ReadonlySet<number> = new Set([406, 429]);

function sendUserError(error: UserError, reply: FastifyReply): FastifyReply {
  const { status, detail = error.message } = TABLE[error.code];
  if (error instanceof ValidationError) {
    const schema = reply.request.routeOptions.schema ?? {};
    return send(reply, status, { detail: error.fieldErrors.map((wrong) => problemOf(wrong, schema)) });
  }
  if (error instanceof NotFoundError) return send(reply, status, { detail: notFound(error) });
  if (error instanceof RateLimitedError || error instanceof DatabaseUnavailableError)
    reply.header("retry-after", error.retryAfterSeconds);
  if (error instanceof TelegramUnavailableError) {
    const { timedOut, outcomeUnknown } = error;
    return send(reply, timedOut ? 504 : status, { detail, outcome_unknown: outcomeUnknown });
  }
  return send(reply, status, CODED.has(status) ? { detail, code: error.code } : { detail });
}

/** Refuses a request before it reaches the domain. */
export function refuse(reply: FastifyReply, status: number, code: string, detail: string): FastifyReply {
  requestRecordOf(reply.request).codes.push(code);
  return send(reply, status, { detail });
}

function refuseForm(error: RequestRefusedError, reply: FastifyReply): FastifyReply {
  const { statusCode, code, message: detail, headers } = error;
  requestRecordOf(reply.request).codes.push(code);
  return send(reply.headers(headers), statusCode, CODED.has(statusCode) ? { detail, code } : { detail });
}

/** The refusals of Fastify itself. */
const FASTIFY_CODES: Readonly<Record<string, readonly [code: string, detail: string]>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: ["PAYLOAD_TOO_LARGE", "The body is too large."],
};

/** Nobody receives this status; the log has it, as other servers do. */
const CLIENT_LEFT = 499;

/** Whether an error says no more than that the client has left: its body has broken off, or its work was ended. */
const isDeparture = ({ name, code }: Error & { code?: string }, { raw }: FastifyReply): boolean =>
  raw.destroyed && !raw.writableFinished && (name === "AbortError" || code === "ECONNRESET");

/** Answers any error of a REST request. Errors that are not the caller's are logged and masked. */
export function answerError(
  error: Error & { code?: string; statusCode?: number },
  request: FastifyRequest,
  reply: FastifyReply,
): FastifyReply {
  const { codes } = requestRecordOf(request);
  const userError = toUserError(error);
  if (userError) {
    codes.push(userError.code);
    return sendUserError(userError, reply);
  }
  if (error instanceof MalformedRequestError) {
    codes.push("BAD_USER_INPUT");
    return send(reply, 422, { detail: error.problems });
  }
  if (error instanceof RequestRefusedError) return refuseForm(error, reply);
  if (isDeparture(error, reply)) return send(reply, CLIENT_LEFT, {});
  const { statusCode = 500 } = error;
  if (statusCode < 500) {
    const refusal = FASTIFY_CODES[error.code ?? ""] ?? ["BAD_REQUEST", "The body is not valid JSON."];
    return refuse(reply, statusCode, ...refusal);
  }
  request.log.error({ err: error }, "a request failed unexpectedly");
  codes.push("INTERNAL_SERVER_ERROR");
  return send(reply, 500, {
    detail: "Something went wrong on the server. The server's log has the details under the request's id.",
    request_id: request.id,
  });
}
