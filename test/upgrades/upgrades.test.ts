// Upgrades from an older version of the server, while clients and Telegram go on.

import { readdirSync, readFileSync } from "node:fs";
import { afterAll, describe, expect, it, vi } from "vitest";
import type { Installation } from "./installation.js";
import { type BuiltVersion, buildVersion, type OldVersion, readHistory } from "./oldVersions.js";

/** How many of the migrations exist for this process. */
const existing = vi.hoisted(() => ({ count: Number.POSITIVE_INFINITY }));

vi.mock("node:fs/promises", async (importOriginal) => {
  const original = await importOriginal<typeof import("node:fs/promises")>();
  const list = async (path: string | URL, options: { withFileTypes: true }) => {
    const entries = await original.readdir(path, options);
    if (!String(path).endsWith("/prisma/migrations/")) return entries;
    return entries
      .filter((entry) => entry.isDirectory())
      .sort((one, other) => (one.name < other.name ? -1 : 1))
      .slice(0, existing.count);
  };
  return { ...original, readdir: list };
});

const { createDatabase } = await import("../../src/database/database.js");
const { openDatabase } = await import("../../src/database/open.js");
const { recount } = await import("../../src/domain/links/counts/recount.js");
const { missingForm } = await import("../support/databases.js");
const { Installation: UpgradedInstallation } = await import("./installation.js");

/** Links in the database beside those that the traffic creates; if it is set, every version is upgraded to the next. */
const { UPGRADE_LINKS } = process.env;

const MIGRATIONS = new URL("../../prisma/migrations/", import.meta.url);
const NAMES = readdirSync(MIGRATIONS)
  .filter((name) => /^\d{14}_/.test(name))
  .sort();
/**
 * The migrations before the first release that need a stop, and from how many links on; docs/versions.md says why. Later
 * ones say so themselves.
 */
const NEED_STOP: Readonly<Record<string, number>> = {
  "20261122100000_counts": 50_000,
  "20261122110000_tagged_at": 0,
  "20261127010000_link_addresses": 0,
};
const needsStop = (name: string): boolean =>
  Number(UPGRADE_LINKS ?? 0) >= (NEED_STOP[name] ?? Number.POSITIVE_INFINITY) ||
  readFileSync(new URL(`${name}/migration.sql`, MIGRATIONS), "utf8").startsWith("-- Needs a stop");

/** Members are counted since this migration. */
const MEMBERS = NAMES.indexOf("20261127000000_members") + 1;

/** The version of the newest release in the changelog. */
function lastRelease(): string {
  const changelog = readFileSync(new URL("../../CHANGELOG.md", import.meta.url), "utf8");
  return /^## (\d+\.\d+\.\d+)/m.exec(changelog)?.[1] ?? "";
}

interface Step {
  readonly title: string;
  readonly from: OldVersion;
  /** Null for the version of today. */
  readonly to: OldVersion | null;
}

const history = await readHistory();
const missing = typeof history === "string" ? history : await missingForm("server");

async function steps(): Promise<Step[]> {
  if (typeof history === "string") return [];
  if (UPGRADE_LINKS === undefined) {
    const version = lastRelease();
    return [{ title: `from ${version} to today's version`, from: await history.release(version), to: null }];
  }
  const last = new Map(history.commits.map((commit) => [commit.migrationCount, commit]));
  const versions = [...last.values()].sort((one, other) => one.migrationCount - other.migrationCount);
  return versions.slice(0, -1).map((from, index) => {
    const to = versions[index + 1] as OldVersion;
    const added = NAMES.slice(from.migrationCount, to.migrationCount).join(", ");
    return { title: `by ${added}`, from, to: to.migrationCount === NAMES.length ? null : to };
  });
}

const built = new Map<string, Promise<BuiltVersion>>();
afterAll(async () => {
  for (const version of await Promise.all(built.values())) await version.remove();
});

async function mainOf(version: OldVersion | null): Promise<string | undefined> {
  if (version === null) return undefined;
  const known = built.get(version.commit) ?? buildVersion(version);
  built.set(version.commit, known);
  return (await known).main;
}

/** Applies the first migrations, as `invite-links migrate` does. */
async function migrate(url: string, count: number): Promise<readonly string[]> {
  existing.count = count;
  try {
    const { pool, migrations } = await openDatabase({ url, folder: "" }, () => {});
    await pool.close();
    return migrations;
  } finally {
    existing.count = Number.POSITIVE_INFINITY;
  }
}

