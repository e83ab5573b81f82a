import { useState } from "react";
import { useI18n } from "../i18n/index.js";
import { Dialog } from "../ui/Dialog.js";
import { areKeysOn, hasKey, type Key, turnKeys } from "./keys.js";
import "./palette.css";

const isApple = /Mac|iPhone|iPad/.test(navigator.platform);
const JUMP = isApple ? "⌘K" : "Ctrl K";

const ALL: readonly { readonly key: Key; readonly text: "search" | "create" | "jump" | "help" }[] = [
  { key: "/", text: "search" },
  { key: "n", text: "create" },
  { key: "jump", text: "jump" },
  { key: "?", text: "help" },
];

/** Lists the keys of the page, and turns those off that are single characters. */
export default function KeysDialog({ onClose }: { readonly onClose: () => void }) {
  const { t } = useI18n();
  const [isOn, setIsOn] = useState(areKeysOn);
  return (
    <Dialog title={t("keys.title")} onClose={onClose}>
      <dl className="keys">
        {ALL.filter(({ key }) => hasKey(key)).map(({ key, text }) => (
          <div key={key} data-off={!isOn && key !== "jump"}>
            <dt>
              <kbd>{key === "jump" ? JUMP : key}</kbd>
            </dt>
            <dd>{t(`keys.${text}`)}</dd>
          </div>
        ))}
      </dl>
      <label className="check" data-transient>
        <input
          type="checkbox"
          checked={isOn}
          onChange={({ target }) => {
            turnKeys(target.checked);
            setIsOn(target.checked);
          }}
        />
        {t("keys.single")}
      </label>
      <p className="small muted">{t("keys.singleHint", { jump: JUMP })}</p>
    </Dialog>
  );
}
