import { useI18n } from "../i18n/index.js";
import { LoadProblem } from "../ui/LoadProblem.js";

/** Stands in the place of what is not loaded yet, or cannot be. */
export function Loading(props: {
  readonly error?: Error | undefined;
  readonly refetch?: () => Promise<unknown>;
}) {
  const { error, refetch } = props;
  const { t } = useI18n();
  if (!error) return <p className="muted">{t("common.loading")}</p>;
  return <LoadProblem error={error} onRetry={() => void refetch?.().catch(() => {})} />;
}
