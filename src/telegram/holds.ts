/** A wait of up to so many milliseconds concerns the whole bot; a longer one a method, or a method in a chat. */
const SHORT_MS = 5000;
/** A hold that is read again differs by the time the reading took; waits are asked for in whole seconds. */
const SAME_MS = 1000;

/** What a call is about, as far as holds go. */
export interface HoldTarget {
  readonly method: string;
  /** A chat's id, or an @username; null for a call that is about no chat. */
  readonly chat: string | null;
}

/** A time in which calls are not sent, since Telegram answered 429. */
export interface Hold {
  /** Null for all methods, and so for all calls of the bot. */
  readonly method: string | null;
  /** Null for all chats. */
  readonly chat: string | null;
  /** Until it ends. */
  readonly milliseconds: number;
}

/** Where holds are kept, so that other servers and later runs obey them. */
export interface HoldStore {
  /** The holds that have not ended, whichever server they come from. */
  live(): Promise<readonly Hold[]>;
  /** Stores holds; of two for the same calls the one that ends later counts. @returns what `live` returns after that. */
  add(holds: readonly Hold[]): Promise<readonly Hold[]>;
}

/** The hold that a 429 alone brings about. */
export function holdAskedFor({ method, chat }: HoldTarget, milliseconds: number): Hold {
  const concernsBot = milliseconds <= SHORT_MS || method === "getMe";
  return concernsBot ? { method: null, chat: null, milliseconds } : { method, chat, milliseconds };
}

/**
 * The wider holds that several together bring about: a method that is held in two chats is held in all, and where a
 * method is held in all chats and another one anywhere, all calls of the bot are. Each lasts as long as the longest of
 * those that it follows from.
 */
export function widerHolds(holds: readonly Hold[]): Hold[] {
  const byMethod = new Map<string, Hold[]>();
  for (const hold of holds) {
    if (hold.method !== null) byMethod.set(hold.method, [...(byMethod.get(hold.method) ?? []), hold]);
  }
  const longest = (some: readonly Hold[]) => Math.max(...some.map(({ milliseconds }) => milliseconds));
  const wider: Hold[] = [];
  for (const [method, own] of byMethod) {
    const inAllChats = own.length > 1 || own.some(({ chat }) => chat === null);
    if (inAllChats) wider.push({ method, chat: null, milliseconds: longest(own) });
  }
  if (wider.length > 0 && byMethod.size > 1) {
    wider.push({ method: null, chat: null, milliseconds: longest([...byMethod.values()].flat()) });
  }
  return wider;
}

const keyOf = ({ method, chat }: Pick<Hold, "method" | "chat">): string => JSON.stringify([method, chat]);

/** The holds that a server knows of. Each ends by itself. */
export class Holds {
  /** By what they hold; `until` is a time of performance.now(). */
  readonly #known = new Map<string, Omit<Hold, "milliseconds"> & { readonly until: number }>();

  get live(): readonly Hold[] {
    const now = performance.now();
    return [...this.#known.values()]
      .filter(({ until }) => until > now)
      .map(({ method, chat, until }) => ({ method, chat, milliseconds: until - now }));
  }

  /**
   * Of two holds of the same calls the one that ends later counts.
   * @returns whether these calls were not held yet, or not for so long.
   */
  add({ method, chat, milliseconds }: Hold): boolean {
    const now = performance.now();
    for (const [key, { until }] of this.#known) if (until <= now) this.#known.delete(key);
    const key = keyOf({ method, chat });
    const before = this.#known.get(key)?.until ?? now;
    if (now + milliseconds <= before) return false;
    this.#known.set(key, { method, chat, until: now + milliseconds });
    return before === now || now + milliseconds > before + SAME_MS;
  }

  /** The milliseconds until a call may be sent; 0 where nothing holds it. */
  left({ method, chat }: HoldTarget): number {
    if (this.#known.size === 0) return 0;
    const all = { method: null, chat: null };
    const ends = [all, { method, chat: null }, { method, chat }].map(
      (hold) => this.#known.get(keyOf(hold))?.until ?? 0,
    );
    return Math.max(0, Math.max(...ends) - performance.now());
  }

  /** The milliseconds until the next hold ends; null where there is none. */
  get nextEnd(): number | null {
    const left = this.live.map(({ milliseconds }) => milliseconds);
    return left.length === 0 ? null : Math.min(...left);
  }
}

export const HOLD_SCOPES = ["chat", "method", "bot"] as const;

/** Holds as they may be shown to everybody: without the chats. */
export interface HoldSummary {
  readonly scope: (typeof HOLD_SCOPES)[number];
  /** Null where all calls of the bot are held. */
  readonly method: string | null;
  /** Until the last of them ends. */
  readonly seconds: number;
}

export function summarize(holds: readonly Hold[]): HoldSummary[] {
  const summaries = new Map<string, HoldSummary>();
  for (const { method, chat, milliseconds } of holds) {
    const scope = method === null ? "bot" : chat === null ? "method" : "chat";
    const key = `${scope} ${method}`;
    const seconds = Math.max(Math.ceil(milliseconds / 1000), summaries.get(key)?.seconds ?? 0);
    summaries.set(key, { scope, method, seconds });
  }
  return [...summaries.values()];
}
