import sql from "sql-template-tag";
import type { UnitOfWork } from "../../../database/database.js";
import type { Prisma } from "../../../database/generated/prisma/client.js";
import { statement } from "../../../database/statement.js";
import type { Logger } from "../../../log.js";
import { TelegramCallError, type TelegramFailure } from "../../../telegram/failures.js";
import type { SendObserver } from "../../../telegram/gateway.js";
import type { CallerCache } from "../../access/callerCache.js";
import { FollowedChat } from "../../channels/followedChat.js";
import { newId } from "../../shared/ids.js";
import { LinkMaker, type MakerServices } from "../create/linkMaker.js";
import { hashOf } from "../create/requestedLink.js";
import { linkSpecOf } from "../create/uncertainCreations.js";
import { timeLimitOf } from "../persistResult.js";
import { cancelWaiting } from "./linkBatches.js";

export interface BatchMakerServices extends MakerServices {
  readonly callerCache: CallerCache;
  /** This server process. */
  readonly serverId: string;
}

/** What became of a link. */
export type ItemOutcome = "made" | "failed" | "uncertain";

/** What came of a step: how long the batch must wait for its next one, in milliseconds; null: it needs none here. */
export type NextStep = number | null;

/** How long a batch waits after Telegram gave no usable answer, in milliseconds. */
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 15_000;
/** How long a batch waits for another server to end its work with an item. */
const ABANDONED_MS = 500;
/** The longest wait for the end of a hold: the batch may be cancelled meanwhile. */
const LONGEST_HOLD_MS = 10_000;
/** Two ends of one hold differ by less, in milliseconds. */
const SAME_MS = 1_000;

interface BatchRow {
  readonly state: string;
  readonly channelId: string;
  readonly chatId: number;
  readonly caller: string;
  readonly creatorId: number | null;
  readonly waitingUntil: string | null;
}

interface ItemRow {
  readonly position: number;
  readonly arguments: Prisma.JsonObject;
  readonly creationId: string | null;
  readonly isBegun: boolean;
}

/** A link whose creation has begun: its intent is stored. */
interface Begun {
  readonly kind: "begun";
  readonly creationId: string;
  readonly batch: BatchRow;
  readonly item: ItemRow;
}

type Claim =
  | Begun
  /** The batch has ended, or belongs to another server. */
  | { readonly kind: "over" }
  | { readonly kind: "held"; readonly milliseconds: number }
  /** There is a link to create. */
  | { readonly kind: "ready" }
  /** The creation of an item was begun by a server that may have died. */
  | { readonly kind: "abandoned"; readonly creationId: string };

/** Marks a call that is answered 429 as not sent, and leaves the next try to the next step of its batch. */
const puttingOff = (sending: SendObserver): SendObserver => ({
  beforeSend: () => sending.beforeSend(),
  rateLimited: async () => {
    await sending.rateLimited();
    throw new TelegramCallError("batch", { kind: "tooManyRequests", retryAfterSeconds: 1 });
  },
});

const isPutOff = (failure: TelegramFailure): boolean =>
  failure.kind === "tooManyRequests" ||
  failure.kind === "unauthorized" ||
  (failure.kind === "unavailable" && failure.carriedOut === "no");

/**
 * Creates the links of batches, one link in each step. All that a step decides by is read from the database, so any server
 * can do the next step of any batch.
 */
export class BatchMaker {
  readonly #services: BatchMakerServices;
  readonly #log: Logger;
  readonly #onItem: (outcome: ItemOutcome) => void;
  /** How often in a row Telegram gave no usable answer, by batch. */
  readonly #troubles = new Map<string, number>();

  /** @param services `gateway` sends calls for which nobody waits. */
  constructor(services: BatchMakerServices, log: Logger, onItem: (outcome: ItemOutcome) => void) {
    this.#services = services;
    this.#log = log;
    this.#onItem = onItem;
  }

