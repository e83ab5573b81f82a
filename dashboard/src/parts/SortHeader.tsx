import type { ReactNode, ThHTMLAttributes } from "react";

/** A column header that sorts the rows. */
export function SortHeader(
  props: Omit<ThHTMLAttributes<HTMLTableCellElement>, "title"> & {
    readonly title: string;
    /** Null where the rows are sorted by another column. */
    readonly isDescending: boolean | null;
    readonly onSort: () => void;
    /** What stands before the title. */
    readonly children?: ReactNode;
  },
) {
  const { title, isDescending, onSort, children, ...cell } = props;
  return (
    <th
      scope="col"
      aria-sort={isDescending === null ? "none" : isDescending ? "descending" : "ascending"}
      {...cell}
    >
      {children}
      <button type="button" className="head" onClick={onSort}>
        <span dir="auto">{title}</span>
        {isDescending !== null && <span aria-hidden="true">{isDescending ? "↓" : "↑"}</span>}
      </button>
    </th>
  );
}
