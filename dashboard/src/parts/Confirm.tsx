import type { ReactNode } from "react";
import { type ProblemView, useCountdown } from "../api/problems.js";
import { useI18n } from "../i18n/index.js";
import { Dialog } from "../ui/Dialog.js";
import { Problem } from "../ui/Problem.js";

/** Asks before something that cannot be undone. */
export function Confirm(props: {
  readonly title: string;
  readonly children: ReactNode;
  /** The name of the button that does it. */
  readonly action: string;
  readonly problem: ProblemView | null;
  readonly isBusy: boolean;
  readonly onConfirm: () => void;
  readonly onClose: () => void;
}) {
  const { title, children, action, problem, isBusy, onConfirm, onClose } = props;
  const { t } = useI18n();
  const secondsLeft = useCountdown(problem);
  const isHeld = isBusy || secondsLeft > 0;
  return (
    <Dialog title={title} onClose={onClose}>
      {problem && <Problem problem={problem} />}
      {children}
      <footer className="dialog-foot">
        <button type="button" data-first onClick={onClose}>
          {t("common.cancel")}
        </button>
        <button
          type="button"
          className="primary danger"
          aria-disabled={isHeld}
          onClick={() => !isHeld && onConfirm()}
        >
          {action}
        </button>
      </footer>
    </Dialog>
  );
}
