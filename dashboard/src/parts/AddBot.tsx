import { useI18n } from "../i18n/index.js";
import "./parts.css";

/** How the bot becomes an administrator of a channel with the right that links need. */
export function AddBot() {
  const { t } = useI18n();
  return (
    <ol className="how">
      <li>{t("parts.addBotOpen")}</li>
      <li>{t("parts.addBotFind")}</li>
      <li>{t("parts.addBotRight")}</li>
    </ol>
  );
}
