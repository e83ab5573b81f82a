import { Component, type ReactNode } from "react";
import { useI18n } from "../i18n/index.js";

/** Catches what a page throws, above all that its file is gone since the server has a newer version. */
export class ErrorBoundary extends Component<
  { readonly children: ReactNode },
  { readonly hasFailed: boolean }
> {
  override state = { hasFailed: false };

  static getDerivedStateFromError() {
    return { hasFailed: true };
  }

  override render() {
    return this.state.hasFailed ? <Broken /> : this.props.children;
  }
}

function Broken() {
  const { t } = useI18n();
  return (
    <main id="main" tabIndex={-1} className="lonely">
      <div role="alert" className="card">
        <h1>{t("lonely.broken")}</h1>
        <p className="muted">{t("lonely.brokenHint")}</p>
        <button type="button" className="primary" onClick={() => location.reload()}>
          {t("lonely.reload")}
        </button>
      </div>
    </main>
  );
}
