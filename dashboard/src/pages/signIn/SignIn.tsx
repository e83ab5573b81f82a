import { useI18n } from "../../i18n/index.js";
import { Brand } from "../../shell/Brand.js";
import { LanguageChoice } from "../../shell/LanguageChoice.js";
import { TokenForm } from "../../shell/TokenForm.js";

/** Asks for an API token. */
export default function SignIn({ isRefused }: { readonly isRefused: boolean }) {
  const { t } = useI18n();
  return (
    <main className="lonely">
      <div className="card">
        <Brand />
        <h1>{t("signIn.title")}</h1>
        <p className="muted">{t("signIn.hint")}</p>
        <TokenForm isRefused={isRefused} />
        <p className="small muted">{t("signIn.kept")}</p>
        <LanguageChoice />
      </div>
    </main>
  );
}
