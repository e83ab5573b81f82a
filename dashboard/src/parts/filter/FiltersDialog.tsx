import type { ReactNode } from "react";
import { useI18n } from "../../i18n/index.js";
import { Dialog } from "../../ui/Dialog.js";

/** The filters where they have no room beside the table. */
export default function FiltersDialog(props: {
  /** How many links match. */
  readonly count: number;
  readonly onClose: () => void;
  readonly children: ReactNode;
}) {
  const { count, onClose, children } = props;
  const { t } = useI18n();
  return (
    <Dialog title={t("links.filters")} kind="sheet" onClose={onClose}>
      {children}
      <footer className="dialog-foot">
        <button type="button" className="primary" onClick={onClose}>
          {t("links.show", { count })}
        </button>
      </footer>
    </Dialog>
  );
}
