import type { Database } from "../../database/database.js";
import type { DirectTransaction } from "../../database/directTransaction.js";
import { failureOf, unavailabilityOf } from "../../database/failures.js";
import { MEMBER_EVENTS } from "../../database/presence.js";
import { statement } from "../../database/statement.js";
import { type ReceivedUpdate, readUpdate } from "../../telegram/updates.js";
import { type AuditEntry, auditMany } from "../shared/audit.js";
import type { Caller } from "../shared/caller.js";
import { newId } from "../shared/ids.js";
import { type ArrayColumn, namesOf, type RecordType, recordsOf } from "../stays/arrays.js";
import { type Ingestion, type PollerTerm, PollerTermOverError } from "./ingestion.js";
import { storeMeaning } from "./storeBatch.js";

export interface IngestionOptions {
  readonly database: Database;
  /** Telegram's id of the bot whose updates are stored. */
  readonly botId: number;
  /** Whether other servers can use the database, so that they are notified. */
  readonly notifies: boolean;
  /** Called after a commit with the ids of the channels in which something happened. */
  readonly onStored?: (channelIds: readonly string[]) => void;
  /** Called with the number of updates that were stored before, or are twice in a batch. */
  readonly onRepeated?: (count: number) => void;
  /** Called after a commit in which updates were set aside. */
  readonly onSetAside?: (reasons: readonly string[]) => void;
}

interface Batch {
  /** How many updates were not stored before. */
  readonly storedCount: number;
  readonly channelIds: ReadonlySet<string>;
  /** Why updates were set aside. */
  readonly reasons: readonly string[];
}

const bodyOf = ({ body }: ReceivedUpdate): string => JSON.stringify(body);

/** Only that there was an update. */
const withoutContent = ({ updateId }: ReceivedUpdate): ReceivedUpdate => ({
  updateId,
  body: { update_id: updateId },
  userId: null,
  actorId: null,
  content: { kind: "other" },
});

/** A join, a leave and a request have a membership or a request with the update's id, by which the update is found. */
const hasOwnRow = ({ content }: ReceivedUpdate): boolean =>
  content.kind === "joinRequest" || (content.kind === "member" && !(content.wasIn && content.isIn));

interface Arrived {
  readonly update: ReceivedUpdate;
  /** Whether it is only stored and not counted, because it failed before. */
  readonly isSetAside: boolean;
}

const LEDGER_COLUMNS: readonly ArrayColumn<Arrived>[] = [
  { name: "update_id", type: "bigint", value: ({ update }) => update.updateId },
  {
    name: "user_id",
    type: "bigint",
    value: ({ update, isSetAside }) => (isSetAside || !hasOwnRow(update) ? update.userId : null),
  },
  { name: "actor_id", type: "bigint", value: ({ update }) => update.actorId },
  {
    name: "chat_id",
    type: "bigint",
    value: ({ update: { content } }) => (content.kind === "botStatus" ? content.chat.id : null),
  },
];

const LEDGER: RecordType<Arrived> = { name: "telegram_update_record", columns: LEDGER_COLUMNS };

/** Why an update could not be stored, without any of its values. */
function reasonOf(error: unknown): string {
  const { kind } = failureOf(error);
  const code = (error as { code?: unknown } | null)?.code;
  if (typeof code === "string" && /^[0-9A-Z]{5}$/.test(code))
    return `The update could not be stored: the database refused it (SQLSTATE ${code}).`;
  if (kind !== "other") return `The update could not be stored: the database refused it (${kind}).`;
  const name = error instanceof Error ? error.name : "unknown error";
  return `The update could not be stored: the server failed (${name}).`;
}

/** An update that was set aside can still not be understood. */
class StillUnreadableError extends Error {
  override readonly name = "StillUnreadableError";
}

interface SetAside {
  readonly update: ReceivedUpdate;
  readonly reason: string;
}

/** Stores updates for a person to look at. */
export async function setAside(
  transaction: DirectTransaction,
  botId: number,
  now: string,
  updates: readonly SetAside[],
): Promise<void> {
  for (const { update, reason } of updates) {
    await transaction.queryOnce(statement("update_set_aside")`
      insert into failed_update (id, bot_id, update_id, received_at, reason, user_id, actor_id, body)
      values (${newId()}::uuid, ${botId}::bigint, ${update.updateId}::bigint, ${now}::timestamptz, ${reason},
        ${update.userId}::bigint, ${update.actorId}::bigint, ${bodyOf(update)}::json)
      on conflict do nothing`);
  }
}

