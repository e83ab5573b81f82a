/**
 * The key in sessionStorage under which this tab keeps the lists that it sent. The server does not tell budgets and tags of
 * links that were not created.
 */
const KEY = "invite-links-sent-lists";
/** As many lists as are kept. */
const MOST = 5;

type Lists = readonly { readonly batch: string; readonly lines: readonly string[] }[];

const read = (): Lists => JSON.parse(sessionStorage.getItem(KEY) ?? "[]");

/** The key in sessionStorage of a list that is not sent yet. It is kept while other pages are shown, and over a reload. */
const draftKey = (channelId: number): string => `invite-links-list-${channelId}`;

export const readDraft = (channelId: number): string => sessionStorage.getItem(draftKey(channelId)) ?? "";

export function keepDraft(channelId: number, text: string): void {
  if (text === "") sessionStorage.removeItem(draftKey(channelId));
  else sessionStorage.setItem(draftKey(channelId), text);
}

/** @param lines a line for each link of the batch, in their order */
export function keepList(batch: string, lines: readonly string[]): void {
  const others = read().filter((list) => list.batch !== batch);
  sessionStorage.setItem(KEY, JSON.stringify([...others, { batch, lines }].slice(-MOST)));
}

/** The line of a link of a batch; its name alone if another tab sent it. */
export const lineOf = (batch: string, index: number, name: string): string =>
  read().find((list) => list.batch === batch)?.lines[index] ?? name;
