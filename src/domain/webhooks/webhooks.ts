import { randomBytes } from "node:crypto";
import DataLoader from "dataloader";
import sql, { type Sql } from "sql-template-tag";
import type { Database, UnitOfWork } from "../../database/database.js";
import { statement } from "../../database/statement.js";
import { readVisible, readVisibleByKey } from "../access/movedGrants.js";
import { inKeyOrder } from "../paging/batchLoading.js";
import { type AuditEntry, audit } from "../shared/audit.js";
import { type Caller, requireRole } from "../shared/caller.js";
import { ForbiddenError, NotFoundError, Problems } from "../shared/errors.js";
import { newId, parseId } from "../shared/ids.js";
import type { Resolve } from "./addresses.js";
import { macrosOf, tagTypeOf } from "./macros.js";
import {
  visibleWebhooks,
  type Webhook,
  type WebhookEventType,
  type WebhookFormat,
  wakeServers,
  webhookColumns,
} from "./webhook.js";
import { checkUrl, type UrlRules } from "./webhookUrl.js";

const MAX_CHANNELS = 1000;
const MAX_HOLD_SECONDS = 2_592_000;
/** Of the 192 to 512 bits that the Standard Webhooks specification allows. */
const SECRET_BYTES = 32;

export interface CreateWebhookInput {
  readonly url: string;
  readonly format: WebhookFormat;
  readonly eventTypes: readonly WebhookEventType[];
  /** Null for every channel. A required key: forgetting it would tell of everything. */
  readonly chatIds: readonly number[] | null | undefined;
  readonly holdSeconds?: number | null | undefined;
}

/** A field left out keeps its value. */
export interface UpdateWebhookInput {
  /** A global id or a bare UUID. */
  readonly id: string;
  readonly url?: string | null | undefined;
  readonly eventTypes?: readonly WebhookEventType[] | null | undefined;
  /** Null for every channel. */
  readonly chatIds?: readonly number[] | null | undefined;
  readonly holdSeconds?: number | null | undefined;
  readonly isEnabled?: boolean | null | undefined;
}

const NEVER_NULL = ["url", "eventTypes", "isEnabled"] as const;

/** What callers decide of a webhook. */
type Settings = Pick<Webhook, "url" | "eventTypes" | "chatIds" | "holdSeconds" | "isEnabled">;

/** The settings as an audit entry shows them. */
const shown = ({ url, eventTypes, chatIds, holdSeconds, isEnabled }: Settings) => ({
  url,
  eventTypes: [...eventTypes],
  channelIds: chatIds === null ? null : [...chatIds],
  holdSeconds,
  isEnabled,
});

/** The settings that differ, each with its former and its new value. */
function changesOf(was: Settings, became: Settings): AuditEntry["change"] {
  const [from, to] = [shown(was), shown(became)];
  const fields = Object.keys(from) as (keyof typeof from)[];
  return Object.fromEntries(
    fields
      .filter((field) => JSON.stringify(from[field]) !== JSON.stringify(to[field]))
      .map((field) => [field, { from: from[field], to: to[field] }]),
  );
}

function checkSettings({ eventTypes, chatIds, holdSeconds }: Settings, problems: Problems): void {
  if (eventTypes.length === 0) problems.add("eventTypes", "Must not be empty.");
  if (chatIds?.length === 0) problems.add("channelIds", "Must not be empty. Null stands for every channel.");
  if ((chatIds?.length ?? 0) > MAX_CHANNELS) problems.add("channelIds", `Must be at most ${MAX_CHANNELS}.`);
  const isHeld = eventTypes.includes("MEMBER_STAYED");
  if (isHeld && holdSeconds === null) problems.add("holdSeconds", "MEMBER_STAYED requires it.");
  if (!isHeld && holdSeconds !== null) problems.add("holdSeconds", "Only for MEMBER_STAYED.");
  if (holdSeconds !== null && !(holdSeconds >= 0 && holdSeconds <= MAX_HOLD_SECONDS))
    problems.add("holdSeconds", `Must be 0 to ${MAX_HOLD_SECONDS}.`);
}

const distinct = <T>(values: readonly T[]): T[] => [...new Set(values)];

/** Types and channels as the table has them. Texts of the array's elements need no quotes. */
const settingsColumns = ({ url, eventTypes, chatIds, holdSeconds, isEnabled }: Settings): Sql => sql`
  ${url}::text, ${eventTypes}::text[]::webhook_event_type[], ${chatIds}::bigint[], ${holdSeconds}::int, ${isEnabled}::boolean`;

