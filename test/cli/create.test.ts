import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { CHANNEL, startTestServer, type TestServer } from "../support/server.js";
import { MAIN, type Outcome, run } from "./support.js";

/** Each test starts processes, which take seconds on a busy machine. */
const PATIENT = { timeout: 120_000 };

let server: TestServer;
let folder: string;
let file: string;
beforeAll(async () => {
  server = await startTestServer();
  folder = await mkdtemp(join(tmpdir(), "invite links create "));
  file = join(folder, "links.csv");
});
afterAll(async () => {
  await server?.stop();
  await rm(folder, { recursive: true, force: true });
});
beforeEach(() => server.sandbox.control.clearFaults());

const create = (args: readonly string[] = [], token = server.token): Promise<Outcome> =>
  run(["create", "--server", server.origin, "--channel", String(CHANNEL), "--file", file, ...args], {
    INVITE_LINKS_TOKEN: token,
  });
const linksNamed = (beginning: string) =>
  server.sandbox.control.links(CHANNEL).filter(({ name }) => name?.startsWith(beginning));

test("the links of a file are created once, however often the command is repeated", PATIENT, async () => {
  await writeFile(
    file,
    'name,budget,member_limit,external_id,tag:Platform\nFirst 1,"1 500,50",5,cli-1,YouTube\nFirst 2,,,cli-2,\n',
  );
  const report = join(folder, "report.jsonl");
  const outcome = await create(["--report", report]);
  expect(outcome).toMatchObject({ code: 0, stderr: "" });
  expect(JSON.parse(outcome.stdout)).toEqual({
    created: 2,
    failed: 0,
    uncertain: 0,
    cancelled: 0,
    firstNotCreated: [],
  });
  const results = (await readFile(report, "utf8"))
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(results).toMatchObject([
    { place: "line 2", name: "First 1", externalId: "cli-1", state: "MADE", error: null },
    { place: "line 3", name: "First 2", externalId: "cli-2", state: "MADE", error: null },
  ]);
  const { data } = await server.ask(
    `{ inviteLinks(channelId: ${CHANNEL}, filter: { externalIds: ["cli-1"] }) {
      nodes { url name budget memberLimit tags { name } } } }`,
  );
  expect(data.inviteLinks.nodes).toEqual([
    { url: results[0].url, name: "First 1", budget: "1500.50", memberLimit: 5, tags: [{ name: "YouTube" }] },
  ]);
  expect(JSON.parse((await create()).stdout)).toMatchObject({ created: 2 });
  expect(linksNamed("First")).toHaveLength(2);
});

test("more than a thousand links are created in several batches", { timeout: 180_000 }, async () => {
  const names = Array.from({ length: 1005 }, (_, index) => `Many ${index}`);
  await writeFile(file, `Имя\n${names.join("\n")}\n`);
  const outcome = await create(["--map", "name=Имя"]);
  expect(outcome).toMatchObject({ code: 0, stderr: "" });
  expect(JSON.parse(outcome.stdout)).toMatchObject({ created: 1005 });
  expect(linksNamed("Many").map(({ name }) => name)).toEqual(names);
});

test("a command that was stopped is gone on with when it is repeated", PATIENT, async () => {
  await writeFile(file, "name\nStopped 1\nStopped 2\nStopped 3\n");
  const called = server.sandbox.control.nextCall("createChatInviteLink");
  const release = server.sandbox.control.hold({ method: "createChatInviteLink" });
  const args = ["create", "--server", server.origin, "--channel", String(CHANNEL), "--file", file];
  const child = spawn(process.execPath, [MAIN, ...args], {
    env: { PATH: process.env["PATH"], INVITE_LINKS_TOKEN: server.token },
  });
  const stderr = text(child.stderr);
  await called;
  child.kill("SIGINT");
  const [code] = await once(child, "exit");
  expect(code).toBe(1);
  expect(await stderr).toMatch(/^error: Stopped\. [^\n]*repeat the command[^\n]*\n$/);
  release();
  expect(JSON.parse((await create()).stdout)).toMatchObject({ created: 3, failed: 0 });
  expect(linksNamed("Stopped")).toHaveLength(3);
});

test("what is not acceptable creates nothing, and the error names the line", PATIENT, async () => {
  await writeFile(file, "name,member_limit\nBad 1,x\n,5\nBad 3,5\n");
  const unreadable = await create();
  expect(unreadable).toMatchObject({ code: 1, stdout: "" });
  expect(unreadable.stderr).toContain("line 2: member_limit");
  expect(unreadable.stderr).toContain("line 3: name");
  await writeFile(file, "name,tag:Platform\nBad 3,Nowhere\n");
  expect((await create()).stderr).toContain('line 2: the channel has no tag "Nowhere"');
  await writeFile(file, `name\nBad 4\n${"x".repeat(40)}\n`);
  expect(await create()).toMatchObject({ code: 1, stderr: expect.stringContaining("line 3: name:") });
  expect(linksNamed("Bad")).toEqual([]);
});

test("links that failed give the exit code 1 and are named", PATIENT, async () => {
  server.sandbox.control.fail(
    { kind: "error", error_code: 400, description: "Bad Request: EXPIRE_DATE_INVALID" },
    { method: "createChatInviteLink", skip: 1 },
  );
  await writeFile(file, "name\nFails 1\nFails 2\nFails 3\n");
  const outcome = await create();
  expect(outcome).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("1 of 3 links were not created"),
  });
  expect(JSON.parse(outcome.stdout)).toMatchObject({
    created: 2,
    failed: 1,
    firstNotCreated: [{ place: "line 3", state: "FAILED" }],
  });
});

test("wrong usage is 2, and a refusal is 1 in one line without the token", PATIENT, async () => {
  await writeFile(file, "name\nRefused\n");
  expect(await run(["create", "--file", file])).toMatchObject({ code: 2 });
  expect(await create([], "")).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("INVITE_LINKS_TOKEN"),
  });
  const refused = await create([], "a-wrong-token");
  expect(refused).toMatchObject({ code: 1, stdout: "" });
  expect(refused.stderr.trim().split("\n")).toHaveLength(1);
  expect(refused.stderr).not.toContain("a-wrong-token");
  const viewer = await server.makeToken({ role: "VIEWER" });
  expect(await create([], viewer)).toMatchObject({ code: 1, stderr: expect.stringContaining("EDITOR") });
  const nobody = await run(
    ["create", "--server", "http://127.0.0.1:9", "--channel", String(CHANNEL), "--file", file],
    { INVITE_LINKS_TOKEN: "x" },
  );
  expect(nobody).toMatchObject({ code: 1, stderr: expect.stringContaining("cannot be reached") });
  expect(linksNamed("Refused")).toEqual([]);
});
