import { createHash } from "node:crypto";

/** No fingerprint is 0n: it marks a free slot. */
const FREE = 0n;

function fingerprintOf(text: string): bigint {
  const fingerprint = createHash("sha256").update(text).digest().readBigUInt64LE();
  return fingerprint === FREE ? 1n : fingerprint;
}

/**
 * A set of many texts in 12 to 24 bytes each. It keeps 64 bits of a hash instead of the text, so among ten million texts two
 * count as one with a chance of one to three hundred thousand.
 */
export class FingerprintSet {
  #slots = new BigUint64Array(1024);
  #size = 0;

  has(text: string): boolean {
    const fingerprint = fingerprintOf(text);
    return this.#slots[this.#find(fingerprint)] === fingerprint;
  }

  add(text: string): void {
    if (this.#size * 3 >= this.#slots.length * 2) this.#grow();
    this.#put(fingerprintOf(text));
  }

  /** The slot of a fingerprint, or the free one where it belongs. */
  #find(fingerprint: bigint): number {
    const last = this.#slots.length - 1;
    // The length is a power of two.
    let slot = Number(fingerprint & BigInt(last));
    for (;;) {
      const found = this.#slots[slot];
      if (found === fingerprint || found === FREE) return slot;
      slot = (slot + 1) & last;
    }
  }

  #put(fingerprint: bigint): void {
    const slot = this.#find(fingerprint);
    if (this.#slots[slot] === fingerprint) return;
    this.#slots[slot] = fingerprint;
    this.#size += 1;
  }

  #grow(): void {
    const before = this.#slots;
    this.#slots = new BigUint64Array(before.length * 2);
    this.#size = 0;
    for (const fingerprint of before) if (fingerprint !== FREE) this.#put(fingerprint);
  }
}
