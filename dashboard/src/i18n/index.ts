import { createContext, useContext, useMemo, useSyncExternalStore } from "react";
import type en from "./en.json";
import { type Format, formatOf } from "./format.js";
import { createTranslate, type Texts, type Translate } from "./translate.js";

/** Each language by its own name. Its texts are in the file of its code. */
export const LANGUAGES = { en: "English", ru: "Русский" } as const;
export type Language = keyof typeof LANGUAGES;

/** The texts of the first page, and all others; `vite.config.mjs` divides each language's file. */
const FIRST = import.meta.glob<Texts>("./*.json", { query: "?first", import: "default" });
const LATER = import.meta.glob<Texts>("./*.json", { query: "?later", import: "default" });

async function load(files: Record<string, () => Promise<Texts>>, language: Language): Promise<Texts> {
  const texts = await files[`./${language}.json`]?.();
  if (texts === undefined) throw new Error(`There are no texts in ${language}.`);
  return texts;
}

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

interface ShownTexts {
  readonly language: Language;
  readonly t: Translate<typeof en>;
}

/** The texts and formats of the language that is shown. */
export type I18n = ShownTexts & Format;

/** The time zone in which times are written: the channel's. Undefined, outside of a channel, stands for the browser's. */
export const TimeZoneContext = createContext<string | undefined>(undefined);

let shown: ShownTexts | undefined;
/** Whether more than the first page was shown, so that another language needs all of its texts at once. */
let areAllNeeded = false;
const listeners = new Set<() => void>();

/** The language that was chosen last. */
let wanted: Language | undefined;

async function show(language: Language): Promise<void> {
  wanted = language;
  const texts = await load(FIRST, language);
  let isComplete = areAllNeeded;
  const later = isComplete ? await load(LATER, language) : {};
  // Another one may have been chosen meanwhile.
  if (wanted !== language) return;
  /** One promise for all texts that are missing. It never fails, and the error stands beside it. */
  let loading: Promise<void> | undefined;
  let error: unknown;
  const set = (all: Texts) => {
    shown = {
      language,
      // A component that shows a text which is not loaded yet is suspended, as one whose code is not.
      t: createTranslate(language, all, () => {
        if (error !== undefined) {
          const thrown = error;
          loading = error = undefined;
          throw thrown;
        }
        if (isComplete) return;
        loading ??= load(LATER, language).then(
          (missing) => {
            areAllNeeded = isComplete = true;
            if (wanted === language) set({ ...texts, ...missing });
          },
          (reason: unknown) => {
            error = reason;
          },
        );
        throw loading;
      }),
    };
    document.documentElement.lang = language;
    for (const listener of listeners) listener();
  };
  set({ ...texts, ...later });
}

/** Loads the texts, which must be there before anything is shown. */
export const startI18n = (): Promise<void> => show(preferredLanguage());

export function chooseLanguage(language: Language): Promise<void> {
  localStorage.setItem(KEY, language);
  return show(language);
}

function shownTexts(): ShownTexts {
  if (shown === undefined) throw new Error("The texts are not loaded.");
  return shown;
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function useI18n(): I18n {
  const texts = useSyncExternalStore(subscribe, shownTexts);
  const timeZone = useContext(TimeZoneContext);
  return useMemo(() => ({ ...texts, ...formatOf(texts.language, timeZone) }), [texts, timeZone]);
}
