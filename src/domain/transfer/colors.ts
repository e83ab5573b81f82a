import { createHash } from "node:crypto";

/** Colors that are easily distinguished and readable on white. */
const PALETTE = [
  "#1F77B4",
  "#D62728",
  "#2CA02C",
  "#9467BD",
  "#FF7F0E",
  "#8C564B",
  "#E377C2",
  "#7F7F7F",
  "#BCBD22",
  "#17BECF",
] as const;

/** The color of a tag whose source gives none; a name always gets the same color. */
export function defaultColor(nameKey: string): string {
  const [byte = 0] = createHash("sha256").update(nameKey).digest();
  return PALETTE[byte % PALETTE.length] ?? PALETTE[0];
}