  /**
   * Creates the next link of a batch of this server.
   * @throws an error of the database, after which the step can be repeated.
   */
  async step(batchId: string): Promise<NextStep> {
    const { gateway, storageGuard, creationIntents } = this.#services;
    storageGuard.requireWritable();
    // Another server may have received a 429.
    await gateway.holds();
    const creationId = newId();
    const claimOf = (id: string | null) =>
      this.#services.database.transaction((unit) => this.#claim(unit, batchId, id));
    try {
      let claim = await claimOf(this.#troubles.has(batchId) ? null : creationId);
      if (claim.kind === "ready") {
        if (!(await this.#isTelegramBack())) return this.#trouble(batchId);
        claim = await claimOf(creationId);
      }
      switch (claim.kind) {
        case "ready":
          return 0;
        case "over":
          this.#troubles.delete(batchId);
          return null;
        case "held":
          return Math.min(claim.milliseconds, LONGEST_HOLD_MS);
        case "abandoned":
          return (await creationIntents.endAbandoned(claim.creationId)) ? 0 : ABANDONED_MS;
        case "begun":
          return await this.#make(batchId, claim);
      }
    } finally {
      creationIntents.finish(creationId);
    }
  }

  /** Finds the next item of a batch and stores the intent of its creation. @param creationId null: no intent is stored */
  async #claim(unit: UnitOfWork, batchId: string, creationId: string | null): Promise<Claim> {
    const { creationIntents, gateway, serverId } = this.#services;
    const [batch] = await unit.query<BatchRow>(statement("link_batch_claim")`
      select b.state, b.channel_id as "channelId", c.chat_id as "chatId", b.caller, b.creator_id as "creatorId",
        b.waiting_until as "waitingUntil"
      from link_batch b join channel c on c.id = b.channel_id
      where b.id = ${batchId}::uuid and b.owner_id = ${serverId}::uuid and b.finished_at is null
      for no key update of b`);
    if (!batch) return { kind: "over" };
    const [item] = await unit.query<ItemRow>(statement("link_batch_next_item")`
      select i.position, i.arguments, i.creation_id as "creationId", k.id is not null as "isBegun"
      from link_batch_item i
      left join link_creation k on k.id = i.creation_id and k.state in ('PREPARED', 'SENT')
      where i.batch_id = ${batchId}::uuid and i.state = 'WAITING' order by k.id is null, i.position limit 1`);
    if (item?.isBegun && item.creationId !== null) return { kind: "abandoned", creationId: item.creationId };
    if (!item || batch.state !== "RUNNING") {
      await cancelWaiting(unit, batchId);
      await finish(unit, batchId);
      return { kind: "over" };
    }
    const isSubscription = item.arguments["priceStars"] !== null;
    const milliseconds = gateway.creationHoldLeft(batch.chatId, isSubscription);
    await this.#storeWaiting(unit, batchId, batch, milliseconds);
    if (milliseconds > 0) return { kind: "held", milliseconds };
    if (creationId === null) return { kind: "ready" };
    const { caller, channelId } = batch;
    const stored = item.arguments as Prisma.InputJsonObject;
    const request = { caller, channelId, arguments: stored, argumentsHash: hashOf(stored) };
    await creationIntents.prepareIn(unit, creationId, request);
    await unit.execute(statement("link_batch_begin_item")`
      update link_batch_item set creation_id = ${creationId}::uuid
      where batch_id = ${batchId}::uuid and position = ${item.position}::int`);
    return { kind: "begun", creationId, batch, item };
  }

  /** Stores until when a batch waits, where that differs from what is stored. */
  async #storeWaiting(
    unit: UnitOfWork,
    batchId: string,
    { waitingUntil }: BatchRow,
    milliseconds: number,
  ): Promise<void> {
    const until = milliseconds === 0 ? null : Date.now() + milliseconds;
    const stored = waitingUntil === null ? null : Date.parse(waitingUntil);
    if (until === stored || (until !== null && stored !== null && Math.abs(until - stored) < SAME_MS)) return;
    await unit.execute(statement("link_batch_wait")`
      update link_batch set
        waiting_until = clock_timestamp() + ${until === null ? null : milliseconds}::float8 * interval '1 millisecond'
      where id = ${batchId}::uuid`);
  }

  async #make(batchId: string, { creationId, batch, item }: Begun): Promise<NextStep> {
    const { gateway, creationIntents } = this.#services;
    const caller = { key: batch.caller, chatIds: null, telegramUserId: batch.creatorId };
    const chat = new FollowedChat(this.#services, caller, batch.chatId);
    const deadline = gateway.deadline();
    const creation = {
      creationId,
      deadline,
      spec: linkSpecOf({ arguments: item.arguments }),
      requireTimeLeft: timeLimitOf(deadline),
      sending: puttingOff(creationIntents.sendingOf(creationId)),
    };
    try {
      const { stored } = await new LinkMaker(this.#services, caller, this.#log).make(creation, chat);
      await stored;
    } catch (error) {
      if (!(error instanceof TelegramCallError)) throw error;
      return this.#failed(batchId, creationId, error.failure);
    }
    this.#troubles.delete(batchId);
    this.#onItem("made");
    return 0;
  }

  async #failed(batchId: string, creationId: string, failure: TelegramFailure): Promise<NextStep> {
    // Nothing was created, and the item goes on waiting. A 429 has left a hold, which the next step finds.
    if (failure.kind === "tooManyRequests") return 0;
    if (isPutOff(failure)) return this.#trouble(batchId);
    if (failure.kind === "unavailable") {
      this.#onItem("uncertain");
      return this.#trouble(batchId);
    }
    this.#troubles.delete(batchId);
    const isForAll = failure.kind === "notInChat" || failure.kind === "missingRights";
    const { database, serverId } = this.#services;
    const failed = await database.transaction(async (unit) => {
      const owned = await unit.query(statement("link_batch_lock_failed")`
        select from link_batch where id = ${batchId}::uuid and owner_id = ${serverId}::uuid for no key update`);
      // Another server that took the batch over may be creating the next link.
      const others = sql`not exists (
        select from link_creation k where k.id = i.creation_id and k.state in ('PREPARED', 'SENT'))`;
      return unit.execute(statement("link_batch_fail_items")`
        update link_batch_item i set state = 'FAILED', failure = ${JSON.stringify(failure)}::jsonb
        where batch_id = ${batchId}::uuid and state = 'WAITING'
          and (creation_id = ${creationId}::uuid or ${isForAll && owned.length > 0 ? others : sql`false`})`);
    });
    for (let count = 0; count < failed; count += 1) this.#onItem("failed");
    return 0;
  }

  /** Whether Telegram answers: a link whose creation gets no answer is uncertain, so a harmless call goes first. */
  async #isTelegramBack(): Promise<boolean> {
    const { gateway } = this.#services;
    try {
      await gateway.getMe(gateway.deadline());
      return true;
    } catch (error) {
      if (error instanceof TelegramCallError) return error.failure.kind === "tooManyRequests";
      throw error;
    }
  }

  /** @returns the pause after Telegram gave no usable answer. */
  #trouble(batchId: string): number {
    const before = this.#troubles.get(batchId) ?? 0;
    this.#troubles.set(batchId, before + 1);
    return Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** before);
  }
}

async function finish(unit: UnitOfWork, batchId: string): Promise<void> {
  await unit.execute(statement("link_batch_finish")`
    update link_batch set state = case state when 'RUNNING' then 'DONE' else state end,
      finished_at = clock_timestamp(), waiting_until = null, owner_id = null
    where id = ${batchId}::uuid`);
}
