/** One statement that ran, without its values. */
export interface StatementEvent {
  /** The name of a hand-written statement, or the name of a statement of Prisma by its verb and table. */
  readonly name: string;
  readonly text: string;
  readonly milliseconds: number;
}

export type OnStatement = (event: StatementEvent) => void;

/** Gives an error the name of its statement, which log lines show as `err.statement`. @returns the error */
export function withName(error: unknown, name: string): unknown {
  return error instanceof Error && Object.isExtensible(error)
    ? Object.assign(error, { statement: name })
    : error;
}

/** Runs a statement and reports it; its error gets the statement's name. */
export async function runReported<Result>(
  onStatement: OnStatement,
  { name, text }: Pick<StatementEvent, "name" | "text">,
  run: () => Promise<Result>,
): Promise<Result> {
  const started = performance.now();
  try {
    const result = await run();
    onStatement({ name, text, milliseconds: performance.now() - started });
    return result;
  } catch (error) {
    throw withName(error, name);
  }
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
