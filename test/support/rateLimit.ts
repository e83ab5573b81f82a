// The clock by which rate limits begin anew, and the headers that show what is left.

import { vi } from "vitest";

/** Stops the clock by which windows end. Timers go on. Ended by vi.useRealTimers(). */
export function stopClock(): void {
  vi.useFakeTimers({ toFake: ["Date"] });
}

export const passSeconds = (seconds: number): void => void vi.setSystemTime(Date.now() + seconds * 1000);

/** The limit, what is left of it and the seconds until it is whole again, as the headers of an answer show them. */
export const shownLimit = ({ headers }: { readonly headers: Headers }): (number | null)[] =>
  ["ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"].map((name) => {
    const value = headers.get(name);
    return value === null ? null : Number(value);
  });

export const NO_LIMIT = [null, null, null];
