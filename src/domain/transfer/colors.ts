import { createHash } from "node:crypto";

/** Told apart at a glance, and readable on white. */
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

/** The color of a tag whose source says none: always the same for a name. */
export function defaultColor(nameKey: string): string {
  const [byte = 0] = createHash("sha256").update(nameKey).digest();
  return PALETTE[byte % PALETTE.length] ?? PALETTE[0];
}
