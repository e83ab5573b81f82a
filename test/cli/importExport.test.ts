import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, inject, test } from "vitest";
import { lockFolder } from "../../src/database/folder.js";
import { jsonLines } from "../domain/transfer/support.js";
import { itemOf, type LinksApi, startLinksApi, TOKEN } from "../support/linksApi.js";

const COMMAND = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
const CHAT = "-1001234567890";

/** Each test starts several processes, which take seconds on a busy machine. */
const PATIENT = { timeout: 120_000 };

let dataDir: string;
let file: string;
let children: ChildProcess[];
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "invite links "));
  file = join(dataDir, "links.jsonl");
  children = [];
  await mkdir(join(dataDir, "sandbox"), { mode: 0o700 });
  await cp(inject("embeddedTemplate"), join(dataDir, "sandbox"), { recursive: true });
});
afterEach(async () => {
  for (const child of children) child.kill("SIGKILL");
  await rm(dataDir, { recursive: true, force: true });
});

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function start(args: readonly string[], env: Record<string, string> = {}) {
  const child = spawn(process.execPath, [COMMAND, ...args], {
    env: { PATH: process.env["PATH"] ?? "", DATA_DIR: dataDir, ...env },
    stdio: ["pipe", "pipe", "pipe"],
  });
  children.push(child);
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  // Commands that fail do not wait for their input.
  child.stdin.on("error", () => {});
  const ended: Promise<Ended> = once(child, "close").then(([code]) => ({ code, stdout, stderr }));
  return { child, ended };
}

function run(args: readonly string[], input = "", env: Record<string, string> = {}): Promise<Ended> {
  const { child, ended } = start(args, env);
  child.stdin.end(input);
  return ended;
}

const linesOf = (count: number) =>
  jsonLines(
    ...Array.from({ length: count }, (_, index) => ({
      url: `https://t.me/+${index}`,
      name: `Link ${index}`,
      tags: [{ type: "Platform", name: `Tag ${index % 5}` }],
    })),
  );
const toChannel = ["--channel", CHAT];

