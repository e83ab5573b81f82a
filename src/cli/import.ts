import { once } from "node:events";
import { createReadStream, createWriteStream, type WriteStream } from "node:fs";
import { addAbortSignal, type Readable } from "node:stream";
import { finished } from "node:stream/promises";
import { Command, InvalidArgumentError, Option } from "commander";
import type { ImportCounts, ImportOptions, SkippedRow, SourceRow } from "../domain/transfer/importLinks.js";
import type { ColumnMap } from "../import-export/columnMap.js";
import { SourceError } from "../import-export/sourceError.js";
import { DATABASE_HELP, withDatabase } from "./database.js";
import { UsageError } from "./errors.js";
import { chatIdOption } from "./idOptions.js";
import { print } from "./output.js";
import { Progress } from "./progress.js";

/** Noted in the audit as who made the change. */
const CALLER = { key: "cli" } as const;
const DEFAULT_PAGE_SIZE = 100;
const MAX_PAGE_SIZE = 1000;
const SHOWN_SKIPPED = 10;
const RUNNING_SERVER = "stop it for as long as the import takes.";

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

function parseAddress(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (!url || !/^https?:$/.test(url.protocol))
    throw new InvalidArgumentError("It must be an http(s) address.");
  if (url.username || url.password || url.search || url.hash) {
    throw new InvalidArgumentError("It must be no more than what the API's paths begin with.");
  }
  return url;
}

function parsePageSize(text: string): number {
  const size = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  if (size < 1 || size > MAX_PAGE_SIZE)
    throw new InvalidArgumentError(`It must be from 1 to ${MAX_PAGE_SIZE}.`);
  return size;
}

/** Rows as the source gives them, and how many there are where it says so. */
interface Source {
  readonly rows: AsyncIterable<SourceRow>;
  total(): number | null;
}

