import { copyFile, cp, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, inject, test } from "vitest";
import { ROOT, runNode } from "./cli/support.js";
import { ServerProcess } from "./support/process.js";

/** Folder names with characters that have a meaning in an address, a pattern or a shell. */
const NAMES = ["a #1", "what?", "50%20", 'it\'s "quoted"', "Привет ü", "[x] (y) & $z"];

let parent: string;
let folder: string;
beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), "invite-links-path-"));
});
afterEach(() => rm(parent, { recursive: true, force: true }));

/** Copies the sources and the build to another folder, and links the packages. */
async function copyTo(name: string): Promise<void> {
  folder = join(parent, name);
  await mkdir(folder);
  for (const part of [
    "dashboard",
    "prisma",
    "tools",
    "schema.graphql",
    "package.json",
    "package-lock.json",
  ]) {
    await cp(join(ROOT, part), join(folder, part), { recursive: true });
  }
  await copyFile(join(ROOT, "tsconfig.json"), join(folder, "tsconfig.json"));
  await cp(join(ROOT, "dist"), join(folder, "dist"), { recursive: true });
  await rm(join(folder, "dist/dashboard"), { recursive: true });
  await rm(join(folder, "dist/.dashboard"));
  await symlink(join(ROOT, "node_modules"), join(folder, "node_modules"), "junction");
}

test("Vitest runs in a folder with special characters in its name", async () => {
  await copyTo(NAMES.join(" "));
  await copyFile(join(ROOT, "vitest.config.mjs"), join(folder, "vitest.config.mjs"));
  await cp(join(ROOT, "test/support"), join(folder, "test/support"), { recursive: true });
  await writeFile(
    join(folder, "test/sum.unit.test.ts"),
    'import { expect, test } from "vitest"; test("a sum is right", () => expect(1 + 1).toBe(2));',
  );
  const { code, stdout } = await runNode(
    ["tools/vitest.mjs", "run", "--project", "unit"],
    { NO_COLOR: "1" },
    folder,
  );
  expect(stdout).toMatch(/Tests +1 passed/);
  expect(code).toBe(0);
});

test("the dashboard can be built and the server runs in a folder with special characters in its name", async () => {
  await copyTo(NAMES.join(" "));
  const built = await runNode(["tools/dashboard.mjs"], {}, folder);
  expect(built).toEqual({ code: 0, stdout: "", stderr: "building the dashboard …\n" });
  const dataDir = join(folder, "data");
  await mkdir(join(dataDir, "sandbox"), { recursive: true, mode: 0o700 });
  await cp(inject("embeddedTemplate"), join(dataDir, "sandbox"), { recursive: true });
  const server = new ServerProcess({ DATA_DIR: dataDir }, [join(folder, "dist/main.js")]);
  try {
    await server.ready();
    const page = await (await fetch(server.greeting?.dashboardUrl ?? "")).text();
    let size = 0;
    for (const [, script = ""] of page.matchAll(/(?:src|href)="(\/assets\/[^"]+\.js)"/g)) {
      const answer = await fetch(new URL(script, server.greeting?.url));
      expect(answer.status).toBe(200);
      size += (await answer.text()).length;
    }
    expect(size).toBeGreaterThan(100_000);
    expect(await server.end("SIGTERM")).toBe(0);
  } finally {
    await server.end("SIGKILL");
  }
});
