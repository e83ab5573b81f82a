import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout } from "node:timers/promises";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { CHANNEL, startTestServer, type TestServer } from "../support/server.js";
import { badServer, MAIN, type Outcome, run } from "./support.js";

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
/** What the command writes into its report. */
async function reportOf(work: (args: readonly string[]) => Promise<void>) {
  const report = join(folder, "report.jsonl");
  await work(["--report", report]);
  const lines = (await readFile(report, "utf8")).trim().split("\n");
  return lines.map((line) => JSON.parse(line));
}
const linksNamed = (beginning: string) =>
  server.sandbox.control.links(CHANNEL).filter(({ name }) => name?.startsWith(beginning));

test("the links of a file are created once, however often the command is repeated", PATIENT, async () => {
  await writeFile(
    file,
    'name,budget,member_limit,external_id,tag:Platform\nFirst 1,"1 500,50",5,cli-1,YouTube\nFirst 2,,,cli-2,\n',
  );
  const results = await reportOf(async (args) => {
    const outcome = await create(args);
    expect(outcome).toMatchObject({ code: 0, stderr: "" });
    expect(JSON.parse(outcome.stdout)).toEqual({
      created: 2,
      failed: 0,
      uncertain: 0,
      cancelled: 0,
      refused: 0,
      unfinished: 0,
      firstNotCreated: [],
    });
  });
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

/** Runs the command and cancels its batches of many links, since creating these would take a minute. */
async function createCancelling(
  args: readonly string[] = [],
): Promise<{ outcome: Outcome; sizes: number[] }> {
  const batches = async (): Promise<{ id: string; totalCount: number }[]> => {
    const query = `{ inviteLinkBatches(channelId: ${CHANNEL}, first: 3) { nodes { id totalCount } } }`;
    return (await server.ask(query)).data.inviteLinkBatches.nodes.reverse();
  };
  const seen = new Set((await batches()).map(({ id }) => id));
  const sizes: number[] = [];
  const running = create(args);
  for (;;) {
    const outcome = await Promise.race([running, setTimeout(20, null)]);
    for (const { id, totalCount } of await batches()) {
      if (seen.has(id)) continue;
      seen.add(id);
      sizes.push(totalCount);
      if (totalCount < 10) continue;
      await server.ask(`mutation ($id: ID!) { cancelInviteLinkBatch(input: { id: $id }) { __typename } }`, {
        id,
      });
    }
    if (outcome) return { outcome, sizes };
  }
}

test(
  "more than a thousand links are created in several batches, each of which ends for itself",
  PATIENT,
  async () => {
    const names = Array.from({ length: 1005 }, (_, index) => `Many ${index}`);
    await writeFile(file, `Имя\n${names.join("\n")}\n`);
    const report = await reportOf(async (args) => {
      const { outcome, sizes } = await createCancelling(["--map", "name=Имя", ...args]);
      expect(sizes).toEqual([1000, 5]);
      const { created, cancelled, ...rest } = JSON.parse(outcome.stdout);
      expect(rest).toMatchObject({ failed: 0, uncertain: 0, refused: 0, unfinished: 0 });
      expect(created + cancelled).toBe(1005);
      expect(created).toBe(linksNamed("Many").length);
      expect(outcome).toMatchObject({ code: 1, stderr: expect.stringContaining(`${cancelled} of 1005`) });
    });
    expect(report.map(({ name }) => name)).toEqual(names);
    expect(report.map(({ place }) => place)).toEqual(names.map((_, index) => `line ${index + 2}`));
    const made = report.filter(({ state }) => state === "MADE").map(({ name }) => name);
    expect(made.slice(-5)).toEqual(names.slice(1000));
    expect(linksNamed("Many").map(({ name }) => name)).toEqual(made);
  },
);

test("links that are too large for one request are created in several batches", PATIENT, async () => {
  const rows = Array.from({ length: 950 }, (_, index) => `Large ${index},${index}${"😀".repeat(250)}`);
  await writeFile(file, `name,external_id\n${rows.join("\n")}\n`);
  const { outcome, sizes } = await createCancelling();
  const [first = 0, second = 0, ...others] = sizes;
  expect([first + second, others]).toEqual([950, []]);
  expect(second).toBeGreaterThan(0);
  expect(JSON.parse(outcome.stdout)).toMatchObject({ refused: 0, unfinished: 0 });
});

test("a thousand that the server refuses leaves the other links of the file alone", PATIENT, async () => {
  const names = Array.from({ length: 1002 }, (_, index) => `Rest ${index}`);
  names[3] = "x".repeat(40);
  await writeFile(file, `name\n${names.join("\n")}\n`);
  const report = await reportOf(async (args) => {
    const outcome = await create(args);
    expect(outcome).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/1000 of 1002 links.*line 5: name: /),
    });
    expect(JSON.parse(outcome.stdout)).toMatchObject({ created: 2, refused: 1000, unfinished: 0 });
  });
  expect(report.map(({ name }) => name)).toEqual(names);
  expect(report[3]).toMatchObject({ state: "REFUSED", error: expect.stringMatching(/^name: /) });
  expect(report[4]).toMatchObject({ state: "REFUSED", error: expect.stringContaining("line 5: name: ") });
  expect(linksNamed("Rest")).toHaveLength(2);
});

