import { useState, useSyncExternalStore } from "react";
import type { Connection } from "../api/connection.js";
import { useI18n } from "../i18n/index.js";
import { Icon } from "../ui/Icon.js";
import { sandboxToken } from "./session.js";

/** What concerns every page: a broken connection, and that the server plays Telegram. */
export function Notices({ connection }: { readonly connection: Connection }) {
  const { t } = useI18n();
  const isLost = useSyncExternalStore(connection.subscribe, connection.isLost);
  return (
    <>
      <div role="status" className="notices">
        {isLost && (
          <p className="notice lost">
            <Icon name="alert" /> {t("shell.lost")}
          </p>
        )}
      </div>
      {sandboxToken !== null && <SandboxNotice />}
    </>
  );
}

const KEY = "invite-links-sandbox-known";

function SandboxNotice() {
  const { t } = useI18n();
  const [isKnown, setIsKnown] = useState(() => localStorage.getItem(KEY) !== null);
  if (isKnown) return null;
  return (
    <aside className="notice sandbox" aria-label={t("shell.sandboxTitle")}>
      <p>
        <strong>{t("shell.sandboxTitle")}</strong> {t("shell.sandbox")}
      </p>
      <details>
        <summary>{t("shell.realBot")}</summary>
        <p>{t("shell.realBotHow")}</p>
        <pre>
          <code>TELEGRAM_BOT_TOKEN=123456789:AA… npm start</code>
        </pre>
      </details>
      <button
        type="button"
        className="quiet icon-button small-icon"
        aria-label={t("shell.hideSandbox")}
        onClick={() => {
          localStorage.setItem(KEY, "true");
          setIsKnown(true);
        }}
      >
        <Icon name="close" />
      </button>
    </aside>
  );
}