/** Applies the migrations while the old server works and a long transaction, such as an export, reads all tables. */
async function migrateBeside(installation: Installation, apply: () => Promise<unknown>): Promise<void> {
  const { client, traffic } = installation;
  const { rows } = await client.query<{ name: string }>(
    "select quote_ident(relname) as name from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace",
  );
  await client.query(`begin; lock ${rows.map(({ name }) => name).join(", ")} in access share mode`);
  const applied = apply();
  // Some migrations need no lock that the long transaction holds.
  await Promise.race([traffic.answered("old", 200), applied]);
  await client.query("commit");
  await applied;
}

/** Compares what was acknowledged with what is stored, and the counters with what they count. */
async function expectNothingLost({ url, client, traffic }: Installation): Promise<void> {
  const { rows } = await client.query(
    'select url, name, budget::text, is_revoked as "isRevoked" from invite_link where name not like \'Filled %\' order by url collate "C"',
  );
  const made = traffic.links.map((link) => ({
    url: link.url,
    name: link.name,
    budget: link.budget,
    isRevoked: link.isRevoked,
  }));
  expect(rows).toEqual(made.sort((one, other) => (one.url < other.url ? -1 : 1)));
  await migrate(url, NAMES.length);
  const { pool } = await openDatabase({ url, folder: "", unlimited: true }, () => {});
  const database = createDatabase(pool);
  try {
    expect(await recount(database, { chatId: null, checkOnly: true }, { key: "server" })).toEqual([]);
  } finally {
    await database.close();
  }
}

async function expectMembersCounted({ client, traffic, telegram }: Installation): Promise<void> {
  await expect.poll(() => telegram.control.pendingUpdates().length, { timeout: 60_000 }).toBe(0);
  const { rows } = await client.query(
    "select kind, count(*)::int as count from member_event where kind in ('JOINED', 'JOIN_REQUESTED') group by 1",
  );
  const counted = new Map(rows.map(({ kind, count }) => [kind, count]));
  const { joined, requested } = traffic;
  expect({ joined: counted.get("JOINED"), requested: counted.get("JOIN_REQUESTED") }).toEqual({
    joined,
    requested,
  });
  expect((await client.query("select reason from failed_update")).rows).toEqual([]);
}

async function upgrade(installation: Installation, { from, to }: Step): Promise<void> {
  const { traffic, url } = installation;
  const count = to?.migrationCount ?? NAMES.length;
  const applied = NAMES.slice(from.migrationCount, count);
  const longest: Record<string, number> = {};
  const old = await installation.start("old", await mainOf(from));
  await traffic.answered("old", 100);
  if (UPGRADE_LINKS !== undefined) {
    await traffic.end("old");
    await installation.fill(Number(UPGRADE_LINKS));
    await traffic.resume("old");
    await traffic.answered("old", 100);
  }
  longest["before"] = traffic.takeLongest("old");
  const apply = async () => expect(await migrate(url, count)).toEqual(applied);
  const stops = applied.some(needsStop);
  if (stops) {
    await traffic.end("old");
    await old.end("SIGTERM");
    await apply();
  } else {
    await migrateBeside(installation, apply);
    await traffic.answered("old", 100);
    longest["while migrating"] = traffic.takeLongest("old");
  }
  const server = await installation.start("new", await mainOf(to));
  await traffic.answered("new", 200);
  if (!stops) {
    await traffic.answered("old", 100);
    longest["old beside new"] = traffic.takeLongest("old");
    await traffic.end("old");
    await old.end("SIGTERM");
  }
  longest["new beside old"] = traffic.takeLongest("new");
  await traffic.answered("new", 100);
  await traffic.end("new");
  if (count >= MEMBERS && from.migrationCount >= MEMBERS) await expectMembersCounted(installation);
  await server.end("SIGTERM");
  expect(traffic.failures).toEqual([]);
  await expectNothingLost(installation);
  if (UPGRADE_LINKS !== undefined)
    process.stdout.write(`${applied.join(", ")}: longest requests in ms: ${JSON.stringify(longest)}\n`);
}

describe("an upgrade under load", async () => {
  if (missing !== null) {
    it.skip(`skipped: ${missing}`);
    return;
  }
  for (const step of await steps()) {
    it(`fails no request and loses nothing: ${step.title}`, { timeout: 600_000 }, async () => {
      const installation = await UpgradedInstallation.prepare();
      try {
        await upgrade(installation, step);
      } finally {
        await installation.close();
      }
    });
  }
});
