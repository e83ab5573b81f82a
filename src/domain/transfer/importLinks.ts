import { type Database, retryOnConflict, type UnitOfWork } from "../../database/database.js";
import { isWriteConflict } from "../../database/failures.js";
import { statement } from "../../database/statement.js";
import { lockExternalIds } from "../links/externalIds.js";
import { EXTERNAL_ID_TAKEN } from "../links/settings.js";
import { type Caller, mayUseEveryChannel } from "../shared/caller.js";
import { type FieldError, Problems } from "../shared/errors.js";
import { DryRun } from "./dryRun.js";
import { type ExistingRows, findExistingRows } from "./existingRows.js";
import { type ImportPlan, ImportPlanner } from "./importPlan.js";
import { type LinkRecord, readLink } from "./linkRecord.js";
import { keyOfLink, type TransferLink } from "./transferLink.js";
import { writePlan } from "./writePlan.js";

/** One row of a source. */
export interface SourceRow {
  /** The row's place in the source, such as "line 7". */
  readonly place: string;
  /** The row as a record, or why it cannot be read as one. */
  readonly record: LinkRecord | { readonly unreadable: string };
}

/** A row that was not imported. */
export interface SkippedRow {
  readonly place: string;
  /** Null if the row has no address. */
  readonly url: string | null;
  readonly problems: readonly FieldError[];
}

/** Numbers of links and of the rows that were created for them, so far. */
export interface ImportCounts {
  created: number;
  /** Existing links that were changed. */
  updated: number;
  /** Existing links that were left unchanged. */
  known: number;
  skipped: number;
  channels: number;
  tagTypes: number;
  tags: number;
}

export type ImportCaller = Pick<Caller, "key" | "chatIds">;

export interface ImportOptions {
  /** The chat of all links; null if each record names its own. */
  readonly chatId: number | null;
  /** Whether existing links are changed to what the source has; otherwise they are left unchanged. */
  readonly update: boolean;
  /** Whether everything is done but writing. */
  readonly dryRun: boolean;
  readonly onSkipped: (row: SkippedRow) => void;
  /** Called after each batch. */
  readonly onProgress: (counts: Readonly<ImportCounts>) => void;
  /** Links that are stored in one transaction; for tests. */
  readonly batchSize?: number;
  /** When it is aborted, the import ends after the current batch, which is stored. */
  readonly signal?: AbortSignal | undefined;
}

interface PlannedBatch {
  readonly plan: ImportPlan;
  /** Links that the stored rows do not allow. */
  readonly refused: readonly { readonly link: TransferLink; readonly problem: FieldError }[];
  /** How many of the batch's links exist already and stay unchanged. */
  readonly unchanged: number;
}

const BATCH_SIZE = 500;
/** How often a batch is planned and written if another writer creates the same rows at the same time. */
const MAX_TRIES = 5;

/** Lets nobody else take the external ids of a batch. */
async function lockExternalIdsOf(unit: UnitOfWork, batch: readonly TransferLink[]): Promise<void> {
  const chatIds = batch.flatMap(({ chatId, fields }) => (fields.externalId == null ? [] : BigInt(chatId)));
  if (chatIds.length === 0) return;
  const channels = await unit.prisma.channel.findMany({
    where: { chatId: { in: [...new Set(chatIds)] } },
    select: { id: true },
  });
  await lockExternalIds(
    unit,
    channels.map(({ id }) => id),
  );
}

/** Locks the existing links of a batch against changes, ordered by id, so that two imports do not deadlock. */
async function lockLinks(unit: UnitOfWork, batch: readonly TransferLink[]): Promise<void> {
  await unit.execute(statement("import_lock_links")`
    select from invite_link l join channel c on c.id = l.channel_id
    where c.chat_id = any(${batch.map(({ chatId }) => chatId)}::bigint[])
      and l.url = any(${batch.map(({ url }) => url)}::text[])
    order by l.id for no key update of l`);
}

/**
 * Imports links that exist in Telegram already, with their tags, without calling Telegram. A link is identified by its
 * channel and its address, so an import can be repeated, and repeating one that was cut short completes it.
 */
export class LinkImport {
  readonly counts: ImportCounts = {
    created: 0,
    updated: 0,
    known: 0,
    skipped: 0,
    channels: 0,
    tagTypes: 0,
    tags: 0,
  };
  readonly #database: Database;
  readonly #caller: ImportCaller;
  readonly #options: ImportOptions;
  readonly #dryRun = new DryRun();

