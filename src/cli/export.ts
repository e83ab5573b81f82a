import { createWriteStream } from "node:fs";
import { open, realpath, rename, rm, stat } from "node:fs/promises";
import { extname } from "node:path";
import { pipeline } from "node:stream/promises";
import { Command, Option } from "commander";
import type { LinkExport } from "../domain/transfer/exportLinks.js";
import type { Format } from "../import-export/files.js";
import { DATABASE_HELP, withDatabase } from "./database.js";
import { chatIdOption } from "./idOptions.js";
import { Progress } from "./progress.js";

const RUNNING_SERVER = "stop it for as long as the export takes.";
const FORMATS: readonly Format[] = ["csv", "jsonl"];
const CHUNK_LENGTH = 65_536;

interface Options {
  readonly channel: number;
  readonly format?: Format;
  readonly output?: string;
}

/** Texts gathered into chunks that are worth a write. */
async function* inChunks(texts: AsyncIterable<string>): AsyncGenerator<string> {
  let chunk = "";
  for await (const text of texts) {
    chunk += text;
    if (chunk.length < CHUNK_LENGTH) continue;
    yield chunk;
    chunk = "";
  }
  if (chunk !== "") yield chunk;
}

/** Writes a file whole or not at all; what is no ordinary file, such as a pipe, as it comes. */
async function writeFile(file: string, texts: AsyncIterable<string>): Promise<void> {
  // The file that a link leads to is replaced, not the link.
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

/** Whoever reads has enough, such as `head`: nothing that anybody has to be told. */
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

const formatOf = ({ format, output }: Options): Format =>
  format ?? FORMATS.find((known) => extname(output ?? "").toLowerCase() === `.${known}`) ?? "csv";

async function run(options: Options): Promise<void> {
  const { exportLinks } = await import("../domain/transfer/exportLinks.js");
  const { NotFoundError } = await import("../domain/shared/errors.js");
  const formats = (await import("../import-export/files.js")).FORMATS;
  const { channel, output = "-" } = options;
  const progress = new Progress();
  await withDatabase(RUNNING_SERVER, ({ database }) =>
    exportLinks(database, channel, async (exported) => {
      const onLink = (count: number) => {
        // Where stdout is the terminal, the links themselves are what is seen.
        if (!process.stdout.isTTY || output !== "-") progress.show(`${count} of ${exported.total} links`);
      };
      const links = counting(exported.links, onLink);
      const texts = inChunks(formats[formatOf(options)]({ ...exported, links }));
      await (output === "-" ? writeStdout(texts) : writeFile(output, texts));
    })
      .catch((error: unknown) => {
        throw error instanceof NotFoundError ? new Error(`The channel ${channel} is not known here.`) : error;
      })
      .finally(() => progress.end()),
  );
}

export const exportCommand = (): Command =>
  new Command("export")
    .description(
      "Write a channel's links, the oldest first, as they are at one moment; import reads the result.",
    )
    .requiredOption("--channel <id>", "the channel, by its Telegram id", chatIdOption)
    .addOption(
      new Option("--format <format>", "csv or jsonl (default: by the file's name, else csv)").choices(
        FORMATS,
      ),
    )
    .option("--output <file>", "written whole or not at all; - or none for stdout")
    .addHelpText("after", DATABASE_HELP)
    .addHelpText(
      "after",
      `
Examples:
  $ invite-links export --channel -1001234567890 --output links.csv
  $ invite-links export --channel -1001234567890 --format jsonl | jq -r .url`,
    )
    .action(run);
