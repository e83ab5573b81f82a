import { useSyncExternalStore } from "react";

/**
 * The key in sessionStorage under which the token is kept. The token survives a reload, but not the tab. localStorage
 * would keep it on disk for the next user of the machine, and memory would lose it at each reload. The page's
 * Content-Security-Policy allows only the server's own scripts, so no other script can read it.
 */
const KEY = "invite-links-token";

/** How long a new tab waits for another tab's token before it asks for one, in milliseconds. */
const ASK_MS = 100;

/** The sandbox's token, which the server puts into the page for users of the same machine; null otherwise. */
export const sandboxToken: string | null =
  document.querySelector<HTMLMetaElement>('meta[name="sandbox-token"]')?.content || null;

export interface Session {
  /** Null if the user has to sign in. */
  readonly token: string | null;
  /** The server rejected the token. */
  readonly isRefused: boolean;
  /** The other tabs are asked for their token. */
  readonly isAsking: boolean;
}

/** What tabs tell each other. Only pages of the same origin hear it, and nothing of it is stored. */
type Message =
  | { readonly kind: "ask" }
  | { readonly kind: "token"; readonly token: string }
  | { readonly kind: "left" };

const tabs = new BroadcastChannel(KEY);
const tell = (message: Message): void => tabs.postMessage(message);

const listeners = new Set<() => void>();
const kept = sessionStorage.getItem(KEY) ?? sandboxToken;
let session: Session = { token: kept, isRefused: false, isAsking: kept === null };
/** Whether the server has accepted the token at least once. */
let isProven = false;

function change(next: Partial<Session>): void {
  session = { ...session, ...next };
  for (const listener of listeners) listener();
}

function keep(token: string): void {
  if (token !== sandboxToken) sessionStorage.setItem(KEY, token);
  isProven = false;
  change({ token, isRefused: false, isAsking: false });
}

function forget(isRefused: boolean): void {
  sessionStorage.removeItem(KEY);
  change({ token: null, isRefused, isAsking: false });
}

tabs.onmessage = ({ data }: MessageEvent<Message>) => {
  const { token, isRefused } = session;
  if (data.kind === "left") forget(false);
  // A tab that has not noticed yet that its token was rejected still tells it.
  else if (data.kind === "token" && (token === null || (isRefused && data.token !== token))) keep(data.token);
  else if (data.kind === "ask" && token !== null && token !== sandboxToken && !isRefused)
    tell({ kind: "token", token });
};
if (kept === null) {
  tell({ kind: "ask" });
  setTimeout(() => change({ isAsking: false }), ASK_MS);
}

/** Signs this tab in, and every tab that waits for a token. @param token one that the server accepts */
export function enter(token: string): void {
  keep(token);
  tell({ kind: "token", token });
}

/** Signs all tabs out. */
export function leave(): void {
  forget(false);
  tell({ kind: "left" });
}

/** The server has accepted a token. */
export function accept(token: string): void {
  if (token === session.token) isProven = true;
}

/**
 * The server has rejected a token. What is on the page stays, so that the user can sign in again and go on. The answer to a
 * request with an earlier token says nothing about the token of the moment.
 */
export function refuse(token: string): void {
  if (session.isRefused || token !== session.token) return;
  if (isProven) change({ isRefused: true });
  else forget(true);
}

export const getToken = (): string => session.token ?? "";

export const useSession = (): Session =>
  useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => session,
  );
