import { once } from "node:events";
import { createReadStream } from "node:fs";
import { addAbortSignal, type Readable } from "node:stream";
import { Command, InvalidArgumentError, Option } from "commander";
import type { ImportCounts, ImportOptions, SkippedRow, SourceRow } from "../domain/transfer/importLinks.js";
import { addressOption } from "./addressOption.js";
import { columnMapOf, mapOption } from "./columnOptions.js";
import { DATABASE_HELP, withDatabase } from "./database.js";
import { UsageError } from "./errors.js";
import { chatIdOption } from "./idOptions.js";
import { print } from "./output.js";
import { Progress } from "./progress.js";
import { ReportFile } from "./reportFile.js";

/** The caller of an import: its key in the audit entries, and its channels. */
const CALLER = { key: "cli", chatIds: null } as const;
const DEFAULT_PAGE_SIZE = 100;
const MAX_PAGE_SIZE = 1000;
const SHOWN_SKIPPED = 10;
const RUNNING_SERVER = "Stop the server during the import.";

interface Options {
  readonly fromRest?: URL;
  readonly token?: string;
  readonly pageSize: number;
  readonly channel?: number;
  readonly update?: true;
  readonly dryRun?: true;
  readonly report?: string;
  readonly map: readonly string[];
}

function parsePageSize(text: string): number {
  const size = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  if (size < 1 || size > MAX_PAGE_SIZE)
    throw new InvalidArgumentError(`It must be a number from 1 to ${MAX_PAGE_SIZE}.`);
  return size;
}

interface Source {
  readonly rows: AsyncIterable<SourceRow>;
  /** The number of rows; null as long as the source has not stated it. */
  total(): number | null;
}

async function restSource(
  { fromRest, token, channel, pageSize }: Options,
  signal: AbortSignal,
): Promise<Source> {
  if (fromRest === undefined || channel === undefined || token === undefined) {
    throw new UsageError("--from-rest needs --channel, and a token in INVITE_LINKS_IMPORT_TOKEN or --token");
  }
  const { RestSource } = await import("../import-export/restSource.js");
  let total: number | null = null;
  const source = new RestSource({
    url: fromRest,
    token,
    chatId: channel,
    pageSize,
    signal,
    onTotal: (counted) => {
      total = counted;
    },
  });
  return { rows: source.rows(), total: () => total };
}

async function fileSource(file: string | undefined, { map }: Options, signal: AbortSignal): Promise<Source> {
  const fromStdin = file === undefined || file === "-";
  if (file === undefined && process.stdin.isTTY) {
    throw new UsageError("there is nothing to import: name a file, - for stdin, or an API with --from-rest");
  }
  const columns = await columnMapOf(map);
  const { readFileOfLinks } = await import("../import-export/files.js");
  const chunks: Readable = fromStdin ? process.stdin : createReadStream(file);
  // Reports a missing file before the database is opened.
  if (!fromStdin) await once(chunks, "open");
  return { rows: readFileOfLinks(addAbortSignal(signal, chunks), columns), total: () => null };
}

/** The file with every skipped row, and the first of these rows for the summary. */
class Report {
  readonly first: SkippedRow[] = [];
  readonly #file: ReportFile;

  constructor(file: ReportFile) {
    this.#file = file;
  }

