import DataLoader from "dataloader";
import sql, { type Sql } from "sql-template-tag";
import type { Database } from "../../../database/database.js";
import { anyOf, limitOf, type PageSource, type Slice } from "../../paging/page.js";
import type { Tag } from "../../tags/tag.js";
import { countFacetsOfTags, type FacetCounts } from "../counts/facets.js";
import { countLinksOfTags, type LinkTotals, totalLinksOfTags } from "../counts/totals.js";
import { type InviteLink, inviteLinkColumns } from "../inviteLink.js";

type TagLoader<Value> = DataLoader<Tag, Value, string>;

/** A loader whose keys are tags; tags with the same id are the same key. */
const loaderByTag = <Value>(load: (tags: readonly Tag[]) => Promise<Value[]>): TagLoader<Value> =>
  new DataLoader<Tag, Value, string>(load, { cacheKeyFn: ({ id }) => id });

/** The tags of a batch, `batch (tag_id, place)`. */
const batchOfTags = (tags: readonly Tag[]): Sql =>
  sql`unnest(${tags.map(({ id }) => id)}::uuid[]) with ordinality as batch(tag_id, place)`;

/** The links of a tag of the batch, from an index alone and in the order of their creation. */
const linksOfBatchTag = sql`(select tag_id, link_id as id, created_at from invite_link_tag) l
  where l.tag_id = batch.tag_id`;

/** Equal for conditions with the same text and values. */
const keyOf = (condition: Sql): string => JSON.stringify([condition.text, condition.values]);

const keyOfSlice = ({ ranges, orderBy, limit, offset }: Slice): string =>
  `${limit} ${offset} ${orderBy.text} ${keyOf(anyOf(ranges))}`;

/** The links of tags, for one request. Equal reads of several tags at the same time share one statement. */
export class TagLinkLoaders {
  readonly #database: Database;
  readonly #rows = new Map<string, TagLoader<InviteLink[]>>();
  readonly #existence = new Map<string, TagLoader<boolean>>();
  readonly count: TagLoader<number>;
  readonly totals: TagLoader<LinkTotals>;
  readonly facetCounts: TagLoader<FacetCounts>;

  constructor(database: Database) {
    this.#database = database;
    this.count = loaderByTag((tags) => countLinksOfTags(database, tags));
    this.totals = loaderByTag((tags) => totalLinksOfTags(database, tags));
    this.facetCounts = loaderByTag((tags) => countFacetsOfTags(database, tags));
  }

  /** The links of a tag, in the order of their creation. */
  pageSource(tag: Tag): PageSource<InviteLink> {
    return {
      rows: (slice) => this.#rowsLoader(slice).load(tag),
      exists: (ranges) => this.#existenceLoader(anyOf(ranges)).load(tag),
    };
  }

  /** Each slice has a loader of its own, so that a batch can only hold tags of that slice. */
  #rowsLoader(slice: Slice): TagLoader<InviteLink[]> {
    const key = keyOfSlice(slice);
    const loader = this.#rows.get(key) ?? loaderByTag((tags) => this.#readRows(tags, slice));
    this.#rows.set(key, loader);
    return loader;
  }

  #existenceLoader(condition: Sql): TagLoader<boolean> {
    const key = keyOf(condition);
    const loader = this.#existence.get(key) ?? loaderByTag((tags) => this.#readExistence(tags, condition));
    this.#existence.set(key, loader);
    return loader;
  }

  async #readRows(tags: readonly Tag[], slice: Slice): Promise<InviteLink[][]> {
    // OFFSET 0 makes PostgreSQL look each link up by its id: it cannot know how short the slices are.
    const rows = await this.#database.query<InviteLink & { tagId: string }>(sql`
      select batch.tag_id as "tagId", ${inviteLinkColumns}
      from ${batchOfTags(tags)}
      cross join lateral (
        select l.id from ${linksOfBatchTag} and ${anyOf(slice.ranges)}
        order by ${slice.orderBy} ${limitOf(slice)}
      ) found
      cross join lateral (select l.* from invite_link l where l.id = found.id offset 0) l
      join channel c on c.id = l.channel_id
      order by batch.place, ${slice.orderBy}`);
    const links = new Map<string, InviteLink[]>(tags.map(({ id }) => [id, []]));
    for (const { tagId, ...link } of rows) links.get(tagId)?.push(link);
    return tags.map(({ id }) => links.get(id) ?? []);
  }

  async #readExistence(tags: readonly Tag[], condition: Sql): Promise<boolean[]> {
    const rows = await this.#database.query<{ tagId: string }>(sql`
      select batch.tag_id as "tagId" from ${batchOfTags(tags)}
      where exists (select from ${linksOfBatchTag} and ${condition})`);
    const found = new Set(rows.map(({ tagId }) => tagId));
    return tags.map(({ id }) => found.has(id));
  }
}