  constructor(database: Database, caller: ImportCaller, options: ImportOptions) {
    this.#database = database;
    this.#caller = caller;
    this.#options = options;
  }

  /**
   * Imports all rows, in transactions of up to 500 links. Rows that were read before the source fails are stored.
   * @throws the error of the source, or the reason of the signal.
   */
  async run(rows: AsyncIterable<SourceRow>): Promise<void> {
    const { batchSize = BATCH_SIZE } = this.#options;
    const batch = new Map<string, TransferLink>();
    const flush = async () => {
      const links = [...batch.values()];
      batch.clear();
      if (links.length > 0) await this.#store(links);
    };
    try {
      for await (const row of rows) {
        this.#options.signal?.throwIfAborted();
        const link = this.#read(row);
        if (link === null) continue;
        const key = keyOfLink(link.chatId, link.url);
        // A link that occurs twice goes into the next batch, which finds it as this one stored it.
        if (batch.size >= batchSize || batch.has(key)) await flush();
        batch.set(key, link);
      }
    } finally {
      await flush();
    }
  }

  /** The link of a row; null for a row that is skipped, which is reported. */
  #read({ place, record }: SourceRow): TransferLink | null {
    const problems = new Problems();
    if ("unreadable" in record) problems.add("row", record.unreadable);
    const link = "unreadable" in record ? null : readLink(record, this.#options.chatId, problems);
    if (link !== null) return { place, ...link };
    this.counts.skipped += 1;
    const url = "url" in record && typeof record.url === "string" ? record.url : null;
    this.#options.onSkipped({ place, url, problems: problems.all });
    return null;
  }

  async #store(batch: readonly TransferLink[]): Promise<void> {
    const { counts } = this;
    const { plan, unchanged, refused } = this.#options.dryRun
      ? await this.#planDryRun(batch)
      : await this.#planAndWrite(batch);
    for (const { link, problem } of refused) {
      counts.skipped += 1;
      this.#options.onSkipped({ place: link.place, url: link.url, problems: [problem] });
    }
    counts.created += plan.links.length;
    counts.updated += plan.updates.length;
    counts.known += unchanged;
    counts.channels += plan.channels.length;
    counts.tagTypes += plan.types.length;
    counts.tags += plan.tags.length;
    this.#options.onProgress(counts);
  }

  /** @param isCreated whether an earlier batch of a dry run would have created the link. */
  #plan(
    existing: ExistingRows,
    batch: readonly TransferLink[],
    isCreated: (link: TransferLink) => boolean,
  ): PlannedBatch {
    const planner = new ImportPlanner(existing, new Date());
    const refused: { link: TransferLink; problem: FieldError }[] = [];
    let unchanged = 0;
    for (const link of batch) {
      const found = planner.find(link);
      const isWritten = (found === undefined && !isCreated(link)) || (found && this.#options.update);
      const problem = isWritten ? this.#problemOf(link, planner) : null;
      if (problem) refused.push({ link, problem });
      else if (found === undefined && !isCreated(link)) planner.add(link);
      else if (found === undefined || !this.#options.update || !planner.update(found, link)) unchanged += 1;
    }
    return { plan: planner.plan, unchanged, refused };
  }

  /** Why a link is not written. */
  #problemOf(link: TransferLink, planner: ImportPlanner): FieldError | null {
    if (planner.isExternalIdTaken(link)) return { field: "external_id", message: EXTERNAL_ID_TAKEN };
    const [unknown] = mayUseEveryChannel(this.#caller) ? [] : planner.unknownTypes(link);
    if (unknown === undefined) return null;
    const message = `There is no tag type ${JSON.stringify(unknown)}, and only a token that may use every channel creates one.`;
    return { field: "tags", message };
  }

  #planAndWrite(batch: readonly TransferLink[]): Promise<PlannedBatch> {
    const write = () =>
      this.#database.transaction(async (unit) => {
        await lockExternalIdsOf(unit, batch);
        if (this.#options.update) await lockLinks(unit, batch);
        const planned = this.#plan(await findExistingRows(unit, batch), batch, () => false);
        await writePlan(unit, this.#caller, planned.plan);
        return planned;
      });
    return retryOnConflict(write, (error) => (isWriteConflict(error) ? MAX_TRIES : 1));
  }

  async #planDryRun(batch: readonly TransferLink[]): Promise<PlannedBatch> {
    const existing = this.#dryRun.existing(await findExistingRows(this.#database, batch));
    const planned = this.#plan(existing, batch, (link) => this.#dryRun.hasLink(link));
    this.#dryRun.addLinks(batch);
    return planned;
  }
}
