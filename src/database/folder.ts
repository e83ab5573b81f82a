import { closeSync, mkdirSync, openSync } from "node:fs";
import { join } from "node:path";
import { tryLock } from "fs-native-extensions";

/** The folder of an embedded database is used by another process. */
export class FolderInUseError extends Error {
  override readonly name = "FolderInUseError";

  constructor(folder: string) {
    super(
      `The folder ${folder} is used by another invite-links server; stop that one, or set another DATA_DIR.`,
    );
  }
}

/**
 * Claims a data folder for this process, making it (readable by its owner alone) where there is none. The lock is
 * the operating system's: it ends with the process, however that ends.
 * @throws FolderInUseError
 */
export function claimFolder(folder: string): { release(): void } {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const descriptor = openSync(join(folder, "lock"), "a+", 0o600);
  if (!tryLock(descriptor)) {
    closeSync(descriptor);
    throw new FolderInUseError(folder);
  }
  return { release: () => closeSync(descriptor) };
}
