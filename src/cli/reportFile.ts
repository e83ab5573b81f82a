import { once } from "node:events";
import { createWriteStream, type WriteStream } from "node:fs";
import { finished } from "node:stream/promises";

/** A file of JSON lines that grows while a command runs; nothing is written if there is no file. */
export class ReportFile {
  readonly #stream: WriteStream | null;

  private constructor(stream: WriteStream | null) {
    this.#stream = stream;
  }

  /** @throws Error if the file cannot be opened */
  static async open(file: string | undefined): Promise<ReportFile> {
    if (file === undefined) return new ReportFile(null);
    const stream = createWriteStream(file);
    await once(stream, "open");
    // Later errors are thrown by close().
    stream.on("error", () => {});
    return new ReportFile(stream);
  }

  add(row: object): void {
    this.#stream?.write(`${JSON.stringify(row)}\n`);
  }

  async close(): Promise<void> {
    if (!this.#stream) return;
    this.#stream.end();
    await finished(this.#stream);
  }
}
