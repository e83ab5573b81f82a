import { mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** What Vite, and Vitest with it, cannot take in a path: it reads a `#` or `?` in a file's path as the path's end. */
const SPECIAL = /[#?*]/;

/**
 * Calls `work` with a path to this folder that Vite can take: where the folder's own has special characters, a link's.
 * @template T
 * @param {(root: string, isLink: boolean) => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function withPlainPath(work) {
  if (!SPECIAL.test(ROOT)) return work(ROOT, false);
  const place = [tmpdir(), "/tmp"].find((folder) => !SPECIAL.test(folder)) ?? tmpdir();
  const folder = mkdtempSync(join(place, "invite-links-"));
  const link = join(folder, "root");
  try {
    // The kind of link that needs no permission on Windows; elsewhere there is only one.
    symlinkSync(ROOT, link, "junction");
    return await work(link, true);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
