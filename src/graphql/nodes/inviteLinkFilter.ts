import type { InviteLinkOrderField } from "../../domain/links/query/order.js";
import type { Direction } from "../../domain/paging/ordering.js";
import { builder } from "../builder/builder.js";

const TagGroupFilter = builder.inputType("TagGroupFilter", {
  description:
    "The part of the filter about one tag type. A link matches the group if it has any of `tagIds` or, with `withoutType`, no tag of the type. A link must match all groups. A group without tags and without `withoutType` has no effect. Two groups of one type count as one group with the tags and flags of both.",
  fields: (t) => ({
    tagTypeId: t.id({ required: true, description: "The tag type's global id or bare UUID." }),
    withoutType: t.boolean({
      required: true,
      defaultValue: false,
      description: "Whether links without a tag of this type match as well.",
    }),
    tagIds: t.idList({
      required: true,
      defaultValue: [],
      description: "Global ids or bare UUIDs of tags of this type. A tag of another type is BAD_USER_INPUT.",
    }),
  }),
});

export const InviteLinkFilterInput = builder.inputType("InviteLinkFilter", {
  description: "Conditions on links. A link must meet all of them.",
  fields: (t) => ({
    name: t.string({
      description:
        "A part of the name. Both are case folded (NFKC, then lower case, in every script); % and _ have no special meaning. An empty text has no effect.",
    }),
    creatorId: t.field({ type: "TelegramID", description: "Only links that this Telegram user created." }),
    tagGroups: t.field({
      type: [TagGroupFilter],
      description: "Conditions on the links' tags, one group for each tag type.",
    }),
    ids: t.idList({ description: "Only links with these ids. An empty list matches no link." }),
    isRevoked: t.boolean({ description: "True for revoked links only, false for other links only." }),
    isExpired: t.boolean({ description: "True for expired links only, false for other links only." }),
    isBotCreated: t.boolean({
      description: "True for links that the helper bot created only, false for other links only.",
    }),
    createdFrom: t.field({ type: "DateTime", description: "Only links created at this time or later." }),
    createdTo: t.field({ type: "DateTime", description: "Only links created before this time (exclusive)." }),
    externalIds: t.stringList({
      description: "Only links with one of these external ids. An empty list matches no link.",
    }),
    search: t.string({
      description:
        "A part of the name, the address or the external id, case folded like `name`. An address may have any spelling, with or without https://. An empty text has no effect.",
    }),
    minJoinCount: t.int({ description: "Only links with at least so many joins." }),
    hasPendingJoinRequests: t.boolean({
      description: "True for links with requests that are not decided yet only, false for other links only.",
    }),
  }),
});

const FIELDS: Record<InviteLinkOrderField, { description: string }> = {
  NAME: {
    description:
      "The case folded name, compared by code points, alike on every database. Links without a name come last in both directions.",
  },
  CREATED_AT: { description: "The time of creation." },
  BUDGET: { description: "The budget." },
  JOIN_COUNT: { description: "The number of joins." },
  ACTIVE_COUNT: { description: "The number of active members." },
  LAST_JOIN_AT: {
    description: "The time of the last join. Links without joins come last in both directions.",
  },
};

const DIRECTIONS: Record<Direction, { description: string }> = {
  ASC: { description: "Ascending, the smallest value first." },
  DESC: { description: "Descending, the greatest value first." },
};

const OrderField = builder.enumType("InviteLinkOrderField", {
  description: "Sort fields of links.",
  values: FIELDS,
});

const OrderDirection = builder.enumType("OrderDirection", {
  description: "Sort directions.",
  values: DIRECTIONS,
});

export const InviteLinkOrderInput = builder.inputType("InviteLinkOrder", {
  description: "One entry of the order of links.",
  fields: (t) => ({
    field: t.field({ type: OrderField, required: true, description: "The sort field." }),
    direction: t.field({
      type: OrderDirection,
      required: true,
      defaultValue: "ASC",
      description: "The sort direction.",
    }),
  }),
});
