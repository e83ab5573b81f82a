import { fieldOf, type ProblemView, useCountdown } from "../api/problems.js";
import { useI18n } from "../i18n/index.js";
import { Icon } from "./Icon.js";

/** Shows a problem as a whole. Messages about one field are shown at the field. */
export function Problem(props: {
  readonly problem: ProblemView;
  /** Fields that show their own messages. */
  readonly fields?: readonly string[];
  /** Advice if the outcome is unknown. */
  readonly ifUnknown?: string | undefined;
}) {
  const { problem, fields = [], ifUnknown } = props;
  const { t } = useI18n();
  return (
    <div role="alert" className="problem" data-type={problem.__typename}>
      <Icon name="alert" />
      <div>
        <strong>
          {problem.__typename === "Unreachable"
            ? t("common.unreachable")
            : t(`problem.${problem.__typename}`)}
        </strong>
        <Explanation problem={problem} fields={fields} ifUnknown={ifUnknown} />
      </div>
    </div>
  );
}

function Explanation(props: {
  readonly problem: ProblemView;
  readonly fields: readonly string[];
  readonly ifUnknown: string | undefined;
}) {
  const { problem, fields, ifUnknown } = props;
  const { t } = useI18n();
  const secondsLeft = useCountdown(problem);
  switch (problem.__typename) {
    case "ValidationError": {
      const others = problem.fieldErrors.filter(({ field }) => !fields.includes(fieldOf(field)));
      if (others.length === 0) return null;
      return (
        <ul>
          {others.map(({ field, message }) => (
            <li key={`${field} ${message}`}>{message}</li>
          ))}
        </ul>
      );
    }
    case "RateLimitedError":
      return (
        <p role="timer" aria-live="off">
          {secondsLeft > 0 ? t("problem.waiting", { count: secondsLeft }) : t("problem.waited")}
        </p>
      );
    case "TelegramUnavailableError":
      if (!problem.outcomeUnknown) return <p>{problem.message}</p>;
      return (
        <p>
          {t("problem.outcomeUnknown")} {ifUnknown ?? t("problem.repeat")}
        </p>
      );
    case "Unreachable":
      return <p>{t("problem.inputKept")}</p>;
    default:
      return <p>{problem.message}</p>;
  }
}
