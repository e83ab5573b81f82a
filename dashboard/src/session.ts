import { useState } from "react";

/**
 * The key in sessionStorage under which the token is kept. The token survives a reload, but not the tab. localStorage
 * would keep it on disk for the next user of the machine, and memory would lose it at each reload. The page's
 * Content-Security-Policy allows only the server's own scripts, so no other script can read it.
 */
const KEY = "invite-links-token";

/** The sandbox's token, which the server puts into the page for users of the same machine; null otherwise. */
const sandboxToken = (): string | null =>
  document.querySelector<HTMLMetaElement>('meta[name="sandbox-token"]')?.content || null;

export interface Session {
  /** Null if the user has to sign in. */
  readonly token: string | null;
  /** The server rejected the last token. */
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
