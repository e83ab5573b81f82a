import type { InviteLinkOrderField } from "../../domain/links/query/order.js";
import type { Direction } from "../../domain/paging/ordering.js";
import { builder } from "../builder/builder.js";

const TagGroupFilter = builder.inputType("TagGroupFilter", {
  description:
    "One tag type's group in the filter. A link matches the group if it carries any of `tagIds`, or, where `withoutType` is true, if it carries no tag of this type. All groups must match. A group with no tags and withoutType false constrains nothing. Two groups of the same type are one group (their tags and flags united).",
  fields: (t) => ({
    tagTypeId: t.id({ required: true, description: "The type: its global id, or the bare UUID." }),
    withoutType: t.boolean({
      required: true,
      defaultValue: false,
      description: "Also links that carry no tag of this type.",
    }),
    tagIds: t.idList({
      required: true,
      defaultValue: [],
      description: "Tags of this type; a tag of another type is a BAD_USER_INPUT error.",
    }),
  }),
});

export const InviteLinkFilterInput = builder.inputType("InviteLinkFilter", {
  description: "Which links: those that meet everything given.",
  fields: (t) => ({
    name: t.string({
      description:
        "Part of the name, case folded (NFKC, lower case, in every script); % and _ stand for themselves. An empty text constrains nothing.",
    }),
    creatorId: t.field({ type: "TelegramID", description: "Links that this Telegram user made." }),
    tagGroups: t.field({ type: [TagGroupFilter], description: "By the tags they carry, type by type." }),
    ids: t.idList({ description: "Only these links. An empty list matches none." }),
    isRevoked: t.boolean({ description: "Only revoked links, or only others." }),
    isExpired: t.boolean({ description: "Only links past their expireDate, or only others." }),
    isBotCreated: t.boolean({ description: "Only links made by the helper bot, or only others." }),
    createdFrom: t.field({ type: "DateTime", description: "Made at this instant or later." }),
    createdTo: t.field({ type: "DateTime", description: "Made before this instant: exclusive." }),
  }),
});

const FIELDS: Record<InviteLinkOrderField, { description: string }> = {
  NAME: {
    description:
      "By the folded name, code point by code point, on every database alike; links without a name last in both directions.",
  },
  CREATED_AT: { description: "By age." },
  BUDGET: { description: "By what was paid." },
};

const DIRECTIONS: Record<Direction, { description: string }> = {
  ASC: { description: "The least first." },
  DESC: { description: "The greatest first." },
};

const OrderField = builder.enumType("InviteLinkOrderField", {
  description: "By what links can be ordered.",
  values: FIELDS,
});

const OrderDirection = builder.enumType("OrderDirection", {
  description: "In which direction.",
  values: DIRECTIONS,
});

export const InviteLinkOrderInput = builder.inputType("InviteLinkOrder", {
  description: "One thing to order links by.",
  fields: (t) => ({
    field: t.field({ type: OrderField, required: true, description: "By what." }),
    direction: t.field({
      type: OrderDirection,
      required: true,
      defaultValue: "ASC",
      description: "In which direction.",
    }),
  }),
});
