// What: Executes an ordinary POST without Yoga. Plain twin: Yoga, which executes every other request.
// Measured: W3 0.22 (0.05) instead of 0.70 (0.08) CPU ms of Node.js (and PostgreSQL) per request, 2.82 times (200,000 links,
//   2026-11-26, `npm run bench -- --only fast-paths`); docs/decisions/0002-yoga-shortcut.md.
// To remove: delete this file, its test, `#runPastYoga` with its use in route.ts, `result` of PipelineContext with its use
//   in yogaPlugin.ts, and `yogaShortcut` in fastPaths.ts.

import type { FastifyRequest } from "fastify";
import { isObject } from "../../graphql/executor/json.js";
import type { OperationParameters } from "../../graphql/pipeline/operation.js";
import { namesHash } from "../../graphql/pipeline/persistedDocuments.js";

const isAbsent = (value: unknown): value is null | undefined => value === null || value === undefined;

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/**
 * The operation of a request that Yoga would find nothing wrong with: a POST of a JSON object with the known keys and
 * values of the right types. Null for every other request: Yoga handles it and words the error, if there is one.
 */
export function ordinaryOperation({ method, body }: FastifyRequest): OperationParameters | null {
  const content = method === "POST" && typeof body === "string" ? parse(body) : null;
  if (!isObject(content)) return null;
  const { operationName, variables, extensions, ...others } = content;
  const query = isAbsent(others["query"]) && namesHash(extensions) ? "" : others["query"];
  delete others["query"];
  const isOrdinary =
    typeof query === "string" &&
    (isAbsent(operationName) || typeof operationName === "string") &&
    (isAbsent(variables) || isObject(variables)) &&
    (isAbsent(extensions) || isObject(extensions)) &&
    Object.keys(others).length === 0;
  return isOrdinary ? { query, operationName, variables, extensions } : null;
}
