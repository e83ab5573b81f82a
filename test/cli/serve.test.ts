import { cp, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, inject, onTestFinished, test } from "vitest";
import { askAt, ServerProcess } from "../support/process.js";
import { CHANNEL } from "../support/server.js";
import { MAIN, run } from "./support.js";

test("serve runs the server and ends with it", async () => {
  const dataDir = await mkdtemp(join(tmpdir(), "invite links "));
  await mkdir(join(dataDir, "sandbox"), { mode: 0o700 });
  await cp(inject("embeddedTemplate"), join(dataDir, "sandbox"), { recursive: true });
  const server = new ServerProcess({ DATA_DIR: dataDir }, [MAIN, "serve"]);
  onTestFinished(async () => {
    await server.end("SIGKILL");
    await rm(dataDir, { recursive: true, force: true });
  });
  const url = await server.ready();
  const { data } = await askAt(
    url,
    server.token ?? "",
    `{ inviteLinks(channelId: ${CHANNEL}) { totalCount } }`,
  );
  expect(data.inviteLinks.totalCount).toBe(24);
  expect(await server.end("SIGTERM")).toBe(0);
  expect(server.stderr).toBe("");
});

test("serve reports a failed start in one line", async () => {
  const { code, stdout, stderr } = await run(["serve"], { PORT: "65536" });
  expect([code, stdout]).toEqual([1, ""]);
  expect(stderr).toMatch(/^PORT: "65536" is not[^\n]*\n$/);
});
