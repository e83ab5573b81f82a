import { randomUUID } from "node:crypto";
import { type FileHandle, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { RequestRefusedError } from "../lifecycle/requestFormat.js";

export interface SpoolLimits {
  /** Bytes of a body at the most. */
  readonly bytes: number;
  /** The longest time without any byte, in milliseconds. */
  readonly idleMs: number;
}

export const SPOOL_LIMITS: SpoolLimits = { bytes: 1024 ** 3, idleMs: 60_000 };

/** A body in a file of its own. */
export interface Spooled {
  /** Reads the whole body; may be called again. @throws the reason of the signal */
  read(signal?: AbortSignal): AsyncGenerator<Uint8Array>;
  /** Frees the file's space. */
  close(): Promise<void>;
}

const PORTION = 65_536;

/** Opens a file without a name, whose space is freed even if the process is killed. */
async function openTemporary(): Promise<FileHandle> {
  const path = join(tmpdir(), `invite-links-import-${randomUUID()}`);
  const file = await open(path, "wx+", 0o600);
  await rm(path);
  return file;
}

async function* readFrom(file: FileHandle, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
  for (let position = 0; ; ) {
    const { bytesRead, buffer } = await file.read({ buffer: Buffer.allocUnsafe(PORTION), position });
    signal?.throwIfAborted();
    if (bytesRead === 0) return;
    position += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

const refused = {
  idle: () => new RequestRefusedError(408, "REQUEST_TIMEOUT", "The body did not arrive in time."),
  large: () => new RequestRefusedError(413, "PAYLOAD_TOO_LARGE", "The body is too large."),
  notUtf8: () => new RequestRefusedError(400, "BAD_REQUEST", "The body is not UTF-8."),
};

/**
 * Receives a body of any length into a file, with constant memory. Nothing is done with a body before the whole of it has
 * arrived and was found to be UTF-8.
 * @param ended aborted when the request has ended: nothing of its body comes any more.
 * @throws RequestRefusedError, or the reason of the signal
 */
export async function spool(
  body: Readable,
  { bytes, idleMs }: SpoolLimits,
  ended: AbortSignal,
): Promise<Spooled> {
  const file = await openTemporary();
  const idle = new AbortController();
  const timer = setTimeout(() => idle.abort(refused.idle()), idleMs);
  const decoder = new TextDecoder("utf-8", { fatal: true });
  const decode = (chunk?: Uint8Array): void => {
    try {
      if (chunk) decoder.decode(chunk, { stream: true });
      else decoder.decode();
    } catch {
      throw refused.notUtf8();
    }
  };
  // Reading by `next` leaves the request open after a refusal, so that the refusal can be sent.
  const chunks = body.iterator({ destroyOnReturn: false });
  const aborted = new Promise<never>((_resolve, reject) => {
    const either = AbortSignal.any([idle.signal, ended]);
    either.throwIfAborted();
    either.addEventListener("abort", () => reject(either.reason), { once: true });
  });
  aborted.catch(() => {});
  try {
    let length = 0;
    for (;;) {
      const { value, done } = await Promise.race([chunks.next(), aborted]);
      if (done) break;
      const chunk = value as Buffer;
      timer.refresh();
      length += chunk.length;
      if (length > bytes) throw refused.large();
      decode(chunk);
      // Writes the whole chunk at the end of what was written before.
      await file.writeFile(chunk);
    }
    decode();
    return { read: (signal) => readFrom(file, signal), close: () => file.close() };
  } catch (error) {
    await file.close();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}
