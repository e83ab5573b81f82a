import { Command } from "commander";
import type { Difference } from "../domain/links/counts/recount.js";
import { CALLER } from "./caller.js";
import { DATABASE_HELP, withDatabase } from "./database.js";
import { chatIdOption } from "./idOptions.js";
import { print, table } from "./output.js";

interface Options {
  readonly channel?: number;
  readonly check?: boolean;
}

function readable(differences: readonly Difference[], isRepaired: boolean): string {
  if (differences.length === 0) return "All counters are right.";
  const rows = differences.map(({ counter, chatId, problem, rows, example }) => [
    counter,
    chatId === null ? "none" : String(chatId),
    String(rows),
    problem,
    example,
  ]);
  const found = table([["TABLE", "CHANNEL", "ROWS", "PROBLEM", "EXAMPLE"], ...rows]);
  return `${found}\n${isRepaired ? "All of them were corrected." : "Nothing was changed."}`;
}

async function run({ channel, check = false }: Options): Promise<void> {
  const { recount } = await import("../domain/links/counts/recount.js");
  const { NotFoundError } = await import("../domain/shared/errors.js");
  await withDatabase("Stop the server during the recount.", async ({ database }) => {
    const options = { chatId: channel ?? null, checkOnly: check };
    const differences = await recount(database, options, CALLER).catch((error: unknown) => {
      throw error instanceof NotFoundError
        ? new Error(`There is no channel with the id ${channel} in the database.`)
        : error;
    });
    // In the JSON, whose names are part of the contract, channelId is the chat id.
    const shown = differences.map(({ counter, chatId, ...rest }) => ({
      counter,
      channelId: chatId,
      ...rest,
    }));
    print({ differences: shown, repaired: !check && differences.length > 0 }, readable(differences, !check));
    if (check && differences.length > 0) process.exitCode = 1;
  });
}

export const recountCommand = (): Command =>
  new Command("recount")
    .description(
      "Compare the counters of links and members with what they count, and correct the counters that differ.",
    )
    .option(
      "--channel <id>",
      "check only the channel with this Telegram id (default: all channels)",
      chatIdOption,
    )
    .option("--check", "only compare: change nothing, and exit with 1 if a counter differs")
    .addHelpText("after", DATABASE_HELP)
    .addHelpText(
      "after",
      `
The server keeps the numbers of links, tags, budgets and members in counters. They can be wrong after data was written
past the server, such as by restoring a table. Links are counted in blocks of up to 8,192 links of one channel, members by
link and by quarter of an hour.

With --check the command reads one snapshot, and servers can write meanwhile. Without --check, writers of a channel wait
while one of its tables is corrected. For the tables of members this takes some seconds for each million stays; updates
of the channel that wait longer than 10 seconds come again. In a pipe the output is JSON:
{"differences": [{"counter": "…", "channelId": …, "problem": "…", "rows": …, "example": "…"}], "repaired": …}.

Examples:
  $ invite-links recount --check
  $ invite-links recount --channel -1001234567890`,
    )
    .action(run);
