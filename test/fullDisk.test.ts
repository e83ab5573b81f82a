import { execFileSync } from "node:child_process";
import { appendFileSync, mkdtempSync, rmSync } from "node:fs";
import { chown } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import pg from "pg";
import { expect, onTestFinished, test } from "vitest";
import { startSandbox } from "../src/sandbox/sandbox.js";
import { startPostgres } from "../tools/postgres.mjs";
import { Crowd, expectAllStored, type Query } from "./support/crowd.js";
import { describeOnForms } from "./support/databases.js";
import { FaultLoad } from "./support/faultLoad.js";
import { ServerProcess } from "./support/process.js";

const BOT = { id: 123456789, token: "123456789:AA-secret-of-the-bot", username: "a_bot", firstName: "A" };
const CHATS = [-1001111111111, -1002222222222];
const ADMIN_TOKEN = "an-admin-token-of-the-tests";
const NOBODY = 65_534;

/** A small disk in memory. @returns null if this process may not mount one */
function mountDisk(): { folder: string; unmount: () => void } | null {
  const folder = mkdtempSync(join(tmpdir(), "invite-links-disk-"));
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=64m", "none", folder], { stdio: "ignore" });
  } catch {
    rmSync(folder, { recursive: true });
    return null;
  }
  return {
    folder,
    unmount() {
      execFileSync("umount", [folder]);
      rmSync(folder, { recursive: true });
    },
  };
}

/** Fills a disk. */
function fill(file: string): void {
  const block = Buffer.alloc(65_536);
  try {
    for (;;) appendFileSync(file, block);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
  }
}

await describeOnForms("a database whose disk is full", ["server"], () => {
  const disk = mountDisk();
  if (disk === null) {
    test.skip("skipped: this process may not mount a disk");
    return;
  }

  test("a server refuses writes while the disk is full, loses nothing and does nothing twice", {
    timeout: 180_000,
  }, async () => {
    onTestFinished(disk.unmount);
    await chown(disk.folder, NOBODY, NOBODY);
    const postgres = await startPostgres({
      settings: { fsync: "off", shared_buffers: "16MB", autovacuum: "off" },
    });
    if (!postgres) throw new Error("This machine has no PostgreSQL that runs.");
    onTestFinished(() => postgres.stop());
    const owner = new pg.Client(postgres.url);
    await owner.connect();
    // The log of PostgreSQL stays on the large disk: without space for it PostgreSQL would stop.
    await owner.query(`create tablespace small location '${disk.folder}'`);
    await owner.query("create database small tablespace small");
    await owner.end();
    const url = new URL("small", postgres.url).href;
    const telegram = await startSandbox({
      bot: BOT,
      initial: { chats: CHATS.map((id) => ({ id, type: "channel" as const, title: `Chat ${id}` })) },
    });
    onTestFinished(() => telegram.close());
    const server = new ServerProcess({
      DATABASE_URL: url,
      TELEGRAM_BOT_TOKEN: BOT.token,
      TELEGRAM_API_ROOT: telegram.apiRoot,
      ADMIN_TOKEN,
    });
    onTestFinished(async () => {
      await server.end("SIGKILL");
    });
    const address = await server.ready();
    const state = async () =>
      ((await (await fetch(new URL("/readyz", address))).json()) as { database: string }).database;

    const servers = [{ url: address, token: ADMIN_TOKEN }];
    const load = new FaultLoad({ telegram, chats: CHATS, servers, longestPause: 1 });
    await load.start(3);
    const crowd = new Crowd(telegram, CHATS);
    const over = new AbortController();
    const coming = (async () => {
      while (!over.signal.aborted) {
        for (let count = 0; count < 5; count += 1) crowd.act();
        await delay(20);
      }
    })();
    for (let round = 0; round < 2; round += 1) {
      const ballast = join(disk.folder, "ballast");
      fill(ballast);
      await expect.poll(state, { timeout: 60_000 }).toBe("full");
      rmSync(ballast);
      await expect.poll(state, { timeout: 60_000 }).toBe("ok");
      await load.untilWritten();
    }
    over.abort();
    await Promise.all([coming, load.stop()]);

    const query: Query = async (text) => {
      const client = new pg.Client(url);
      await client.connect();
      try {
        return (await client.query(text)).rows as never;
      } finally {
        await client.end();
      }
    };
    await expectAllStored(telegram, crowd, query);
    await load.check(query);
    expect(load.errors).toMatch(/DATABASE_UNAVAILABLE/);
    expect(server.lines.filter(({ msg }) => msg === "an operation failed unexpectedly")).toEqual([]);
  });
});
