import { useState } from "react";

/**
 * The dialog of a page that is open, as the page describes it; null for none. A request may end after its dialog was left for
 * another one, so each `close` closes only the dialog that was shown when it was made.
 */
export function useOpenDialog<Shown extends object>() {
  const [dialog, open] = useState<Shown | null>(null);
  const close = () => open((shown) => (shown === dialog ? null : shown));
  return { dialog, open, close };
}
