import { renderSVG } from "uqr";
import { useI18n } from "../../i18n/index.js";
import { Dialog } from "../../ui/Dialog.js";
import "./link.css";

/** Black on white in dark mode too, because cameras need the contrast. */
export default function QrDialog(props: {
  readonly url: string;
  readonly name: string;
  readonly onClose: () => void;
}) {
  const { url, name, onClose } = props;
  const { t } = useI18n();
  const image = `data:image/svg+xml,${encodeURIComponent(renderSVG(url, { ecc: "M", border: 3 }))}`;
  return (
    <Dialog title={name} onClose={onClose}>
      <img className="qr" src={image} alt={t("qr.image", { url })} width="280" height="280" />
      <p className="qr-url">
        <code>{url}</code>
      </p>
      <footer className="dialog-foot">
        <a className="button" data-first href={image} download={`${name}.svg`}>
          {t("qr.save")}
        </a>
      </footer>
    </Dialog>
  );
}
