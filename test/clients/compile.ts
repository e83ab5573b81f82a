import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

/** A file or folder beside this one. */
export const pathOf = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
/** Below node_modules, so that the programs there find their packages. */
const CACHE = pathOf("../../node_modules/.cache/");

/** A copy of a folder of programs, for what is generated beside them. */
export async function copyOf(programs: string): Promise<string> {
  await mkdir(CACHE, { recursive: true });
  const folder = await mkdtemp(join(CACHE, "front-end-"));
  await cp(pathOf(programs), folder, { recursive: true });
  return folder;
}

/** Type-checks and compiles a folder's programs; each error as tsc says it, none where all is well. */
export async function compile(folder: string): Promise<string[]> {
  const tsc = join(createRequire(import.meta.url).resolve("typescript/package.json"), "../bin/tsc");
  const checked = promisify(execFile)(process.execPath, [tsc, "--pretty", "false"], { cwd: folder });
  const { stdout } = await checked.catch((failure: { stdout: string }) => failure);
  return stdout.split("\n").filter((line) => line.includes("error TS"));
}