/**
 * Stores updates with all that they mean. A batch is one transaction:
 *
 * 1. The term of a poller is checked, and held until the commit.
 * 2. The updates are stored in the inbox. One that is there already is a repetition and is left out.
 * 3. The channels are locked, in the order of their ids.
 * 4. The persons' histories and the named links are read.
 * 5. The histories are replayed with the updates.
 * 6. Memberships, requests, member events and counters are written.
 *
 * If a batch fails and the database is not the reason, its halves are stored by themselves, and so on until the update
 * that fails stands alone and is set aside.
 */
export class UpdateIngestion implements Ingestion {
  readonly #options: IngestionOptions;

  constructor(options: IngestionOptions) {
    this.#options = options;
  }

  async ingest(updates: readonly ReceivedUpdate[], term: PollerTerm | null): Promise<void> {
    const distinct = new Map<number, ReceivedUpdate>();
    // Telegram repeats a webhook call that it gave up, so one batch may hold an update twice.
    for (const update of updates) if (!distinct.has(update.updateId)) distinct.set(update.updateId, update);
    if (distinct.size < updates.length) this.#options.onRepeated?.(updates.length - distinct.size);
    // Sorted, so that two batches with the same updates do not wait for each other.
    const sorted = [...distinct.values()].sort((one, other) => one.updateId - other.updateId);
    await this.#storeParts(sorted, term);
  }

  /**
   * Stores an update that was set aside, as if it came now. If it fails again, it stays set aside with its new reason.
   * @param id of the row in failed_update
   * @returns whether it is not set aside any more
   */
  async retry(id: string, caller: Pick<Caller, "key">): Promise<boolean> {
    const { database, onStored, notifies } = this.#options;
    try {
      const stored = await database.directTransaction(async (transaction) => {
        const [row] = await transaction.queryOnce<{
          botId: number;
          updateId: number;
          body: unknown;
        }>(statement("failed_update_take")`
          delete from failed_update where id = ${id}::uuid returning bot_id as "botId", update_id as "updateId", body`);
        if (!row) return new Set<string>();
        const update = readUpdate(row.body);
        if (update === null || update.content.kind === "unreadable")
          throw new StillUnreadableError(
            update?.content.kind === "unreadable" ? update.content.reason : "update_id",
          );
        const now = new Date().toISOString();
        const entry: AuditEntry = {
          action: "failedUpdate.retry",
          subjectId: id,
          change: { updateId: row.updateId },
        };
        await auditMany(transaction, caller, [entry]);
        const channelIds = await storeMeaning(transaction, { botId: row.botId, now }, [update]);
        if (notifies && channelIds.size > 0) transaction.notify(MEMBER_EVENTS);
        return channelIds;
      });
      if (stored.size > 0) onStored?.([...stored]);
      return true;
    } catch (error) {
      if (unavailabilityOf(error) !== null) throw error;
      const reason = error instanceof StillUnreadableError ? error.message : reasonOf(error);
      await database.query(statement("failed_update_store_reason")`
        update failed_update set reason = ${reason} where id = ${id}::uuid`);
      return false;
    }
  }

  /** Does work that may change members in a transaction, and tells subscribers of the channels that it returns. */
  async change(work: (transaction: DirectTransaction) => Promise<readonly string[]>): Promise<void> {
    const { database, notifies, onStored } = this.#options;
    const channelIds = await database.directTransaction(async (transaction) => {
      const changed = await work(transaction);
      if (notifies && changed.length > 0) transaction.notify(MEMBER_EVENTS);
      return changed;
    });
    if (channelIds.length > 0) onStored?.(channelIds);
  }

