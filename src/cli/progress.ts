/** How often a line is written anew, in milliseconds. */
const EVERY_MS = 100;

/** A line on the terminal that says how far a long work is; nothing where stderr is no terminal. */
export class Progress {
  #shownAt = Number.NEGATIVE_INFINITY;
  #shown = false;

  show(line: string): void {
    const now = performance.now();
    if (!process.stderr.isTTY || now - this.#shownAt < EVERY_MS) return;
    this.#shownAt = now;
    this.#shown = true;
    process.stderr.write(`\r\x1b[K${line}`);
  }

  /** Takes the line away. */
  end(): void {
    if (this.#shown) process.stderr.write("\r\x1b[K");
    this.#shown = false;
  }
}
