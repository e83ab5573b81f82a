import { type ReactNode, Suspense } from "react";
import { useI18n } from "../i18n/index.js";
import { Boundary } from "../ui/Boundary.js";
import { Dialog } from "../ui/Dialog.js";
import { RetryButton } from "./ErrorBoundary.js";

/** Around a dialog that is loaded when it is opened: where that fails, the page stays. It is rendered while the dialog is open. */
export function LazyDialog(props: {
  readonly children: ReactNode;
  /** Null for a dialog that cannot be left. */
  readonly onClose: (() => void) | null;
}) {
  const { children, onClose } = props;
  const { t } = useI18n();
  return (
    <Boundary
      instead={({ count, retry }) => (
        <Dialog title={t("lonely.brokenPart")} onClose={onClose}>
          <p className="muted">{t("lonely.brokenHint")}</p>
          <footer className="dialog-foot">
            <RetryButton count={count} onRetry={retry} />
          </footer>
        </Dialog>
      )}
    >
      <Suspense>{children}</Suspense>
    </Boundary>
  );
}