describe("invite-links import", PATIENT, () => {
  test("import copies a file and prints the counts as JSON; a second run changes nothing", async () => {
    await writeFile(file, linesOf(3));
    const first = await run(["import", file, ...toChannel]);
    expect([first.code, first.stderr]).toEqual([0, ""]);
    expect(JSON.parse(first.stdout)).toEqual({
      created: 3,
      updated: 0,
      known: 0,
      skipped: 0,
      channels: 1,
      tagTypes: 1,
      tags: 3,
      dryRun: false,
      firstSkipped: [],
    });
    const second = await run(["import", ...toChannel], linesOf(3));
    expect(JSON.parse(second.stdout)).toMatchObject({ created: 0, known: 3, channels: 0, tags: 0 });
  });

  test("import exits with 1 if rows were skipped, and writes all of them to the report", async () => {
    const report = join(dataDir, "report");
    const rows = `${linesOf(1)}{"url":"no"}\n${'{"url":"https://t.me/+x","budget":"-1"}\n'.repeat(20)}`;
    const { code, stdout, stderr } = await run(["import", "-", ...toChannel, "--report", report], rows);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^error: 21 rows were skipped\. The first: line 2: url: [^\n]*\n$/);
    const summary = JSON.parse(stdout);
    expect(summary).toMatchObject({ created: 1, skipped: 21 });
    expect(summary.firstSkipped).toHaveLength(10);
    const lines = (await readFile(report, "utf8")).trim().split("\n");
    expect(lines).toHaveLength(21);
    expect(JSON.parse(lines[1] ?? "")).toMatchObject({
      place: "line 3",
      url: "https://t.me/+x",
      problems: [{ field: "budget" }],
    });
  });

  test.each([
    [["import", "x.csv", "--from-rest", "http://a.example", ...toChannel], /not both/],
    [["import", "--from-rest", "http://a.example"], /--channel, and a token/],
    [["import", "--from-rest", "http://u:p@a.example", ...toChannel], /base address/],
    [["import", "--from-rest", "ftp://a.example"], /http/],
    [["import", "--channel", "5"], /-1001234567890/],
    [["import", "--page-size", "0"], /from 1 to/],
    [["export"], /--channel/],
    [["export", ...toChannel, "--format", "xml"], /csv, jsonl/],
    [["export", ...toChannel, "--output", "links.xlsx"], /as .xlsx, only as csv or jsonl/],
  ])("%j is wrong usage and exits with 2", async (args, message) => {
    const { code, stdout, stderr } = await run(args);
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toMatch(message);
  });

  test("import refuses a missing file and an unknown column", async () => {
    const missing = await run(["import", join(dataDir, "none.csv"), ...toChannel]);
    expect(missing.code).toBe(1);
    expect(missing.stderr).toMatch(/^error: [^\n]*none\.csv: no such file or directory\n$/);
    const unknown = await run(["import", ...toChannel], "url,budjet\n");
    expect(unknown.code).toBe(1);
    expect(unknown.stderr).toMatch(/^error: There is no field for the column "budjet"\. [^\n]*\n$/);
  });

  test("import reads a spreadsheet's file whose columns are named by --map", async () => {
    const rows = [
      "sep=;",
      "Ссылка;Бюджет;Площадка;Истекает;;",
      't.me/+a;"1 500,50";VK | YouTube;15.11.2036;;',
      ";;;;;",
      'https://t.me/joinchat/b?x=y#z,;1.500,50;"a ""b""";2036-11-15 12:30:00+03;;',
      't.me/+c;5" disc;;;;',
      "t.me/+d...;7;;;;",
      "",
    ];
    const text = `\ufeff${rows.join("\r\n")}`;
    const mappings = ["url=ССЫЛКА", "budget=Бюджет", "tag:Platform=Площадка", "expire_date=Истекает"];
    const args = ["import", ...toChannel, ...mappings.flatMap((mapping) => ["--map", mapping])];
    const counts = { updated: 0, skipped: 1, firstSkipped: [{ place: "line 6" }] };
    const dryRun = await run([...args, "--dry-run"], text);
    expect(JSON.parse(dryRun.stdout)).toMatchObject({ ...counts, created: 3, known: 0, dryRun: true });
    const first = await run(args, text);
    expect(JSON.parse(first.stdout)).toMatchObject({ ...counts, created: 3, known: 0, tags: 3, tagTypes: 1 });
    expect([first.code, first.stderr]).toEqual([
      1,
      expect.stringMatching(/^error: 1 row was skipped\. [^\n]*\n$/),
    ]);
    const again = await run([...args, "--update"], text);
    expect(JSON.parse(again.stdout)).toMatchObject({ ...counts, created: 0, known: 3, tags: 0 });

    const { stdout } = await run(["export", ...toChannel, "--format", "jsonl"]);
    const exported = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(exported.map(({ url, budget, expire_date }) => [url, budget, expire_date])).toEqual([
      ["https://t.me/+a", "1500.50", "2036-11-15T00:00:00.000Z"],
      ["https://t.me/+b", "1500.50", "2036-11-15T09:30:00.000Z"],
      ["https://t.me/+d...", "7.00", null],
    ]);
  });

  test.each([
    [["--map", "budjet=Cost"], 2, /"budjet" is not a field/],
    [["--map", "budget"], 2, /takes FIELD=COLUMN/],
    [["--from-rest", "http://a.example", "--map", "budget=Cost"], 2, /--map/],
    [["--map", "budget=Cost"], 1, /no column "Cost", which --map names\. Its columns are "url", "name"/],
  ])("import refuses %j with exit code %i and one line", async (args, expected, message) => {
    const { code, stderr } = await run(["import", ...toChannel, ...args], "url,name\nt.me/+a,x\n");
    expect(code).toBe(expected);
    expect(stderr).toMatch(/^error: [^\n]+\n$/);
    expect(stderr).toMatch(message);
  });

  test.each([
    ["Windows-1251", Buffer.from("url,name\nt.me/+a,\xc8\xec\xff\n", "latin1")],
    ["UTF-16", Buffer.from("\ufeffurl,name\nt.me/+a,x\n", "utf16le")],
  ])("import refuses a file in %s in one line", async (_encoding, bytes) => {
    await writeFile(file, bytes);
    const { code, stdout, stderr } = await run(["import", file, ...toChannel]);
    expect([code, stderr]).toEqual([
      1,
      'error: The file is not UTF-8 text. In a spreadsheet, save it as "CSV UTF-8".\n',
    ]);
    expect(JSON.parse(stdout)).toMatchObject({ created: 0, skipped: 0 });
  });

  test("import and export refuse an embedded database that a running server uses", async () => {
    const lock = lockFolder(join(dataDir, "sandbox"));
    for (const args of [
      ["import", ...toChannel],
      ["export", ...toChannel],
    ]) {
      const { code, stdout, stderr } = await run(args);
      expect([code, stdout]).toEqual([1, ""]);
      expect(stderr).toMatch(
        /^error: The database in .* is used by a running server\. Stop the server [^\n]*\n$/,
      );
    }
    lock.release();
  });

  test("import keeps the imported links at Ctrl-C and continues when it is repeated", async () => {
    const report = join(dataDir, "report");
    const { child, ended } = start(["import", ...toChannel, "--report", report]);
    child.stdin.write(linesOf(700));
    // When the report exists, the command handles the signal.
    await expect.poll(() => existsSync(report)).toBe(true);
    child.kill("SIGINT");
    const { code, stdout, stderr } = await ended;
    expect(code).toBe(1);
    expect(stderr).toMatch(/^error: Stopped\. [^\n]*\n$/);
    const { created } = JSON.parse(stdout);
    const again = await run(["import", ...toChannel], linesOf(700));
    expect(JSON.parse(again.stdout)).toMatchObject({ created: 700 - created, known: created });
  });

  test("import leaves a usable database when it is killed, and continues when it is repeated", async () => {
    const { child, ended } = start(["import", ...toChannel]);
    child.stdin.write(linesOf(3000));
    await expect.poll(() => existsSync(join(dataDir, "sandbox", "lock"))).toBe(true);
    child.kill("SIGKILL");
    await ended;
    const again = await run(["import", ...toChannel], linesOf(3000));
    const { created, known } = JSON.parse(again.stdout);
    expect([again.code, created + known]).toEqual([0, 3000]);
  });
});

