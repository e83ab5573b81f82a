/** Formats an exact decimal in a currency: "1500.50" becomes $1,500.50. The text is never converted to a float. */
export const money = (amount: string, currency: string): string =>
  new Intl.NumberFormat(undefined, { style: "currency", currency }).format(
    amount as Intl.StringNumericLiteral,
  );

export const number = (value: number): string => new Intl.NumberFormat().format(value);

export const day = (instant: string): string =>
  new Intl.DateTimeFormat(undefined, { dateStyle: "medium" }).format(new Date(instant));

export const dayAndTime = (instant: string): string =>
  new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" }).format(new Date(instant));

/** The value of a datetime-local field, in the browser's time zone; empty for no instant. */
export function toLocal(instant: string | null | undefined): string {
  if (!instant) return "";
  const date = new Date(instant);
  const shifted = new Date(date.getTime() - date.getTimezoneOffset() * 60_000);
  return shifted.toISOString().slice(0, 16);
}

/** @param local the value of a datetime-local field; null is returned if it is empty. */
export const fromLocal = (local: string): string | null =>
  local === "" ? null : new Date(local).toISOString();
