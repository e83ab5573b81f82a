import { Command } from "commander";
import type { Difference } from "../domain/links/counts/recount.js";
import { DATABASE_HELP, withDatabase } from "./database.js";
import { chatIdOption } from "./idOptions.js";
import { print, table } from "./output.js";

interface Options {
  readonly channel?: number;
  readonly check?: boolean;
}

function readable(differences: readonly Difference[], isRepaired: boolean): string {
  if (differences.length === 0) return "Nothing differs.";
  const rows = differences.map(({ counter, channelId, problem, rows, example }) => [
    counter,
    channelId === null ? "none" : String(channelId),
    String(rows),
    problem,
    example,
  ]);
  const found = table([["COUNTER", "CHANNEL", "ROWS", "PROBLEM", "EXAMPLE"], ...rows]);
  return `${found}\n${isRepaired ? "All of it was put right." : "Nothing was changed."}`;
}

async function run({ channel, check = false }: Options): Promise<void> {
  const { recount } = await import("../domain/links/counts/recount.js");
  const { NotFoundError } = await import("../domain/shared/errors.js");
  await withDatabase("stop it for as long as this takes.", async ({ database }) => {
    const options = { chatId: channel ?? null, checkOnly: check };
    const differences = await recount(database, options).catch((error: unknown) => {
      throw error instanceof NotFoundError ? new Error(`The channel ${channel} is not known here.`) : error;
    });
    print({ differences, repaired: !check && differences.length > 0 }, readable(differences, !check));
    if (check && differences.length > 0) process.exitCode = 1;
  });
}

export const recountCommand = (): Command =>
  new Command("recount")
    .description("Work out anew what is counted of links, and say where the counters differed.")
    .option("--channel <id>", "only this channel, by its Telegram id (default: every channel)", chatIdOption)
    .option("--check", "change nothing, and exit with 1 where a counter differs")
    .addHelpText("after", DATABASE_HELP)
    .addHelpText(
      "after",
      `
With --check it reads one snapshot, and keeps no server from writing. Without it, servers on the same database wait
for one short transaction at a time. In a pipe the output is JSON:
{"differences": [{"counter": "…", "channelId": …, "problem": "…", "rows": …, "example": "…"}], "repaired": …}.

Examples:
  $ invite-links recount --check
  $ invite-links recount --channel -1001234567890`,
    )
    .action(run);
