import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { setImmediate } from "node:timers/promises";
import writeFileAtomic from "write-file-atomic";
import type { SandboxState } from "./state.js";

/**
 * Keeps the whole state on disk. The file is replaced atomically, so that a crash at any moment leaves either the former
 * or the new state. A burst of changes shares one write.
 */
export interface Storage {
  /** Must be called after every change of the state. */
  changed(): void;
  /** Resolves when all changes so far are on disk. */
  settled(): Promise<void>;
}

export const memoryOnly: Storage = { changed: () => {}, settled: async () => {} };

export class StateFile implements Storage {
  readonly #path: string;
  readonly #state: SandboxState;
  #changes = 0;
  /** The number of changes in the running write and in the file. */
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
    // Callers of settled() receive a failure. The next change tries again.
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

/** Reads a state file. @returns undefined if there is no file. */
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
    throw new Error(`${path} does not contain a sandbox state of version 1`);
  }
  // Older files have no arrivals.
  return { ...state, arrivals: state.arrivals ?? {} };
}

/** A crash during a write leaves a temporary file behind, which write-file-atomic names `<file>.<digits>`. */
async function removeLeftovers(path: string): Promise<void> {
  const folder = dirname(path);
  const prefix = `${basename(path)}.`;
  for (const name of await readdir(folder)) {
    if (name.startsWith(prefix) && /^\d+$/.test(name.slice(prefix.length))) {
      await rm(join(folder, name), { force: true });
    }
  }
}
