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

/** The folder of an embedded database cannot be made or written. */
export class FolderUnusableError extends Error {
  override readonly name = "FolderUnusableError";

  constructor(folder: string, cause: unknown) {
    const { code = "unknown" } = cause as NodeJS.ErrnoException;
    super(`DATA_DIR: found a place at which ${folder} cannot be used (${code}), not a folder to write in`);
  }
}

function openLock(folder: string): number {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    return openSync(join(folder, "lock"), "a+", 0o600);
  } catch (error) {
    throw new FolderUnusableError(folder, error);
  }
}

/**
 * Claims a data folder for this process, making it (readable by its owner alone) where there is none. The lock is
 * the operating system's: it ends with the process, however that ends.
 * @throws FolderInUseError, FolderUnusableError
 */
export function lockFolder(folder: string): { release(): void } {
  const descriptor = openLock(folder);
  if (!tryLock(descriptor)) {
    closeSync(descriptor);
    throw new FolderInUseError(folder);
  }
  return { release: () => closeSync(descriptor) };
}
