import { failureOf } from "../api/failure.js";
import { useI18n } from "../i18n/index.js";

/** Says that a part of a page could not be loaded, and tries again. */
export function LoadProblem(props: {
  readonly title: string;
  readonly error: Error;
  readonly onRetry: () => void;
}) {
  const { title, error, onRetry } = props;
  const { t } = useI18n();
  const failure = failureOf(error);
  return (
    <div role="alert" className="problem">
      <span className="spring">
        {title} {failure.__typename === "Failure" ? failure.message : t("problem.Unreachable")}
      </span>
      <button type="button" onClick={onRetry}>
        {t("common.tryAgain")}
      </button>
    </div>
  );
}
