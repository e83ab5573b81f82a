import { useEffect, useState } from "react";
import { copyText } from "./copyText.js";

/** How long a button says that it has copied, in milliseconds. */
const COPIED_MS = 2000;

/** Copies texts. @returns whether a text was copied a moment ago, and the function that copies one */
export function useCopied(): [boolean, (text: string) => void] {
  const [isCopied, setIsCopied] = useState(false);
  useEffect(() => {
    if (!isCopied) return;
    const timer = setTimeout(() => setIsCopied(false), COPIED_MS);
    return () => clearTimeout(timer);
  }, [isCopied]);
  return [isCopied, (text) => void copyText(text).then(setIsCopied)];
}
