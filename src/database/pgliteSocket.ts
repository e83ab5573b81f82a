import { Duplex } from "node:stream";
import type { PGlite } from "@electric-sql/pglite";

/** The types of messages that PostgreSQL answers: Sync, Query, Flush, Terminate, FunctionCall, and the end of a COPY. */
const ANSWERED = new Set([..."SQHXFcf"].map((letter) => letter.charCodeAt(0)));
const TERMINATE = "X".charCodeAt(0);

/**
 * A socket for `pg` that passes PostgreSQL's wire protocol on to a database in this process. A pg.Pool with one client
 * (the embedded database has one session) can therefore serve Prisma and hand-written SQL with the same types, errors
 * and named statements as a server.
 */
export class PgliteSocket extends Duplex {
  readonly #database: PGlite;
  #pending: Buffer = Buffer.alloc(0);
  #started = false;

  constructor(database: PGlite) {
    super();
    this.#database = database;
  }

  // The methods of net.Socket that pg calls.
  connect(): this {
    queueMicrotask(() => this.emit("connect"));
    return this;
  }
  setNoDelay(): this {
    return this;
  }
  setKeepAlive(): this {
    return this;
  }
  ref(): this {
    return this;
  }
  unref(): this {
    return this;
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#forward(chunk).then(() => done(), done);
  }

  override _writev(chunks: { chunk: Buffer }[], done: (error?: Error | null) => void): void {
    this.#forward(Buffer.concat(chunks.map(({ chunk }) => chunk))).then(() => done(), done);
  }

  override _final(done: (error?: Error | null) => void): void {
    this.push(null);
    done();
  }

  async #forward(chunk: Buffer): Promise<void> {
    this.#pending = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    const started = this.#started;
    const length = this.#answerable();
    if (length === 0) return;
    if (!started) await this.#clearSession();
    const messages = this.#pending.subarray(0, length);
    this.#pending = this.#pending.subarray(length);
    const answer = await this.#database.runExclusive(() =>
      started ? this.#answerTo(messages) : this.#database.execProtocolRaw(messages),
    );
    if (answer.length > 0) this.push(answer);
  }

  /** Streams the answers. execProtocolRaw, which only the start of a session needs, would also parse and keep them. */
  async #answerTo(messages: Buffer): Promise<Buffer> {
    const parts: Buffer[] = [];
    // Copied, because the bytes are part of PostgreSQL's own memory.
    await this.#database.execProtocolRawStream(messages, {
      onRawData: (bytes) => parts.push(Buffer.from(bytes)),
    });
    return Buffer.concat(parts);
  }

  /** Resets the session, as a server does when one ends: the next client continues in the same session. */
  async #clearSession(): Promise<void> {
    await this.#database.exec("rollback");
    await this.#database.exec("discard all");
  }

  /** The length in bytes of whole messages up to the last one that is answered. PGlite needs a request in one piece. */
  #answerable(): number {
    let offset = 0;
    let answerable = 0;
    while (offset < this.#pending.length) {
      // The first message (start-up) has no type letter before its length.
      const prefix = this.#started ? 1 : 0;
      if (this.#pending.length < offset + prefix + 4) break;
      const end = offset + prefix + this.#pending.readInt32BE(offset + prefix);
      if (this.#pending.length < end) break;
      const type = this.#started ? this.#pending[offset] : undefined;
      // Terminate would end PGlite's only session.
      if (type === TERMINATE) {
        this.#pending = this.#pending.subarray(0, offset);
        break;
      }
      if (type === undefined || ANSWERED.has(type)) answerable = end;
      this.#started = true;
      offset = end;
    }
    return answerable;
  }
}
