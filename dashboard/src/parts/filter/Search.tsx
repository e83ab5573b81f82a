import { useEffect, useRef, useState } from "react";
import { useI18n } from "../../i18n/index.js";
import { useKey } from "../../shell/keys.js";
import { Icon } from "../../ui/Icon.js";

/** Time from the last keystroke to the request, in milliseconds. */
const TYPING_MS = 250;

/** The search of the list. Shows what is in the address, for example after going back, unless the user is typing. */
export function Search(props: { readonly search: string; readonly onChange: (search: string) => void }) {
  const { search, onChange } = props;
  const { t } = useI18n();
  const field = useRef<HTMLInputElement>(null);
  const [typed, setTyped] = useState<string | null>(null);
  useKey("/", () => field.current?.select());
  // biome-ignore lint/correctness/useExhaustiveDependencies: only typing starts the timer.
  useEffect(() => {
    if (typed === null) return;
    const timer = setTimeout(() => {
      onChange(typed);
      setTyped(null);
    }, TYPING_MS);
    return () => clearTimeout(timer);
  }, [typed]);
  return (
    <search className="search">
      <Icon name="search" />
      <input
        ref={field}
        type="search"
        dir="auto"
        aria-label={t("links.search")}
        aria-keyshortcuts="/"
        placeholder={t("links.searchHint")}
        value={typed ?? search}
        onChange={({ target }) => setTyped(target.value)}
      />
    </search>
  );
}
