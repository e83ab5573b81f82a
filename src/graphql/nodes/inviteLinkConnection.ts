import type { TagFacet, TagTypeFacet } from "../../domain/links/counts/facets.js";
import type { LinkTotals } from "../../domain/links/counts/totals.js";
import type { LinkPage } from "../../domain/links/query/linkQueries.js";
import { builder } from "../builder/builder.js";
import { COUNTING_COST, toConnection } from "../builder/connection.js";
import { InviteLinkRef, TagRef, TagTypeRef } from "./refs.js";

/** Facets read all matching links for each tag of the channel. */
const FACETS_COST = 50;

const TotalsRef = builder.objectRef<LinkTotals>("InviteLinkTotals").implement({
  description: "Sums over all matching links.",
  fields: (t) => ({
    budget: t.expose("budget", {
      type: "Decimal",
      description: "The sum of the links' budgets in the channel's currency; 0.00 without links.",
    }),
  }),
});

const TagFacetRef = builder.objectRef<TagFacet>("TagFacet").implement({
  description: "A tag with the number of links that carry it.",
  fields: (t) => ({
    tag: t.expose("tag", { type: TagRef, description: "The tag." }),
    count: t.exposeInt("count", { description: "The number of links with the tag; it can be 0." }),
  }),
});

const TagTypeFacetRef = builder.objectRef<TagTypeFacet>("TagTypeFacet").implement({
  description:
    "The numbers of links for the tags of one type: how many links each choice in this type's tag group would leave.",
  fields: (t) => ({
    type: t.expose("type", { type: TagTypeRef, description: "The tag type." }),
    withoutTypeCount: t.exposeInt("withoutTypeCount", {
      description: "The number of links without a tag of this type, as `withoutType` alone would leave.",
    }),
    tags: t.field({
      type: [TagFacetRef],
      description: "All tags of this type in the channel, ordered by name.",
      resolve: ({ tags }) => [...tags],
    }),
  }),
});

export const InviteLinkEdge = builder.edgeObject({
  name: "InviteLinkEdge",
  type: InviteLinkRef,
  description: "A link on a page, with its cursor.",
});

export const InviteLinkConnection = builder.connectionObject<
  typeof InviteLinkRef,
  ReturnType<typeof toLinkConnection>
>(
  {
    name: "InviteLinkConnection",
    type: InviteLinkRef,
    description: "A page of links, with counts and sums over all matching links.",
    fields: (t) => ({
      totalCount: t.int({
        description: "The number of matching links on all pages. Computed only if selected.",
        complexity: COUNTING_COST,
        resolve: ({ totalCount }) => totalCount(),
      }),
      totals: t.field({
        type: TotalsRef,
        description: "Sums over the matching links on all pages. Computed only if selected.",
        complexity: COUNTING_COST,
        resolve: ({ totals }) => totals(),
      }),
      facets: t.field({
        type: [TagTypeFacetRef],
        description: [
          "For each tag type with a tag in the channel: the number of links with each of its tags, and without any of them. Types and tags are ordered by name.",
          "Each type is counted under the filter without that type's own tag group, so that a page can show how many links another choice in the type would give. For Tag.inviteLinks the tag itself is the filter of its type, so that type's facet counts all links of the channel. Computed only if selected.",
        ].join("\n\n"),
        // The number of types does not depend on the page's size, by which the connection has already multiplied the cost.
        complexity: { field: FACETS_COST, multiplier: 1 },
        resolve: async ({ facets }) => [...(await facets())],
      }),
    }),
  },
  InviteLinkEdge,
);

/** A page of links in the shape of InviteLinkConnection. */
export function toLinkConnection(page: LinkPage) {
  const { edges, pageInfo, totalCount } = toConnection(page);
  return { edges, pageInfo, totalCount, totals: page.totals, facets: page.facets };
}
