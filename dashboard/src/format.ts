/** An amount as the server sends it, an exact decimal, in the currency: "1500.50" is $1,500.50. No float comes near. */
export const money = (amount: string, currency: string): string =>
  new Intl.NumberFormat(undefined, { style: "currency", currency }).format(
    amount as Intl.StringNumericLiteral,
  );

export const number = (value: number): string => new Intl.NumberFormat().format(value);

export const day = (instant: string): string =>
  new Intl.DateTimeFormat(undefined, { dateStyle: "medium" }).format(new Date(instant));

export const dayAndTime = (instant: string): string =>
  new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" }).format(new Date(instant));

/** An instant as a datetime-local field has it, in the browser's time zone. */
export function toLocal(instant: string | null | undefined): string {
  if (!instant) return "";
  const date = new Date(instant);
  const shifted = new Date(date.getTime() - date.getTimezoneOffset() * 60_000);
  return shifted.toISOString().slice(0, 16);
}

/** @param local what a datetime-local field has; empty for none */
export const fromLocal = (local: string): string | null =>
  local === "" ? null : new Date(local).toISOString();
