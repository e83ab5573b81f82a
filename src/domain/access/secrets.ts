import { createHash, randomBytes, timingSafeEqual } from "node:crypto";

/** By this prefix people and secret scanners recognise a secret. */
const PREFIX = "invl_";

/** A new API token's secret: 256 random bits behind a readable prefix. */
export const newSecret = (): string => `${PREFIX}${randomBytes(32).toString("base64url")}`;

/** The hash that is stored of a secret. A slow hash would add nothing, since a secret has 256 random bits. */
export const hashSecret = (secret: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(createHash("sha256").update(secret).digest());

/** Compares two hashes in a time that does not depend on where they differ. */
export const sameHash = (left: Uint8Array, right: Uint8Array): boolean => timingSafeEqual(left, right);
