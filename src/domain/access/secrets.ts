import { createHash, randomBytes, timingSafeEqual } from "node:crypto";

/** Tells people and secret scanners what they have before them. */
const PREFIX = "invl_";

/** A new API token's secret: 256 random bits behind a readable prefix. */
export const newSecret = (): string => `${PREFIX}${randomBytes(32).toString("base64url")}`;

/** What is kept of a secret. It is random through and through, so that a slow hash would protect nothing more. */
export const hashSecret = (secret: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(createHash("sha256").update(secret).digest());

/** Compares without telling by its time how much of them is equal. */
export const sameHash = (left: Uint8Array, right: Uint8Array): boolean => timingSafeEqual(left, right);
