import type { Database } from "../../../database/database.js";
import { statement } from "../../../database/statement.js";
import type { Tag, TagType, TypeWithTags } from "../../tags/tag.js";
import type { LinkSelection } from "../selection.js";
import { countStatements } from "./countStatements.js";

export interface TagFacet {
  readonly tag: Tag;
  /** How many of the links carry the tag. */
  readonly count: number;
}

/** How links are spread over the tags of one type. */
export interface TagTypeFacet {
  readonly type: TagType;
  /** How many of the links carry no tag of the type. */
  readonly withoutTypeCount: number;
  /** Every tag of the type in the channel, by name. */
  readonly tags: readonly TagFacet[];
}

/**
 * The number of links that carry a tag, by the tag's id, and that carry no tag of a type, by the type's id. The links are
 * those that the filter leaves without the group of the type.
 */
export type FacetCounts = ReadonlyMap<string, number>;

/** Combines counts with the tags of a channel. A tag or type without a count has 0. */
export const toFacets = (types: readonly TypeWithTags[], counts: FacetCounts): TagTypeFacet[] =>
  types.map(({ type, tags }) => ({
    type,
    withoutTypeCount: counts.get(type.id) ?? 0,
    tags: tags.map((tag) => ({ tag, count: counts.get(tag.id) ?? 0 })),
  }));

interface FacetRow {
  /** A tag's id or a type's id. */
  readonly id: string;
  readonly count: number;
}

/** The counts for the facets of the selected links. */
export async function countFacets(database: Database, selection: LinkSelection): Promise<FacetCounts> {
  const rows = await database.query<FacetRow>(statement("link_facets")`${countStatements.facets(selection)}`);
  return new Map(rows.map(({ id, count }) => [id, count]));
}

/**
 * The counts for the facets of each tag's links, in the order of the tags. The tag counts as the filter of its own type,
 * so that type's facet counts all links of the channel.
 */
export async function countFacetsOfTags(database: Database, tags: readonly Tag[]): Promise<FacetCounts[]> {
  const rows = await database.query<FacetRow & { tagId: string }>(
    statement("tag_link_facets")`${countStatements.facetsOfTags(tags)}`,
  );
  const counts = new Map(tags.map(({ id }) => [id, new Map<string, number>()]));
  for (const { tagId, id, count } of rows) counts.get(tagId)?.set(id, count);
  return tags.map(({ id }) => counts.get(id) ?? new Map());
}
