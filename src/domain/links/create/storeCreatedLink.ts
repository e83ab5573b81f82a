import type { UnitOfWork } from "../../../database/database.js";
import type { Instant } from "../../../database/instant.js";
import { statement } from "../../../database/statement.js";
import type { LinkSettings, TelegramInviteLink } from "../../../telegram/gateway.js";
import { BOT_STATUS } from "../../channels/storeChannel.js";
import { auditMany } from "../../shared/audit.js";
import type { Caller } from "../../shared/caller.js";
import { newId } from "../../shared/ids.js";
import { NotStorableError } from "../persistResult.js";
import { externalIdColumns, storedSettings } from "../settings.js";
import { addTags } from "../tagging/linkTags.js";

/** A link to create, from input that was checked. */
export interface LinkSpec {
  readonly settings: LinkSettings;
  /** Telegram Stars a month; null for a link that costs its members nothing. */
  readonly subscriptionPrice: number | null;
  readonly budget: string;
  /** Null for none. */
  readonly externalId: string | null;
}

export interface CreatedLink {
  readonly creationId: string;
  readonly botId: number;
  /** Who created the link, or settled its uncertain creation: for the audit. */
  readonly caller: Pick<Caller, "key">;
  /** The Telegram user who counts as the link's creator; null for the one that Telegram names, or else the bot. */
  readonly creatorId: number | null;
  readonly createdAt: Date;
  readonly spec: LinkSpec;
  readonly answer: TelegramInviteLink;
}

/** A transaction's hand-written statements. */
type Statements = Pick<UnitOfWork, "query">;

/** The link belongs to another creation, or was stored before this creation began: so this creation did not create it. */
export class ForeignLinkError extends NotStorableError {
  override readonly name = "ForeignLinkError";
}

/**
 * The external id that a link was created with; null if another link has got it meanwhile. Telegram has created the link
 * by then, so the link is stored without it.
 */
async function freeExternalId(
  { query }: Statements,
  channelId: string,
  url: string,
  externalId: string | null,
): Promise<string | null> {
  if (externalId === null) return null;
  const taken = await query(statement("links_with_external_id")`
    select from invite_link where channel_id = ${channelId}::uuid and external_id = ${externalId} and url <> ${url}`);
  return taken.length === 0 ? externalId : null;
}

interface Intent {
  readonly channelId: string;
  /** Null unless the link is stored already. */
  readonly linkId: string | null;
  readonly createdAt: Instant;
  readonly tagIds: readonly string[];
  readonly botStatus: string;
}

/**
 * Stores a link that Telegram has created, with its tags, and marks its creation intent as ANSWERED.
 * @returns the link's id; the stored one if an earlier try, whose COMMIT was not confirmed, stored it already.
 * @throws ForeignLinkError
 */
export async function storeCreatedLink(statements: Statements, created: CreatedLink): Promise<string> {
  const { query } = statements;
  const { creationId, botId, caller, creatorId, createdAt, spec, answer } = created;
  // The intent is read again: a chat migration may have merged its channel and tags into others, and an earlier try may
  // have stored the link.
  const [intent] = await query<Intent>(statement("link_creation_read")`
    select i.channel_id as "channelId", i.link_id as "linkId", i.created_at as "createdAt",
      i.arguments->'tagIds' as "tagIds", c.bot_status as "botStatus"
    from link_creation i join channel c on c.id = i.channel_id where i.id = ${creationId}::uuid`);
  if (!intent) throw new Error(`The intent ${creationId} is not there.`);
  if (intent.linkId !== null) return intent.linkId;
  const { channelId } = intent;
  const url = answer.invite_link;
  const settings = storedSettings(answer, spec.settings);
  const { externalId, externalIdKey } = externalIdColumns(
    await freeExternalId(statements, channelId, url, spec.externalId),
  );
  const id = newId();
  const now = new Date().toISOString();
  // The link may be stored already, from an update of Telegram's that came before the answer.
  const [link] = await query<{ id: string; createdAt: Instant }>(statement("link_insert_created")`
    insert into invite_link as l (id, channel_id, url, bot_id, name, name_key, creates_join_request, expire_date,
      member_limit, is_revoked, subscription_price, budget, external_id, external_id_key, creator_id, is_bot_created,
      created_at)
    values (${id}::uuid, ${channelId}::uuid, ${url}, ${botId}, ${settings.name}, ${settings.nameKey},
      ${settings.createsJoinRequest}, ${settings.expireDate}, ${settings.memberLimit},
      ${settings.isRevoked === true}, ${spec.subscriptionPrice}, ${spec.budget}, ${externalId}, ${externalIdKey},
      ${creatorId ?? answer.creator?.id ?? botId}, true, ${createdAt.toISOString()})
    on conflict (channel_id, url) do update set bot_id = excluded.bot_id, name = excluded.name,
      name_key = excluded.name_key, creates_join_request = excluded.creates_join_request,
      expire_date = excluded.expire_date, member_limit = excluded.member_limit,
      is_revoked = l.is_revoked or excluded.is_revoked, subscription_price = excluded.subscription_price,
      budget = excluded.budget, external_id = coalesce(excluded.external_id, l.external_id),
      external_id_key = coalesce(excluded.external_id_key, l.external_id_key), creator_id = excluded.creator_id,
      is_bot_created = true, updated_at = ${now}
    returning id, created_at as "createdAt"`);
  if (!link) throw new Error("The link was not stored.");
  if (link.id !== id) {
    const others = await query(
      statement("link_creation_of_link")`select from link_creation where link_id = ${link.id}::uuid`,
    );
    if (others.length > 0 || link.createdAt < intent.createdAt) throw new ForeignLinkError(url);
  }
  const tagIds = intent.tagIds.length === 0 ? [] : await addTags(statements, link.id, intent.tagIds);
  if (intent.botStatus !== BOT_STATUS.ready)
    await query(statement("channel_mark_ready")`
      update channel set bot_status = ${BOT_STATUS.ready}, updated_at = ${now} where id = ${channelId}::uuid`);
  await query(statement("link_creation_answer")`
    update link_creation set state = 'ANSWERED', link_id = ${link.id}::uuid, updated_at = ${now}
    where id = ${creationId}::uuid`);
  const change = {
    url,
    name: settings.name,
    budget: spec.budget,
    tagIds,
    ...(externalId === null ? {} : { externalId }),
  };
  const entry = { action: "inviteLink.create", subjectId: link.id, channelId, change } as const;
  await auditMany(statements, caller, [entry]);
  return link.id;
}
