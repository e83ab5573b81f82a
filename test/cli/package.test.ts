import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { promisify } from "node:util";
import { minVersion, satisfies } from "semver";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { startSandbox } from "../../src/sandbox/sandbox.js";
import { missingForm, prepareTestDatabase } from "../support/databases.js";
import { askAt, ServerProcess } from "../support/process.js";
import { ROOT, run, runNode } from "./support.js";

const execute = promisify(execFile);

/** What package-lock.json says of a package. */
interface LockedPackage {
  readonly dev?: boolean;
  readonly devOptional?: boolean;
  readonly engines?: { readonly node?: string };
}

/** The package as it is after an installation: the files that npm packs, and the dependencies. */
let folder: string;
let installed: string;
let packed: string[];
/** The names of the dependencies that are inside the package. */
let bundled: string[];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "invite links "));
  const { stdout } = await execute("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"], { cwd: ROOT });
  const [report] = JSON.parse(stdout);
  bundled = report.bundled;
  packed = report.files
    .map(({ path }: { path: string }) => path)
    // The bundled dependencies are used from the project's own folder, as all others.
    .filter((path: string) => !path.startsWith("node_modules/"));
  await mkdir(join(folder, "node_modules"));
  for (const name of await readdir(join(ROOT, "node_modules"))) {
    await symlink(join(ROOT, "node_modules", name), join(folder, "node_modules", name));
  }
  installed = join(folder, "node_modules/invite-links");
  for (const path of packed) {
    await mkdir(dirname(join(installed, path)), { recursive: true });
    await cp(join(ROOT, path), join(installed, path));
  }
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Installs the package in a new folder with only the given dependencies. */
async function installWith(dependencies: readonly string[]): Promise<string> {
  const around = await mkdtemp(join(tmpdir(), "invite links "));
  onTestFinished(() => rm(around, { recursive: true, force: true }));
  const modules = join(around, "node_modules");
  for (const name of dependencies) {
    await mkdir(dirname(join(modules, name)), { recursive: true });
    await symlink(join(ROOT, "node_modules", name), join(modules, name));
  }
  await cp(installed, join(modules, "invite-links"), { recursive: true });
  return around;
}

