import type { ReactNode } from "react";
import { messageOf } from "../api/failure.js";
import { useI18n } from "../i18n/index.js";

/** A page with nothing but a message. */
export function Lonely({ title, children }: { readonly title: string; readonly children: ReactNode }) {
  return (
    <main id="main" tabIndex={-1} className="lonely">
      <div className="card">
        <h1>{title}</h1>
        {children}
      </div>
    </main>
  );
}

export function LoadFailed({ error, onRetry }: { readonly error: Error; readonly onRetry: () => void }) {
  const { t } = useI18n();
  return (
    <Lonely title={t("lonely.loadFailed")}>
      <p role="alert" className="muted">
        {messageOf(error, t("common.unreachable"))}
      </p>
      <button type="button" onClick={onRetry}>
        {t("common.tryAgain")}
      </button>
    </Lonely>
  );
}
