import type { TagFacet, TagTypeFacet } from "../../domain/links/counts/facets.js";
import type { LinkPage } from "../../domain/links/query/linkQueries.js";
import type { InviteLinkGrouping, LinkSums } from "../../domain/links/query/linkSums.js";
import type { LinkGroup } from "../../domain/links/stats/groups.js";
import { costPer, type MemberSums } from "../../domain/links/stats/memberCounts.js";
import type { Retention } from "../../domain/links/stats/retention.js";
import { builder } from "../builder/builder.js";
import { COUNTING_COST, toConnection } from "../builder/connection.js";
import { InviteLinkRef, TagRef, TagTypeRef } from "./refs.js";
import { RETENTION_COST, RetentionRef } from "./retention.js";
import { MemberSeriesBucketRef, seriesArgs, seriesCost } from "./series.js";
import { holdsSums, readOnce } from "./sumsCost.js";

/** Facets read all matching links for each tag of the channel. */
const FACETS_COST = 50;

/** Groups read all matching links with their counters. */
const GROUPS_COST = 100;

type MemberTotals = Omit<MemberSums, "removedCount">;

/** Sums over links, each read when it is selected. */
interface TotalsSource {
  /** An exact decimal. */
  budget(): string | Promise<string>;
  members(): MemberTotals | Promise<MemberTotals>;
  removedCount(): number | Promise<number>;
  retention(): Promise<readonly Retention[]>;
}

const costOf = async (
  { budget, members }: TotalsSource,
  count: "joinCount" | "activeCount",
): Promise<string | null> => {
  const [total, sums] = await Promise.all([budget(), members()]);
  return costPer(total, sums[count]);
};

const TotalsRef = builder.objectRef<TotalsSource>("InviteLinkTotals").implement({
  description: "Sums over all matching links.",
  fields: (t) => ({
    budget: t.field({
      type: "Decimal",
      description: "The sum of the links' budgets in the channel's currency; 0.00 without links.",
      resolve: ({ budget }) => budget(),
    }),
    joinCount: t.int({
      description: "The sum of the links' joinCount.",
      resolve: async ({ members }) => (await members()).joinCount,
    }),
    leaveCount: t.int({
      description: "The sum of the links' leaveCount.",
      resolve: async ({ members }) => (await members()).leaveCount,
    }),
    removedCount: t.int({
      description: "The sum of the links' removedCount.",
      resolve: ({ removedCount }) => removedCount(),
    }),
    activeCount: t.int({
      description: "The sum of the links' activeCount.",
      resolve: async ({ members }) => (await members()).activeCount,
    }),
    joinRequestCount: t.int({
      description: "The sum of the links' joinRequestCount.",
      resolve: async ({ members }) => (await members()).joinRequestCount,
    }),
    costPerJoin: t.field({
      type: "Decimal",
      nullable: true,
      description:
        "All budgets divided by all joins, rounded half away from zero; null without joins and for a sum of 0.00.",
      resolve: (totals) => costOf(totals, "joinCount"),
    }),
    costPerActiveMember: t.field({
      type: "Decimal",
      nullable: true,
      description:
        "All budgets divided by all active members, rounded half away from zero; null without active members and for a sum of 0.00.",
      resolve: (totals) => costOf(totals, "activeCount"),
    }),
    retention: t.field({
      type: [RetentionRef],
      description:
        "How many members of all these links stayed, after 1, 3, 7, 14 and 30 days, in this order.",
      ...readOnce(() => RETENTION_COST),
      resolve: async ({ retention }) => [...(await retention())],
    }),
  }),
});

const GROUPINGS: Record<InviteLinkGrouping, { description: string }> = {
  TAG: {
    description:
      "By the tags of one type, see tagTypeId. A link with several tags counts for each of them. Links without one are a group.",
  },
  CREATOR: { description: "By the Telegram user who created the link." },
  CREATED_DAY: { description: "By the day on which the link was created." },
  CREATED_WEEK: { description: "By the week in which the link was created, from Monday." },
  CREATED_MONTH: { description: "By the month in which the link was created." },
};

