import type { FastifyRequest } from "fastify";
import type { OperationParameters } from "../../graphql/pipeline/executeOperation.js";

const isAbsent = (value: unknown): value is null | undefined => value === null || value === undefined;
const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/**
 * The operation in the body of a POST, where there is nothing to say against its form. Null for everything else: it is
 * Yoga's, which knows what to say.
 */
export function plainOperation({ method, body }: FastifyRequest): OperationParameters | null {
  const content = method === "POST" && typeof body === "string" ? parse(body) : null;
  if (!isObject(content)) return null;
  const { query, operationName, variables, extensions, ...others } = content;
  const isPlain =
    typeof query === "string" &&
    (isAbsent(operationName) || typeof operationName === "string") &&
    (isAbsent(variables) || isObject(variables)) &&
    (isAbsent(extensions) || isObject(extensions)) &&
    Object.keys(others).length === 0;
  return isPlain ? { query, operationName, variables, extensions } : null;
}
