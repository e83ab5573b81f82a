import { builder } from "../builder/builder.js";
import { pageComplexity, selectsRows, toConnection } from "../builder/connection.js";
import { PURE_FIELD } from "../executor/planned/responseMemo.js";
import { SCAN_COST } from "./filterCost.js";
import { InviteLinkConnection, InviteLinkEdge, toLinkConnection } from "./inviteLinkConnection.js";
import { InviteLinkRef, TagRef, TagTypeRef } from "./refs.js";

builder.node(TagRef, {
  description: "A label on links of one channel.",
  id: { resolve: ({ id }) => id, description: "Global id, unique in the whole schema." },
  loadManyWithoutCache: (ids, { loaders }) => Promise.all(ids.map((id) => loaders.tag.load(id))),
  fields: (t) => ({
    channelId: t.expose("chatId", {
      type: "TelegramID",
      description: "The Telegram chat id of the tag's channel.",
      extensions: PURE_FIELD,
    }),
    name: t.exposeString("name", {
      description: "The name, unique within the channel and the tag type regardless of case.",
    }),
    color: t.exposeString("color", { description: "The color as #RRGGBB." }),
    type: t.field({
      type: TagTypeRef,
      description: "The tag type.",
      resolve: ({ typeId, typeName }) => ({ id: typeId, name: typeName }),
      extensions: PURE_FIELD,
    }),
    createdAt: t.expose("createdAt", {
      type: "DateTime",
      description: "The time of its creation.",
      extensions: PURE_FIELD,
    }),
    updatedAt: t.expose("updatedAt", {
      type: "DateTime",
      nullable: true,
      description: "The time of its last change; null if it was never changed.",
      extensions: PURE_FIELD,
    }),
    inviteLinks: t.connection(
      {
        type: InviteLinkRef,
        description: "The links with this tag, the newest first.",
        complexity: pageComplexity,
        resolve: async (tag, args, { links }, info) =>
          toLinkConnection(await links.pageOfTag(tag, { withRows: selectsRows(info), ...args })),
      },
      InviteLinkConnection,
      InviteLinkEdge,
    ),
  }),
});

const TagEdge = builder.edgeObject({
  name: "TagEdge",
  type: TagRef,
  description: "A tag on a page, with its cursor.",
});

const TagConnection = builder.connectionObject(
  {
    name: "TagConnection",
    type: TagRef,
    description: "A page of tags.",
    fields: (t) => ({
      totalCount: t.int({
        description: "The number of matching tags on all pages. Computed only if selected.",
        resolve: ({ totalCount }) => totalCount(),
      }),
    }),
  },
  TagEdge,
);

builder.queryFields((t) => ({
  tag: t.field({
    type: TagRef,
    nullable: true,
    description: "The tag with this id. Null if there is none, or if the token may not see it.",
    args: { id: t.arg.id({ required: true, description: "The tag's global id or bare UUID." }) },
    resolve: (_root, { id }, { tags }) => tags.find(id),
  }),
  tags: t.connection(
    {
      type: TagRef,
      description: "The tags of a channel, ordered by name.",
      args: {
        channelId: t.arg({
          type: "TelegramID",
          required: true,
          description: "The Telegram chat id of the channel.",
        }),
        name: t.arg.string({
          description:
            "Only tags whose name contains this text. Both are case folded as in InviteLinkFilter.name.",
        }),
        typeId: t.arg.id({ description: "Only tags of this type: the type's global id or bare UUID." }),
      },
      complexity: (args) => {
        const { field, multiplier } = pageComplexity(args);
        return { field: field + (args.name ? SCAN_COST : 0), multiplier };
      },
      resolve: async (_root, { channelId: chatId, ...args }, { tags }, info) =>
        toConnection(await tags.page({ chatId, withRows: selectsRows(info), ...args })),
    },
    TagConnection,
    TagEdge,
  ),
}));
