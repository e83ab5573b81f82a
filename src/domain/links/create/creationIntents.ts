import { EventEmitter, once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import type { Database, UnitOfWork } from "../../../database/database.js";
import { failureOf } from "../../../database/failures.js";
import type { CreationState, LinkCreation, Prisma } from "../../../database/generated/prisma/client.js";
import type { Presence } from "../../../database/presence.js";
import type { Deadline, SendObserver } from "../../../telegram/gateway.js";
import type { Caller } from "../../shared/caller.js";
import { IdempotencyConflictError, TelegramUnavailableError } from "../../shared/errors.js";
import { newId } from "../../shared/ids.js";
import { PendingWork } from "../../shared/pendingWork.js";
import { waitBriefly, withRetries } from "../persistResult.js";

export interface CreationRequest {
  readonly idempotencyKey: string | null;
  /** Of all arguments but the key. */
  readonly argumentsHash: Uint8Array<ArrayBuffer>;
  readonly arguments: Prisma.InputJsonObject;
}

/** How a request with a key stands to those before it: made already, or its own to make. */
export type Claim = { readonly createdLinkId: string } | { readonly creationId: string };

const POLL_MS = 50;
/** How long a key stands for its request, in milliseconds. */
const KEY_LIFE_MS = 24 * 3_600_000;

const forgottenBefore = (): Date => new Date(Date.now() - KEY_LIFE_MS);
/** Counted from when it came to stand as it does: what somebody resolves after days is answered since then. */
const isForgotten = ({ state, createdAt, updatedAt }: LinkCreation): boolean =>
  state === "ANSWERED" && (updatedAt ?? createdAt) < forgottenBefore();

/**
 * The intents to make links. One is stored before Telegram is asked, marked before the call is sent, and ends as
 * answered, failed, or uncertain; so that after a crash at any point it is known whether a link can have been made.
 */
export class CreationIntents {
  readonly #database: Database;
  readonly #presence: Pick<Presence, "id" | "isAlive">;
  readonly #botId: number;
  /** Those that this run is carrying out: others in its name were left when storing them failed. */
  readonly #underWay = new Set<string>();
  readonly #storing = new Set<string>();
  /** Why those failed of which the database has not been told yet. */
  readonly #failed = new Map<string, string>();
  /** Tells of each id of those that it is left. */
  readonly #left = new EventEmitter().setMaxListeners(0);

  readonly #tracker: PendingWork;

  /** @param tracker of what goes on though no request waits for it any more. */
  constructor(
    database: Database,
    presence: Pick<Presence, "id" | "isAlive">,
    botId: number,
    tracker = new PendingWork(),
  ) {
    this.#tracker = tracker;
    this.#database = database;
    this.#presence = presence;
    this.#botId = botId;
  }

  /** What is known of an earlier request of the caller with this key; waits for one that is under way. */
  async earlier(caller: Caller, request: CreationRequest, deadline: Deadline): Promise<Claim | null> {
    if (request.idempotencyKey === null) return null;
    for (;;) {
      const row = await this.#find(caller, request.idempotencyKey);
      if (row === null) return null;
      const settled = await this.#settle(row, request);
      if (settled) return settled;
      if (Date.now() >= deadline.at) {
        throw new IdempotencyConflictError("Another request with this idempotency key is still under way.");
      }
      await this.#ended(row.id, deadline);
    }
  }

  /** Stores the intent, before Telegram is asked. */
  async prepare(
    caller: Caller,
    request: CreationRequest,
    channelId: string,
    deadline: Deadline,
  ): Promise<Claim> {
    for (;;) {
      if (request.idempotencyKey !== null) await this.#freeOldKey(caller, request.idempotencyKey);
      const id = newId();
      this.#underWay.add(id);
      try {
        await this.#database.prisma.linkCreation.create({
          data: {
            id,
            caller: caller.key,
            idempotencyKey: request.idempotencyKey,
            argumentsHash: request.argumentsHash,
            arguments: request.arguments,
            state: "PREPARED",
            ownerId: this.#presence.id,
            channelId,
            botId: BigInt(this.#botId),
            createdAt: new Date(),
          },
        });
        return { creationId: id };
      } catch (error) {
        this.#underWay.delete(id);
        if (failureOf(error).kind !== "uniqueViolation") throw error;
        const claim = await this.earlier(caller, request, deadline);
        if (claim) return claim;
      }
    }
  }

  /**
   * Marks an intent as sent while a link may come to exist by it.
   * @throws IdempotencyConflictError where another run took it over.
   */
  sendingOf(id: string): SendObserver {
    const move = async (from: CreationState[], to: CreationState): Promise<void> => {
      const { count } = await this.#database.prisma.linkCreation.updateMany({
        where: { id, state: { in: from }, ownerId: this.#presence.id },
        data: { state: to, updatedAt: new Date() },
      });
      if (count === 1) return;
      throw new IdempotencyConflictError(
        "Another server has taken this request over; try again for its outcome.",
      );
    };
    return {
      // Following a chat that has another id now, the call is sent a second time.
      beforeSend: () => move(["PREPARED", "SENT"], "SENT"),
      rateLimited: () => move(["SENT"], "PREPARED"),
    };
  }

  /** In the transaction that stores the link. */
  async markAnswered(unit: UnitOfWork, id: string, linkId: string): Promise<void> {
    await unit.prisma.linkCreation.update({
      where: { id },
      data: { state: "ANSWERED", linkId, updatedAt: new Date() },
    });
  }

  /**
   * Nothing was made, for certain: the key is free again. Taken for dead meanwhile, this run still knows better than
   * whoever noted that nobody does; and where the database cannot be told, this run remembers.
   */
  markFailed(id: string, failure: string): Promise<void> {
    this.#failed.set(id, failure);
    return this.#withRetries(id, async () => {
      await this.#database.prisma.linkCreation.updateMany({
        where: { id, state: { in: ["PREPARED", "SENT", "UNCERTAIN"] }, ownerId: this.#presence.id },
        data: { state: "FAILED", failure, idempotencyKey: null, updatedAt: new Date() },
      });
      this.#failed.delete(id);
    });
  }

  /** Nobody knows; but what was answered stays so. */
  markUncertain(id: string, failure: string): Promise<void> {
    return this.#withRetries(id, async () => {
      await this.#database.prisma.linkCreation.updateMany({
        where: { id, state: "SENT" },
        data: { state: "UNCERTAIN", failure, updatedAt: new Date() },
      });
    });
  }

  /** Notes how one ended, for as long as a database takes to come back; returns after a moment at the latest. */
  async #withRetries(id: string, note: () => Promise<void>): Promise<void> {
    const noted = this.#tracker.track(withRetries(note, () => true));
    this.keepFor(id, noted);
    await waitBriefly(noted);
  }

  /**
   * Notes that nobody will hear Telegram's answer to those whose server ended before it came.
   * @returns of how many creations nobody knows what became.
   */
  async noteAbandoned(): Promise<number> {
    const { linkCreation } = this.#database.prisma;
    for (const row of await linkCreation.findMany({ where: { state: "SENT" } })) {
      if (await this.#abandoned(row)) await this.#noteAbandoned(row);
    }
    return linkCreation.count({ where: { state: "UNCERTAIN" } });
  }

  /** This run has done with it, whichever way; but for storing what came of it, perhaps. */
  leave(id: string): void {
    this.#underWay.delete(id);
    this.#left.emit(id);
  }

  /** It is not abandoned while what Telegram has made is being stored, though its request could not wait for that. */
  keepFor(id: string, storing: Promise<unknown>): void {
    this.#storing.add(id);
    const over = () => this.#storing.delete(id);
    storing.then(over, over);
  }

  /** Waits until this run leaves it, or the deadline; what another run carries out is looked at again soon. */
  async #ended(id: string, deadline: Deadline): Promise<void> {
    if (!this.#underWay.has(id)) return delay(POLL_MS);
    const tooLate = AbortSignal.timeout(Math.max(0, deadline.at - Date.now()));
    await once(this.#left, id, { signal: tooLate }).catch(() => {});
  }

  async #find(caller: Caller, idempotencyKey: string): Promise<LinkCreation | null> {
    const row = await this.#database.prisma.linkCreation.findUnique({
      where: { caller_idempotencyKey: { caller: caller.key, idempotencyKey } },
    });
    return row && isForgotten(row) ? null : row;
  }

  /** What was made with it a day ago is no answer to a request of today; what is uncertain stays so. */
  async #freeOldKey(caller: Caller, idempotencyKey: string): Promise<void> {
    await this.#database.prisma.linkCreation.updateMany({
      where: { caller: caller.key, idempotencyKey, state: "ANSWERED", updatedAt: { lt: forgottenBefore() } },
      data: { idempotencyKey: null },
    });
  }

  /** What a row means to a request with its key; null while it is under way elsewhere. */
  async #settle(row: LinkCreation, request: CreationRequest): Promise<Claim | null> {
    if (!Buffer.from(row.argumentsHash).equals(request.argumentsHash)) {
      throw new IdempotencyConflictError(
        "A request with this idempotency key was made with other arguments.",
      );
    }
    switch (row.state) {
      case "ANSWERED":
        if (row.linkId !== null) return { createdLinkId: row.linkId };
        throw new IdempotencyConflictError("The link made with this idempotency key is no longer known.");
      case "UNCERTAIN":
        throw new TelegramUnavailableError(true);
      case "FAILED":
        return null;
      case "PREPARED":
        return (await this.#abandoned(row)) && (await this.#takeOver(row)) ? { creationId: row.id } : null;
      case "SENT":
        if (!(await this.#abandoned(row))) return null;
        if (await this.#noteAbandoned(row)) throw new TelegramUnavailableError(true);
        return null;
    }
  }

  /** False where it is not as it was any more. */
  async #noteAbandoned({ id, ownerId }: LinkCreation): Promise<boolean> {
    const failure = this.#failed.get(id);
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

  /** Whoever began it will not end it. */
  async #abandoned(row: LinkCreation): Promise<boolean> {
    if (row.ownerId === this.#presence.id) return !this.#underWay.has(row.id) && !this.#storing.has(row.id);
    return !(await this.#presence.isAlive(row.ownerId));
  }

  async #takeOver(row: LinkCreation): Promise<boolean> {
    if (this.#underWay.has(row.id)) return false;
    this.#underWay.add(row.id);
    let count = 0;
    try {
      ({ count } = await this.#database.prisma.linkCreation.updateMany({
        where: { id: row.id, state: "PREPARED", ownerId: row.ownerId },
        data: { ownerId: this.#presence.id, updatedAt: new Date() },
      }));
    } finally {
      if (count === 0) this.#underWay.delete(row.id);
    }
    return count === 1;
  }
}
