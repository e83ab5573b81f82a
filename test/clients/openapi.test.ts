import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { generateSource } from "oazapfts";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CHANNEL, PLATFORM, startTestServer, type TestServer, YOUTUBE } from "../support/server.js";
import { compile, copyOf } from "./compile.js";
import { listedIds, ON_YOUTUBE } from "./support.js";

/** The exports of openapi/program.ts. */
interface Program {
  connect(origin: string, token: string): void;
  carrying(channelId: number, typeId: string, tagId: string): Promise<{ names: string[]; total: number }>;
  make(channelId: number, key: string): Promise<string>;
  refused(channelId: number, name: string): Promise<string>;
}

let folder: string;
let server: TestServer;
beforeAll(async () => {
  folder = await copyOf("openapi");
  server = await startTestServer();
  const document = await (await fetch(`${server.origin}/openapi.json`)).json();
  await writeFile(join(folder, "client.ts"), await generateSource(document));
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
  await server.stop();
});

describe("the client that oazapfts generates from /openapi.json", () => {
  test("a program that switches on the status compiles with the generated client and runs", async () => {
    expect(await compile(folder)).toEqual([]);
    const program: Program = await import(pathToFileURL(join(folder, "out/program.js")).href);
    program.connect(server.origin, server.token);
    const ids = await listedIds(server, { filter: ON_YOUTUBE });
    const { names, total } = await program.carrying(CHANNEL, PLATFORM, YOUTUBE);
    expect([names.length, total]).toEqual([ids.length, ids.length]);
    expect(await program.make(CHANNEL, "a key")).toBe(
      "From a program (9.9) carries Renamed, which From a program carries",
    );
    expect(await program.refused(CHANNEL, "")).toBe("body.member_limit, body.name");
    program.connect(server.origin, await server.makeToken({ role: "VIEWER" }));
    expect(await program.refused(CHANNEL, "x")).toContain("EDITOR");
  });
});
