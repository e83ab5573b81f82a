import { failureOf } from "../api/failure.js";
import { useI18n } from "../i18n/index.js";
import { Problem } from "../ui/Problem.js";

/** Stands in the place of what is not loaded yet, or cannot be. */
export function Loading({ error }: { readonly error: Error | undefined }) {
  const { t } = useI18n();
  return error ? <Problem problem={failureOf(error)} /> : <p className="muted">{t("common.loading")}</p>;
}