const GroupingType = builder.enumType("InviteLinkGrouping", {
  description: "What links are grouped by.",
  values: GROUPINGS,
});

const GroupRef = builder.objectRef<LinkGroup>("InviteLinkGroup").implement({
  description: "Matching links that are grouped together.",
  fields: (t) => ({
    tag: t.field({
      type: TagRef,
      nullable: true,
      description: "The tag; null for links without one, and where links are not grouped by tags.",
      resolve: ({ tagId }, _args, { loaders }) => (tagId === null ? null : loaders.tag.load(tagId)),
    }),
    creatorId: t.expose("creatorId", {
      type: "TelegramID",
      nullable: true,
      description:
        "The Telegram user who created the links; null where that is not known, and where links are not grouped by creators.",
    }),
    from: t.expose("from", {
      type: "DateTime",
      nullable: true,
      description:
        "The beginning of the day, week or month; null where links are not grouped by the time of their creation.",
    }),
    linkCount: t.exposeInt("linkCount", { description: "The number of links in the group." }),
    totals: t.field({
      type: TotalsRef,
      description: "Sums over the links of the group.",
      extensions: holdsSums,
      resolve: (group): TotalsSource => ({
        budget: () => group.budget,
        members: () => group,
        removedCount: () => group.removedCount,
        retention: () => group.retention(),
      }),
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
        extensions: holdsSums,
        resolve: ({ sums }): TotalsSource => ({
          budget: async () => (await sums.totals()).budget,
          members: () => sums.members(),
          removedCount: () => sums.removedCount(),
          retention: () => sums.retention(),
        }),
      }),
      facets: t.field({
        type: [TagTypeFacetRef],
        description: [
          "For each tag type with a tag in the channel: the number of links with each of its tags, and without any of them. Types and tags are ordered by name.",
          "Each type is counted under the filter without that type's own tag group, so that a page can show how many links another choice in the type would give. For Tag.inviteLinks the tag itself is the filter of its type, so that type's facet counts all links of the channel. Computed only if selected.",
        ].join("\n\n"),
        // The number of types does not depend on the page's size, by which the connection has already multiplied the cost.
        complexity: { field: FACETS_COST, multiplier: 1 },
        resolve: async ({ sums }) => [...(await sums.facets())],
      }),
      groups: t.field({
        type: [GroupRef],
        description: [
          "The matching links on all pages in groups. Groups without links are left out. More than 1,000 groups are BAD_USER_INPUT. Computed only if selected.",
          "Tags are ordered by name, creators by joinCount with the largest first, both with the group of links without one last. Days, weeks and months are ordered from the latest back.",
        ].join("\n\n"),
        args: {
          by: t.arg({ type: GroupingType, required: true, description: "What the links are grouped by." }),
          tagTypeId: t.arg.id({
            description:
              "The tag type's global id or bare UUID. Required to group by TAG, and BAD_USER_INPUT otherwise.",
          }),
          timeZone: t.arg.string({
            description:
              "The IANA name of the time zone whose days, weeks or months are meant; null for the channel's own. An unknown name is BAD_USER_INPUT.",
          }),
        },
        ...readOnce(() => GROUPS_COST),
        resolve: async ({ sums }, args) => [...(await sums.groups(args))],
      }),
      series: t.field({
        type: [MemberSeriesBucketRef],
        description:
          "What happened by all matching links together, on all pages, bucket by bucket, empty buckets included. Exact in every time zone, across changes of the clocks as well. Computed only if selected.",
        args: seriesArgs,
        ...readOnce(seriesCost),
        resolve: async ({ sums }, args) => [...(await sums.series(args))],
      }),
    }),
  },
  InviteLinkEdge,
);

/** A page of links in the shape of InviteLinkConnection. */
export function toLinkConnection(page: LinkPage) {
  const { edges, pageInfo, totalCount } = toConnection(page);
  return { edges, pageInfo, totalCount, sums: page as LinkSums };
}
