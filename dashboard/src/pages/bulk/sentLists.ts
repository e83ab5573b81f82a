import { useSyncExternalStore } from "react";
import { uuidv7 } from "uuidv7";

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

const readDraft = (channelId: number): string => sessionStorage.getItem(draftKey(channelId)) ?? "";

/** Called when a draft changes. */
const listeners = new Set<() => void>();

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export const useDraft = (channelId: number): string =>
  useSyncExternalStore(subscribe, () => readDraft(channelId));

export function keepDraft(channelId: number, text: string): void {
  if (text === "") sessionStorage.removeItem(draftKey(channelId));
  else sessionStorage.setItem(draftKey(channelId), text);
  for (const listener of listeners) listener();
}

/** Adds lines to the draft, which may be empty. */
export function addToDraft(channelId: number, lines: string): void {
  const text = readDraft(channelId).trimEnd();
  keepDraft(channelId, text === "" ? lines : `${text}\n${lines}`);
}

/** The key in sessionStorage of the last list that was sent, until its answer comes. */
const unansweredKey = (channelId: number): string => `invite-links-unanswered-list-${channelId}`;

const readUnanswered = (channelId: number): { readonly text: string; readonly key: string } | null =>
  JSON.parse(sessionStorage.getItem(unansweredKey(channelId)) ?? "null");

/**
 * The idempotency key with which a list is sent. It stays the same until the list is answered or another one is sent, also
 * over a reload, so that the links of a list that is sent again are not created twice.
 */
export function sendingKey(channelId: number, text: string): string {
  const unanswered = readUnanswered(channelId);
  if (unanswered?.text === text) return unanswered.key;
  const key = uuidv7();
  sessionStorage.setItem(unansweredKey(channelId), JSON.stringify({ text, key }));
  return key;
}

/** Takes a list that was created out of the draft. Lines that were added meanwhile stay. */
export function clearSent(channelId: number, text: string): void {
  if (readUnanswered(channelId)?.text === text) sessionStorage.removeItem(unansweredKey(channelId));
  const draft = readDraft(channelId);
  const sent = text.trimEnd();
  if (draft.trimEnd() === sent) keepDraft(channelId, "");
  else if (draft.startsWith(`${sent}\n`)) keepDraft(channelId, draft.slice(sent.length).trimStart());
}

/** @param lines a line for each link of the batch, in their order */
export function keepList(batch: string, lines: readonly string[]): void {
  const others = read().filter((list) => list.batch !== batch);
  sessionStorage.setItem(KEY, JSON.stringify([...others, { batch, lines }].slice(-MOST)));
}

/** The line of a link of a batch; its name alone if another tab sent it. */
export const lineOf = (batch: string, index: number, name: string): string =>
  read().find((list) => list.batch === batch)?.lines[index] ?? name;
