const UNITS = [
  ["day", 86_400],
  ["hour", 3600],
  ["minute", 60],
  ["second", 1],
] as const;

/** A time span in words, such as "5 minutes" or "1 hour, 30 minutes". @param seconds a whole number above 0 */
export function duration(seconds: number, language: string): string {
  let left = seconds;
  const parts = UNITS.flatMap(([unit, size]) => {
    const count = Math.floor(left / size);
    left -= count * size;
    if (count === 0) return [];
    return [new Intl.NumberFormat(language, { style: "unit", unit, unitDisplay: "long" }).format(count)];
  });
  return new Intl.ListFormat(language, { type: "unit" }).format(parts);
}
