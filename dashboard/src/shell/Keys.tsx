import { lazy, Suspense, useEffect, useState } from "react";
import { ErrorBoundary } from "./ErrorBoundary.js";
import { listenToKeys, useKey } from "./keys.js";
import type { PaletteChannel } from "./Palette.js";

const Palette = lazy(() => import("./Palette.js"));
const KeysDialog = lazy(() => import("./KeysDialog.js"));

/** What keys open on every page. */
export function Keys(props: {
  readonly channels: readonly PaletteChannel[];
  /** The channel that is shown; undefined if there is none. */
  readonly channelId: number | undefined;
  readonly isAdmin: boolean;
}) {
  const [open, setOpen] = useState<"palette" | "keys" | null>(null);
  const close = () => setOpen(null);
  useEffect(listenToKeys, []);
  useKey("jump", () => setOpen("palette"));
  useKey("?", () => setOpen("keys"));
  return (
    <ErrorBoundary>
      <Suspense>
        {open === "palette" && <Palette {...props} onClose={close} />}
        {open === "keys" && <KeysDialog onClose={close} />}
      </Suspense>
    </ErrorBoundary>
  );
}
