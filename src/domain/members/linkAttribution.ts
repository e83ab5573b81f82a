import sql from "sql-template-tag";
import type { DirectTransaction } from "../../database/directTransaction.js";
import type { Instant } from "../../database/instant.js";
import { statement } from "../../database/statement.js";
import type { UpdateLink } from "../../telegram/updates.js";
import { type AuditEntry, auditMany, SERVER } from "../shared/audit.js";
import { newId } from "../shared/ids.js";
import { foldName } from "../shared/text.js";
import { type ArrayColumn, rowsOf } from "../stays/arrays.js";
import type { Source } from "../stays/history.js";

/** A link that an update names, in its channel. */
export interface NamedLink {
  readonly channelId: string;
  readonly link: UpdateLink;
}

/** A stored link, as far as a named link is compared with it. */
interface KnownLink {
  readonly id: string;
  readonly channelId: string;
  readonly url: string;
  readonly name: string | null;
  readonly creatorId: number | null;
}

interface LearnedLink extends KnownLink {
  readonly link: UpdateLink;
}

export const NO_LINK: Source = { linkId: null, attribution: "NONE" };

const SHORTENED = "...";

/** The visible beginning of an address. */
const beginningOf = ({ url, isShortened }: UpdateLink): string =>
  isShortened ? url.slice(0, -SHORTENED.length) : url;

/** Telegram names one link always in the same way, so that equal keys mean one link. */
const keyOf = ({ channelId, link: { url, isShortened, name, creatorId } }: NamedLink): string =>
  isShortened ? JSON.stringify([channelId, url, name, creatorId]) : `${channelId} ${url}`;

const addressKey = ({ channelId, url }: Pick<KnownLink, "channelId" | "url">): string =>
  `${channelId} ${url}`;

/** The stored links that the links of a batch can be. */
class KnownLinks {
  readonly #byAddress = new Map<string, KnownLink>();
  readonly #byChannel = new Map<string, KnownLink[]>();

