/** The line is updated at most this often, in milliseconds. */
const UPDATE_EVERY_MS = 100;

/** A progress line on the terminal. Nothing is shown if stderr is not a terminal. */
export class Progress {
  #shownAt = Number.NEGATIVE_INFINITY;
  #shown = false;

  show(line: string): void {
    const now = performance.now();
    if (!process.stderr.isTTY || now - this.#shownAt < UPDATE_EVERY_MS) return;
    this.#shownAt = now;
    this.#shown = true;
    process.stderr.write(`\r\x1b[K${line}`);
  }

  /** Removes the line. */
  end(): void {
    if (this.#shown) process.stderr.write("\r\x1b[K");
    this.#shown = false;
  }
}
