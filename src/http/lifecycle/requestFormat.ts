import { isUtf8 } from "node:buffer";
import { type ContentType, parse as parseMediaType } from "content-type";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import Negotiator from "negotiator";

// Decides for GraphQL and REST whether the form of a request can be served: its address, its body and the answer that it
// accepts. This happens after authentication and before anything is parsed or executed.

/** The form of a request is not acceptable. Each endpoint's error handler turns the error into its own form of errors. */
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
    /** The media type of the answer; null until the form of the request was checked. */
    answerType: string | null;
  }
}

/** The deepest nesting of arrays and objects in JSON. A recursive function could overflow the stack on deeper values. */
const MAX_JSON_DEPTH = 100;

const BYTE_ORDER_MARK = "\uFEFF";
const JSON_TYPE = "application/json";
/** Names of charsets whose bytes are UTF-8. */
const UTF8_NAMES: ReadonlySet<string> = new Set(["utf-8", "utf8", "us-ascii"]);
/** The accepted codings of a body: none, or chunks, which Node.js decodes. */
const PLAIN_CODINGS: ReadonlySet<string> = new Set(["", "identity", "chunked"]);

/** Whether a media type with these parameters is UTF-8. A charset that is repeated or badly quoted is refused. */
function isInUtf8(text: string, { parameters }: ContentType): boolean {
  const { charset } = parameters;
  const named = text.match(/charset/gi)?.length ?? 0;
  return charset === undefined ? named === 0 : named === 1 && UTF8_NAMES.has(charset.toLowerCase());
}

/** The media ranges of an Accept header that allow UTF-8, with no parameter but their weight. */
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
 * Chooses the media type of `offered` that an Accept header prefers; null if the header accepts none. Among equal weights
 * the order of the header decides, then the order of `offered`. A missing or empty header accepts everything.
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

/** Whether an Accept header names a media type. A wildcard names none, and a weight of 0 refuses the type. */
export const names = (accept: string | undefined, type: string): boolean =>
  accept?.toLowerCase().includes(type) === true &&
  rangesOf(accept).some((range) => {
    const [name, weight] = range.split(";q=");
    return name === type && Number(weight) > 0;
  });

/** @throws RequestRefusedError if the address is not percent-encoded UTF-8. Node.js itself refuses non-ASCII bytes. */
function checkAddress(url: string): void {
  try {
    if (url.includes("%")) decodeURIComponent(url);
  } catch {
    throw new RequestRefusedError(400, "BAD_REQUEST", "The address is not percent-encoded UTF-8.");
  }
}

/**
 * Checks the headers that describe the body. An empty body needs no Content-Type, and a Content-Type it has is ignored.
 * @throws RequestRefusedError (415)
 */
function checkBody({ headers }: FastifyRequest, types: readonly string[] = [JSON_TYPE]): void {
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
  if (type !== undefined && types.includes(type)) return;
  const parsed = parseMediaType(type ?? "");
  if (type === undefined || !types.includes(parsed.type) || !isInUtf8(type, parsed)) {
    const accept = types.join(", ");
    const message = `Send the body as ${types.join(" or ")} in UTF-8.`;
    throw new RequestRefusedError(415, "UNSUPPORTED_MEDIA_TYPE", message, { accept });
  }
  // Fastify chooses the parser by this header; in this form it does not have to parse it again.
  headers["content-type"] = parsed.type;
}

/** Whether arrays and objects in a JSON text are nested too deeply. The text does not have to be valid JSON. */
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

/** Decodes a body and drops one byte order mark. @throws RequestRefusedError (400) */
function textOf(body: Buffer): string {
  if (!isUtf8(body)) throw new RequestRefusedError(400, "BAD_REQUEST", "The body is not UTF-8.");
  const text = body.toString();
  if (isNestedTooDeep(text)) throw tooDeep();
  if (!text.startsWith(BYTE_ORDER_MARK)) return text;
  // A second byte order mark is refused, because JSON parsers treat it differently.
  if (text.startsWith(BYTE_ORDER_MARK, 1))
    throw new RequestRefusedError(400, "BAD_REQUEST", "The body is not JSON.");
  return text.slice(1);
}

export interface RequestFormat {
  /** The media types of the endpoint's answers, the preferred one first. */
  readonly answers: readonly [string, ...string[]];
  /** Turns the text of a body into the value that handlers get. */
  readonly parse: (
    request: FastifyRequest,
    text: string,
    done: (error: Error | null, body?: unknown) => void,
  ) => void;
}

const hasBody = ({ method }: FastifyRequest): boolean => method !== "GET" && method !== "HEAD";

/** Checks the form of a request before its body is read. @throws RequestRefusedError */
export function checkForm(
  request: FastifyRequest,
  bodies: readonly string[],
  answers: readonly [string, ...string[]],
): void {
  checkAddress(request.raw.url ?? "");
  if (hasBody(request)) checkBody(request, bodies);
  request.answerType = negotiate(request.headers.accept, answers);
  if (request.answerType === null)
    throw new RequestRefusedError(406, "NOT_ACCEPTABLE", `Accept one of ${answers.join(", ")} in UTF-8.`);
}

/** Checks the form of every request to the endpoint before its body is read, and refuses it with a RequestRefusedError. */
export function addRequestFormat(endpoint: FastifyInstance, { answers, parse }: RequestFormat): void {
  endpoint.decorateRequest("answerType", null);
  // This hook runs after authentication (onRequest) and before the body is read.
  endpoint.addHook("preParsing", (request, _reply: FastifyReply, _payload, done) => {
    try {
      checkForm(request, [JSON_TYPE], answers);
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
