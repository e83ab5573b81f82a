import * as z from "zod";

/** An environment variable. */
export interface Variable<T> {
  readonly schema: z.ZodType<T>;
  /** Completes the sentence "… is not". */
  readonly accepts: string;
  /** The value is never shown. A function gives the texts within the value that are secret. */
  readonly secret?: boolean | ((value: string) => readonly string[]);
}

export type Variables = Readonly<Record<string, Variable<unknown>>>;

/** The values of variables by their names, without those that are not set. */
export type ValuesOf<V extends Variables> = { [Name in keyof V]?: z.infer<V[Name]["schema"]> };

export const integer = (min: number, max: number) =>
  z
    .string()
    .regex(/^\d{1,15}$/)
    .transform(Number)
    .refine((value) => value >= min && value <= max);

export const httpUrl = z
  .string()
  .refine((text) => URL.canParse(text) && ["http:", "https:"].includes(new URL(text).protocol));

/**
 * Reads variables. An empty one counts as not set.
 * @returns a problem of one line, without a secret, for each value that is not acceptable
 */
export function readVariables<V extends Variables>(
  variables: V,
  env: NodeJS.ProcessEnv,
): { values: ValuesOf<V>; problems: string[] } {
  const problems: string[] = [];
  const values: Record<string, unknown> = {};
  for (const [name, variable] of Object.entries<Variable<unknown>>(variables)) {
    const text = env[name];
    if (text === undefined || text.trim() === "") continue;
    const parsed = variable.schema.safeParse(text.trim());
    if (parsed.success) {
      values[name] = parsed.data;
    } else {
      const shown = variable.secret ? "the value" : JSON.stringify(text.slice(0, 200));
      problems.push(`${name}: ${shown} is not ${variable.accepts}.`);
    }
  }
  return { values: values as ValuesOf<V>, problems };
}

/** The texts of secret variables that must not be shown, also of values that are not acceptable. */
export const secretsIn = (variables: Variables, env: NodeJS.ProcessEnv): string[] =>
  Object.entries(variables).flatMap(([name, { secret }]) => {
    const text = env[name]?.trim() ?? "";
    if (!secret || text === "") return [];
    return secret === true ? [text] : secret(text);
  });
