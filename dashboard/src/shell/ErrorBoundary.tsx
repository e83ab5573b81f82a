import type { ReactNode } from "react";
import { useI18n } from "../i18n/index.js";
import { Boundary } from "../ui/Boundary.js";

/** Says so in the place of a page that could not be loaded. @param place the failure is over when it changes */
export const ErrorBoundary = (props: { readonly children: ReactNode; readonly place?: string }) => (
  <Boundary {...props} instead={({ count, retry }) => <Broken count={count} onRetry={retry} />} />
);

function Broken(props: { readonly count: number; readonly onRetry: () => void }) {
  const { t } = useI18n();
  return (
    <main id="main" tabIndex={-1} className="lonely">
      <div role="alert" className="card">
        <h1>{t("lonely.broken")}</h1>
        <p className="muted">{t("lonely.brokenHint")}</p>
        <RetryButton {...props} />
      </div>
    </main>
  );
}

/** Tries again at first, and then reloads the page: after a release, the old files are gone. */
export function RetryButton({ count, onRetry }: { readonly count: number; readonly onRetry: () => void }) {
  const { t } = useI18n();
  return (
    <button type="button" className="primary" onClick={count < 2 ? onRetry : () => location.reload()}>
      {count < 2 ? t("common.tryAgain") : t("lonely.reload")}
    </button>
  );
}
