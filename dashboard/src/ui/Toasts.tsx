import { useEffect, useState } from "react";
import { useI18n } from "../i18n/index.js";
import { Icon } from "./Icon.js";
import { dismiss, type ShownToast, useToasts } from "./toast.js";

const SHOWN_MS = 6000;

/** The messages of the page. Their region is always there, since screen readers announce what is added to it. */
export function Toasts() {
  return (
    <div role="status" className="toasts">
      {useToasts().map((toast) => (
        <ToastView key={toast.id} toast={toast} />
      ))}
    </div>
  );
}

/** Stays while the pointer or the focus is on it, so that its buttons can be reached. */
function ToastView({ toast: { id, message, isProblem, actions = [] } }: { readonly toast: ShownToast }) {
  const { t } = useI18n();
  const [isHeld, setIsHeld] = useState(false);
  useEffect(() => {
    if (isHeld) return;
    const timer = setTimeout(() => dismiss(id), SHOWN_MS);
    return () => clearTimeout(timer);
  }, [id, isHeld]);
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: holding a message needs no action; its buttons work by themselves.
    <div
      className="toast"
      onPointerEnter={() => setIsHeld(true)}
      onPointerLeave={() => setIsHeld(false)}
      onFocus={() => setIsHeld(true)}
      onBlur={() => setIsHeld(false)}
    >
      <Icon name={isProblem ? "alert" : "check"} />
      <p>{message}</p>
      {actions.map(({ label, run }) => (
        <button
          key={label}
          type="button"
          className="quiet"
          onClick={() => {
            run();
            dismiss(id);
          }}
        >
          {label}
        </button>
      ))}
      <button
        type="button"
        className="quiet icon-button small-icon"
        aria-label={t("toast.dismiss")}
        onClick={() => dismiss(id)}
      >
        <Icon name="close" />
      </button>
    </div>
  );
}
