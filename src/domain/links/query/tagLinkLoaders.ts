import DataLoader from "dataloader";
import sql, { type Sql } from "sql-template-tag";
import type { Database } from "../../../database/database.js";
import { statement } from "../../../database/statement.js";
import { anyOf, limitOf, type PageSource, type Slice } from "../../paging/page.js";
import { SharedPages } from "../../paging/sharedPages.js";
import type { Tag } from "../../tags/tag.js";
import type { Buckets } from "../../time/buckets.js";
import type { SeriesBucket } from "../../time/series.js";
import { countFacetsOfTags, type FacetCounts } from "../counts/facets.js";
import { countLinksOfTags, type LinkTotals, totalLinksOfTags } from "../counts/totals.js";
import { type InviteLink, inviteLinkColumns } from "../inviteLink.js";
import { type GroupedBy, groupLinksOfTags, type LinkGroup } from "../stats/groups.js";
import { readSeries } from "../stats/linkSeries.js";
import { linksOfEachTag } from "../stats/linkSource.js";
import type { MemberSums } from "../stats/memberCounts.js";
import { totalMembersOfTags } from "../stats/memberTotals.js";
import { NO_RETENTION, type Retention, readRetention } from "../stats/retention.js";

type TagLoader<Value> = DataLoader<Tag, Value, string>;

/** A loader whose keys are tags; tags with the same id are the same key. */
const loaderByTag = <Value>(load: (tags: readonly Tag[]) => Promise<(Value | Error)[]>): TagLoader<Value> =>
  new DataLoader<Tag, Value, string>(load, { cacheKeyFn: ({ id }) => id });

/** The tags of a batch, `batch (tag_id, place)`. */
const batchOfTags = (tags: readonly Tag[]): Sql =>
  sql`unnest(${tags.map(({ id }) => id)}::uuid[]) with ordinality as batch(tag_id, place)`;

/** The links of a tag of the batch, from an index alone and in the order of their creation. */
const linksOfBatchTag = sql`(select tag_id, link_id as id, created_at from invite_link_tag) l
  where l.tag_id = batch.tag_id`;

/** The links of tags, for one request. Equal reads of several tags at the same time share one statement. */
export class TagLinkLoaders {
  readonly #database: Database;
  readonly #pages: SharedPages<Tag, InviteLink>;
  readonly count: TagLoader<number>;
  readonly totals: TagLoader<LinkTotals>;
  readonly facetCounts: TagLoader<FacetCounts>;
  readonly members: TagLoader<MemberSums>;
  readonly retention: TagLoader<readonly Retention[]>;
  readonly #series = new Map<string, TagLoader<SeriesBucket[]>>();
  readonly #groups = new Map<string, TagLoader<LinkGroup[]>>();

  constructor(database: Database) {
    this.#database = database;
    this.#pages = new SharedPages({
      idOf: ({ id }) => id,
      rows: (tags, slice) => this.#readRows(tags, slice),
      exists: (tags, condition) => this.#readExistence(tags, condition),
    });
    this.count = loaderByTag((tags) => countLinksOfTags(database, tags));
    this.totals = loaderByTag((tags) => totalLinksOfTags(database, tags));
    this.facetCounts = loaderByTag((tags) => countFacetsOfTags(database, tags));
    this.members = loaderByTag((tags) => totalMembersOfTags(database, tags));
    this.retention = loaderByTag(async (tags) => {
      const found = await readRetention(database, linksOfEachTag(tags), new Date());
      return tags.map(({ id }) => found.get(id) ?? NO_RETENTION);
    });
  }

  /** The series of a tag's links together. */
  series(tag: Tag, buckets: Buckets): Promise<SeriesBucket[]> {
    const key = JSON.stringify(buckets.borders);
    const loader =
      this.#series.get(key) ??
      loaderByTag((tags) => {
        const ids = tags.map(({ id }) => id);
        return readSeries(this.#database, linksOfEachTag(tags), buckets, ids);
      });
    this.#series.set(key, loader);
    return loader.load(tag);
  }

  /**
   * The groups of a tag's links.
   * @throws ValidationError for more than 1,000 groups.
   */
  groups(tag: Tag, grouped: GroupedBy): Promise<LinkGroup[]> {
    const key = JSON.stringify(grouped);
    const loader =
      this.#groups.get(key) ??
      loaderByTag<LinkGroup[]>((tags) => groupLinksOfTags(this.#database, tags, grouped, new Date()));
    this.#groups.set(key, loader);
    return loader.load(tag);
  }

  /** The links of a tag, in the order of their creation. */
  pageSource(tag: Tag): PageSource<InviteLink> {
    return this.#pages.source(tag);
  }

  async #readRows(tags: readonly Tag[], slice: Slice): Promise<InviteLink[][]> {
    // OFFSET 0 makes PostgreSQL look each link up by its id: it cannot know how short the slices are.
    const rows = await this.#database.query<InviteLink & { tagId: string }>(statement("tag_links_page")`
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
    const rows = await this.#database.query<{ tagId: string }>(statement("tag_links_beyond")`
      select batch.tag_id as "tagId" from ${batchOfTags(tags)}
      where exists (select from ${linksOfBatchTag} and ${condition})`);
    const found = new Set(rows.map(({ tagId }) => tagId));
    return tags.map(({ id }) => found.has(id));
  }
}
