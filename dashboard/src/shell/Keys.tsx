import { useEffect, useState } from "react";
import { lazyPart } from "../ui/lazyPart.js";
import { listenToKeys, useKey } from "./keys.js";
import { LazyDialog } from "./LazyDialog.js";
import type { PaletteChannel } from "./Palette.js";

const Palette = lazyPart(() => import("./Palette.js"));
const KeysDialog = lazyPart(() => import("./KeysDialog.js"));

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
    open !== null && (
      <LazyDialog key={open} onClose={close}>
        {open === "palette" ? <Palette {...props} onClose={close} /> : <KeysDialog onClose={close} />}
      </LazyDialog>
    )
  );
}
