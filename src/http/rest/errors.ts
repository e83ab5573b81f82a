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
      description: "Whether Telegram may have carried the request out, so that nobody knows.",
    }),
  })
  .meta({ id: "TelegramUnavailable" });
const InvalidShape = z
  .object({
    detail: z.array(
      z
        .object({
          loc: z.array(z.union([z.string(), z.int()])).meta({
            description: "body, query, path or header, and the way from there.",
          }),
          msg: z.string(),
          type: z.string(),
        })
        .meta({ id: "Problem" }),
    ),
  })
  .meta({ id: "Invalid" });
const MaskedShape = z.object({ detail: z.string(), request_id: z.string() }).meta({ id: "Masked" });

/** Every refusal that a route can answer with, for its description. */
const REFUSALS = {
  400: [
    "Telegram refused the request, or the address or the body cannot be read as UTF-8 and JSON.",
    RefusalShape,
  ],
  401: ["No valid API token.", RefusalShape],
  403: ["The token may not do this, or the bot has no right to invite users.", RefusalShape],
  404: ["There is no such thing, or the token may not see it.", RefusalShape],
  406: ["The answer would be JSON in UTF-8, which Accept does not allow. Nothing was done.", CodedShape],
  408: ["The request did not arrive in time.", RefusalShape],
  409: ["The bot is not in the channel; or another request has, or had, the idempotency key.", RefusalShape],
  413: ["The body is too large.", RefusalShape],
  415: [
    "The body is of another type than application/json, in another charset than UTF-8, or compressed.",
    RefusalShape,
  ],
  422: ["What is given is not acceptable.", InvalidShape],
  429: [
    "Telegram, or this server, asks to wait: see Retry-After. The code RATE_LIMITED: too many wrong API tokens.",
    CodedShape,
  ],
  500: ["Something went wrong on the server.", MaskedShape],
  502: ["Telegram cannot be used.", UnavailableShape],
  503: ["The server's database cannot be used: see Retry-After.", RefusalShape],
  504: ["Telegram did not answer in time.", UnavailableShape],
} as const;

export type RefusalStatus = keyof typeof REFUSALS;

const inJson = <Shape extends z.ZodType>(description: string, schema: Shape) => ({
  description,
  content: { "application/json": { schema } },
});

/** The answers of a route: the good one, the refusals that any can give, and those named. */
export function answers<Status extends 200 | 201, Shape extends z.ZodType>(
  status: Status,
  description: string,
  shape: Shape,
  ...refusals: readonly RefusalStatus[]
) {
  const refused = ([400, 401, 406, ...refusals, 422, 429, 500, 503] as const).map((refusal) => {
    const [said, form] = REFUSALS[refusal];
    return [refusal, inJson<z.ZodType>(said, form)];
  });
  return { ...Object.fromEntries(refused), [status]: inJson(description, shape) } as Record<
    Status,
    ReturnType<typeof inJson<Shape>>
  >;
}

/** The one table from the domain's kinds of error to statuses, with the words that clients know, where there are any. */
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

/** The domain's names of what it is given, in a request's; of several, the one that the route has. */
const NAMES: Readonly<Record<string, readonly string[]>> = {
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

/** The names that a part of a request has. */
function namesIn(schema: unknown): readonly string[] {
  if (schema instanceof z.ZodObject) return Object.keys(schema.shape);
  return schema instanceof z.ZodOptional || schema instanceof z.ZodNullable ? namesIn(schema.unwrap()) : [];
}

/** Where in a route's request the domain found something wrong. */
function locate(field: string, schema: FastifySchema): Problem["loc"] {
  const [first = "", ...rest] = field.replace(/^filter\./, "").split(".");
  const meant = NAMES[first] ?? [first];
  const way = rest.map((key) => (/^\d+$/.test(key) ? Number(key) : (NAMES[key]?.[0] ?? key)));
  for (const [part, key] of PARTS) {
    const name = meant.find((candidate) => namesIn(schema[key]).includes(candidate));
    if (name !== undefined) return [part, name, ...way];
  }
  return ["body", first, ...way];
}

const problemOf = ({ field, message }: FieldError, schema: FastifySchema): Problem => ({
  loc: locate(field, schema),
  msg: message,
  type: "value_error",
});

/** "Invite link not found" */
const notFound = ({ what }: NotFoundError): string =>
  `${what.charAt(0).toUpperCase()}${what.slice(1)} not found`;

/** Past the route's schemas: whatever is wrong with an answer, a caller hears of no more than is said here. */
const send = (reply: FastifyReply, status: number, refusal: object): FastifyReply =>
  reply.code(status).header("content-type", "application/json; charset=utf-8").send(JSON.stringify(refusal));

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
  return send(reply, status, { detail });
}

/** Answers what never came as far as to the domain. */
export function refuse(reply: FastifyReply, status: number, code: string, detail: string): FastifyReply {
  requestRecordOf(reply.request).codes.push(code);
  return send(reply, status, { detail });
}

/** Statuses that the former API did not have, so that their bodies can name a code. */
const CODED: ReadonlySet<number> = new Set([406, 429]);

function refuseForm(error: RequestRefusedError, reply: FastifyReply): FastifyReply {
  const { statusCode, code, message: detail, headers } = error;
  requestRecordOf(reply.request).codes.push(code);
  return send(reply.headers(headers), statusCode, CODED.has(statusCode) ? { detail, code } : { detail });
}

/** What Fastify itself refuses. */
const FASTIFY_CODES: Readonly<Record<string, readonly [code: string, detail: string]>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: ["PAYLOAD_TOO_LARGE", "The body is too large."],
};

/** Whatever a request came to grief by, in this face's form. */
export function answerError(
  error: Error & { code?: string; statusCode?: number },
  request: FastifyRequest,
  reply: FastifyReply,
): FastifyReply {
  const { codes } = requestRecordOf(request);
  const known = toUserError(error);
  if (known) {
    codes.push(known.code);
    return sendUserError(known, reply);
  }
  if (error instanceof MalformedRequestError) {
    codes.push("BAD_USER_INPUT");
    return send(reply, 422, { detail: error.problems });
  }
  if (error instanceof RequestRefusedError) return refuseForm(error, reply);
  const { statusCode = 500 } = error;
  if (statusCode < 500) {
    const known = FASTIFY_CODES[error.code ?? ""] ?? ["BAD_REQUEST", "The body is no JSON that can be read."];
    return refuse(reply, statusCode, ...known);
  }
  request.log.error({ err: error }, "a request failed unexpectedly");
  codes.push("INTERNAL_SERVER_ERROR");
  return send(reply, 500, {
    detail: "Something went wrong on the server; the request's id leads to it in the log.",
    request_id: request.id,
  });
}
