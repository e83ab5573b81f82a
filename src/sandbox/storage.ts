import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { setImmediate } from "node:timers/promises";
import writeFileAtomic from "write-file-atomic";
import type { SandboxState } from "./state.js";

/**
 * Keeps the state on disk, whole and atomically replaced, so that a `kill -9` at any moment leaves either the state
 * before or the state after. A burst of changes shares one write.
 */
export interface Storage {
  /** To be called after every change of the state. */
  changed(): void;
  /** Resolves when everything changed so far is on disk. */
  settled(): Promise<void>;
}

export const memoryOnly: Storage = { changed: () => {}, settled: async () => {} };

export class StateFile implements Storage {
  readonly #path: string;
  readonly #state: SandboxState;
  #changes = 0;
  /** How many changes the write under way holds, and how many the file holds. */
  #writing = 0;
  #written = 0;
  #current: Promise<void> = Promise.resolve();
  #next: Promise<void> | undefined;

  constructor(path: string, state: SandboxState) {
    this.#path = path;
    this.#state = state;
  }

  changed(): void {
    this.#changes += 1;
    // Whoever waits for it learns of a failure; the next change tries again.
    this.settled().catch(() => {});
  }

  async settled(): Promise<void> {
    if (this.#written === this.#changes) {
      return;
    }
    if (this.#writing === this.#changes) {
      return this.#current;
    }
    this.#next ??= this.#write();
    return this.#next;
  }

  async #write(): Promise<void> {
    await this.#current.catch(() => {});
    await setImmediate();
    this.#next = undefined;
    this.#writing = this.#changes;
    this.#current = this.#replaceFile(this.#changes);
    await this.#current;
  }

  async #replaceFile(changes: number): Promise<void> {
    try {
      await writeFileAtomic(this.#path, JSON.stringify(this.#state));
      this.#written = changes;
    } finally {
      this.#writing = this.#written;
    }
  }
}

/** The state that the file holds, or undefined where there is no file yet. */
export async function readState(path: string): Promise<SandboxState | undefined> {
  await mkdir(dirname(path), { recursive: true });
  await removeLeftovers(path);
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") {
      return undefined;
    }
    throw error;
  }
  const state = JSON.parse(text) as SandboxState;
  if (state.version !== 1) {
    throw new Error(`${path} holds no sandbox state of version 1`);
  }
  return state;
}

/** A kill in the middle of a write leaves its temporary file, which write-file-atomic names `<file>.<digits>`. */
async function removeLeftovers(path: string): Promise<void> {
  const folder = dirname(path);
  const prefix = `${basename(path)}.`;
  for (const name of await readdir(folder)) {
    if (name.startsWith(prefix) && /^\d+$/.test(name.slice(prefix.length))) {
      await rm(join(folder, name), { force: true });
    }
  }
}
