import type { FastifyRequest, FastifySchemaCompiler } from "fastify";
import type { z } from "zod";

/** One thing that is wrong with a request, in FastAPI's form. */
export interface Problem {
  /** body, query, path or header, and the way from there. */
  readonly loc: (string | number)[];
  readonly msg: string;
  readonly type: string;
}

/** The request does not have the form that its route asks for. */
export class MalformedRequestError extends Error {
  override readonly name = "MalformedRequestError";
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    super("The request does not have the form that its route asks for.");
    this.problems = problems;
  }
}

const MAX_PROBLEMS = 20;

/** Fastify's names of a request's parts, in theirs. */
const PARTS: Readonly<Record<string, string>> = {
  params: "path",
  querystring: "query",
  headers: "header",
  body: "body",
};

/** Stands in the place of a part that is not acceptable, until all parts were looked at. */
class Unacceptable {
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

/** Reads a part of a request by its schema. What is wrong with it is thrown by refuseMalformed. */
export const validatorCompiler: FastifySchemaCompiler<z.ZodType> =
  ({ schema, httpPart }) =>
  (data: unknown) => {
    const { success, data: value, error } = schema.safeParse(data, OPTIONS);
    return { value: success ? value : new Unacceptable(PARTS[httpPart ?? ""] ?? "body", error) };
  };

/** All that is wrong with a request is said at once, of whichever part. @throws MalformedRequestError */
export async function refuseMalformed({ params, query, headers, body }: FastifyRequest): Promise<void> {
  const problems = [params, query, headers, body].flatMap((part) =>
    part instanceof Unacceptable ? part.problems : [],
  );
  if (problems.length > 0) throw new MalformedRequestError(problems.slice(0, MAX_PROBLEMS));
}