test("a command that was stopped is gone on with when it is repeated", PATIENT, async () => {
  await writeFile(file, "name\nStopped 1\nStopped 2\nStopped 3\n");
  const called = server.sandbox.control.nextCall("createChatInviteLink");
  const release = server.sandbox.control.hold({ method: "createChatInviteLink" });
  const args = ["create", "--server", server.origin, "--channel", String(CHANNEL), "--file", file];
  const child = spawn(process.execPath, [MAIN, ...args], {
    env: { PATH: process.env["PATH"], INVITE_LINKS_TOKEN: server.token },
  });
  const [stdout, stderr] = [text(child.stdout), text(child.stderr)];
  await called;
  child.kill("SIGINT");
  const [code] = await once(child, "exit");
  expect(code).toBe(1);
  expect(await stderr).toMatch(/^error: Stopped\. [^\n]*repeat the command[^\n]*\n$/);
  expect(JSON.parse(await stdout)).toMatchObject({ created: 0, unfinished: 3 });
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

test("links that failed are sent once more each time that the command is repeated", PATIENT, async () => {
  const refusal = {
    kind: "error",
    error_code: 400,
    description: "Bad Request: EXPIRE_DATE_INVALID",
  } as const;
  await writeFile(file, "name,external_id\nAgain 1,again-1\nAgain 2,again-2\nAgain 3,again-3\n");
  const names = () => linksNamed("Again").map(({ name }) => name);
  server.sandbox.control.fail(refusal, { method: "createChatInviteLink", times: 2 });
  expect(JSON.parse((await create()).stdout)).toMatchObject({ created: 1, failed: 2 });
  expect(names()).toEqual(["Again 3"]);
  server.sandbox.control.fail(refusal, { method: "createChatInviteLink", skip: 1 });
  expect(JSON.parse((await create()).stdout)).toMatchObject({
    created: 2,
    failed: 1,
    firstNotCreated: [{ place: "line 3", name: "Again 2" }],
  });
  expect(names()).toEqual(["Again 3", "Again 1"]);
  for (const _time of [1, 2]) {
    const results = await reportOf(async (args) => {
      expect(await create(args)).toMatchObject({ code: 0 });
    });
    expect(results.map(({ name, state, url }) => [name, state, typeof url])).toEqual(
      [1, 2, 3].map((link) => [`Again ${link}`, "MADE", "string"]),
    );
  }
  expect(names()).toEqual(["Again 3", "Again 1", "Again 2"]);
});

test(
  "an uncertain link is sent again only when it was settled, apart from links that failed",
  PATIENT,
  async () => {
    const method = "createChatInviteLink";
    server.sandbox.control.fail({ kind: "cut", effect: "before" }, { method });
    server.sandbox.control.fail(
      { kind: "error", error_code: 400, description: "Bad Request: EXPIRE_DATE_INVALID" },
      { method },
    );
    await writeFile(file, "name\nUnsure 1\nUnsure 2\nUnsure 3\n");
    expect(JSON.parse((await create()).stdout)).toMatchObject({ created: 1, failed: 1, uncertain: 1 });
    const outcome = await create();
    expect(JSON.parse(outcome.stdout)).toMatchObject({ created: 2, failed: 0, uncertain: 1 });
    expect(outcome.stderr).toContain("resolveCreation");
    expect(linksNamed("Unsure").map(({ name }) => name)).toEqual(["Unsure 3", "Unsure 2"]);
    const { data } = await server.ask("{ uncertainCreations { id name } }");
    const [{ id }] = data.uncertainCreations.filter(({ name }: { name: string }) => name === "Unsure 1");
    await server.ask(
      `mutation ($id: ID!) { resolveCreation(input: { id: $id, notMade: true }) { __typename } }`,
      { id },
    );
    for (const _time of [1, 2]) expect(JSON.parse((await create()).stdout)).toMatchObject({ created: 3 });
    expect(linksNamed("Unsure").map(({ name }) => name)).toEqual(["Unsure 3", "Unsure 2", "Unsure 1"]);
  },
);

test("a redirect is named at once, and not followed", PATIENT, async () => {
  await writeFile(file, "name\nRedirected\n");
  const { apiRoot, received } = await badServer((response) => {
    response.writeHead(301, { location: `${server.origin}/graphql` }).end();
  });
  const args = ["create", "--server", apiRoot, "--channel", String(CHANNEL), "--file", file];
  const outcome = await run(args, { INVITE_LINKS_TOKEN: server.token });
  expect(outcome).toMatchObject({ code: 1, stdout: "" });
  expect(outcome.stderr).toContain(`redirects (301) to ${server.origin}/graphql`);
  expect(received).toHaveLength(1);
  expect(linksNamed("Redirected")).toEqual([]);
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
