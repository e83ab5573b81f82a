/** A wait up to this long concerns the whole bot; a longer wait concerns one method in one chat. */
const SHORT_MS = 5000;
/** Holds that differ by less are the same hold, read at different times. Telegram asks for whole seconds. */
const SAME_MS = 1000;

/** The properties of a call that decide which holds concern it. */
export interface HoldTarget {
  readonly method: string;
  /** The chat's id or @username; null for a call about no chat. */
  readonly chat: string | null;
}

/** A pause of calls after Telegram answered 429. */
export interface Hold {
  /** Null for all calls of the bot. */
  readonly method: string | null;
  /** Null for all chats. */
  readonly chat: string | null;
  /** The rest of the pause. */
  readonly milliseconds: number;
}

/** Stores holds, so that other servers and later runs obey them. */
export interface HoldStore {
  /** The holds of all servers that have not ended. */
  live(): Promise<readonly Hold[]>;
  /** Stores holds. If two holds concern the same calls, the one that ends later counts. @returns the same as `live`. */
  add(holds: readonly Hold[]): Promise<readonly Hold[]>;
}

/** The hold that follows from a single 429. */
export function holdAfter429({ method, chat }: HoldTarget, milliseconds: number): Hold {
  const concernsBot = milliseconds <= SHORT_MS || method === "getMe";
  return concernsBot ? { method: null, chat: null, milliseconds } : { method, chat, milliseconds };
}

/**
 * The wider holds that follow from several holds. A method that is held in two chats is held in all chats. When a method
 * is held in all chats and another method anywhere, all calls of the bot are held. A wider hold lasts as long as the
 * longest hold that it follows from.
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

/** The holds that this server knows. */
export class Holds {
  /** By method and chat. `until` is by performance.now(). */
  readonly #holds = new Map<string, Omit<Hold, "milliseconds"> & { readonly until: number }>();

  get live(): readonly Hold[] {
    const now = performance.now();
    return [...this.#holds.values()]
      .filter(({ until }) => until > now)
      .map(({ method, chat, until }) => ({ method, chat, milliseconds: until - now }));
  }

  /**
   * Adds a hold. If two holds concern the same calls, the one that ends later counts.
   * @returns whether the hold is new or lasts longer than before.
   */
  add({ method, chat, milliseconds }: Hold): boolean {
    const now = performance.now();
    for (const [key, { until }] of this.#holds) if (until <= now) this.#holds.delete(key);
    const key = keyOf({ method, chat });
    const before = this.#holds.get(key)?.until ?? now;
    if (now + milliseconds <= before) return false;
    this.#holds.set(key, { method, chat, until: now + milliseconds });
    return before === now || now + milliseconds > before + SAME_MS;
  }

  /** Milliseconds until a call may be sent; 0 for a call without a hold. */
  left({ method, chat }: HoldTarget): number {
    if (this.#holds.size === 0) return 0;
    const all = { method: null, chat: null };
    const ends = [all, { method, chat: null }, { method, chat }].map(
      (hold) => this.#holds.get(keyOf(hold))?.until ?? 0,
    );
    return Math.max(0, Math.max(...ends) - performance.now());
  }

  /** Milliseconds until the next hold ends; null without holds. */
  get nextEnd(): number | null {
    const left = this.live.map(({ milliseconds }) => milliseconds);
    return left.length === 0 ? null : Math.min(...left);
  }
}

export const HOLD_SCOPES = ["chat", "method", "bot"] as const;

/** Holds without their chats, which may be shown to everybody. */
export interface HoldSummary {
  readonly scope: (typeof HOLD_SCOPES)[number];
  /** Null for all calls of the bot. */
  readonly method: string | null;
  /** Until the last hold of this scope and method ends. */
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