async function presentChats(unit: UnitOfWork, chatIds: readonly number[]): Promise<number[]> {
  await unit.execute(statement("webhook_lock_channels")`
    select from channel where chat_id = any(${chatIds}::bigint[]) order by id for share`);
  const moved = await unit.query<{ from: number; to: number }>(statement("webhook_channels_moved")`
    select (a.change->>'from')::bigint as "from", c.chat_id as "to"
    from audit_entry a join channel c on c.id = a.channel_id
    where a.action = 'channel.migrate' and (a.change->>'from')::bigint = any(${chatIds}::bigint[])
      and not exists (select from channel known where known.chat_id = (a.change->>'from')::bigint)
    order by a.id`);
  const present = new Map(moved.map(({ from, to }) => [from, to]));
  return distinct(chatIds.map((chatId) => present.get(chatId) ?? chatId));
}

/** Webhooks, for one request. */
export class Webhooks {
  readonly #database: Database;
  readonly #caller: Caller;
  readonly #services: WebhookServices;
  readonly #byId: DataLoader<string, Webhook | null>;

  constructor({ database, webhooks }: { database: Database; webhooks: WebhookServices }, caller: Caller) {
    this.#database = database;
    this.#caller = caller;
    this.#services = webhooks;
    this.#byId = new DataLoader(async (ids) =>
      inKeyOrder(
        ids,
        await readVisibleByKey(database, caller, ids, () =>
          database.query<Webhook>(statement("webhooks_by_id")`
          select ${webhookColumns} from webhook w where w.id = any(${ids}::uuid[]) and ${visibleWebhooks(caller)}`),
        ),
        ({ id }) => id,
      ),
    );
  }

  /** Null for a webhook that does not exist or that the caller may not see. */
  find(id: string): Promise<Webhook | null> {
    return this.#byId.load(id);
  }

  /** All webhooks that the caller may see, the oldest first. @throws ForbiddenError */
  async list(): Promise<Webhook[]> {
    requireRole(this.#caller, "ADMIN");
    return readVisible(this.#database, this.#caller, () =>
      this.#database.query<Webhook>(statement("webhooks_list")`
        select ${webhookColumns} from webhook w where ${visibleWebhooks(this.#caller)} order by w.id`),
    );
  }

  /**
   * Creates a webhook. A caller that is limited to some channels creates webhooks for these channels only.
   * @returns the webhook with its secret, which is shown only now; null for POSTBACK.
   * @throws ForbiddenError, ValidationError
   */
  async create(input: CreateWebhookInput): Promise<{ webhook: Webhook; secret: string | null }> {
    requireRole(this.#caller, "ADMIN");
    const { url, format, chatIds = null, holdSeconds = null } = input;
    const settings: Settings = {
      url,
      eventTypes: distinct(input.eventTypes),
      chatIds: chatIds && distinct(chatIds),
      holdSeconds,
      isEnabled: true,
    };
    const problems = new Problems();
    checkSettings(settings, problems);
    await this.#checkUrl(url, format, problems);
    problems.check();
    const id = newId();
    const secret = format === "STANDARD" ? `whsec_${randomBytes(SECRET_BYTES).toString("base64")}` : null;
    const webhook = await this.#database.transaction(async (unit) => {
      const stored = { ...settings, chatIds: await this.#ownChats(unit, settings.chatIds) };
      const [created] = await unit.query<Webhook>(statement("webhook_insert")`
        insert into webhook as w (id, format, secret, created_at, url, event_types, chat_ids, hold_seconds, is_enabled)
        values (${id}::uuid, ${format}::webhook_format, ${secret}, now(), ${settingsColumns(stored)})
        returning ${webhookColumns}`);
      if (!created) throw new Error("The webhook was not stored.");
      const change = { ...shown(stored), format };
      await audit(unit, this.#caller, { action: "webhook.create", subjectId: id, change });
      await wakeServers(unit);
      return created;
    });
    this.#services.onChanged();
    return { webhook, secret };
  }

  /**
   * Changes a webhook. Deliveries that wait for their first attempt are dropped where it is not told of their type or channel
   * any more. Switching it on again forgets why the server disabled it, and drops the MEMBER_STAYED that fell due while it
   * was off.
   * @throws ForbiddenError, ValidationError, NotFoundError
   */
  async update(input: UpdateWebhookInput): Promise<Webhook> {
    requireRole(this.#caller, "ADMIN");
    const problems = new Problems();
    const id = parseId("Webhook", input.id, "id", problems);
    for (const field of NEVER_NULL) if (input[field] === null) problems.add(field, "Must not be null.");
    problems.check();
    const known = id && (await this.find(id));
    if (!known) throw new NotFoundError("webhook");
    // Looking up a name takes too long for a transaction.
    if (input.url != null) await this.#checkUrl(input.url, known.format, problems);
    const webhook = await this.#database.transaction((unit) => this.#store(unit, id, input, problems));
    this.#byId.clear(id);
    this.#services.onChanged();
    return webhook;
  }

  /** Deletes a webhook, its deliveries included. @throws ForbiddenError, ValidationError, NotFoundError */
  async delete(input: { readonly id: string }): Promise<{ readonly id: string }> {
    requireRole(this.#caller, "ADMIN");
    const problems = new Problems();
    const id = parseId("Webhook", input.id, "id", problems);
    problems.check();
    await this.#database.transaction(async (unit) => {
      // Its deliveries are deleted later, by the server's background work: there may be very many.
      const [deleted] = await unit.query<Webhook>(statement("webhook_delete")`
        delete from webhook w where w.id = ${id}::uuid and ${visibleWebhooks(this.#caller)} returning ${webhookColumns}`);
      if (!deleted) throw new NotFoundError("webhook");
      const change = { ...shown(deleted), format: deleted.format };
      await audit(unit, this.#caller, { action: "webhook.delete", subjectId: deleted.id, change });
      await wakeServers(unit);
    });
    this.#services.onChanged();
    return { id: id ?? "" };
  }

  async #store(
    unit: UnitOfWork,
    id: string,
    input: UpdateWebhookInput,
    problems: Problems,
  ): Promise<Webhook> {
    const chatIds = input.chatIds === undefined ? undefined : await this.#ownChats(unit, input.chatIds);
    const [was] = await unit.query<Webhook>(statement("webhook_lock")`
      select ${webhookColumns} from webhook w
      where w.id = ${id}::uuid and ${visibleWebhooks(this.#caller)} for update`);
    if (!was) throw new NotFoundError("webhook");
    const became: Settings = {
      url: input.url ?? was.url,
      eventTypes: input.eventTypes ? distinct(input.eventTypes) : was.eventTypes,
      chatIds: chatIds === undefined ? was.chatIds : chatIds,
      holdSeconds: input.holdSeconds === undefined ? was.holdSeconds : input.holdSeconds,
      isEnabled: input.isEnabled ?? was.isEnabled,
    };
    checkSettings(became, problems);
    problems.check();
    const change = changesOf(was, became);
    if (Object.keys(change).length === 0) return was;
    const isResumed = !was.isEnabled && became.isEnabled;
    if (isResumed)
      await unit.execute(statement("webhook_drop_hold_deliveries")`
        delete from webhook_delivery where webhook_id = ${id}::uuid and state = 'SCHEDULED'
          and event_type = 'MEMBER_STAYED' and attempt_count = 0 and due_at < now()`);
    if (change["eventTypes"] || change["channelIds"])
      await unit.execute(statement("webhook_drop_unwanted")`
        delete from webhook_delivery d using channel c
        where d.webhook_id = ${id}::uuid and d.state in ('QUEUED', 'SCHEDULED') and d.attempt_count = 0
          and c.id = d.channel_id
          and not (d.event_type = any(${became.eventTypes}::text[]::webhook_event_type[])
            and coalesce(c.chat_id = any(${became.chatIds}::bigint[]), true))`);
    const [stored] = await unit.query<Webhook>(statement("webhook_store")`
      update webhook w set (url, event_types, chat_ids, hold_seconds, is_enabled) = (${settingsColumns(became)}),
        disabled_reason = case when ${isResumed} then null else disabled_reason end,
        failing_since = case when ${isResumed || was.url !== became.url} then null else failing_since end
      where w.id = ${id}::uuid returning ${webhookColumns}`);
    if (!stored) throw new NotFoundError("webhook");
    await audit(unit, this.#caller, { action: "webhook.update", subjectId: id, change });
    await wakeServers(unit);
    return stored;
  }

  /**
   * The chats of a webhook, each once, by the ids that they have after chat migrations. None of them migrates until the
   * transaction ends. Comes before the webhook is locked, as chat migrations lock channels before webhooks.
   * @throws ForbiddenError if a caller who is limited to some channels names another one, or all.
   */
  async #ownChats(unit: UnitOfWork, named: readonly number[] | null): Promise<number[] | null> {
    const chatIds = named && (await presentChats(unit, named));
    const own = this.#caller.chatIds;
    if (own === null || chatIds?.every((chatId) => own.has(chatId))) return chatIds;
    throw new ForbiddenError(
      "This token is limited to some channels, and makes webhooks for these channels only.",
    );
  }

  async #checkUrl(url: string, format: WebhookFormat, problems: Problems): Promise<void> {
    const namesType = format === "POSTBACK" && macrosOf(url).some((macro) => tagTypeOf(macro) !== null);
    const types = namesType
      ? await this.#database.query<{ name: string }>(
          statement("webhook_tag_type_names")`select name from tag_type`,
        )
      : [];
    const { allowPrivate, resolve } = this.#services;
    const rules: UrlRules = { allowPrivate, tagTypeNames: types.map(({ name }) => name), resolve };
    await checkUrl(url, format, rules, problems);
  }
}

/** What the webhooks of all requests share. */
export interface WebhookServices {
  /** Whether webhooks may lead to http:// and to private addresses. */
  readonly allowPrivate: boolean;
  /** Looks names up, as attempts do. */
  readonly resolve: Resolve;
  /** Called when a webhook was changed, or deliveries became due, through this server. */
  readonly onChanged: () => void;
}
