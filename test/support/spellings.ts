// Spellings of the values that every face accepts: link addresses, instants, amounts and chat ids. Each row has a text and
// the value that it means, or null if it is invalid. The test of each face runs all rows: those that the face accepts, and
// the others as errors.

export const HASH = "AbCd_-0123456789";
export const LINK = `https://t.me/+${HASH}`;

export const ADDRESSES: readonly (readonly [text: string, url: string | null])[] = [
  [LINK, LINK],
  [`http://t.me/+${HASH}`, LINK],
  [`t.me/+${HASH}`, LINK],
  [`HTTPS://T.ME/+${HASH}`, LINK],
  [`  www.telegram.me/joinchat/${HASH}/  `, LINK],
  [`telegram.dog/+${HASH}?fbclid=IwAR0_x.y#top`, LINK],
  [`https://t.me/%2B${HASH}`, LINK],
  [`https://t.me/%20${HASH}`, LINK],
  [`https://t.me/ ${HASH}`, LINK],
  [`tg://join?invite=${HASH}`, LINK],
  [`<${LINK}>,`, LINK],
  [`"${LINK}".`, LINK],
  [`${LINK}#top`, LINK],
  [`${LINK}.`, LINK],
  [`${LINK}),`, LINK],
  [`\u00a0\u200b${LINK}\u200c\u00a0`, LINK],
  [`WWW.T.ME/joinchat/${HASH}?x=y#z,`, LINK],
  [`tg:join?invite=${HASH}`, LINK],
  [`${LINK}...`, null],
  [`${LINK}…`, null],
  [`[a link](${LINK})`, null],
  [`http:/t.me/+${HASH}`, null],
  [`https://t.me/${HASH}`, null],
  [`https://t.me.example.com/+${HASH}`, null],
  [`https://example.com/t.me/+${HASH}`, null],
  [`https://user@t.me/+${HASH}`, null],
  ["https://t.me/+", null],
  [`${LINK} and more`, null],
  [`ftp://t.me/+${HASH}`, null],
];

/** `rfc3339` is accepted everywhere, `iso` by the command line, programs and files, and `file` by imported files only. */
export const INSTANTS: readonly {
  readonly text: string;
  readonly iso: string | null;
  readonly grammar: "rfc3339" | "iso" | "file";
}[] = [
  { text: "2037-01-15T12:30:45Z", iso: "2037-01-15T12:30:45Z", grammar: "rfc3339" },
  { text: "2037-01-15t12:30:45.25z", iso: "2037-01-15T12:30:45Z", grammar: "rfc3339" },
  { text: "2037-01-15T12:30:45+03:00", iso: "2037-01-15T09:30:45Z", grammar: "rfc3339" },
  { text: "2037-01-15 12:30:45+00", iso: "2037-01-15T12:30:45Z", grammar: "iso" },
  { text: "2037-01-15 12:30:45.123456+05:30", iso: "2037-01-15T07:00:45Z", grammar: "iso" },
  { text: "2037-01-15 12:30:45-03:30:15", iso: "2037-01-15T16:01:00Z", grammar: "iso" },
  { text: "2037-01-15T12:30:45+0300", iso: "2037-01-15T09:30:45Z", grammar: "iso" },
  { text: "2037-01-15T12:30:45,5", iso: "2037-01-15T12:30:45Z", grammar: "iso" },
  { text: "2037-01-15T12:30", iso: "2037-01-15T12:30:00Z", grammar: "iso" },
  { text: "2037-01-15", iso: "2037-01-15T00:00:00Z", grammar: "iso" },
  { text: "15.11.2036", iso: "2036-11-15T00:00:00Z", grammar: "file" },
  { text: "15.11.2036 12:30", iso: "2036-11-15T12:30:00Z", grammar: "file" },
  { text: "2037-02-29T00:00:00Z", iso: null, grammar: "rfc3339" },
  { text: "2037-01-15T24:00:00Z", iso: null, grammar: "rfc3339" },
  { text: "2037-01-15T12:30:60Z", iso: null, grammar: "rfc3339" },
  { text: "11/15/2036", iso: null, grammar: "rfc3339" },
  { text: "31.02.2037", iso: null, grammar: "rfc3339" },
  { text: "tomorrow", iso: null, grammar: "rfc3339" },
];

/** GraphQL accepts the plain amounts as strings. The others are accepted in imported files only. */
export const AMOUNTS: readonly {
  readonly text: string;
  readonly amount: string | null;
  readonly isPlain: boolean;
}[] = [
  { text: "1500.50", amount: "1500.50", isPlain: true },
  { text: "1500", amount: "1500.00", isPlain: true },
  { text: "250,5", amount: "250.50", isPlain: false },
  { text: "1 500,50", amount: "1500.50", isPlain: false },
  { text: "1\u00a0500,50", amount: "1500.50", isPlain: false },
  { text: "1\u202f500\u202f000,5", amount: "1500000.50", isPlain: false },
  { text: "1.500,50", amount: "1500.50", isPlain: false },
  { text: "1,500.50", amount: "1500.50", isPlain: false },
  { text: "1'500.50", amount: "1500.50", isPlain: false },
  { text: "1.500.000", amount: "1500000.00", isPlain: false },
  { text: "1500.5000", amount: "1500.50", isPlain: false },
  { text: "1,500", amount: null, isPlain: true },
  { text: "1.500", amount: null, isPlain: true },
  { text: "1,500,50", amount: null, isPlain: true },
  { text: "15 00,50", amount: null, isPlain: true },
  { text: "0.30000000000000004", amount: null, isPlain: true },
  { text: "1e3", amount: null, isPlain: true },
  { text: "1000000000000", amount: null, isPlain: true },
];

/** Chat ids of channels and groups. */
export const CHAT_IDS: readonly (readonly [text: string, id: number | null])[] = [
  ["-1001234567890", -1001234567890],
  ["-4503599627370495", -4503599627370495],
  ["-4503599627370496", null],
  ["-1001234567890.5", null],
  ["-1e12", null],
  ["channel", null],
];
