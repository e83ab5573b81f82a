import { messageOf } from "../api/failure.js";
import { useI18n } from "../i18n/index.js";

/** Says that a part of a page could not be loaded, and tries again. */
export function LoadProblem(props: {
  /** What could not be loaded, where that is not plain from the place. */
  readonly title?: string;
  readonly error: Error;
  readonly onRetry: () => void;
}) {
  const { title, error, onRetry } = props;
  const { t } = useI18n();
  return (
    <div role="alert" className="problem">
      <span className="spring">
        {title} {messageOf(error, t("common.unreachable"))}
      </span>
      <button type="button" onClick={onRetry}>
        {t("common.tryAgain")}
      </button>
    </div>
  );
}
