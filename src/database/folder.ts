import { closeSync, mkdirSync, openSync } from "node:fs";
import { join } from "node:path";
import { tryLock } from "fs-native-extensions";

/** Another process uses the folder of the embedded database. */
export class FolderInUseError extends Error {
  override readonly name = "FolderInUseError";

  constructor(folder: string) {
    super(
      `The folder ${folder} is used by another invite-links server. Stop that server, or set another DATA_DIR.`,
    );
  }
}

/** The folder of the embedded database cannot be created or written. */
export class FolderUnusableError extends Error {
  override readonly name = "FolderUnusableError";

  constructor(folder: string, cause: unknown) {
    const { code = "unknown" } = cause as NodeJS.ErrnoException;
    super(`DATA_DIR: the folder ${folder} cannot be created or written (${code})`);
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
 * Locks a data folder for this process. A missing folder is created, readable by its owner alone. The operating system
 * releases the lock when the process ends for any reason.
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