/** All files with this ending below a folder of the project. */
async function filesBelow(path: string, end: string): Promise<string[]> {
  const entries = await readdir(join(ROOT, path), { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile() && entry.name.endsWith(end));
  return files.map(({ parentPath, name }) => relative(ROOT, join(parentPath, name)));
}

describe("the packed package", () => {
  test("the package contains the files for running it, and none for building or testing it", async () => {
    expect(packed).toEqual(expect.arrayContaining(await filesBelow("dist", ".js")));
    expect(packed).toEqual(expect.arrayContaining(await filesBelow("prisma/migrations", ".sql")));
    // The names of the dashboard's other files contain a hash of their content.
    expect(packed).toEqual(expect.arrayContaining(await filesBelow("dist/dashboard", "")));
    expect(packed).toContain("dist/dashboard/index.html");
    const rest = packed.filter(
      (path) =>
        !path.startsWith("dist/dashboard/") &&
        !/^(dist|prisma\/migrations)\/.+[.](js|d[.]ts|sql|toml)$/.test(path),
    );
    expect(rest.sort()).toEqual([
      "CHANGELOG.md",
      "LICENSE",
      "README.md",
      "SECURITY.md",
      "docs/audit.md",
      "docs/database.md",
      "docs/import-export.md",
      "docs/members.md",
      "docs/oint.md",
      "docs/operating.md",
      "docs/replica.md",
      "docs/rest.md",
      "docs/security.md",
      "docs/statements.md",
      "docs/tracing.md",
      "docs/versions.md",
      "docs/webhooks.md",
      "package.json",
      "prisma/sample.json",
    ]);
  });

  test("what an installation brings runs on the oldest Node.js that the package names and on 24", async () => {
    const { engines, overrides } = JSON.parse(await readFile(join(ROOT, "package.json"), "utf8"));
    const oldest = minVersion(engines.node)?.version ?? "";
    expect(oldest).toBe("20.19.0");
    const { packages } = JSON.parse(await readFile(join(ROOT, "package-lock.json"), "utf8"));
    const unfit = Object.entries<LockedPackage>(packages)
      .filter(
        ([, { dev, devOptional, engines: needed }]) => !dev && !devOptional && needed?.node !== undefined,
      )
      .filter(
        ([, { engines: needed }]) =>
          ![oldest, "24.0.0"].every((version) => satisfies(version, needed?.node ?? "")),
      );
    expect(unfit.map(([path]) => path)).toEqual([]);
    // npm follows overrides in the project only, not for a package that is installed. There the bundle replaces them.
    expect(bundled).toEqual(expect.arrayContaining(Object.keys(overrides)));
  });

  test("the package creates its database in an empty folder", async () => {
    const cwd = join(folder, "empty");
    await mkdir(cwd);
    const { code, stdout, stderr } = await runNode([join(installed, "dist/cli/main.js"), "migrate"], {}, cwd);
    expect([code, stderr]).toEqual([0, ""]);
    expect(JSON.parse(stdout).applied).toHaveLength(
      (await filesBelow("prisma/migrations", "migration.sql")).length,
    );
    expect(await readdir(cwd)).toEqual(["data"]);
  });

  test("the package has types for a program that imports it", async () => {
    await cp(join(ROOT, "test/cli/program"), join(folder, "program"), { recursive: true });
    const tsc = join(createRequire(import.meta.url).resolve("typescript/package.json"), "../bin/tsc");
    const { code, stdout } = await runNode([tsc, "--pretty", "false"], {}, join(folder, "program"));
    expect([code, stdout]).toEqual([0, ""]);
  });

  test("the package exports createInvitationLink, which works without any dependency", async () => {
    const alone = await installWith([]);
    const program = `
      const { createInvitationLink, ...rest } = await import("invite-links");
      const error = await createInvitationLink({ token: "", chat: 1 }).catch((error) => error);
      console.log(Object.keys(rest).join(), error.name);`;
    const { stdout, stderr } = await runNode(["--input-type=module", "--eval", program], {}, alone);
    expect([stdout, stderr]).toEqual(["TelegramConnectionError RangeError\n", ""]);
  });

  test("the package refuses an invalid environment before it loads the server", async () => {
    const main = join(
      await installWith(["zod", "pg-connection-string"]),
      "node_modules/invite-links/dist/main.js",
    );
    const { code, stdout, stderr } = await runNode([main], { PORT: "65536" });
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(/^PORT: "65536" is not[^\n]*\n$/);
    // The same check finds the server's code loaded for a valid environment, so the check itself works.
    expect((await runNode([main], { PORT: "0" })).stderr).toContain("ERR_MODULE_NOT_FOUND");
  });

  test("the package serves a real bot on a PostgreSQL server without the dependencies of the sandbox and the embedded database", async (context) => {
    const missing = await missingForm("server");
    context.skip(missing !== null, missing ?? "");
    const { dependencies } = JSON.parse(await readFile(join(ROOT, "package.json"), "utf8"));
    const others = ["@electric-sql/pglite", "@graphql-yoga/render-graphiql", "pino-pretty"];
    const taken = Object.keys(dependencies).filter((name) => !others.includes(name));
    expect(taken).toHaveLength(Object.keys(dependencies).length - others.length);
    const main = join(await installWith(taken), "node_modules/invite-links/dist/main.js");
    await rm(join(dirname(main), "sandbox"), { recursive: true });
    const database = await prepareTestDatabase("server");
    const telegram = await startSandbox({ bot: { id: 1, token: "1:AA", username: "bot", firstName: "Bot" } });
    const environment = { TELEGRAM_BOT_TOKEN: "1:AA", TELEGRAM_API_ROOT: telegram.apiRoot };
    const server = new ServerProcess({ ...environment, DATABASE_URL: database.url ?? "" }, [main]);
    try {
      const url = await server.ready();
      const { data } = await askAt(url, server.token ?? "", "{ viewer { role } }");
      expect(data.viewer.role).toBe("ADMIN");
      expect(await server.end("SIGTERM")).toBe(0);
    } finally {
      await server.end("SIGKILL");
      await telegram.close();
      await database.remove();
    }
  });
});

describe("the command invite-links", () => {
  test.each([
    [[], ["serve", "telegram", "token", "migrate", "Exit codes"]],
    [["telegram"], ["CreateInvitationLink"]],
    [
      ["telegram", "CreateInvitationLink"],
      ["TELEGRAM_BOT_TOKEN", "TELEGRAM_API_ROOT", "Unix seconds", "Examples"],
    ],
    [["token"], ["create", "list", "revoke"]],
    [
      ["token", "create"],
      ["--channel", "DATA_DIR", "Examples"],
    ],
    [["token", "list"], ["DATABASE_URL"]],
    [["token", "revoke"], ["global id"]],
    [["migrate"], ["DATABASE_URL"]],
  ])("%j --help describes the command", async (args: string[], words) => {
    const { code, stdout, stderr } = await run([...args, "--help"]);
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(/^Usage: invite-links/);
    for (const word of words) expect(stdout).toContain(word);
  });

  test("serve --help names every environment variable of the server", async () => {
    const example = await readFile(join(ROOT, ".env.example"), "utf8");
    const [ofTheServer = ""] = example.split("# Only for compose.yaml");
    const names = [...ofTheServer.matchAll(/^#?([A-Z_]+)=/gm)].map(([, name]) => name);
    expect(names).toContain("PORT");
    const { stdout } = await run(["serve", "--help"]);
    expect(names.filter((name) => !stdout.includes(String(name)))).toEqual([]);
  });

  test.each([[[]], [["nope"]], [["token"]], [["telegram", "Nope"]], [["--nope"]], [["migrate", "more"]]])(
    "%j is wrong usage and exits with 2",
    async (args: string[]) => {
      const { code, stdout, stderr } = await run(args);
      expect([code, stdout]).toEqual([2, ""]);
      expect(stderr).not.toBe("");
    },
  );

  test("--version prints the version of the package", async () => {
    const { version } = JSON.parse(await readFile(join(ROOT, "package.json"), "utf8"));
    expect(await run(["--version"])).toEqual({ code: 0, stdout: `${version}\n`, stderr: "" });
  });
});
