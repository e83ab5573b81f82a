import { renderSVG } from "uqr";
import { Dialog } from "./Dialog.js";

/** Black on white in dark mode too, because cameras need the contrast. */
export function QrDialog(props: {
  readonly url: string;
  readonly name: string;
  readonly onClose: () => void;
}) {
  const { url, name, onClose } = props;
  const image = `data:image/svg+xml,${encodeURIComponent(renderSVG(url, { ecc: "M", border: 3 }))}`;
  return (
    <Dialog title={name} onClose={onClose}>
      <img className="qr" src={image} alt={`QR code of ${url}`} width="280" height="280" />
      <p className="qr-url">
        <code>{url}</code>
      </p>
      <footer className="dialog-foot">
        <a className="button" href={image} download={`${name}.svg`}>
          Save as SVG
        </a>
      </footer>
    </Dialog>
  );
}
