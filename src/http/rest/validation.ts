import type { FastifyRequest, FastifySchemaCompiler } from "fastify";
import type { z } from "zod";

/** One problem of a request, in the form of FastAPI. */
export interface Problem {
  /** The part of the request (body, query, path or header) and the path inside of it. */
  readonly loc: (string | number)[];
  readonly msg: string;
  readonly type: string;
}

/** The request does not match the schemas of its route. */
export class MalformedRequestError extends Error {
  override readonly name = "MalformedRequestError";
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    super("The request does not match the schemas of its route.");
    this.problems = problems;
  }
}

const MAX_PROBLEMS = 20;

/** FastAPI's names for the parts of a request, by Fastify's names. */
const PARTS: Readonly<Record<string, string>> = {
  params: "path",
  querystring: "query",
  headers: "header",
  body: "body",
};

/** Replaces a part of the request that is not valid, until all parts have been validated. */
class InvalidPart {
  readonly problems: readonly Problem[];

  constructor(part: string, { issues }: z.ZodError) {
    this.problems = issues.slice(0, MAX_PROBLEMS).map(({ path, message, code, input }) => ({
      loc: [part, ...path.map((key) => (typeof key === "number" ? key : String(key)))],
      ...(input == null && path.length === 0
        ? { msg: "Field required", type: "missing" }
        : { msg: message, type: input === undefined ? "missing" : code === "custom" ? "value_error" : code }),
    }));
  }
}

const OPTIONS = {
  reportInput: true,
  error: ({ input }: { input?: unknown }) => (input === undefined ? "Field required" : undefined),
};

/** Validates one part of a request. Its problems are kept until refuseMalformed throws those of all parts. */
export const validatorCompiler: FastifySchemaCompiler<z.ZodType> =
  ({ schema, httpPart }) =>
  (data: unknown) => {
    const { success, data: value, error } = schema.safeParse(data, OPTIONS);
    return { value: success ? value : new InvalidPart(PARTS[httpPart ?? ""] ?? "body", error) };
  };

/** Reports the problems of all parts of a request at once. @throws MalformedRequestError */
export async function refuseMalformed({ params, query, headers, body }: FastifyRequest): Promise<void> {
  const problems = [params, query, headers, body].flatMap((part) =>
    part instanceof InvalidPart ? part.problems : [],
  );
  if (problems.length > 0) throw new MalformedRequestError(problems.slice(0, MAX_PROBLEMS));
}
