import { useEffect, useRef } from "react";

/** What keys do on the page. "jump" is Ctrl+K or ⌘K, which works everywhere; the others are single characters. */
export type Key = "/" | "n" | "?" | "jump";

const actions = new Map<Key, () => void>();

/** Gives a key its action as long as the component is shown. @param run null if the user may not do it */
export function useKey(key: Key, run: (() => void) | null): void {
  const last = useRef(run);
  last.current = run;
  const isUsed = run !== null;
  useEffect(() => {
    if (!isUsed) return;
    actions.set(key, () => last.current?.());
    return () => void actions.delete(key);
  }, [key, isUsed]);
}

export const hasKey = (key: Key): boolean => actions.has(key);
export const press = (key: Key): void => actions.get(key)?.();

/** The key in localStorage under which is kept that single characters do nothing, for those who press them by chance. */
const OFF = "invite-links-keys-off";
export const areKeysOn = (): boolean => localStorage.getItem(OFF) === null;
export function turnKeys(isOn: boolean): void {
  if (isOn) localStorage.removeItem(OFF);
  else localStorage.setItem(OFF, "true");
}

/** The places of the keys on a keyboard, for layouts without Latin letters. */
const PLACES: Readonly<Record<string, Key>> = { KeyN: "n", Slash: "/" };

function keyOf({ key, code, shiftKey, ctrlKey, metaKey, altKey }: KeyboardEvent): Key | null {
  if (altKey) return null;
  if (ctrlKey || metaKey) return code === "KeyK" && !shiftKey ? "jump" : null;
  const isLatin = /^[a-z]$/i.test(key);
  const place = code === "Slash" && shiftKey ? "?" : PLACES[code];
  const pressed = key === "/" || key === "?" || isLatin ? key.toLowerCase() : place;
  return pressed === "/" || pressed === "?" || pressed === "n" ? pressed : null;
}

/** Where characters are input, or choose an entry. */
const TYPING = "input, textarea, select, [contenteditable], [role=menu], [role=listbox], [role=combobox]";

/** Carries out the actions of keys. @returns what stops it */
export function listenToKeys(): () => void {
  const onKey = (event: KeyboardEvent) => {
    const key = event.defaultPrevented || event.isComposing || event.repeat ? null : keyOf(event);
    if (key === null || !actions.has(key) || document.querySelector("dialog[open]")) return;
    const isTyping = event.target instanceof Element && event.target.closest(TYPING) !== null;
    if (key !== "jump" && (isTyping || !areKeysOn())) return;
    event.preventDefault();
    press(key);
  };
  document.addEventListener("keydown", onKey);
  return () => document.removeEventListener("keydown", onKey);
}
