import DataLoader from "dataloader";
import sql from "sql-template-tag";
import type { Database, UnitOfWork } from "../../../database/database.js";
import { failureOf } from "../../../database/failures.js";
import { statement } from "../../../database/statement.js";
import { readVisibleByKey } from "../../access/movedGrants.js";
import type { Channel } from "../../channels/channel.js";
import { type PageArguments, readPageArguments } from "../../paging/arguments.js";
import { inKeyOrder } from "../../paging/batchLoading.js";
import { type CountedPage, type ListStatements, readList } from "../../paging/list.js";
import type { Ordering } from "../../paging/ordering.js";
import { auditMany } from "../../shared/audit.js";
import { type Caller, requireChannel, requireRole, visible } from "../../shared/caller.js";
import type { StorageGuard } from "../../shared/databaseErrors.js";
import { IdempotencyConflictError, NotFoundError, Problems, ValidationError } from "../../shared/errors.js";
import { newId, parseId } from "../../shared/ids.js";
import {
  argumentsOf,
  checkIdempotencyKey,
  checkLink,
  hashOf,
  type RequestedLink,
} from "../create/requestedLink.js";
import { lockExternalIds, takenExternalIds } from "../externalIds.js";
import type { Loaders } from "../linkLoaders.js";
import { EXTERNAL_ID_TAKEN } from "../settings.js";
import { distinct, parseTagIds } from "../tagging/linkTags.js";
import { type BatchFeed, BatchFollower } from "./batchFollower.js";
import {
  type LinkBatch,
  type LinkBatchItem,
  type LinkBatchItemState,
  linkBatchColumns,
  linkBatchItemColumns,
  linkBatchJoins,
} from "./linkBatch.js";

export interface CreateInviteLinksInput {
  readonly chatId: number;
  readonly links: readonly RequestedLink[];
  readonly idempotencyKey?: string | null | undefined;
}

const MAX_LINKS = 1_000;
/** How long an idempotency key gives the batch that was created with it, after the batch has finished. */
const KEY_LIFE = sql`interval '24 hours'`;
const TAKEN_IN_BATCH = "Another link of this batch has this external id.";

const LATEST_FIRST: Ordering<LinkBatch> = [
  { key: { name: "id", column: sql`b.id`, type: "uuid", valueOf: ({ id }) => id }, direction: "DESC" },
];

const AS_GIVEN: Ordering<LinkBatchItem> = [
  {
    key: {
      name: "index",
      column: sql`i.position`,
      type: "bigint",
      valueOf: ({ index }) => String(index),
    },
    direction: "ASC",
  },
];

interface BatchServices {
  readonly database: Database;
  readonly storageGuard: StorageGuard;
  /** The server process that creates the links. */
  readonly serverId: string;
  /** Called when batches of this server have changed. */
  readonly onLinkBatch: () => void;
  readonly live: { readonly batches: BatchFeed };
}

/** A batch that was checked. */
interface CheckedBatch {
  readonly chatId: number;
  readonly idempotencyKey: string | null;
  readonly argumentsHash: Uint8Array<ArrayBuffer>;
  readonly items: readonly { readonly arguments: object; readonly externalId: string | null }[];
}

const BATCHES: ListStatements = {
  page: statement("link_batches_page"),
  exists: statement("link_batches_beyond"),
  count: statement("link_batches_count"),
};

const ITEMS: ListStatements = {
  page: statement("link_batch_items_page"),
  exists: statement("link_batch_items_beyond"),
  count: statement("link_batch_items_count"),
};

/**
 * Batches of links, for one request. A batch is stored with all its items at once; BatchMaker creates the links afterwards,
 * with the same creation intents as single links.
 */
export class LinkBatches {
  readonly #services: BatchServices;
  /** For reads of the caller. */
  readonly #reading: Database;
  readonly #caller: Caller;
  readonly #loaders: Loaders;
  readonly #byId: DataLoader<string, LinkBatch | null>;

