import { mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** Characters that Vite and Vitest do not support in a path: they read `#` and `?` as its end. */
const SPECIAL = /[#?*]/;

/**
 * Calls `work` with a path of this project that Vite supports: the real path or, if that has special characters, a link to it.
 * The link is removed when `work` is done.
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
    // On Windows a junction needs no permission. Other systems ignore the type.
    symlinkSync(ROOT, link, "junction");
    return await work(link, true);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
