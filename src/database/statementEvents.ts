/** One statement that has ended, without its values. */
export interface StatementEvent {
  /** The name of a hand-written statement, or the name of a statement of Prisma by its verb and table. */
  readonly name: string;
  readonly text: string;
  readonly milliseconds: number;
  /** The code of the error: an SQLSTATE, a code of Node.js, or "unknown"; null for a success. */
  readonly failure: string | null;
}

export type OnStatement = (event: StatementEvent) => void;

/** Gives an error the name of its statement, which log lines show as `err.statement`. @returns the error */
export function withName(error: unknown, name: string): unknown {
  return error instanceof Error && Object.isExtensible(error)
    ? Object.assign(error, { statement: name })
    : error;
}

/** A code of PostgreSQL, Prisma or Node.js. */
const CODE = /^[A-Z0-9_]{2,40}$/;

function codeOf(error: unknown): string {
  const { code } = (error ?? {}) as { readonly code?: unknown };
  return typeof code === "string" && CODE.test(code) ? code : "unknown";
}

/** Runs a statement whose success is reported elsewhere, and reports its failure; its error gets the statement's name. */
export async function reportFailure<Result>(
  onStatement: OnStatement,
  { name, text }: Pick<StatementEvent, "name" | "text">,
  run: () => Promise<Result>,
): Promise<Result> {
  const started = performance.now();
  try {
    return await run();
  } catch (error) {
    onStatement({ name, text, milliseconds: performance.now() - started, failure: codeOf(error) });
    throw withName(error, name);
  }
}

/** Runs a statement and reports it; its error gets the statement's name. */
export async function runReported<Result>(
  onStatement: OnStatement,
  statement: Pick<StatementEvent, "name" | "text">,
  run: () => Promise<Result>,
): Promise<Result> {
  const { name, text } = statement;
  const started = performance.now();
  const result = await reportFailure(onStatement, statement, run);
  onStatement({ name, text, milliseconds: performance.now() - started, failure: null });
  return result;
}

const COMMENT = /^\s*[a-z]+ \/\* (\w+) \*\//i;
/** The table of a statement that Prisma generates: "schema"."table" after the keyword. */
const TABLE = /\b(?:FROM|INTO|UPDATE) "[^"]*"\."([^"]+)"/;

/** The name of a statement that went through Prisma: a hand-written one by its comment, any other as prisma_select_tag. */
export function nameFromText(text: string): string {
  const name = COMMENT.exec(text)?.[1];
  if (name !== undefined) return name;
  const verb = /^[A-Za-z]+/.exec(text)?.[0].toLowerCase() ?? "statement";
  const table = TABLE.exec(text)?.[1];
  return table === undefined ? `prisma_${verb}` : `prisma_${verb}_${table}`;
}
