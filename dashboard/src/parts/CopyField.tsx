import { useEffect, useId, useState } from "react";
import { useI18n } from "../i18n/index.js";
import { canCopy, copyText } from "../pages/links/copyText.js";
import { Icon } from "../ui/Icon.js";
import "./parts.css";

const COPIED_MS = 2000;

/** A text to be copied, such as an address or a secret. Where the browser does not copy, it is selected. */
export function CopyField({ label, value }: { readonly label: string; readonly value: string }) {
  const { t } = useI18n();
  const id = useId();
  const [isCopied, setIsCopied] = useState(false);
  useEffect(() => {
    if (!isCopied) return;
    const timer = setTimeout(() => setIsCopied(false), COPIED_MS);
    return () => clearTimeout(timer);
  }, [isCopied]);
  return (
    <div className="field copy-field">
      <label htmlFor={id}>{label}</label>
      <div className="copy-line">
        <input id={id} readOnly value={value} dir="ltr" onFocus={({ target }) => target.select()} />
        {canCopy() && (
          <button type="button" data-copied={isCopied} onClick={() => void copyText(value).then(setIsCopied)}>
            <Icon name={isCopied ? "check" : "copy"} /> {isCopied ? t("links.copied") : t("links.copy")}
          </button>
        )}
      </div>
      <span role="status" className="hidden">
        {isCopied && t("links.copied")}
      </span>
    </div>
  );
}
