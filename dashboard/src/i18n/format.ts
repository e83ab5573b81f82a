/** Numbers, amounts and times in one language and time zone. */
export interface Format {
  readonly number: (value: number) => string;
  readonly percent: (share: number) => string;
  /** An exact decimal in a currency: "1500.50" becomes $1,500.50. The text is never converted to a float. */
  readonly money: (amount: string, currency: string) => string;
  readonly day: (instant: string) => string;
  readonly dayAndTime: (instant: string) => string;
}

/** The browser's own variety of a language, such as en-GB for en. */
export const localeOf = (language: string): string =>
  navigator.languages.find((code) => code.split("-")[0] === language) ?? language;

function createFormat(language: string, timeZone: string | undefined): Format {
  const locale = localeOf(language);
  const numbers = new Intl.NumberFormat(locale);
  const percents = new Intl.NumberFormat(locale, { style: "percent" });
  const days = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeZone });
  const times = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short", timeZone });
  const currencies = new Map<string, Intl.NumberFormat>();
  const currencyFormat = (currency: string): Intl.NumberFormat => {
    const known = currencies.get(currency);
    if (known) return known;
    const format = new Intl.NumberFormat(locale, { style: "currency", currency });
    currencies.set(currency, format);
    return format;
  };
  return {
    number: (value) => numbers.format(value),
    percent: (share) => percents.format(share),
    money: (amount, currency) => currencyFormat(currency).format(amount as Intl.StringNumericLiteral),
    day: (instant) => days.format(new Date(instant)),
    dayAndTime: (instant) => times.format(new Date(instant)),
  };
}

const formats = new Map<string, Format>();

/**
 * Making a format of Intl takes a while, so each language has one set of them in each time zone.
 * @param timeZone that of the browser if it is undefined
 */
export function formatOf(language: string, timeZone: string | undefined): Format {
  const key = `${language} ${timeZone}`;
  const known = formats.get(key);
  if (known) return known;
  const format = createFormat(language, timeZone);
  formats.set(key, format);
  return format;
}

/**
 * The exact decimal that a person has typed, in any usual form: 1500.5, 1,500.50, 1 500,50 and 1.500,50.
 * @returns null if the text is no amount
 */
export function parseAmount(typed: string): string | null {
  const text = typed.replace(/[\s\u00a0\u202f'’]/g, "");
  if (text === "") return "0";
  // A last separator with one or two digits after it begins the fraction; another one separates thousands.
  const [, whole = "", point, fraction] = /^(.*?)(?:([.,])(\d{1,2}))?$/.exec(text) ?? [];
  const isGrouped = /^\d{1,3}(?:([.,])\d{3})(?:\1\d{3})*$/.exec(whole);
  if (!isGrouped && !/^\d+$/.test(whole)) return null;
  if (isGrouped && isGrouped[1] === point) return null;
  const digits = whole.replace(/[.,]/g, "");
  return fraction === undefined ? digits : `${digits}.${fraction}`;
}
