import { parseAmount } from "../../i18n/format.js";

/** As many links as a batch takes. */
export const MOST_LINKS = 1000;
/** As many code points as Telegram takes in a name. */
const MOST_IN_NAME = 32;

type Wrong = "name" | "tooLong" | "budget" | "tag";

/** A link of the list, with what is wrong with it. */
export interface ListedLink {
  /** The number of its line, from 1. */
  readonly line: number;
  readonly name: string;
  /** An exact decimal. */
  readonly budget: string;
  readonly tags: readonly KnownTag[];
  readonly wrong: { readonly kind: Wrong; readonly text: string } | null;
}

export interface KnownTag {
  readonly id: string;
  readonly name: string;
  readonly type: string;
}

/** The names that a pattern stands for: Ad {1-3} is Ad 1, Ad 2 and Ad 3, {3-1} counts down, and {01-10} has zeros before. */
function namesOf(pattern: string): string[] {
  const [whole, first = "", last = ""] = /\{(\d+)-(\d+)\}/.exec(pattern) ?? [];
  if (whole === undefined) return [pattern];
  const [from, to] = [Number(first), Number(last)];
  const length = [first, last].find((digits) => digits.startsWith("0"))?.length ?? 0;
  const step = from <= to ? 1 : -1;
  // One too many is enough to say that there are too many.
  const count = Math.min(Math.abs(to - from) + 1, MOST_LINKS + 1);
  return Array.from({ length: count }, (_, at) =>
    pattern.replace(whole, String(from + at * step).padStart(length, "0")),
  );
}

/** A tag as a list names it without doubt, whatever other types have. */
export const nameOf = ({ type, name }: KnownTag): string => `${type}: ${name}`;

/** The tags by their names, or by type and name as Platform: VK. @returns the first text that is no tag's name, if there is one */
function tagsOf(text: string, known: readonly KnownTag[]) {
  const tags: KnownTag[] = [];
  for (const wanted of text.split(",").map((part) => part.trim().toLowerCase())) {
    if (wanted === "") continue;
    const found = known.filter(
      (tag) => wanted === tag.name.toLowerCase() || wanted === nameOf(tag).toLowerCase(),
    );
    const [tag] = found;
    if (tag === undefined || found.length > 1) return { tags, unknown: wanted };
    tags.push(tag);
  }
  return { tags, unknown: null };
}

/** Reads a list of links: a name in each line and, after tabs, its budget and its tags between commas. */
export function parseLinks(text: string, known: readonly KnownTag[]): ListedLink[] {
  return text.split(/\r?\n/).flatMap((row, index) => {
    if (row.trim() === "") return [];
    const [pattern = "", amount = "", tagNames = ""] = row.split("\t").map((cell) => cell.trim());
    const budget = parseAmount(amount);
    const { tags, unknown } = tagsOf(tagNames, known);
    return namesOf(pattern).map((name): ListedLink => {
      const wrong =
        name === ""
          ? { kind: "name" as const, text: "" }
          : [...name].length > MOST_IN_NAME
            ? { kind: "tooLong" as const, text: "" }
            : budget === null
              ? { kind: "budget" as const, text: amount }
              : unknown !== null
                ? { kind: "tag" as const, text: unknown }
                : null;
      return { line: index + 1, name, budget: budget ?? "0", tags, wrong };
    });
  });
}