async function restSource(
  { fromRest, token, channel, pageSize }: Options,
  signal: AbortSignal,
): Promise<Source> {
  if (fromRest === undefined || channel === undefined || token === undefined) {
    throw new UsageError(
      "--from-rest takes --channel, and a token: in INVITE_LINKS_IMPORT_TOKEN, or by --token",
    );
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

/** @throws UsageError */
async function columnMapOf(mappings: readonly string[]): Promise<ColumnMap> {
  const { readColumnMap } = await import("../import-export/columnMap.js");
  try {
    return readColumnMap(mappings);
  } catch (error) {
    throw error instanceof SourceError ? new UsageError(error.message) : error;
  }
}

async function fileSource(file: string | undefined, { map }: Options, signal: AbortSignal): Promise<Source> {
  const fromStdin = file === undefined || file === "-";
  if (file === undefined && process.stdin.isTTY) {
    throw new UsageError("name a file, - for stdin, or an API by --from-rest");
  }
  const columns = await columnMapOf(map);
  const { readFileOfLinks } = await import("../import-export/files.js");
  const chunks: Readable = fromStdin ? process.stdin : createReadStream(file);
  // Found missing before a database is opened for it.
  if (!fromStdin) await once(chunks, "open");
  return { rows: readFileOfLinks(addAbortSignal(signal, chunks), columns), total: () => null };
}

/** Where every row that was skipped is written. */
class Report {
  readonly first: SkippedRow[] = [];
  readonly #stream: WriteStream | null;

  private constructor(stream: WriteStream | null) {
    this.#stream = stream;
  }

  static async open(file: string | undefined): Promise<Report> {
    if (file === undefined) return new Report(null);
    const stream = createWriteStream(file);
    await once(stream, "open");
    // What fails later is thrown when it is closed.
    stream.on("error", () => {});
    return new Report(stream);
  }

  add(row: SkippedRow): void {
    if (this.first.length < SHOWN_SKIPPED) this.first.push(row);
    this.#stream?.write(`${JSON.stringify(row)}\n`);
  }

  async close(): Promise<void> {
    if (!this.#stream) return;
    this.#stream.end();
    await finished(this.#stream);
  }
}

const inWords = ({ place, problems }: SkippedRow): string =>
  `${place}: ${problems.map(({ field, message }) => `${field}: ${message}`).join(" ")}`;

function printSummary(counts: Readonly<ImportCounts>, skipped: readonly SkippedRow[], dryRun: boolean): void {
  const made = `channels ${counts.channels}, tag types ${counts.tagTypes}, tags ${counts.tags}`;
  const lines = [
    dryRun ? "A dry run: nothing was written. It would have been:" : "",
    `${counts.created} imported, ${counts.updated} updated, ${counts.known} known already, ${counts.skipped} skipped`,
    `new with them: ${made}`,
    ...skipped.map((row) => `skipped, ${inWords(row)}`),
  ];
  print({ ...counts, dryRun, firstSkipped: skipped }, lines.filter((line) => line !== "").join("\n"));
}

/** Ends at Ctrl-C after the batch at hand; at a second one at once. */
function interruption(): { signal: AbortSignal; forget: () => void } {
  const controller = new AbortController();
  const stop = () =>
    controller.abort(new Error("Stopped. What was imported stays; the same command goes on from there."));
  const signals = ["SIGINT", "SIGTERM"] as const;
  for (const name of signals) process.once(name, stop);
  return {
    signal: controller.signal,
    forget: () => {
      for (const name of signals) process.off(name, stop);
    },
  };
}

/** An AbortSignal's reason, whatever of Node.js was the first to notice that it is aborted. */
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
      options.report === undefined ? "--report FILE lists them all" : `all are in ${options.report}`;
    throw new Error(`${running.counts.skipped} skipped, the first at ${inWords(first)} (${all})`);
  });
}

async function run(file: string | undefined, options: Options): Promise<void> {
  if (options.fromRest !== undefined && file !== undefined) {
    throw new UsageError("links come from a file or from --from-rest, not from both");
  }
  if (options.fromRest !== undefined && options.map.length > 0) {
    throw new UsageError("--map is for files: an API's properties have their names");
  }
  const { signal, forget } = interruption();
  try {
    const source = options.fromRest
      ? await restSource(options, signal)
      : await fileSource(file, options, signal);
    await importFrom(source, await Report.open(options.report), options, signal);
  } finally {
    forget();
  }
}

export const importCommand = (): Command =>
  new Command("import")
    .description("Take over links that exist already, from files or another API. Telegram is not asked.")
    .argument("[file]", "CSV, JSON lines or a JSON array, whichever it is; - or none for stdin")
    .option("--from-rest <url>", "read the API whose paths begin with this address, instead", parseAddress)
    .addOption(
      new Option(
        "--token <token>",
        "for the API; other users of the machine may see it, unless it is in",
      ).env("INVITE_LINKS_IMPORT_TOKEN"),
    )
    .option(
      "--page-size <n>",
      "how many links the API is asked for at a time",
      parsePageSize,
      DEFAULT_PAGE_SIZE,
    )
    .option("--channel <id>", "the channel of all links; files may name each link's instead", chatIdOption)
    .option(
      "--update",
      "bring links that are known already up to what the source has, rather than leave them",
    )
    .addOption(
      new Option(
        "--map <field=column>",
        "what a column (in JSON: a property) holds that is called otherwise; repeatable",
      )
        .argParser((text: string, mappings: readonly string[]) => [...mappings, text])
        .default([], "none"),
    )
    .option("--dry-run", "do everything but write")
    .option("--report <file>", "where to write each row that was skipped, and why, as JSON lines")
    .addHelpText("after", DATABASE_HELP)
    .addHelpText(
      "after",
      `
Links are known by their addresses, so that the command can be repeated, and goes on where it was stopped. Rows that
are not acceptable are skipped, and make the exit code 1; all others are imported.

Fields are url, name, budget, created_at, expire_date, tag:TYPE… (docs/import-export.md has them all). An address is read in
any spelling (t.me/+…, joinchat/…, tg://join?invite=…), a date as ISO 8601, as PostgreSQL writes it, or as 21.11.2026,
in UTC where it names no offset, and a budget as 1500.50 or 1 500,50.

In a pipe the output is JSON: {"created": 2, "updated": 0, "known": 1, "skipped": 0, …}.

Examples:
  $ invite-links import links.csv --channel -1001234567890 --dry-run
  $ invite-links import links.csv --map url=Ссылка --map budget=Бюджет --map tag:Platform=Площадка
  $ invite-links import --from-rest https://links.example.com/api --channel -1001234567890`,
    )
    .action(run);
