import { useState } from "react";

/**
 * Where a token is kept: in the tab's own sessionStorage. It outlives a reload and nothing more; localStorage would
 * keep it on the disk for whoever comes next, and memory would ask again at each reload. No script but the
 * server's own can read it: see the page's Content-Security-Policy.
 */
const KEY = "invite-links-token";

/** The sandbox's, which the server tells the user of its own machine. */
const sandboxToken = (): string | null =>
  document.querySelector<HTMLMetaElement>('meta[name="sandbox-token"]')?.content || null;

export interface Session {
  /** Null: it has to be asked for. */
  readonly token: string | null;
  /** The server did not take the last one. */
  readonly isRefused: boolean;
}

export function useSession() {
  const [session, setSession] = useState<Session>(() => ({
    token: sessionStorage.getItem(KEY) ?? sandboxToken(),
    isRefused: false,
  }));
  return {
    session,
    enter(token: string): void {
      sessionStorage.setItem(KEY, token);
      setSession({ token, isRefused: false });
    },
    leave(isRefused: boolean): void {
      sessionStorage.removeItem(KEY);
      setSession({ token: null, isRefused });
    },
  };
}