  /** Stores a batch or, if it fails, its halves. */
  async #storeParts(updates: readonly ReceivedUpdate[], term: PollerTerm | null): Promise<void> {
    if (updates.length === 0) return;
    try {
      await this.#store(updates, term, null);
    } catch (error) {
      if (error instanceof PollerTermOverError || unavailabilityOf(error) !== null) throw error;
      if (updates.length === 1) {
        await this.#setAside(updates, term, reasonOf(error));
        return;
      }
      const middle = Math.ceil(updates.length / 2);
      await this.#storeParts(updates.slice(0, middle), term);
      await this.#storeParts(updates.slice(middle), term);
    }
  }

  /** Sets updates aside; without what they say if that is the reason for which they cannot be stored. */
  async #setAside(
    updates: readonly ReceivedUpdate[],
    term: PollerTerm | null,
    reason: string,
  ): Promise<void> {
    try {
      await this.#store(updates, term, reason);
    } catch (error) {
      if (error instanceof PollerTermOverError || unavailabilityOf(error) !== null) throw error;
      await this.#store(updates.map(withoutContent), term, reason);
    }
  }

  /** @param failure why all of these updates are set aside; null: they are stored. */
  async #store(
    updates: readonly ReceivedUpdate[],
    term: PollerTerm | null,
    failure: string | null,
  ): Promise<void> {
    const { database, notifies, onStored, onRepeated, onSetAside } = this.#options;
    const { channelIds, reasons, storedCount } = await database.directTransaction(async (transaction) => {
      const stored = await this.#run(transaction, updates, term, failure);
      if (notifies && stored.channelIds.size > 0) transaction.notify(MEMBER_EVENTS);
      return stored;
    });
    if (channelIds.size > 0) onStored?.([...channelIds]);
    if (storedCount < updates.length) onRepeated?.(updates.length - storedCount);
    if (reasons.length > 0) onSetAside?.(reasons);
  }

  async #run(
    transaction: DirectTransaction,
    updates: readonly ReceivedUpdate[],
    term: PollerTerm | null,
    failure: string | null,
  ): Promise<Batch> {
    const { botId } = this.#options;
    const now = new Date().toISOString();
    if (term) await this.#holdTerm(transaction, term);
    // JSON is full of quotes, which an array would have to escape, and JSON.stringify writes no line breaks.
    const bodies = updates.map(bodyOf).join("\n");
    const arrived = updates.map((update): Arrived => ({ update, isSetAside: failure !== null }));
    const inserted = await transaction.query<{ updateId: number }>(statement("updates_store")`
      insert into telegram_update (bot_id, received_at, ${namesOf(LEDGER_COLUMNS)}, body)
      select ${botId}::bigint, ${now}::timestamptz, ${namesOf(LEDGER_COLUMNS)}, body::json
      from rows from (
        ${recordsOf(LEDGER, arrived)}, string_to_table(${bodies}, E'\\n')
      ) as arrived (${namesOf(LEDGER_COLUMNS)}, body)
      on conflict do nothing returning update_id as "updateId"`);
    const isNew = new Set(inserted.map(({ updateId }) => updateId));
    const fresh =
      updates.length === isNew.size ? updates : updates.filter(({ updateId }) => isNew.has(updateId));
    if (isNew.size === 0 && !term) await this.#confirm(transaction, updates);
    const failed = fresh.flatMap((update): SetAside[] => {
      if (failure !== null) return [{ update, reason: failure }];
      return update.content.kind === "unreadable" ? [{ update, reason: update.content.reason }] : [];
    });
    await setAside(transaction, botId, now, failed);
    const channelIds =
      failure === null
        ? await storeMeaning(transaction, { botId, now }, fresh)
        : (new Set() as ReadonlySet<string>);
    return { channelIds, reasons: failed.map(({ reason }) => reason), storedCount: fresh.length };
  }

  /**
   * Makes a transaction that stores nothing wait for a standby all the same. The updates are stored already, but perhaps on
   * this primary alone: one that crashed, or whose sessions were ended, shows commits that no standby has confirmed.
   */
  async #confirm(transaction: DirectTransaction, [update]: readonly ReceivedUpdate[]): Promise<void> {
    await transaction.queryOnce(statement("telegram_update_confirm")`
      select from telegram_update where bot_id = ${this.#options.botId}::bigint
        and update_id = ${update?.updateId}::bigint for share`);
  }

  async #holdTerm(transaction: DirectTransaction, { term }: PollerTerm): Promise<void> {
    const held = await transaction.query(statement("update_lease_hold")`
      select from update_receiver where bot_id = ${this.#options.botId}::bigint and term = ${term}::bigint for share`);
    if (held.length === 0) throw new PollerTermOverError("Another server polls Telegram's updates by now.");
  }
}