  add(link: KnownLink): void {
    if (this.#byAddress.has(addressKey(link))) return;
    this.#byAddress.set(addressKey(link), link);
    const ofChannel = this.#byChannel.get(link.channelId);
    if (ofChannel) ofChannel.push(link);
    else this.#byChannel.set(link.channelId, [link]);
  }

  /**
   * The links that a named link can be. A whole address names one link. A shortened one can be each link with the same
   * beginning, name and creator; a stored creator of null fits any.
   */
  matching({ channelId, link }: NamedLink): KnownLink[] {
    if (!link.isShortened) {
      const known = this.#byAddress.get(addressKey({ channelId, url: link.url }));
      return known ? [known] : [];
    }
    const beginning = beginningOf(link);
    return (this.#byChannel.get(channelId) ?? []).filter(
      ({ url, name, creatorId }) =>
        url.startsWith(beginning) &&
        name === link.name &&
        (creatorId === null || creatorId === link.creatorId),
    );
  }

  /** An address for a link that is learned: a second one with an equal shortened address gets a number. */
  freeAddress({ channelId, link: { url } }: NamedLink): string {
    let address = url;
    for (let number = 2; this.#byAddress.has(addressKey({ channelId, url: address })); number += 1)
      address = `${url}#${number}`;
    return address;
  }
}

/** Finds the links of named links. @returns the sources by key, and the links that have to be learned. */
export function attribute(
  named: readonly NamedLink[],
  stored: readonly KnownLink[],
): { sources: Map<string, Source>; learned: LearnedLink[] } {
  const known = new KnownLinks();
  for (const link of stored) known.add(link);
  const sources = new Map<string, Source>();
  const learned: LearnedLink[] = [];
  for (const one of named) {
    const found = known.matching(one);
    const attribution = one.link.isShortened ? "BY_BEGINNING" : "EXACT";
    if (found.length > 1) {
      sources.set(keyOf(one), { linkId: null, attribution: "AMBIGUOUS" });
    } else if (found[0]) {
      sources.set(keyOf(one), { linkId: found[0].id, attribution });
    } else {
      const { name, creatorId } = one.link;
      const url = known.freeAddress(one);
      const link = { id: newId(), channelId: one.channelId, url, name, creatorId, link: one.link };
      known.add(link);
      learned.push(link);
      sources.set(keyOf(one), { linkId: link.id, attribution });
    }
  }
  return { sources, learned };
}

const COLUMNS: readonly ArrayColumn<NamedLink>[] = [
  { name: "channel_id", type: "uuid", value: ({ channelId }) => channelId },
  // The parser of addresses lets through no character that needs quotes.
  { name: "beginning", type: "text", value: ({ link }) => beginningOf(link) },
];

const knownColumns = sql`l.id, l.channel_id as "channelId", l.url, l.name, l.creator_id as "creatorId"`;

async function readKnown(transaction: DirectTransaction, named: readonly NamedLink[]): Promise<KnownLink[]> {
  const whole = named.filter(({ link }) => !link.isShortened);
  const shortened = named.filter(({ link }) => link.isShortened);
  const known: KnownLink[] = [];
  if (whole.length > 0) {
    known.push(
      ...(await transaction.query<KnownLink>(statement("attribution_links_by_url")`
        select l.* from ${rowsOf("named", COLUMNS, whole)} cross join lateral (
          select ${knownColumns} from invite_link l
          where l.channel_id = named.channel_id and l.url = named.beginning offset 0
        ) l`)),
    );
  }
  if (shortened.length > 0) {
    // The column's collation orders addresses by code points: "~" comes after each character of an address.
    known.push(
      ...(await transaction.query<KnownLink>(statement("attribution_links_by_beginning")`
        select l.* from ${rowsOf("named", COLUMNS, shortened)} cross join lateral (
          select ${knownColumns} from invite_link l
          where l.channel_id = named.channel_id and l.url >= named.beginning
            and l.url < named.beginning || '~' offset 0
        ) l`)),
    );
  }
  return known;
}

/** Stores learned links. @returns false where another writer has stored one of the addresses meanwhile. */
async function learn(
  transaction: DirectTransaction,
  botId: number,
  now: Instant,
  links: readonly LearnedLink[],
): Promise<boolean> {
  const rows = links.map(({ id, channelId, url, link }) => ({
    id,
    channelId,
    url,
    name: link.name,
    nameKey: link.name === null ? null : foldName(link.name),
    createsJoinRequest: link.createsJoinRequest,
    expireDate: link.expireDate,
    memberLimit: link.memberLimit,
    subscriptionPrice: link.subscriptionPrice,
    creatorId: link.creatorId,
    isBotCreated: link.creatorId === botId,
    isRevoked: link.isRevoked,
  }));
  const stored = await transaction.queryOnce(statement("attribution_learn_links")`
    insert into invite_link (id, channel_id, bot_id, url, name, name_key, creates_join_request, expire_date,
      member_limit, subscription_price, creator_id, is_bot_created, is_revoked, created_at)
    select id, "channelId", ${botId}::bigint, url, name, "nameKey", "createsJoinRequest", "expireDate",
      "memberLimit", "subscriptionPrice", "creatorId", "isBotCreated", "isRevoked", ${now}::timestamptz
    from json_to_recordset(${JSON.stringify(rows)}::json) as link (
      id uuid, "channelId" uuid, url text, name text, "nameKey" text, "createsJoinRequest" boolean,
      "expireDate" timestamptz, "memberLimit" int, "subscriptionPrice" int, "creatorId" bigint,
      "isBotCreated" boolean, "isRevoked" boolean)
    order by "channelId", url collate "C"
    on conflict (channel_id, url) do nothing
    returning id`);
  if (stored.length < rows.length) return false;
  const entries = rows.map(
    ({ id, channelId, url, name, creatorId }): AuditEntry => ({
      action: "inviteLink.learn",
      subjectId: id,
      channelId,
      change: { url, name, creatorId },
    }),
  );
  await auditMany(transaction, SERVER, entries);
  return true;
}

/** Another writer stores the same link at the same time, so that the batch has to begin anew. */
export class LinkStoredMeanwhileError extends Error {
  override readonly name = "LinkStoredMeanwhileError";
  /** PostgreSQL's serialization_failure, by which a transaction is repeated. */
  readonly code = "40001";
}

/**
 * Finds the links that updates name, and learns those that are not known.
 * @returns the source of a named link
 */
export async function attributeLinks(
  transaction: DirectTransaction,
  { botId, now }: { readonly botId: number; readonly now: Instant },
  named: readonly NamedLink[],
): Promise<(one: NamedLink) => Source> {
  if (named.length === 0) return () => NO_LINK;
  const distinct = [...new Map(named.map((one) => [keyOf(one), one])).values()];
  const { sources, learned } = attribute(distinct, await readKnown(transaction, distinct));
  if (learned.length > 0 && !(await learn(transaction, botId, now, learned)))
    throw new LinkStoredMeanwhileError("A link of the batch was stored by another writer.");
  return (one) => sources.get(keyOf(one)) ?? NO_LINK;
}
