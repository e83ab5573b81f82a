import sql from "sql-template-tag";
import type { UnitOfWork } from "../../database/database.js";
import { statement } from "../../database/statement.js";

/** What already has an external id, so that it may keep it. */
interface Holder {
  readonly linkId?: string | undefined;
  readonly creationId?: string | null | undefined;
}

/**
 * Lets only one transaction at a time give external ids to links of these channels, so that what it finds free stays free
 * until its end.
 */
export async function lockExternalIds(unit: UnitOfWork, channelIds: readonly string[]): Promise<void> {
  await unit.execute(statement("external_ids_lock_channels")`
    select from channel where id = any(${channelIds}::uuid[]) order by id for no key update`);
}

/** The external ids that links will get: those of creations that may still store their link, and of links that wait in a batch. */
const reserved = (
  channelIds: readonly string[],
  externalIds: readonly string[],
  creationId: string | null,
) => sql`
  select channel_id as "channelId", arguments ->> 'externalId' as "externalId" from link_creation
  where state = any('{PREPARED,SENT,UNCERTAIN}'::creation_state[]) and channel_id = any(${channelIds}::uuid[])
    and arguments ->> 'externalId' = any(${externalIds}::text[]) and id is distinct from ${creationId}::uuid
  union all
  select b.channel_id, i.external_id from link_batch_item i join link_batch b on b.id = i.batch_id
  where i.state = 'WAITING' and i.external_id = any(${externalIds}::text[])
    and b.channel_id = any(${channelIds}::uuid[])`;

/** Of some external ids, those that links of the channels will get. */
export const reservedExternalIds = (
  database: Pick<UnitOfWork, "query">,
  channelIds: readonly string[],
  externalIds: readonly string[],
): Promise<{ channelId: string; externalId: string }[]> =>
  database.query(statement("external_ids_reserved")`${reserved(channelIds, externalIds, null)}`);

/** Of some external ids, those that are taken in a channel: those that a link has or will get. */
export async function takenExternalIds(
  database: Pick<UnitOfWork, "query">,
  channelId: string,
  externalIds: readonly string[],
  { linkId, creationId }: Holder = {},
): Promise<Set<string>> {
  if (externalIds.length === 0) return new Set();
  const rows = await database.query<{ externalId: string }>(statement("external_ids_taken")`
    select channel_id as "channelId", external_id as "externalId" from invite_link
    where channel_id = ${channelId}::uuid and external_id = any(${externalIds}::text[])
      and id is distinct from ${linkId ?? null}::uuid
    union all
    ${reserved([channelId], externalIds, creationId ?? null)}`);
  return new Set(rows.map(({ externalId }) => externalId));
}
