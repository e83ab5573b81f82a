import { useEffect, useState } from "react";
import { useI18n } from "../i18n/index.js";
import { copyText } from "./copyText.js";
import { toast } from "./toast.js";

/** How long a button says that it has copied, in milliseconds. */
const COPIED_MS = 2000;

/** Copies texts, and says so if it cannot. @returns whether a text was copied a moment ago, and the function that copies one */
export function useCopied(): [boolean, (text: string) => void] {
  const { t } = useI18n();
  const [isCopied, setIsCopied] = useState(false);
  useEffect(() => {
    if (!isCopied) return;
    const timer = setTimeout(() => setIsCopied(false), COPIED_MS);
    return () => clearTimeout(timer);
  }, [isCopied]);
  async function copy(text: string): Promise<void> {
    const isDone = await copyText(text);
    setIsCopied(isDone);
    if (!isDone) toast({ message: t("toast.notCopied"), isProblem: true });
  }
  return [isCopied, (text) => void copy(text)];
}
