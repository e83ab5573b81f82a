import { chooseLanguage, LANGUAGES, type Language, useI18n } from "../i18n/index.js";

export function LanguageChoice() {
  const { t, language } = useI18n();
  return (
    <label className="language">
      <span className="hidden">{t("shell.language")}</span>
      <select value={language} onChange={({ target }) => chooseLanguage(target.value as Language)}>
        {Object.entries(LANGUAGES).map(([code, name]) => (
          <option key={code} value={code} lang={code}>
            {name}
          </option>
        ))}
      </select>
    </label>
  );
}
