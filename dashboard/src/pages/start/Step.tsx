import type { ReactNode } from "react";
import { useI18n } from "../../i18n/index.js";
import { Icon } from "../../ui/Icon.js";

/** "now": it is its turn; "later": another step comes first. */
export type StepState = "done" | "now" | "later";

/** A step of the way, of which only those are open whose turn it is or that have something to show. */
export function Step(props: {
  readonly number: number;
  readonly title: string;
  readonly state: StepState;
  readonly children?: ReactNode;
}) {
  const { number, title, state, children } = props;
  const { t } = useI18n();
  return (
    <li className="card step" data-state={state} aria-current={state === "now" ? "step" : undefined}>
      <span className="step-mark" aria-hidden="true">
        {state === "done" ? <Icon name="check" /> : number}
      </span>
      <div className="step-body">
        <h2 tabIndex={-1}>
          {title}
          {state === "done" && <span className="hidden">, {t("start.done")}</span>}
        </h2>
        {children}
      </div>
    </li>
  );
}