  constructor(
    services: BatchServices,
    { reading, caller, loaders }: { reading: Database; caller: Caller; loaders: Loaders },
  ) {
    this.#services = services;
    this.#reading = reading;
    this.#caller = caller;
    this.#loaders = loaders;
    this.#byId = new DataLoader(
      async (ids) =>
        inKeyOrder(
          ids,
          await readVisibleByKey(reading, caller, ids, () =>
            reading.query<LinkBatch>(statement("link_batches_by_id")`
              select ${linkBatchColumns} from link_batch b ${linkBatchJoins}
              where b.id = any(${ids}::uuid[]) and ${visible(caller, sql`c.chat_id`)}`),
          ),
          ({ id }) => id,
        ),
      // A subscription shows one batch many times.
      { cache: false },
    );
  }

  /** Null for a batch that does not exist or whose channel the caller may not see. */
  find(id: string): Promise<LinkBatch | null> {
    return this.#byId.load(id);
  }

  /**
   * A page of the batches of a chat, the latest first.
   * @throws ForbiddenError for a chat that the caller may not use, ValidationError for unacceptable arguments.
   */
  async page({
    chatId,
    ...args
  }: PageArguments & { readonly chatId: number }): Promise<CountedPage<LinkBatch>> {
    requireChannel(this.#caller, chatId);
    const request = readPageArguments(args);
    const list = {
      statements: BATCHES,
      columns: linkBatchColumns,
      table: sql`link_batch b`,
      alias: sql`b`,
      joins: linkBatchJoins,
      where: sql`b.channel_id = (select id from channel where chat_id = ${chatId}::bigint)`,
    };
    return readList(this.#reading, list, LATEST_FIRST, request);
  }

  /** A page of a batch's items, in the order of the input. @param states null for all; an empty list matches nothing. */
  async items(
    { id }: LinkBatch,
    {
      states,
      ...args
    }: PageArguments & { readonly states?: readonly LinkBatchItemState[] | null | undefined },
  ): Promise<CountedPage<LinkBatchItem>> {
    const request = readPageArguments(args);
    const chosen =
      states == null ? sql`true` : sql`i.state = any(${states}::text[]::link_batch_item_state[])`;
    const list = {
      statements: ITEMS,
      columns: linkBatchItemColumns,
      table: sql`link_batch_item i`,
      alias: sql`i`,
      joins: sql`join link_batch b on b.id = i.batch_id join channel c on c.id = b.channel_id`,
      where: sql`i.batch_id = ${id}::uuid and ${chosen}`,
    };
    return readList(this.#reading, list, AS_GIVEN, request);
  }

  /**
   * The batch now, and whenever it has moved.
   * @throws ValidationError if there is no such batch, or the caller may not see it.
   */
  async follow(text: string): Promise<BatchFollower> {
    const problems = new Problems();
    const id = parseId("InviteLinkBatch", text, "id", problems);
    problems.check();
    const batch = id && (await this.find(id));
    if (!batch) throw new ValidationError([{ field: "id", message: "There is no such batch of links." }]);
    return new BatchFollower(this.#services.live.batches, batch);
  }

  /**
   * Stores a batch, whose links are created in the background. A repeated call with the same idempotency key returns the
   * first call's batch.
   * @throws ForbiddenError, ValidationError, IdempotencyConflictError
   */
  async create(input: CreateInviteLinksInput): Promise<LinkBatch> {
    requireRole(this.#caller, "EDITOR");
    this.#services.storageGuard.requireWritable();
    const { chatId, links } = input;
    const problems = new Problems();
    const idempotencyKey = checkIdempotencyKey(input.idempotencyKey, problems);
    if (links.length < 1 || links.length > MAX_LINKS)
      problems.add("links", `Must be 1 to ${MAX_LINKS} links.`);
    problems.check();
    const tagIds = links.map((link, index) =>
      parseTagIds(link.tagIds, "tagIds", problems.under(`links.${index}`)),
    );
    const stored = links.map((link, index) => argumentsOf(chatId, link, distinct(tagIds[index] ?? [])));
    const argumentsHash = hashOf(stored);
    // The key comes first: by now a date may have passed, or the chat may be granted under another id.
    const earlier = problems.found ? null : await this.#findEarlier(idempotencyKey, argumentsHash);
    if (earlier) return earlier;
    requireChannel(this.#caller, chatId);
    const channel = await this.#loaders.channelByChatId.load(chatId);
    if (!channel) problems.add("channelId", "This channel is not connected: call connectChannel first.");
    else await this.#checkLinks(links, tagIds, channel, problems);
    problems.check();
    const items = links.map((link, index) => ({
      arguments: stored[index] ?? {},
      externalId: link.externalId ?? null,
    }));
    return this.#store({ chatId, idempotencyKey, argumentsHash, items });
  }

  /**
   * Cancels what waits of a batch. A link that is being created is finished first. Of a batch that has ended nothing changes.
   * @throws ForbiddenError, ValidationError, NotFoundError
   */
  async cancel(input: { readonly id: string }): Promise<LinkBatch> {
    requireRole(this.#caller, "EDITOR");
    this.#services.storageGuard.requireWritable();
    const problems = new Problems();
    const id = parseId("InviteLinkBatch", input.id, "id", problems);
    problems.check();
    if (!id || !(await this.find(id))) throw new NotFoundError("batch of links");
    const cancelled = await this.#services.database.transaction(async (unit) => {
      const [batch] = await unit.query<{ channelId: string; state: string }>(statement(
        "link_batch_lock_to_cancel",
      )`
        select channel_id as "channelId", state from link_batch where id = ${id}::uuid for no key update`);
      if (batch?.state !== "RUNNING") return this.#read(unit, id);
      await cancelWaiting(unit, id);
      await unit.execute(statement("link_batch_cancel")`
        update link_batch b set state = 'CANCELLED', waiting_until = null, finished_at = case when not exists (
          select from link_batch_item where batch_id = b.id and state = 'WAITING') then clock_timestamp() end
        where id = ${id}::uuid`);
      const { channelId } = batch;
      const change = { state: { from: "RUNNING", to: "CANCELLED" } };
      await auditMany(unit, this.#caller, [
        { action: "inviteLinkBatch.cancel", subjectId: id, channelId, change },
      ]);
      return this.#read(unit, id);
    });
    this.#services.onLinkBatch();
    return cancelled;
  }

  async #checkLinks(
    links: readonly RequestedLink[],
    tagIds: readonly (readonly (string | null)[])[],
    channel: Channel,
    problems: Problems,
  ): Promise<void> {
    // Reads the tags of all links together.
    await this.#loaders.tag.loadMany(distinct(tagIds.flat()));
    const seen = new Set<string>();
    for (const [index, link] of links.entries()) {
      if (problems.isFull) return;
      const own = problems.under(`links.${index}`);
      const { externalId } = await checkLink(link, tagIds[index] ?? [], {
        channel,
        loaders: this.#loaders,
        problems: own,
      });
      if (externalId === null) continue;
      if (seen.has(externalId)) own.add("externalId", TAKEN_IN_BATCH);
      seen.add(externalId);
    }
  }

  /** The batch of an earlier request with the same key. @throws IdempotencyConflictError if its arguments differ. */
  async #findEarlier(idempotencyKey: string | null, argumentsHash: Uint8Array): Promise<LinkBatch | null> {
    if (idempotencyKey === null) return null;
    const [row] = await this.#services.database.query<{ id: string; hash: string }>(statement(
      "link_batch_find_earlier",
    )`
      select id, encode(arguments_hash, 'hex') as hash from link_batch
      where caller = ${this.#caller.key} and idempotency_key = ${idempotencyKey}
        and (finished_at is null or finished_at > now() - ${KEY_LIFE})`);
    if (!row) return null;
    if (row.hash !== Buffer.from(argumentsHash).toString("hex"))
      throw new IdempotencyConflictError("An earlier request with this idempotency key had other arguments.");
    return this.find(row.id);
  }

  async #store(batch: CheckedBatch): Promise<LinkBatch> {
    const id = newId();
    let stored: LinkBatch;
    try {
      stored = await this.#services.database.transaction(async (unit) => {
        await this.#insert(unit, id, batch);
        return this.#read(unit, id);
      });
    } catch (error) {
      this.#services.storageGuard.recordFailure(error);
      if (failureOf(error).kind !== "uniqueViolation" && !(error instanceof ValidationError)) throw error;
      // Another request with the key may have been faster, and hold the key and the external ids.
      const earlier = await this.#findEarlier(batch.idempotencyKey, batch.argumentsHash);
      if (!earlier) throw error;
      return earlier;
    }
    this.#services.onLinkBatch();
    return stored;
  }

  async #insert(unit: UnitOfWork, id: string, batch: CheckedBatch): Promise<void> {
    const { chatId, idempotencyKey, argumentsHash, items } = batch;
    const { key: caller, telegramUserId } = this.#caller;
    const [channel] = await unit.query<{ id: string }>(statement("link_batch_lock_channel")`
      select id from channel where chat_id = ${chatId}::bigint for key share`);
    if (!channel) throw new ValidationError([{ field: "channelId", message: "The channel has another id." }]);
    await refuseTaken(unit, channel.id, items);
    if (idempotencyKey !== null) {
      await unit.execute(statement("link_batch_free_key")`
        update link_batch set idempotency_key = null
        where caller = ${caller} and idempotency_key = ${idempotencyKey} and finished_at <= now() - ${KEY_LIFE}`);
    }
    await unit.execute(statement("link_batch_insert")`
      insert into link_batch (id, channel_id, caller, creator_id, idempotency_key, arguments_hash, state, owner_id,
        item_count, created_at)
      values (${id}::uuid, ${channel.id}::uuid, ${caller}, ${telegramUserId}::bigint, ${idempotencyKey},
        decode(${Buffer.from(argumentsHash).toString("hex")}, 'hex'), 'RUNNING', ${this.#services.serverId}::uuid,
        ${items.length}::int, clock_timestamp())`);
    const rows = JSON.stringify(items.map((item, position) => ({ position, ...item })));
    await unit.execute(statement("link_batch_insert_items")`
      insert into link_batch_item (batch_id, position, arguments, external_id, state)
      select ${id}::uuid, position, arguments, "externalId", 'WAITING'
      from jsonb_to_recordset(${rows}::jsonb) as item (position int, arguments jsonb, "externalId" text)`);
    await auditMany(unit, this.#caller, [
      {
        action: "inviteLinkBatch.create",
        subjectId: id,
        channelId: channel.id,
        change: { totalCount: items.length },
      },
    ]);
  }

  async #read(unit: UnitOfWork, id: string): Promise<LinkBatch> {
    const [batch] = await unit.query<LinkBatch>(statement("link_batch_read")`
      select ${linkBatchColumns} from link_batch b ${linkBatchJoins} where b.id = ${id}::uuid`);
    if (!batch) throw new NotFoundError("batch of links");
    return batch;
  }
}

/** @throws ValidationError if an external id of the items is taken in the channel. */
async function refuseTaken(unit: UnitOfWork, channelId: string, items: CheckedBatch["items"]): Promise<void> {
  const externalIds = items.flatMap(({ externalId }) => externalId ?? []);
  if (externalIds.length === 0) return;
  await lockExternalIds(unit, [channelId]);
  const taken = await takenExternalIds(unit, channelId, externalIds);
  if (taken.size === 0) return;
  const problems = new Problems();
  for (const [index, { externalId }] of items.entries()) {
    if (externalId !== null && taken.has(externalId))
      problems.under(`links.${index}`).add("externalId", EXTERNAL_ID_TAKEN);
  }
  problems.check();
}

/** Cancels the items of a batch that wait, except one whose call may be sent. */
export async function cancelWaiting(unit: UnitOfWork, batchId: string): Promise<void> {
  await unit.execute(statement("link_batch_cancel_items")`
    update link_batch_item i set state = 'CANCELLED' where i.batch_id = ${batchId}::uuid and i.state = 'WAITING'
      and not exists (select from link_creation k where k.id = i.creation_id and k.state in ('PREPARED', 'SENT'))`);
}
