import { createWriteStream } from "node:fs";
import { open, realpath, rename, rm, stat } from "node:fs/promises";
import { extname } from "node:path";
import { pipeline } from "node:stream/promises";
import { Command, Option } from "commander";
import type { LinkExport } from "../domain/transfer/exportLinks.js";
import type { Format } from "../import-export/files.js";
import { DATABASE_HELP, withDatabase } from "./database.js";
import { UsageError } from "./errors.js";
import { chatIdOption } from "./idOptions.js";
import { note, print } from "./output.js";
import { Progress } from "./progress.js";

const RUNNING_SERVER = "Stop the server during the export.";
const FORMATS: readonly Format[] = ["csv", "jsonl"];

interface Options {
  readonly channel: number;
  readonly format?: Format;
  readonly output?: string;
  readonly stats?: boolean;
}

/**
 * Writes a file completely or not at all: a temporary file replaces it at the end. A target that is not a regular file,
 * such as a pipe, is written directly.
 */
async function writeFile(file: string, texts: AsyncIterable<string>): Promise<void> {
  // If the path is a symbolic link, its target is replaced, not the link itself.
  const target = await realpath(file).catch(() => file);
  const found = await stat(target).catch(() => null);
  if (found && !found.isFile()) {
    await pipeline(texts, createWriteStream(target));
    return;
  }
  const temporary = `${target}.${process.pid}.part`;
  try {
    const handle = await open(temporary, "wx", found?.mode ?? 0o666);
    await pipeline(texts, handle.createWriteStream({ flush: true }));
    await rename(temporary, target);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** A reader that stops early, such as `head`, is not an error. */
async function writeStdout(texts: AsyncIterable<string>): Promise<void> {
  try {
    await pipeline(texts, process.stdout);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EPIPE") throw error;
  }
}

async function* counting(links: LinkExport["links"], onLink: (count: number) => void): LinkExport["links"] {
  let count = 0;
  for await (const link of links) {
    count += 1;
    onLink(count);
    yield link;
  }
}

/** @throws UsageError for a file of another format */
function formatOf({ format, output }: Options): Format {
  if (format !== undefined) return format;
  const extension = extname(output ?? "").toLowerCase();
  if (extension === "") return "csv";
  const named = FORMATS.find((name) => extension === `.${name}`);
  if (named === undefined)
    throw new UsageError(
      `links cannot be written as ${extension}, only as ${FORMATS.join(" or ")}; see --format`,
    );
  return named;
}

async function run(options: Options): Promise<void> {
  const { exportLinks } = await import("../domain/transfer/exportLinks.js");
  const { NotFoundError } = await import("../domain/shared/errors.js");
  const { FORMATS: formats, inChunks } = await import("../import-export/files.js");
  const { channel, output = "-", stats = false } = options;
  const format = formatOf(options);
  const progress = new Progress();
  let written = 0;
  await withDatabase(RUNNING_SERVER, ({ database }) =>
    exportLinks(
      database,
      channel,
      async (exported) => {
        const onLink = (count: number) => {
          written = count;
          // No progress line while the links themselves are printed on the terminal.
          if (!process.stdout.isTTY || output !== "-") progress.show(`${count} of ${exported.total} links`);
        };
        const links = counting(exported.links, onLink);
        const texts = inChunks(formats[format]({ ...exported, links }));
        await (output === "-" ? writeStdout(texts) : writeFile(output, texts));
      },
      { stats },
    )
      .catch((error: unknown) => {
        throw error instanceof NotFoundError
          ? new Error(`There is no channel with the id ${channel} in the database.`)
          : error;
      })
      .finally(() => progress.end()),
  );
  if (output !== "-") print({ links: written }, `${written} links were written to ${output}`);
  else if (process.stderr.isTTY) note(`${written} links were written`);
}

export const exportCommand = (): Command =>
  new Command("export")
    .description(
      "Write the links of a channel to a file that import can read. The links are those of one moment, the oldest first.",
    )
    .requiredOption("--channel <id>", "the Telegram id of the channel", chatIdOption)
    .addOption(
      new Option(
        "--format <format>",
        "csv or jsonl (default: by the end of the file's name; csv where it has none)",
      ).choices(FORMATS),
    )
    .option("--output <file>", "the file, written completely or not at all; - or nothing for stdout")
    .option("--stats", "also write the numbers of each link's members; import ignores them")
    .addHelpText("after", DATABASE_HELP)
    .addHelpText(
      "after",
      `
Examples:
  $ invite-links export --channel -1001234567890 --output links.csv
  $ invite-links export --channel -1001234567890 --format jsonl | jq -r .url`,
    )
    .action(run);
