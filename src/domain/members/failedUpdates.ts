import DataLoader from "dataloader";
import sql from "sql-template-tag";
import type { Database } from "../../database/database.js";
import type { Instant } from "../../database/instant.js";
import { statement } from "../../database/statement.js";
import { type PageArguments, readPageArguments } from "../paging/arguments.js";
import { inKeyOrder } from "../paging/batchLoading.js";
import { type CountedPage, type ListStatements, readList } from "../paging/list.js";
import type { Ordering } from "../paging/ordering.js";
import { type Caller, requireEveryChannel, requireRole } from "../shared/caller.js";
import { Problems } from "../shared/errors.js";
import { parseIds } from "../shared/ids.js";
import type { UpdateIngestion } from "./updateIngestion.js";

/** An update that could not be understood or stored. */
export interface FailedUpdate {
  readonly id: string;
  readonly updateId: number;
  readonly receivedAt: Instant;
  /** Without any of the update's values. */
  readonly reason: string;
  /** The update as Telegram sent it, its persons reduced to their ids. */
  readonly body: object;
}

const FAILED_UPDATE = sql`f.id, f.update_id as "updateId", f.received_at as "receivedAt", f.reason, f.body`;

/** Ids of one call at most. */
const MAX_IDS = 100;

const OLDEST_FIRST: Ordering<FailedUpdate> = [
  { key: { name: "id", column: sql`f.id`, type: "uuid", valueOf: ({ id }) => id }, direction: "ASC" },
];

/** The retrying part of UpdateIngestion. */
export type UpdateRetry = Pick<UpdateIngestion, "retry">;

function requireEveryRight(caller: Caller): void {
  requireRole(caller, "ADMIN");
  requireEveryChannel(caller);
}

const STATEMENTS: ListStatements = {
  page: statement("failed_updates_page"),
  exists: statement("failed_updates_beyond"),
  count: statement("failed_updates_count"),
};

/** The updates that were set aside, for one request. */
export class FailedUpdates {
  readonly #database: Database;
  readonly #caller: Caller;
  readonly #ingestion: UpdateRetry;
  readonly #byId: DataLoader<string, FailedUpdate | null>;

  constructor(database: Database, caller: Caller, ingestion: UpdateRetry) {
    this.#database = database;
    this.#caller = caller;
    this.#ingestion = ingestion;
    this.#byId = new DataLoader(async (ids) =>
      inKeyOrder(
        ids,
        await database.query<FailedUpdate>(statement("failed_updates_by_id")`
          select ${FAILED_UPDATE} from failed_update f where f.id = any(${ids}::uuid[])`),
        ({ id }) => id,
      ),
    );
  }

  /** Null for an update that is not set aside, and for a caller who is no administrator of every channel. */
  async find(id: string): Promise<FailedUpdate | null> {
    if (this.#caller.role !== "ADMIN" || this.#caller.chatIds !== null) return null;
    return this.#byId.load(id);
  }

  /** A page of the updates that were set aside, the oldest first. @throws ForbiddenError, ValidationError */
  async page(args: PageArguments): Promise<CountedPage<FailedUpdate>> {
    requireEveryRight(this.#caller);
    const list = {
      statements: STATEMENTS,
      columns: FAILED_UPDATE,
      alias: sql`f`,
      table: sql`failed_update f`,
      where: sql`true`,
    };
    return readList(this.#database, list, OLDEST_FIRST, readPageArguments(args));
  }

  /**
   * Stores updates that were set aside, as if they came now. One that fails again stays set aside, with its new reason.
   * One that is not set aside any more counts as succeeded.
   * @param ids global ids or bare UUIDs, at most 100
   * @throws ForbiddenError, ValidationError
   */
  async retry(input: {
    readonly ids: readonly string[];
  }): Promise<{ readonly succeededCount: number; readonly failedCount: number }> {
    requireEveryRight(this.#caller);
    const problems = new Problems();
    const ids = parseIds("FailedUpdate", input.ids, "ids", problems, MAX_IDS);
    problems.check();
    let failedCount = 0;
    const distinct = [...new Set(ids)].filter((id) => id !== null).sort();
    for (const id of distinct) if (!(await this.#ingestion.retry(id, this.#caller))) failedCount += 1;
    return { succeededCount: distinct.length - failedCount, failedCount };
  }
}
