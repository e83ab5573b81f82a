/** The texts of a language: groups of texts by their keys. Forms of a plural have the keys `name_one`, `name_other`, … */
export interface Texts {
  readonly [key: string]: string | Texts;
}

type Plural = `${string}_${Intl.LDMLPluralRule}`;
type Base<Key extends string> = Key extends Plural
  ? Key extends `${infer Name}_${Intl.LDMLPluralRule}`
    ? Name
    : never
  : Key;

/** The keys of all texts, such as "links.create"; those of plurals without their form. */
export type KeyOf<T> = {
  [Key in keyof T & string]: T[Key] extends string ? Base<Key> : `${Key}.${KeyOf<T[Key]>}`;
}[keyof T & string];

/** @param values what stands for {{name}} in the text. `count` chooses the form of a plural. */
export type Translate<T> = (key: KeyOf<T>, values?: Readonly<Record<string, string | number>>) => string;

const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff]/;

/** A value inside a sentence. Without isolation, a right-to-left name would reorder the words around it. */
const isolate = (text: string): string => (RIGHT_TO_LEFT.test(text) ? `\u2068${text}\u2069` : text);

/** All texts of a language by their whole keys. */
export function flatten(texts: Texts, prefix = ""): Map<string, string> {
  return new Map(
    Object.entries(texts).flatMap(([key, value]) =>
      typeof value === "string" ? [[prefix + key, value] as const] : [...flatten(value, `${prefix}${key}.`)],
    ),
  );
}

/**
 * @param onMissing called for a text that is not among the texts
 *
 * Own code, because the usual libraries are ten times as large as all texts: 20 kB of the first page's 150.
 */
export function createTranslate<T extends Texts>(
  language: string,
  texts: Texts,
  onMissing: () => void = () => {},
): Translate<T> {
  const all = flatten(texts);
  const rules = new Intl.PluralRules(language);
  return (key, values = {}) => {
    const { count } = values;
    const form = typeof count === "number" ? `${key}_${rules.select(count)}` : key;
    const text = all.get(form) ?? all.get(key);
    if (text === undefined) onMissing();
    return (text ?? key).replace(/\{\{(\w+)\}\}/g, (_whole, name: string) =>
      isolate(String(values[name] ?? "")),
    );
  };
}
