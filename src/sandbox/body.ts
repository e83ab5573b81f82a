import type { IncomingMessage } from "node:http";
import { bodyTooLarge, unreadableBody } from "./errors.js";

const MAX_BODY_BYTES = 1024 * 1024;

/** Reads the parameters of a call from its query and from a JSON, form or multipart body. */
export async function readParameters(request: IncomingMessage, query: URLSearchParams) {
  const body = await readBody(request);
  return { ...Object.fromEntries(query), ...(await parseBody(body, request.headers["content-type"] ?? "")) };
}

async function readBody(request: IncomingMessage): Promise<Buffer<ArrayBuffer>> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > MAX_BODY_BYTES) {
      throw bodyTooLarge();
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

async function parseBody(body: Buffer<ArrayBuffer>, contentType: string): Promise<Record<string, unknown>> {
  if (body.length === 0) {
    return {};
  }
  try {
    if (contentType.startsWith("application/json")) {
      const parsed: unknown = JSON.parse(body.toString("utf8"));
      if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) {
        throw unreadableBody();
      }
      return parsed as Record<string, unknown>;
    }
    if (/^(application\/x-www-form-urlencoded|multipart\/form-data)/.test(contentType)) {
      return Object.fromEntries(
        await new Response(body, { headers: { "content-type": contentType } }).formData(),
      );
    }
  } catch {
    throw unreadableBody();
  }
  return {};
}
