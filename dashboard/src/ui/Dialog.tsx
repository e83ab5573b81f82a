import { createContext, type ReactNode, useContext, useId, useLayoutEffect, useRef, useState } from "react";
import { useI18n } from "../i18n/index.js";
import { Icon } from "./Icon.js";

const CloseContext = createContext<() => void>(() => {});

/** What closes the dialog around a component, as its Close button does. */
export const useCloseDialog = (): (() => void) => useContext(CloseContext);

/** Where a dialog puts the focus: on what is marked so, or else on its first field. */
const FIRST = "[data-first], input:not([type=hidden], :disabled, [readonly]), select:not(:disabled)";

/** The dialogs above one: those that stand later in the page. */
const dialogsAbove = (one: HTMLDialogElement): HTMLDialogElement[] =>
  [...document.querySelectorAll("dialog")].filter(
    (other) => one.compareDocumentPosition(other) & Node.DOCUMENT_POSITION_FOLLOWING,
  );

/** Opens a dialog again in its place: what is opened last would be above all others. */
function reopen(element: HTMLDialogElement): void {
  const focused = document.activeElement;
  element.showModal();
  for (const above of dialogsAbove(element)) {
    if (!above.open) continue;
    above.close();
    above.showModal();
    if (focused instanceof HTMLElement && above.contains(focused)) focused.focus();
  }
}

/**
 * A modal dialog, open while it is rendered. The browser keeps the focus inside and returns it afterwards. Before input
 * is thrown away, the dialog asks.
 */
export function Dialog(props: {
  readonly title: ReactNode;
  /** Null while the dialog cannot be left by its own means. */
  readonly onClose: (() => void) | null;
  readonly children: ReactNode;
  /** "sheet" fills a narrow screen from below; "palette" is near the top, since its length changes with what is typed. */
  readonly kind?: "window" | "sheet" | "palette";
}) {
  const { title, onClose, children, kind = "window" } = props;
  const { t } = useI18n();
  const dialog = useRef<HTMLDialogElement>(null);
  const titleId = useId();
  const isTouched = useRef(false);
  const [isAsking, setIsAsking] = useState(false);
  useLayoutEffect(() => {
    const element = dialog.current;
    element?.showModal();
    element?.querySelector<HTMLElement>(FIRST)?.focus();
    return () => {
      element?.close();
      // The browser returns the focus to what opened the dialog, which may be gone or disabled by now.
      if (document.activeElement !== document.body) return;
      const below = [...document.querySelectorAll("dialog[open]")].at(-1);
      (below ? below.querySelector<HTMLElement>(FIRST) : document.querySelector("main"))?.focus();
    };
  }, []);
  const close = () => (isTouched.current ? setIsAsking(onClose !== null) : onClose?.());
  return (
    <dialog
      ref={dialog}
      className={kind}
      aria-labelledby={titleId}
      onInput={(event) => {
        // What is typed into a search field is no input to keep.
        if (!(event.target instanceof HTMLElement) || event.target.closest("[data-transient]")) return;
        isTouched.current = true;
      }}
      onCancel={(event) => {
        if (event.target !== dialog.current) return;
        event.preventDefault();
        close();
      }}
      onClose={() => {
        // Chromium closes a dialog at the second Esc, whatever was said to the first, and with it the one below.
        if (!dialog.current || dialog.current.open) return;
        reopen(dialog.current);
        if (dialogsAbove(dialog.current).length === 0) close();
      }}
    >
      <header className="dialog-head">
        <h2 id={titleId} dir="auto">
          {title}
        </h2>
        {onClose && (
          <button type="button" className="quiet icon-button" aria-label={t("common.close")} onClick={close}>
            <Icon name="close" />
          </button>
        )}
      </header>
      <CloseContext value={close}>{children}</CloseContext>
      {isAsking && onClose && (
        <div role="alertdialog" aria-label={t("dialog.discardQuestion")} className="discard">
          <p>{t("dialog.discardQuestion")}</p>
          <button
            type="button"
            ref={(element) => element?.focus()}
            onClick={() => {
              setIsAsking(false);
              dialog.current?.querySelector<HTMLElement>(FIRST)?.focus();
            }}
          >
            {t("dialog.keepEditing")}
          </button>
          <button type="button" className="danger" onClick={onClose}>
            {t("dialog.discard")}
          </button>
        </div>
      )}
    </dialog>
  );
}
