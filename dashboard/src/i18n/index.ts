import { useSyncExternalStore } from "react";
import type en from "./en.json";
import { type Format, formatOf } from "./format.js";
import { createTranslate, type Texts, type Translate } from "./translate.js";

/** Each language by its own name. Its texts are in the file of its code. */
export const LANGUAGES = { en: "English", ru: "Русский" } as const;
export type Language = keyof typeof LANGUAGES;

const TEXTS: Record<Language, () => Promise<{ readonly default: Texts }>> = {
  en: () => import("./en.json"),
  ru: () => import("./ru.json"),
};

/** The key in localStorage under which the chosen language is kept. */
const KEY = "invite-links-language";

const isLanguage = (code: string | null | undefined): code is Language =>
  code != null && Object.hasOwn(LANGUAGES, code);

/** The language that the user chose, or else the first of the browser's that the dashboard has. */
function preferredLanguage(): Language {
  const chosen = localStorage.getItem(KEY);
  if (isLanguage(chosen)) return chosen;
  return navigator.languages.map((code) => code.slice(0, 2)).find(isLanguage) ?? "en";
}

/** The texts and formats of the language that is shown. */
export interface I18n extends Format {
  readonly language: Language;
  readonly t: Translate<typeof en>;
}

let shown: I18n | undefined;
const listeners = new Set<() => void>();

async function show(language: Language): Promise<void> {
  const texts = await TEXTS[language]();
  shown = { language, t: createTranslate(language, texts.default), ...formatOf(language) };
  document.documentElement.lang = language;
  for (const listener of listeners) listener();
}

/** Loads the texts, which must be there before anything is shown. */
export const startI18n = (): Promise<void> => show(preferredLanguage());

export function chooseLanguage(language: Language): Promise<void> {
  localStorage.setItem(KEY, language);
  return show(language);
}

function i18n(): I18n {
  if (shown === undefined) throw new Error("The texts are not loaded.");
  return shown;
}

export const useI18n = (): I18n =>
  useSyncExternalStore((listener) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  }, i18n);
