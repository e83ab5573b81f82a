import { useId } from "react";
import { useI18n } from "../i18n/index.js";
import { Icon } from "../ui/Icon.js";
import { useCopied } from "../ui/useCopied.js";
import "./parts.css";

/** A text to be copied, such as an address or a secret. */
export function CopyField({ label, value }: { readonly label: string; readonly value: string }) {
  const { t } = useI18n();
  const id = useId();
  const [isCopied, copy] = useCopied();
  return (
    <div className="field copy-field">
      <label htmlFor={id}>{label}</label>
      <div className="copy-line">
        <input id={id} readOnly value={value} dir="ltr" onFocus={({ target }) => target.select()} />
        <button type="button" data-copied={isCopied} onClick={() => copy(value)}>
          <Icon name={isCopied ? "check" : "copy"} /> {isCopied ? t("links.copied") : t("links.copy")}
        </button>
      </div>
      <span role="status" className="hidden">
        {isCopied && t("links.copied")}
      </span>
    </div>
  );
}
