/** The macros of a POSTBACK's address, without `{tag:…}`. */
export const MACROS = [
  "event",
  "event_id",
  "occurred_at",
  "occurred_unix",
  "channel_id",
  "user_id",
  "link_id",
  "link_name",
  "link_url",
  "external_id",
  "budget",
] as const;
export type MacroName = (typeof MACROS)[number];

const MACRO = /\{([^{}]*)\}/g;
const TAG = "tag:";

/** The values of the macros. */
export interface MacroValues {
  readonly fields: Readonly<Record<MacroName, string>>;
  /** The names of the link's tags of a type. */
  tagNames(typeName: string): readonly string[];
}

/** The names in braces, as they are written. */
export const macrosOf = (url: string): string[] => [...url.matchAll(MACRO)].map(([, name = ""]) => name);

export const isMacroName = (name: string): name is MacroName => MACROS.some((known) => known === name);

/** The tag type that a macro names; null for any other macro. */
export const tagTypeOf = (macro: string): string | null =>
  macro.startsWith(TAG) ? macro.slice(TAG.length).trim() : null;

const textOf = (macro: string, { fields, tagNames }: MacroValues): string => {
  const type = tagTypeOf(macro);
  if (type !== null) return tagNames(type).join(",");
  return isMacroName(macro) ? fields[macro] : "";
};

/** Puts a text in the place of every macro. */
export const replaceMacros = (url: string, replacement: (macro: string) => string): string =>
  url.replace(MACRO, (_whole, macro: string) => replacement(macro));

/**
 * Percent-encodes a value. In the path, dots alone are encoded twice: a segment of one or two dots, however it is encoded,
 * leads to another path.
 */
const encode = (value: string, isInPath: boolean): string =>
  isInPath && /^\.+$/.test(value) ? "%252E".repeat(value.length) : encodeURIComponent(value);

/** Fills in the macros of an address, percent-encoded. A macro without a value becomes the empty text. */
export const fillMacros = (url: string, values: MacroValues): string =>
  url.replace(MACRO, (_whole, macro: string, offset: number) => {
    const before = replaceMacros(url.slice(0, offset), () => "");
    return encode(textOf(macro, values), !before.includes("?"));
  });
