import { isUtf8 } from "node:buffer";
import { type ContentType, parse as parseMediaType } from "content-type";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import Negotiator from "negotiator";

// The one decision about the form of a request, for GraphQL and REST alike: whether its address, its body and the answer
// that it accepts can be served. The decision is made after the caller is known and before anything is parsed or executed.

/** A request that is refused for its form. Each endpoint's error handler puts the refusal into the endpoint's own form. */
export class RequestRefusedError extends Error {
  override readonly name = "RequestRefusedError";
  readonly statusCode: number;
  readonly code: string;
  readonly headers: Readonly<Record<string, string>>;

  constructor(statusCode: number, code: string, message: string, headers: Record<string, string> = {}) {
    super(message);
    this.statusCode = statusCode;
    this.code = code;
    this.headers = headers;
  }
}

declare module "fastify" {
  interface FastifyRequest {
    /** The media type to answer with; null until the request's form was judged. */
    answerType: string | null;
  }
}

/** Levels of arrays and objects in a request's JSON. Deeper values could overflow the stack of whatever walks them. */
const MAX_JSON_DEPTH = 100;

const BYTE_ORDER_MARK = "\uFEFF";
const JSON_TYPE = "application/json";
/** Names of charsets whose bytes are UTF-8. */
const UTF8_NAMES: ReadonlySet<string> = new Set(["utf-8", "utf8", "us-ascii"]);
/** How a body may be wrapped: not at all, or in the chunks that Node.js takes away. */
const PLAIN_CODINGS: ReadonlySet<string> = new Set(["", "identity", "chunked"]);

/** Whether a media type with these parameters is in UTF-8. A charset that is named twice, or half quoted, is not. */
function isInUtf8(text: string, { parameters }: ContentType): boolean {
  const { charset } = parameters;
  const named = text.match(/charset/gi)?.length ?? 0;
  return charset === undefined ? named === 0 : named === 1 && UTF8_NAMES.has(charset.toLowerCase());
}

/** The ranges of an Accept header that allow UTF-8, without parameters other than their weights. */
function rangesOf(accept: string): string[] {
  const ranges: string[] = [];
  for (let index = 0; index < accept.length; ) {
    const range = parseMediaType(accept, { comma: true, start: index });
    if (range.type !== "" && isInUtf8(accept.slice(index, range.index), range))
      ranges.push(`${range.type};q=${range.parameters["q"] ?? "1"}`);
    index = range.index + 1;
  }
  return ranges;
}

/**
 * The media type of `offered` that an Accept header prefers; null where it accepts none. Among equals the header's order
 * decides, then that of `offered`. No header, or an empty one, accepts everything.
 */
export function negotiate<Type extends string>(
  accept: string | undefined,
  offered: readonly [Type, ...Type[]],
): Type | null {
  if (accept === undefined || accept === "*/*" || /^[\s,]*$/.test(accept)) return offered[0];
  const exact = offered.find((type) => type === accept);
  if (exact !== undefined) return exact;
  const ranges = rangesOf(accept);
  if (ranges.length === 0) return null;
  const preferred = new Negotiator({ headers: { accept: ranges.join(",") } }).mediaType([...offered]);
  return offered.find((type) => type === preferred) ?? null;
}

/** @throws RequestRefusedError where the address is not percent-encoded UTF-8. Node.js refuses bytes beyond ASCII itself. */
function checkAddress(url: string): void {
  try {
    if (url.includes("%")) decodeURIComponent(url);
  } catch {
    throw new RequestRefusedError(400, "BAD_REQUEST", "The address is not percent-encoded UTF-8.");
  }
}

