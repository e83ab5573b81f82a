import { useI18n } from "../../i18n/index.js";
import { CopyField } from "../../parts/CopyField.js";
import { Dialog } from "../../ui/Dialog.js";

/** Shows a secret that nobody can read again, so that only its button closes it. */
export function SecretShown(props: {
  readonly title: string;
  readonly label: string;
  readonly hint: string;
  readonly secret: string;
  readonly onClose: () => void;
}) {
  const { title, label, hint, secret, onClose } = props;
  const { t } = useI18n();
  return (
    <Dialog title={title} onClose={null}>
      <div className="fields">
        <p className="notice">{t("settings.onlyNow")}</p>
        <CopyField label={label} value={secret} />
        <p className="small muted">{hint}</p>
      </div>
      <footer className="dialog-foot">
        <button type="button" className="primary" onClick={onClose}>
          {t("settings.copied")}
        </button>
      </footer>
    </Dialog>
  );
}
