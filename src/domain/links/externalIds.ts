import sql from "sql-template-tag";
import type { UnitOfWork } from "../../database/database.js";

/** What already has an external id, so that it may keep it. */
interface Holder {
  readonly linkId?: string | undefined;
  readonly creationId?: string | null | undefined;
}

/**
 * Of some external ids, those that are taken in a channel: by a link, by a creation that may still store its link, or by a
 * link that waits in a batch.
 */
export async function takenExternalIds(
  database: Pick<UnitOfWork, "query">,
  channelId: string,
  externalIds: readonly string[],
  { linkId, creationId }: Holder = {},
): Promise<Set<string>> {
  if (externalIds.length === 0) return new Set();
  const ids = sql`${externalIds}::text[]`;
  const rows = await database.query<{ externalId: string }>(sql`
    select external_id as "externalId" from invite_link
    where channel_id = ${channelId}::uuid and external_id = any(${ids}) and id is distinct from ${linkId ?? null}::uuid
    union all
    select arguments ->> 'externalId' from link_creation
    where state = any('{PREPARED,SENT,UNCERTAIN}'::creation_state[]) and channel_id = ${channelId}::uuid
      and arguments ->> 'externalId' = any(${ids}) and id is distinct from ${creationId ?? null}::uuid
    union all
    select i.external_id from link_batch_item i join link_batch b on b.id = i.batch_id
    where i.state = 'WAITING' and i.external_id = any(${ids}) and b.channel_id = ${channelId}::uuid`);
  return new Set(rows.map(({ externalId }) => externalId));
}
