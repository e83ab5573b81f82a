import { EventEmitter, once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import type { Database, UnitOfWork } from "../../../database/database.js";
import { failureOf } from "../../../database/failures.js";
import type { CreationState, LinkCreation, Prisma } from "../../../database/generated/prisma/client.js";
import type { Presence } from "../../../database/presence.js";
import { type NamedStatement, statement } from "../../../database/statement.js";
import type { Deadline, SendObserver } from "../../../telegram/gateway.js";
import type { Caller } from "../../shared/caller.js";
import { IdempotencyConflictError, TelegramUnavailableError, ValidationError } from "../../shared/errors.js";
import { newId } from "../../shared/ids.js";
import { PendingWork } from "../../shared/pendingWork.js";
import { lockExternalIds, takenExternalIds } from "../externalIds.js";
import { waitBriefly, withRetries } from "../persistResult.js";
import { EXTERNAL_ID_TAKEN } from "../settings.js";

export interface CreationRequest {
  readonly idempotencyKey: string | null;
  /** The SHA-256 of all arguments but the key. */
  readonly argumentsHash: Uint8Array<ArrayBuffer>;
  readonly arguments: Prisma.InputJsonObject;
}

type IntentRequest = CreationRequest & Pick<LinkCreation, "caller" | "channelId">;

/** @throws ValidationError if the external id is taken. Nobody else can take it before the transaction ends. */
async function requireFreeExternalId(unit: UnitOfWork, channelId: string, externalId: string): Promise<void> {
  await lockExternalIds(unit, [channelId]);
  const taken = await takenExternalIds(unit, channelId, [externalId]);
  if (taken.size > 0) throw new ValidationError([{ field: "externalId", message: EXTERNAL_ID_TAKEN }]);
}

/** The link that an earlier request created, or the intent that this request must carry out. */
export type LinkOrIntent = { readonly createdLinkId: string } | { readonly creationId: string };

/** How often an intent of another server is looked at again, in milliseconds. */
const POLL_MS = 50;
/** How long an idempotency key gives the link that was created with it, in milliseconds. */
const KEY_LIFE_MS = 24 * 3_600_000;

const STILL_RUNNING =
  "Another request with this idempotency key is still running. Repeat the request to get its outcome.";

const expiredBefore = (): Date => new Date(Date.now() - KEY_LIFE_MS);
/** A key's life begins with the last change: an administrator may settle a creation days after its request. */
const isKeyExpired = ({ state, createdAt, updatedAt }: LinkCreation): boolean =>
  state === "ANSWERED" && (updatedAt ?? createdAt) < expiredBefore();

/**
 * Creation intents: one stored row for each link that is being created. Telegram cannot list the links that exist, so
 * after a crash the intent alone shows whether a link can have been created.
 *
 *     PREPARED ── the call is sent ──▶ SENT ── the link is stored ──▶ ANSWERED
 *        ▲                              │ │
 *        └──── the call is put off ─────┘ ├── nothing was created ──▶ FAILED, and the idempotency key is free
 *                                         └── nobody knows ──▶ UNCERTAIN ── an administrator settles it ──▶ ANSWERED
 *                                                                                                       or FAILED
 *
 * An intent belongs to one server. When that server has died, the other servers soon end its intents: one that is PREPARED
 * becomes FAILED, and one that is SENT becomes UNCERTAIN. Until then another request with the key takes a PREPARED one over.
 */
export class CreationIntents {
  readonly #database: Database;
  readonly #presence: Pick<Presence, "id" | "isAlive">;
  readonly #botId: number;
  readonly #pendingWork: PendingWork;
  /** Ids of the intents that requests of this process are carrying out. */
  readonly #running = new Set<string>();
  /** Ids of the intents whose end this process is still storing, though their request may be answered already. */
  readonly #storing = new Set<string>();
  /** Why the intents failed whose failure could not be stored yet, by id. */
  readonly #unstoredFailures = new Map<string, string>();
  /** Emits an intent's id when its request is finished with it. */
  readonly #finished = new EventEmitter().setMaxListeners(0);

  constructor(
    database: Database,
    presence: Pick<Presence, "id" | "isAlive">,
    botId: number,
    pendingWork = new PendingWork(),
  ) {
    this.#database = database;
    this.#presence = presence;
    this.#botId = botId;
    this.#pendingWork = pendingWork;
  }

  /**
   * Finds what became of the caller's earlier request with the same idempotency key, and waits for one that is running.
   * @returns null if there was none, or it failed without creating a link.
   * @throws IdempotencyConflictError if the arguments differ, the link no longer exists, or the earlier request is
   * still running at the deadline; TelegramUnavailableError if its outcome is unknown.
   */
  async findEarlier(
    caller: Caller,
    request: CreationRequest,
    deadline: Deadline,
  ): Promise<LinkOrIntent | null> {
    if (request.idempotencyKey === null) return null;
    for (;;) {
      const row = await this.#find(caller, request.idempotencyKey);
      if (row === null) return null;
      const outcome = await this.#outcomeOf(row, request);
      if (outcome) return outcome;
      if (Date.now() >= deadline.at) {
        throw new IdempotencyConflictError(STILL_RUNNING);
      }
      await this.#waitForEnd(row.id, deadline);
    }
  }

  /**
   * Stores a new intent before Telegram is called; or finds, as findEarlier, what another request with the key did.
   * @throws also ValidationError, if the external id is taken.
   */
  async prepare(
    caller: Caller,
    request: CreationRequest,
    channelId: string,
    deadline: Deadline,
  ): Promise<LinkOrIntent> {
    for (;;) {
      if (request.idempotencyKey !== null) await this.#freeExpiredKey(caller, request.idempotencyKey);
      const id = newId();
      this.#running.add(id);
      try {
        const intent = this.#insertOf(id, { ...request, caller: caller.key, channelId });
        const { externalId } = request.arguments;
        if (typeof externalId !== "string") {
          await this.#database.query(intent);
        } else {
          await this.#database.transaction(async (unit) => {
            await requireFreeExternalId(unit, channelId, externalId);
            await unit.execute(intent);
          });
        }
        return { creationId: id };
      } catch (error) {
        this.#running.delete(id);
        if (failureOf(error).kind !== "uniqueViolation") throw error;
        const earlier = await this.findEarlier(caller, request, deadline);
        if (earlier) return earlier;
      }
    }
  }

  /** Stores a new intent in a transaction. `id` is new; `finish` must be called when the work with the intent is over. */
  async prepareIn(
    unit: UnitOfWork,
    id: string,
    request: Omit<IntentRequest, "idempotencyKey">,
  ): Promise<void> {
    this.#running.add(id);
    await unit.execute(this.#insertOf(id, { ...request, idempotencyKey: null }));
  }

  /** The statement that stores a new intent. */
  #insertOf(id: string, request: IntentRequest): NamedStatement {
    return statement("link_creation_insert")`
      insert into link_creation (id, caller, idempotency_key, arguments_hash, arguments, state, owner_id, channel_id, bot_id,
        created_at)
      values (${id}::uuid, ${request.caller}, ${request.idempotencyKey}, ${request.argumentsHash},
        ${JSON.stringify(request.arguments)}::jsonb, 'PREPARED', ${this.#presence.id}::uuid, ${request.channelId}::uuid,
        ${this.#botId}, ${new Date().toISOString()}::timestamptz)`;
  }

  /**
   * Ends an intent that nobody works on any more: one that is PREPARED fails, since its call was not sent, and one that is
   * SENT becomes UNCERTAIN.
   * @returns false if the intent must be looked at again later, because its server still works on it.
   */
  async endAbandoned(id: string): Promise<boolean> {
    const row = await this.#database.prisma.linkCreation.findUnique({ where: { id } });
    if (row?.state !== "PREPARED" && row?.state !== "SENT") return true;
    if (!(await this.#isAbandoned(row))) return false;
    return this.#endAbandoned(row);
  }

  #endAbandoned(row: LinkCreation): Promise<boolean> {
    return row.state === "SENT" ? this.#markAbandoned(row) : this.#failAbandoned(row);
  }

  async #failAbandoned({ id, ownerId }: LinkCreation): Promise<boolean> {
    const { count } = await this.#database.prisma.linkCreation.updateMany({
      where: { id, state: "PREPARED", ownerId },
      data: {
        state: "FAILED",
        failure: "the server stopped before the call",
        idempotencyKey: null,
        updatedAt: new Date(),
      },
    });
    return count === 1;
  }

  /**
   * Marks an intent as SENT before its call is sent, and as PREPARED again if the call is put off.
   * @returns an observer that throws IdempotencyConflictError if another server has taken the intent over.
   */
  sendingOf(id: string): SendObserver {
    const move = async (from: CreationState[], to: CreationState): Promise<void> => {
      const moved = await this.#database.query(statement("link_creation_move")`
        update link_creation set state = ${to}::creation_state, updated_at = ${new Date().toISOString()}::timestamptz
        where id = ${id}::uuid and state = any(${from}::text[]::creation_state[])
          and owner_id = ${this.#presence.id}::uuid
        returning 1 as one`);
      if (moved.length === 1) return;
      throw new IdempotencyConflictError(
        "Another server has taken over this request. Repeat it to get its outcome.",
      );
    };
    return {
      // A call is sent a second time after a chat migration; the intent is SENT already by then.
      beforeSend: () => move(["PREPARED", "SENT"], "SENT"),
      rateLimited: () => move(["SENT"], "PREPARED"),
    };
  }

  /**
   * Marks an intent as FAILED: certainly no link was created, and the key is free again. This process knows that for
   * certain, so it also overrules a server that considered this one dead and marked the intent as UNCERTAIN. If the
   * database cannot store the mark, this process remembers it.
   */
  markFailed(id: string, failure: string): Promise<void> {
    this.#unstoredFailures.set(id, failure);
    return this.#storeEnd(id, async () => {
      await this.#database.prisma.linkCreation.updateMany({
        where: { id, state: { in: ["PREPARED", "SENT", "UNCERTAIN"] }, ownerId: this.#presence.id },
        data: { state: "FAILED", failure, idempotencyKey: null, updatedAt: new Date() },
      });
      this.#unstoredFailures.delete(id);
    });
  }

  /** Marks an intent as UNCERTAIN: nobody knows whether the link was created. One that is ANSWERED stays so. */
  markUncertain(id: string, failure: string): Promise<void> {
    return this.#storeEnd(id, async () => {
      await this.#database.prisma.linkCreation.updateMany({
        where: { id, state: "SENT" },
        data: { state: "UNCERTAIN", failure, updatedAt: new Date() },
      });
    });
  }

  /** Ends the intents of servers that have died, as `endAbandoned` does. */
  async endAllAbandoned(): Promise<void> {
    const { linkCreation } = this.#database.prisma;
    for (const row of await linkCreation.findMany({ where: { state: { in: ["PREPARED", "SENT"] } } })) {
      if (await this.#isAbandoned(row)) await this.#endAbandoned(row);
    }
  }

  /** How many creations are uncertain. */
  countUncertain(): Promise<number> {
    return this.#database.prisma.linkCreation.count({ where: { state: "UNCERTAIN" } });
  }

  /** A request is finished with its intent; the intent's end may still be being stored. */
  finish(id: string): void {
    this.#running.delete(id);
    this.#finished.emit(id);
  }

  /** Keeps an intent from counting as abandoned while its end is being stored, which may outlast its request. */
  keepWhileStoring(id: string, storing: Promise<unknown>): void {
    this.#storing.add(id);
    const end = () => this.#storing.delete(id);
    storing.then(end, end);
  }

  /** Stores how an intent ended, with retries; returns after a second at the latest, while storing goes on. */
  async #storeEnd(id: string, store: () => Promise<void>): Promise<void> {
    const stored = this.#pendingWork.track(withRetries(store, () => true));
    this.keepWhileStoring(id, stored);
    await waitBriefly(stored);
  }

  /** Waits until this process is finished with the intent, or until the deadline. Waits only briefly for another server. */
  async #waitForEnd(id: string, deadline: Deadline): Promise<void> {
    if (!this.#running.has(id)) return delay(POLL_MS);
    const timeUp = AbortSignal.timeout(Math.max(0, deadline.at - Date.now()));
    await once(this.#finished, id, { signal: timeUp }).catch(() => {});
  }

  async #find(caller: Caller, idempotencyKey: string): Promise<LinkCreation | null> {
    const row = await this.#database.prisma.linkCreation.findUnique({
      where: { caller_idempotencyKey: { caller: caller.key, idempotencyKey } },
    });
    return row && isKeyExpired(row) ? null : row;
  }

  /** Frees a key that created a link more than a day ago. The key of an uncertain creation stays taken. */
  async #freeExpiredKey(caller: Caller, idempotencyKey: string): Promise<void> {
    await this.#database.prisma.linkCreation.updateMany({
      where: { caller: caller.key, idempotencyKey, state: "ANSWERED", updatedAt: { lt: expiredBefore() } },
      data: { idempotencyKey: null },
    });
  }

  /** The outcome of a row for a request with its key; null while the row must be read again later. */
  async #outcomeOf(row: LinkCreation, request: CreationRequest): Promise<LinkOrIntent | null> {
    if (!Buffer.from(row.argumentsHash).equals(request.argumentsHash)) {
      throw new IdempotencyConflictError("An earlier request with this idempotency key had other arguments.");
    }
    switch (row.state) {
      case "ANSWERED":
        await this.#confirm(row);
        if (row.linkId !== null) return { createdLinkId: row.linkId };
        throw new IdempotencyConflictError(
          "The link that was created with this idempotency key no longer exists.",
        );
      case "UNCERTAIN":
        throw new TelegramUnavailableError(true);
      case "FAILED":
        return null;
      case "PREPARED":
        return (await this.#isAbandoned(row)) && (await this.#takeOver(row)) ? { creationId: row.id } : null;
      case "SENT":
        if (!(await this.#isAbandoned(row))) return null;
        if (await this.#markAbandoned(row)) throw new TelegramUnavailableError(true);
        return null;
    }
  }

  /** @returns false if the intent was not marked, since this process knows better or the row has changed meanwhile. */
  async #markAbandoned({ id, ownerId }: LinkCreation): Promise<boolean> {
    const failure = this.#unstoredFailures.get(id);
    if (failure !== undefined) {
      await this.markFailed(id, failure);
      return false;
    }
    const { count } = await this.#database.prisma.linkCreation.updateMany({
      where: { id, state: "SENT", ownerId },
      data: {
        state: "UNCERTAIN",
        failure: "the server stopped before Telegram answered",
        updatedAt: new Date(),
      },
    });
    return count === 1;
  }

  /** Whether no process will finish the intent: its server has died, or this process has given it up. */
  async #isAbandoned(row: LinkCreation): Promise<boolean> {
    if (row.ownerId === this.#presence.id) return !this.#running.has(row.id) && !this.#storing.has(row.id);
    return !(await this.#presence.isAlive(row.ownerId));
  }

  /**
   * Waits until a row that was read is stored for good. A primary that crashed, or whose sessions were ended, shows commits
   * that no standby has confirmed. The commit of a row lock is confirmed after all earlier ones.
   */
  async #confirm({ id }: LinkCreation): Promise<void> {
    await this.#database.query(
      statement("link_creation_confirm")`select from link_creation where id = ${id}::uuid for share`,
    );
  }

  /** Makes an abandoned PREPARED intent this request's own. @returns false if another request was faster. */
  async #takeOver(row: LinkCreation): Promise<boolean> {
    if (this.#running.has(row.id)) return false;
    this.#running.add(row.id);
    let count = 0;
    try {
      ({ count } = await this.#database.prisma.linkCreation.updateMany({
        where: { id: row.id, state: "PREPARED", ownerId: row.ownerId },
        data: { ownerId: this.#presence.id, updatedAt: new Date() },
      }));
    } finally {
      if (count === 0) this.#running.delete(row.id);
    }
    return count === 1;
  }
}
