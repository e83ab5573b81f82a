import type { TagFacet, TagTypeFacet } from "../../domain/links/counts/facets.js";
import type { LinkTotals } from "../../domain/links/counts/totals.js";
import type { LinkPage } from "../../domain/links/query/linkQueries.js";
import { builder } from "../builder/builder.js";
import { COUNTING_COST, toConnection } from "../builder/connection.js";
import { InviteLinkRef, TagRef, TagTypeRef } from "./refs.js";

/** All links that match are read for each of its tags. */
const FACETS_COST = 50;

const TotalsRef = builder.objectRef<LinkTotals>("InviteLinkTotals").implement({
  description: "Sums over links.",
  fields: (t) => ({
    budget: t.field({
      type: "Decimal",
      description: "What was paid for their placements, in the channel's currency; 0.00 for no links.",
      resolve: ({ budget }) => budget,
    }),
  }),
});

const TagFacetRef = builder.objectRef<TagFacet>("TagFacet").implement({
  description: "A tag, and how many links carry it.",
  fields: (t) => ({
    tag: t.field({ type: TagRef, description: "The tag.", resolve: ({ tag }) => tag }),
    count: t.exposeInt("count", { description: "How many links carry it; 0 as well." }),
  }),
});

const TagTypeFacetRef = builder.objectRef<TagTypeFacet>("TagTypeFacet").implement({
  description:
    "How links are spread over the tags of one type: what a group of this type in the filter would leave.",
  fields: (t) => ({
    type: t.field({ type: TagTypeRef, description: "The type.", resolve: ({ type }) => type }),
    withoutTypeCount: t.exposeInt("withoutTypeCount", {
      description: "How many links carry no tag of this type: what `withoutType` alone would leave.",
    }),
    tags: t.field({
      type: [TagFacetRef],
      description: "Every tag of this type in the channel, by name.",
      resolve: ({ tags }) => [...tags],
    }),
  }),
});

export const InviteLinkEdge = builder.edgeObject({
  name: "InviteLinkEdge",
  type: InviteLinkRef,
  description: "A link's place in a page.",
});

export const InviteLinkConnection = builder.connectionObject<
  typeof InviteLinkRef,
  ReturnType<typeof toLinkConnection>
>(
  {
    name: "InviteLinkConnection",
    type: InviteLinkRef,
    description: "A page of links, and what is computed over all that match.",
    fields: (t) => ({
      totalCount: t.int({
        description: "All links that match, on every page. Computed only when asked for.",
        complexity: COUNTING_COST,
        resolve: ({ totalCount }) => totalCount(),
      }),
      totals: t.field({
        type: TotalsRef,
        description: "Sums over all links that match, on every page. Computed only when asked for.",
        complexity: COUNTING_COST,
        resolve: ({ totals }) => totals(),
      }),
      facets: t.field({
        type: [TagTypeFacetRef],
        description: [
          "For each tag type that has a tag in the channel: how many links carry each of its tags, and how many carry none. Types and tags are ordered by name.",
          "Counted under the filter with that type's own group left out, so that a page can show what choosing another tag of the same type would give. Among a tag's links the tag stands as its type's group: the facet of its own type is about all links of the channel. Computed only when asked for.",
        ].join("\n\n"),
        // How many types there are does not depend on the page, whose size multiplies this as it is.
        complexity: { field: FACETS_COST, multiplier: 1 },
        resolve: async ({ facets }) => [...(await facets())],
      }),
    }),
  },
  InviteLinkEdge,
);

/** A page of links in the shape of its connection. */
export function toLinkConnection(page: LinkPage) {
  const { edges, pageInfo, totalCount } = toConnection(page);
  return { edges, pageInfo, totalCount, totals: page.totals, facets: page.facets };
}
