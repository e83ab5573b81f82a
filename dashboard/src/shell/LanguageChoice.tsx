import { messageOf } from "../api/failure.js";
import { chooseLanguage, type I18n, LANGUAGES, type Language, useI18n } from "../i18n/index.js";
import { toast } from "../ui/toast.js";

/** Shows another language, or says why it cannot. */
export const switchLanguage = (language: Language, t: I18n["t"]): Promise<void> =>
  chooseLanguage(language).catch((error: unknown) =>
    toast({ message: messageOf(error, t("common.unreachable")), isProblem: true }),
  );

export function LanguageChoice() {
  const { t, language } = useI18n();
  return (
    <label className="language">
      <span className="hidden">{t("shell.language")}</span>
      <select value={language} onChange={({ target }) => switchLanguage(target.value as Language, t)}>
        {Object.entries(LANGUAGES).map(([code, name]) => (
          <option key={code} value={code} lang={code}>
            {name}
          </option>
        ))}
      </select>
    </label>
  );
}
