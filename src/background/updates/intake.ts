import type { Ingestion, PollerTerm } from "../../domain/members/ingestion.js";
import { type ReceivedUpdate, readUpdate, type UpdateContent } from "../../telegram/updates.js";

export type ReceivedKind = UpdateContent["kind"];

/** One attempt to store updates. */
export interface BatchEvent {
  /** The kinds of the updates, in their order. */
  readonly kinds: readonly ReceivedKind[];
  readonly milliseconds: number;
  /** Whether they are stored, set aside or were stored before; otherwise they will come again. */
  readonly isStored: boolean;
}

export interface IntakeOptions {
  readonly ingestion: Ingestion;
  readonly onBatch: (event: BatchEvent) => void;
  /** An update has no id, so it can be neither stored nor told from others. */
  readonly onNameless: () => void;
  /** Called with updates that arrived and the promise of their storing. */
  readonly onArrived?: (updates: readonly ReceivedUpdate[], stored: Promise<void>) => void;
}

/** When an update was sent by Telegram, in milliseconds since 1970; null if it does not say. */
function sentAt({ content }: ReceivedUpdate): number | null {
  return "at" in content ? Date.parse(content.at) : null;
}

/** Reads an update; one that breaks the reader is stored without its content, because it must not stop the others. */
function readSafely(value: unknown): ReceivedUpdate | null {
  try {
    return readUpdate(value);
  } catch {
    const updateId = (value as { update_id?: unknown }).update_id;
    if (typeof updateId !== "number" || !Number.isSafeInteger(updateId)) return null;
    const content = { kind: "unreadable", reason: "the update cannot be read at all" } as const;
    return { updateId, body: { update_id: updateId }, userId: null, actorId: null, content };
  }
}

/** The common part of polling and webhook: reads updates, has them stored, and knows how far storing lags behind. */
export class UpdateIntake {
  readonly #options: IntakeOptions;
  /** The batches that are being stored, each with the date of its oldest update. */
  readonly #storing = new Map<readonly ReceivedUpdate[], number>();
  #lastLagMs: number | null = null;

  constructor(options: IntakeOptions) {
    this.#options = options;
  }

  /**
   * The age of the oldest update that this server has received and not stored yet, or else of the newest update when it
   * was stored. Null before the first update.
   */
  get lagSeconds(): number | null {
    const oldest = Math.min(...this.#storing.values());
    const milliseconds = Number.isFinite(oldest) ? Date.now() - oldest : this.#lastLagMs;
    return milliseconds === null ? null : Math.max(0, Math.round(milliseconds / 1000));
  }

  /** Reads what Telegram sent. Updates without an id are left out. */
  read(values: readonly unknown[]): ReceivedUpdate[] {
    const updates: ReceivedUpdate[] = [];
    for (const value of values) {
      const update = readSafely(value);
      if (update === null) this.#options.onNameless();
      else updates.push(update);
    }
    return updates;
  }

  /** @throws the same as Ingestion.ingest */
  async store(updates: readonly ReceivedUpdate[], term: PollerTerm | null): Promise<void> {
    const dates = updates.map(sentAt).filter((at) => at !== null);
    this.#storing.set(updates, Math.min(...dates));
    const started = performance.now();
    let isStored = false;
    try {
      const stored = this.#options.ingestion.ingest(updates, term);
      this.#options.onArrived?.(updates, stored);
      await stored;
      isStored = true;
      if (dates.length > 0) this.#lastLagMs = Date.now() - Math.max(...dates);
    } finally {
      this.#storing.delete(updates);
      this.#options.onBatch({
        kinds: updates.map(({ content }) => content.kind),
        milliseconds: performance.now() - started,
        isStored,
      });
    }
  }
}
