import { useState } from "react";
import { useI18n } from "../../i18n/index.js";
import { Confirm } from "../../parts/Confirm.js";
import { Problem } from "../../ui/Problem.js";
import type { Decisions } from "./useDecisions.js";

/** What can be done with the selected requests, and how far it is. */
export function DecisionBar(props: {
  readonly selected: readonly string[];
  readonly decisions: Decisions;
  readonly onClear: () => void;
}) {
  const { selected, decisions, onClear } = props;
  const { progress, failures, problem, decide, stop } = decisions;
  const { t, number } = useI18n();
  const [isAsking, setIsAsking] = useState(false);
  const count = selected.length;
  const values = { count, shown: number(count) };
  const isShown = count > 0 || progress !== null || failures.size > 0 || problem !== null;
  return (
    <section className="decision-bar" aria-label={t("requests.selection")} hidden={!isShown}>
      {problem && <Problem problem={problem} />}
      {failures.size > 0 && progress === null && (
        <p role="alert" className="field-problem">
          {t("requests.failed", { count: failures.size, shown: number(failures.size) })}
        </p>
      )}
      {progress ? (
        <div className="decision-line">
          <progress
            max={progress.total}
            value={progress.done}
            aria-label={t("requests.progress", {
              done: number(progress.done),
              total: number(progress.total),
            })}
          />
          <span role="status">
            {t("requests.progress", { done: number(progress.done), total: number(progress.total) })}
          </span>
          <button type="button" onClick={stop}>
            {t("requests.stop")}
          </button>
        </div>
      ) : (
        count > 0 && (
          <div className="decision-line">
            <span role="status">{t("requests.selected", values)}</span>
            <span className="spring" />
            <button type="button" className="quiet" onClick={onClear}>
              {t("requests.clear")}
            </button>
            <button type="button" className="danger" onClick={() => setIsAsking(true)}>
              {t("requests.decline")}
            </button>
            <button type="button" className="primary" onClick={() => void decide(selected, "APPROVE")}>
              {t("requests.approve")}
            </button>
          </div>
        )
      )}
      {isAsking && (
        <Confirm
          title={t("requests.declineTitle", values)}
          action={t("requests.decline")}
          problem={null}
          isBusy={false}
          onConfirm={() => {
            setIsAsking(false);
            void decide(selected, "DECLINE");
          }}
          onClose={() => setIsAsking(false)}
        >
          <p>{t("requests.declineHint")}</p>
        </Confirm>
      )}
    </section>
  );
}