  add(row: SkippedRow): void {
    if (this.first.length < SHOWN_SKIPPED) this.first.push(row);
    this.#file.add(row);
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}

const inWords = ({ place, problems }: SkippedRow): string =>
  `${place}: ${problems.map(({ field, message }) => `${field}: ${message}`).join(" ")}`;

function printSummary(counts: Readonly<ImportCounts>, skipped: readonly SkippedRow[], dryRun: boolean): void {
  const made = `${counts.channels} channels, ${counts.tagTypes} tag types, ${counts.tags} tags`;
  const lines = [
    dryRun ? "This was a dry run: nothing was written. An import would give:" : "",
    `Links: ${counts.created} imported, ${counts.updated} updated, ${counts.known} existed already, ${counts.skipped} skipped`,
    `Created for them: ${made}`,
    ...skipped.map((row) => `Skipped ${inWords(row)}`),
  ];
  print({ ...counts, dryRun, firstSkipped: skipped }, lines.filter((line) => line !== "").join("\n"));
}

/** The first Ctrl-C stops the import after the current batch, the second one ends the process at once. */
function interruption(): { signal: AbortSignal; forget: () => void } {
  const controller = new AbortController();
  const stop = () =>
    controller.abort(
      new Error("Stopped. The links imported so far are kept; repeat the command to import the rest."),
    );
  const signals = ["SIGINT", "SIGTERM"] as const;
  for (const name of signals) process.once(name, stop);
  return {
    signal: controller.signal,
    forget: () => {
      for (const name of signals) process.off(name, stop);
    },
  };
}

/** Replaces the AbortErrors of Node.js by the reason of the signal. */
const reasonOf = (error: unknown, { aborted, reason }: AbortSignal): unknown => (aborted ? reason : error);

async function importFrom(
  source: Source,
  report: Report,
  options: Options,
  signal: AbortSignal,
): Promise<void> {
  const { LinkImport } = await import("../domain/transfer/importLinks.js");
  const progress = new Progress();
  const dryRun = options.dryRun === true;
  const importing: ImportOptions = {
    chatId: options.channel ?? null,
    update: options.update === true,
    dryRun,
    signal,
    onSkipped: (row) => report.add(row),
    onProgress: ({ created, updated, known, skipped }) => {
      const total = source.total();
      const done = created + updated + known + skipped;
      progress.show(`${done}${total === null ? "" : ` of ${total}`} links, ${created} of them new`);
    },
  };
  await withDatabase(RUNNING_SERVER, async ({ database }) => {
    const running = new LinkImport(database, CALLER, importing);
    try {
      await running.run(source.rows);
    } catch (error) {
      throw reasonOf(error, signal);
    } finally {
      progress.end();
      await report.close();
      printSummary(running.counts, report.first, dryRun);
    }
    const [first] = report.first;
    if (!first) return;
    const all =
      options.report === undefined
        ? "--report FILE writes all of them to a file"
        : `all of them are in ${options.report}`;
    const { skipped } = running.counts;
    throw new Error(
      `${skipped} ${skipped === 1 ? "row was" : "rows were"} skipped. The first: ${inWords(first)} (${all})`,
    );
  });
}

async function run(file: string | undefined, options: Options): Promise<void> {
  if (options.fromRest !== undefined && file !== undefined) {
    throw new UsageError("name a file or use --from-rest, not both");
  }
  if (options.fromRest !== undefined && options.map.length > 0) {
    throw new UsageError("--map is for files only, because the properties of an API have fixed names");
  }
  const { signal, forget } = interruption();
  try {
    const source = options.fromRest
      ? await restSource(options, signal)
      : await fileSource(file, options, signal);
    await importFrom(source, new Report(await ReportFile.open(options.report)), options, signal);
  } finally {
    forget();
  }
}

export const importCommand = (): Command =>
  new Command("import")
    .description("Import existing links from a file or another API. Telegram is not contacted.")
    .argument("[file]", "a file with CSV, JSON lines or a JSON array; - or nothing for stdin")
    .option(
      "--from-rest <url>",
      "import from the API with this base address instead of a file",
      addressOption,
    )
    .addOption(
      new Option(
        "--token <token>",
        "the API token; prefer the variable, because other users of this machine can see arguments",
      ).env("INVITE_LINKS_IMPORT_TOKEN"),
    )
    .option(
      "--page-size <n>",
      "the number of links to request from the API at a time",
      parsePageSize,
      DEFAULT_PAGE_SIZE,
    )
    .option(
      "--channel <id>",
      "the Telegram id of the channel of all links; a file can name a channel for each link instead",
      chatIdOption,
    )
    .option("--update", "update links that exist already, instead of leaving them unchanged")
    .addOption(mapOption())
    .option("--dry-run", "check everything, but write nothing")
    .option("--report <file>", "write each skipped row and the reason to this file, as JSON lines")
    .addHelpText("after", DATABASE_HELP)
    .addHelpText(
      "after",
      `
A link is recognised by its address, so the command can be repeated, and continues after it was stopped. Rows with
errors are skipped and give the exit code 1; all other rows are imported.

The fields are url, name, budget, created_at, expire_date, tag:TYPE… (docs/import-export.md has the full list). An
address may have any spelling (t.me/+…, joinchat/…, tg://join?invite=…). A date is ISO 8601, PostgreSQL's form or
21.11.2026, in UTC unless it names an offset. A budget is a number such as 1500.50 or 1 500,50.

In a pipe the output is JSON: {"created": 2, "updated": 0, "known": 1, "skipped": 0, …}.

Examples:
  $ invite-links import links.csv --channel -1001234567890 --dry-run
  $ invite-links import links.csv --map url=Ссылка --map budget=Бюджет --map tag:Platform=Площадка
  $ invite-links import --from-rest https://links.example.com/api --channel -1001234567890`,
    )
    .action(run);