/** A body of no bytes is none, whatever type was announced for it. */
function checkBody({ headers }: FastifyRequest): void {
  const type = headers["content-type"];
  const codings = `${headers["content-encoding"] ?? ""},${headers["transfer-encoding"] ?? ""}`;
  if (headers["transfer-encoding"] === undefined && /^0*$/.test(headers["content-length"] ?? "")) {
    delete headers["content-type"];
    return;
  }
  if (codings !== "," && !codings.split(",").every((one) => PLAIN_CODINGS.has(one.trim().toLowerCase()))) {
    throw new RequestRefusedError(415, "UNSUPPORTED_MEDIA_TYPE", "Send the body uncompressed.", {
      "accept-encoding": "identity",
    });
  }
  if (type === JSON_TYPE) return;
  const parsed = parseMediaType(type ?? "");
  if (type === undefined || parsed.type !== JSON_TYPE || !isInUtf8(type, parsed)) {
    throw new RequestRefusedError(
      415,
      "UNSUPPORTED_MEDIA_TYPE",
      "Send the body as application/json in UTF-8.",
      { accept: JSON_TYPE },
    );
  }
  // Fastify chooses the parser by it, and need not judge it again.
  headers["content-type"] = JSON_TYPE;
}

/** Whether arrays and objects are nested deeper in a JSON text than is accepted. It need not be valid JSON. */
export function isNestedTooDeep(text: string): boolean {
  let depth = 0;
  let inString = false;
  for (let index = 0; index < text.length; index += 1) {
    const character = text[index];
    if (inString) {
      if (character === "\\") index += 1;
      else if (character === '"') inString = false;
    } else if (character === '"') {
      inString = true;
    } else if (character === "[" || character === "{") {
      depth += 1;
      if (depth > MAX_JSON_DEPTH) return true;
    } else if (character === "]" || character === "}") {
      depth -= 1;
    }
  }
  return false;
}

export const tooDeep = (): RequestRefusedError =>
  new RequestRefusedError(400, "BAD_REQUEST", `JSON is nested deeper than ${MAX_JSON_DEPTH} levels.`);

/** The text of a body, without a byte order mark. @throws RequestRefusedError */
function textOf(body: Buffer): string {
  if (!isUtf8(body)) throw new RequestRefusedError(400, "BAD_REQUEST", "The body is not UTF-8.");
  const text = body.toString();
  if (isNestedTooDeep(text)) throw tooDeep();
  if (!text.startsWith(BYTE_ORDER_MARK)) return text;
  // JSON parsers differ in what they make of another one.
  if (text.startsWith(BYTE_ORDER_MARK, 1))
    throw new RequestRefusedError(400, "BAD_REQUEST", "The body is not JSON.");
  return text.slice(1);
}

export interface RequestFormat {
  /** What the endpoint answers with, the preferred first. */
  readonly answers: readonly [string, ...string[]];
  /** Makes of a body's text what handlers are given. */
  readonly parse: (
    request: FastifyRequest,
    text: string,
    done: (error: Error | null, body?: unknown) => void,
  ) => void;
}

const hasBody = ({ method }: FastifyRequest): boolean => method !== "GET" && method !== "HEAD";

/** Every request to the endpoint is judged before its body is read; what cannot be served is a RequestRefusedError. */
export function addRequestFormat(endpoint: FastifyInstance, { answers, parse }: RequestFormat): void {
  endpoint.decorateRequest("answerType", null);
  // After the hooks that find out who is calling, and before the body.
  endpoint.addHook("preParsing", (request, _reply: FastifyReply, _payload, done) => {
    try {
      checkAddress(request.raw.url ?? "");
      if (hasBody(request)) checkBody(request);
      request.answerType = negotiate(request.headers.accept, answers);
      if (request.answerType === null) {
        throw new RequestRefusedError(406, "NOT_ACCEPTABLE", `Accept one of ${answers.join(", ")} in UTF-8.`);
      }
    } catch (error) {
      return done(error as Error);
    }
    done();
  });
  endpoint.removeAllContentTypeParsers();
  endpoint.addContentTypeParser<Buffer>(JSON_TYPE, { parseAs: "buffer" }, (request, body, done) => {
    try {
      parse(request, textOf(body), done);
    } catch (error) {
      done(error as Error);
    }
  });
}
