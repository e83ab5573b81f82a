import sql from "sql-template-tag";
import { type Database, retryOnConflict, type UnitOfWork } from "../../database/database.js";
import { isWriteConflict } from "../../database/failures.js";
import type { Caller } from "../shared/caller.js";
import { type FieldError, Problems } from "../shared/errors.js";
import { type Existing, keyOfTag, lookUpExisting } from "./existing.js";
import { type ImportPlan, ImportPlanner } from "./importPlan.js";
import { type LinkRecord, readLink } from "./linkRecord.js";
import { keyOfLink, type TransferLink } from "./transferLink.js";
import { writePlan } from "./writeBatch.js";

/** One record of a source, or why there is none to be had of it. */
export interface SourceRow {
  /** Where it stands there, such as "line 7". */
  readonly place: string;
  readonly record: LinkRecord | { readonly unreadable: string };
}

/** A row that was not imported, and why. */
export interface SkippedRow {
  readonly place: string;
  readonly url: string | null;
  readonly problems: readonly FieldError[];
}

/** What became of the rows so far, and what was made on the way. */
export interface ImportCounts {
  created: number;
  /** Known already, and brought up to date. */
  updated: number;
  /** Known already, and left as they are. */
  known: number;
  skipped: number;
  channels: number;
  tagTypes: number;
  tags: number;
}

export interface ImportOptions {
  /** The channel that all links are of; null where each says its own. */
  readonly chatId: number | null;
  /** Whether links that are known already are brought up to what the source has of them, or left as they are. */
  readonly update: boolean;
  /** Everything is done but writing. */
  readonly dryRun: boolean;
  readonly onSkipped: (row: SkippedRow) => void;
  /** Told after each batch. */
  readonly onProgress: (counts: Readonly<ImportCounts>) => void;
  /** Links stored in one transaction; for tests. */
  readonly batchSize?: number;
  /** Aborted: it ends before the next batch, with what was stored so far. */
  readonly signal?: AbortSignal | undefined;
}

interface Planned {
  readonly plan: ImportPlan;
  /** How many of the batch's links are known, and stay as they are. */
  readonly untouched: number;
}

const BATCH_SIZE = 500;
/** How often a batch is looked at again where somebody else made the same thing at the same time. */
const TRIES = 5;

/** Keeps those of the links that are known from being changed by others; in one order, so that two do not wait for each other. */
async function hold(unit: UnitOfWork, batch: readonly TransferLink[]): Promise<void> {
  await unit.execute(sql`
    select from invite_link l join channel c on c.id = l.channel_id
    where c.chat_id = any(${batch.map(({ chatId }) => chatId)}::bigint[])
      and l.url = any(${batch.map(({ url }) => url)}::text[])
    order by l.id for no key update of l`);
}

/**
 * Imports links that exist already, with their tags, without asking Telegram. A link is known by its address in its
 * channel, so that an import can be repeated, and one that was cut short goes on where it stopped.
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
  readonly #caller: Pick<Caller, "key">;
  readonly #options: ImportOptions;
  /** What a dry run would have made in earlier batches: nothing of it can be looked up. */
  readonly #imagined: Omit<Existing, "links"> & { readonly links: Set<string> } = {
    channels: new Map(),
    types: new Map(),
    tags: new Map(),
    links: new Set(),
  };

  constructor(database: Database, caller: Pick<Caller, "key">, options: ImportOptions) {
    this.#database = database;
    this.#caller = caller;
    this.#options = options;
  }

  /**
   * Takes all rows, in transactions of some hundred each. What was read before the source fails is stored.
   * @throws what the source throws, and the signal's reason
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
        // The same link again is another batch's, which finds what this one made of it.
        if (batch.size >= batchSize || batch.has(key)) await flush();
        batch.set(key, link);
      }
    } finally {
      await flush();
    }
  }

  /** The link of a row; null, having told why, where it is to be skipped. */
  #read({ place, record }: SourceRow): TransferLink | null {
    const problems = new Problems();
    if ("unreadable" in record) problems.add("row", record.unreadable);
    const link = "unreadable" in record ? null : readLink(record, this.#options.chatId, problems);
    if (link !== null) return link;
    this.counts.skipped += 1;
    const url = "url" in record && typeof record.url === "string" ? record.url : null;
    this.#options.onSkipped({ place, url, problems: problems.all });
    return null;
  }

  async #store(batch: readonly TransferLink[]): Promise<void> {
    const { counts } = this;
    const planned = this.#options.dryRun ? await this.#imagine(batch) : await this.#write(batch);
    const { plan, untouched } = planned;
    counts.created += plan.links.length;
    counts.updated += plan.updates.length;
    counts.known += untouched;
    counts.channels += plan.channels.length;
    counts.tagTypes += plan.types.length;
    counts.tags += plan.tags.length;
    this.#options.onProgress(counts);
  }

  #plan(known: Existing, batch: readonly TransferLink[], isMade: (link: TransferLink) => boolean): Planned {
    const planner = new ImportPlanner(known, new Date());
    let untouched = 0;
    for (const link of batch) {
      const found = planner.find(link);
      if (found === undefined && !isMade(link)) planner.add(link);
      else if (found === undefined || !this.#options.update || !planner.update(found, link)) untouched += 1;
    }
    return { plan: planner.plan, untouched };
  }

  #write(batch: readonly TransferLink[]): Promise<Planned> {
    const write = () =>
      this.#database.transaction(async (unit) => {
        if (this.#options.update) await hold(unit, batch);
        const planned = this.#plan(await lookUpExisting(unit.prisma, batch), batch, () => false);
        await writePlan(unit, this.#caller, planned.plan);
        return planned;
      });
    return retryOnConflict(write, (error) => (isWriteConflict(error) ? TRIES : 1));
  }

  async #imagine(batch: readonly TransferLink[]): Promise<Planned> {
    const imagined = this.#imagined;
    const found = await lookUpExisting(this.#database.prisma, batch);
    const known = {
      channels: new Map([...imagined.channels, ...found.channels]),
      types: new Map([...imagined.types, ...found.types]),
      tags: new Map([...imagined.tags, ...found.tags]),
      links: found.links,
    };
    const planned = this.#plan(known, batch, ({ chatId, url }) => imagined.links.has(keyOfLink(chatId, url)));
    const { plan } = planned;
    for (const { chatId, id } of plan.channels) imagined.channels.set(Number(chatId), id);
    for (const { nameKey, id } of plan.types) imagined.types.set(nameKey, id);
    for (const tag of plan.tags) imagined.tags.set(keyOfTag(tag.channelId, tag.typeId, tag.nameKey), tag.id);
    for (const { chatId, url } of batch) imagined.links.add(keyOfLink(chatId, url));
    return planned;
  }
}
