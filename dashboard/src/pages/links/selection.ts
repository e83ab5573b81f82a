import { useCallback, useRef, useState } from "react";
import type { ShownLink } from "../../parts/link/shownLink.js";

/** What is known of a selected link, which need not be among the rows shown. */
export type SelectedLink = Pick<ShownLink, "id" | "name" | "isRevoked" | "isBotCreated"> & {
  readonly tags: readonly { readonly id: string }[];
};
export type Selection = ReadonlyMap<string, SelectedLink>;

const NONE: Selection = new Map();

/**
 * The selected links of a list.
 * @param shown the rows shown, from which a range is taken
 * @param list what makes the list another one, whose selection begins empty
 */
export function useSelection(shown: readonly SelectedLink[], list: string) {
  const [state, setState] = useState({ list, selected: NONE });
  const selected = state.list === list ? state.selected : NONE;
  const now = useRef({ shown, selected, list });
  now.current = { shown, selected, list };
  const last = useRef<string | null>(null);
  /** @param before the selection that is replaced. If it was changed meanwhile, or is of another list, nothing is. */
  const select = useCallback((next: Selection, before = now.current.selected) => {
    if (before === now.current.selected) setState({ list: now.current.list, selected: next });
  }, []);
  /** @param isRange whether all from the row changed before up to this one are changed with it */
  const toggle = useCallback(
    (id: string, isRange: boolean) => {
      const { shown: rows, selected: before } = now.current;
      const at = rows.findIndex((row) => row.id === id);
      const from = isRange ? rows.findIndex((row) => row.id === last.current) : -1;
      const range = from < 0 ? [at, at] : [Math.min(at, from), Math.max(at, from)];
      const isOn = !before.has(id);
      const next = new Map(before);
      for (const row of rows.slice(range[0], (range[1] ?? at) + 1)) {
        if (isOn) next.set(row.id, row);
        else next.delete(row.id);
      }
      last.current = id;
      select(next);
    },
    [select],
  );
  return { selected, select, toggle };
}
