import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

/** The absolute path of a file or folder that is given relative to this folder. */
export const pathOf = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
/** In node_modules, so that the programs in it find the installed packages. */
const CACHE = pathOf("../../node_modules/.cache/");

/** Copies a folder of programs, so that code can be generated into the copy. */
export async function copyOf(programs: string): Promise<string> {
  await mkdir(CACHE, { recursive: true });
  const folder = await mkdtemp(join(CACHE, "front-end-"));
  await cp(pathOf(programs), folder, { recursive: true });
  return folder;
}

/**
 * Type-checks and compiles the programs of a folder.
 * @returns the error lines of tsc, none if everything compiles.
 */
export async function compile(folder: string): Promise<string[]> {
  const tsc = join(createRequire(import.meta.url).resolve("typescript/package.json"), "../bin/tsc");
  const checked = promisify(execFile)(process.execPath, [tsc, "--pretty", "false"], { cwd: folder });
  const { stdout } = await checked.catch((failure: { stdout: string }) => failure);
  return stdout.split("\n").filter((line) => line.includes("error TS"));
}
