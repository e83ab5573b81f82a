// Older versions of the server, built from the commits of the repository with the packages of today.

import { execFile } from "node:child_process";
import { mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const MIGRATIONS = "prisma/migrations";
const RELEASED = "test/graphql/released";

/** A commit at which the migrations are the first `migrationCount` migrations of today, unchanged. */
export interface OldVersion {
  readonly commit: string;
  readonly migrationCount: number;
}

/** The history of the repository, oldest commit first. */
export interface History {
  readonly commits: readonly OldVersion[];
  /** The commit that released a version, such as `0.1.0`. */
  release(version: string): Promise<OldVersion>;
}

async function git(args: readonly string[], environment: Record<string, string> = {}): Promise<string> {
  const options = { cwd: ROOT, maxBuffer: 2 ** 28, env: { ...process.env, ...environment } };
  return (await run("git", args, options)).stdout.trim();
}

/** Each migration's name and the hash of its file, in the order of the migrations. */
async function migrationsOf(tree: string): Promise<string[]> {
  const lines = (await git(["ls-tree", "-r", tree])).split("\n");
  return lines.filter((line) => line.endsWith("/migration.sql")).map((line) => line.replace(/^.* blob /, ""));
}

/** @returns in one line why there is no history here, as in a shallow clone or in the npm package. */
export async function readHistory(): Promise<History | string> {
  try {
    if ((await git(["rev-parse", "--is-shallow-repository"])) !== "false") return "the clone is shallow";
    if ((await git(["rev-parse", "--show-prefix"])) !== "") return "the folder is part of another repository";
  } catch {
    return "there is no Git repository";
  }
  const today = await migrationsOf(`HEAD:${MIGRATIONS}`);
  const counts = new Map<string, number | null>();
  const countOf = async (commit: string): Promise<number | null> => {
    const tree = await git(["rev-parse", "-q", "--verify", `${commit}:${MIGRATIONS}`]).catch(() => null);
    if (tree === null) return null;
    if (!counts.has(tree)) {
      const migrations = await migrationsOf(tree);
      counts.set(tree, migrations.every((one, index) => one === today[index]) ? migrations.length : null);
    }
    return counts.get(tree) ?? null;
  };
  const commits: OldVersion[] = [];
  // Between two commits that change migrations, the first parent of the later one is the last with the former migrations.
  const changes = await git(["log", "--topo-order", "--reverse", "--format=%H %P", "--", MIGRATIONS]);
  for (const commit of new Set(changes.split(/\s+/))) {
    const migrationCount = await countOf(commit);
    if (migrationCount !== null) commits.push({ commit, migrationCount });
  }
  return {
    commits,
    async release(version) {
      const added = ["log", "--diff-filter=A", "--format=%H", "--", `${RELEASED}/${version}.graphql`];
      const commit = await git(added);
      const migrationCount = await countOf(commit);
      if (migrationCount === null) throw new Error(`Migrations of ${version} were changed.`);
      return { commit, migrationCount };
    },
  };
}

/** A built version in a temporary folder. */
export interface BuiltVersion extends OldVersion {
  /** The script of the server. */
  readonly main: string;
  remove(): Promise<void>;
}

/** Builds a version. */
export async function buildVersion(version: OldVersion): Promise<BuiltVersion> {
  const folder = await mkdtemp(join(tmpdir(), "invite-links-version-"));
  const remove = () => rm(folder, { recursive: true, force: true });
  try {
    const index = { GIT_INDEX_FILE: join(folder, ".index") };
    await git(["read-tree", version.commit], index);
    await git(["checkout-index", "--all", `--prefix=${folder}/`], index);
    const packages = join(ROOT, "node_modules");
    await symlink(packages, join(folder, "node_modules"), "junction");
    await run(process.execPath, ["tools/generate.mjs"], { cwd: folder });
    const compiler = join(packages, "typescript", "bin", "tsc");
    await run(process.execPath, [compiler, "-p", "tsconfig.build.json"], { cwd: folder });
    return { ...version, main: join(folder, "dist", "main.js"), remove };
  } catch (error) {
    await remove();
    throw error;
  }
}
