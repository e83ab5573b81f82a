import { createWriteStream } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
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
  readonly file: string;
  remove(): Promise<void>;
}

const refused = {
  idle: () => new RequestRefusedError(408, "REQUEST_TIMEOUT", "The body did not arrive in time."),
  large: () => new RequestRefusedError(413, "PAYLOAD_TOO_LARGE", "The body is too large."),
  notUtf8: () => new RequestRefusedError(400, "BAD_REQUEST", "The body is not UTF-8."),
};

/**
 * Receives a body of any length into a file, with constant memory. Nothing is done with a body before the whole of it has
 * arrived and was found to be UTF-8.
 * @throws RequestRefusedError
 */
export async function spool(body: Readable, { bytes, idleMs }: SpoolLimits): Promise<Spooled> {
  const folder = await mkdtemp(join(tmpdir(), "invite-links-import-"));
  const remove = () => rm(folder, { recursive: true, force: true });
  const file = join(folder, "links");
  const idle = new AbortController();
  const timer = setTimeout(() => idle.abort(), idleMs);
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
    idle.signal.addEventListener("abort", () => reject(refused.idle()), { once: true });
  });
  aborted.catch(() => {});
  try {
    await pipeline(async function* () {
      let length = 0;
      for (;;) {
        const { value, done } = await Promise.race([chunks.next(), aborted]);
        if (done) break;
        const chunk = value as Buffer;
        timer.refresh();
        length += chunk.length;
        if (length > bytes) throw refused.large();
        decode(chunk);
        yield chunk;
      }
      decode();
    }, createWriteStream(file));
    return { file, remove };
  } catch (error) {
    await remove();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}