describe("invite-links import --from-rest", PATIENT, () => {
  let api: LinksApi;
  beforeEach(async () => {
    api = await startLinksApi(Array.from({ length: 7 }, (_, index) => itemOf(index)));
  });
  afterEach(() => api.close());

  test("import --from-rest copies all links once, updates them with --update, and hides the token", async () => {
    api.items = [...api.items, itemOf(7, { channel_id: -5 })];
    const args = ["import", "--from-rest", api.url.href, ...toChannel, "--page-size", "3"];
    const env = { INVITE_LINKS_IMPORT_TOKEN: TOKEN };
    const first = await run(args, "", env);
    expect(first.code).toBe(1);
    expect(first.stderr).toMatch(/^error: 1 row was skipped\. The first: link link-7: channel_id: /);
    expect(JSON.parse(first.stdout)).toMatchObject({ created: 7, skipped: 1, tags: 3, tagTypes: 1 });

    api.items = [itemOf(0, { budget: 12.5, name: null }), itemOf(1)];
    const second = await run([...args, "--update"], "", env);
    expect([second.code, second.stderr]).toEqual([0, ""]);
    expect(JSON.parse(second.stdout)).toMatchObject({ created: 0, updated: 1, known: 1 });

    const refused = await run([...args, "--token", "another-token"], "", env);
    expect([refused.code, refused.stderr]).toEqual([
      1,
      "error: The API does not accept the token (401). It says: Unauthorized\n",
    ]);
    expect(JSON.stringify([first, refused])).not.toMatch(`${TOKEN}|another-token`);
  });
});

describe("invite-links export", PATIENT, () => {
  test("export writes a file or stdout that import can read", async () => {
    await run(["import", ...toChannel], linesOf(5));
    const { code, stdout, stderr } = await run(["export", ...toChannel]);
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout.split("\r\n")).toHaveLength(7);

    // The file's name decides the format.
    const link = join(dataDir, "link.jsonl");
    await writeFile(file, "before");
    await symlink(file, link);
    expect(await run(["export", ...toChannel, "--output", link])).toEqual({
      code: 0,
      stdout: '{"links":5}\n',
      stderr: "",
    });
    expect((await readFile(file, "utf8")).match(/^\{.*\}$/gm)).toHaveLength(5);
    expect((await readdir(dataDir)).sort()).toEqual(["link.jsonl", "links.jsonl", "sandbox"]);
    const again = await run(["import", link]);
    expect(JSON.parse(again.stdout)).toMatchObject({ created: 0, known: 5 });
  });

  test("export leaves the output file unchanged for an unknown channel", async () => {
    await writeFile(file, "before");
    const { code, stderr } = await run(["export", ...toChannel, "--output", file]);
    expect([code, stderr]).toEqual([1, `error: There is no channel with the id ${CHAT} in the database.\n`]);
    expect(await readFile(file, "utf8")).toBe("before");
  });

  test("export ends without an error when the reader of its output stops early", async () => {
    await run(["import", ...toChannel], linesOf(3000));
    const { child, ended } = start(["export", ...toChannel]);
    child.stdout.once("data", () => child.stdout.destroy());
    const { code, stderr } = await ended;
    expect([code, stderr]).toEqual([0, ""]);
  });
});
