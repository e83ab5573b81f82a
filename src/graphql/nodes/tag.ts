import { NotFoundError } from "../../domain/shared/errors.js";
import { globalId } from "../../domain/shared/ids.js";
import type { Tag } from "../../domain/tags/tag.js";
import { builder } from "../builder/builder.js";
import { pageComplexity, toConnection } from "../builder/connection.js";
import { PURE_FIELD } from "../executor/planned/responseMemo.js";
import { COMMON_ERRORS } from "./errors.js";
import { SCAN_COST } from "./filterCost.js";
import { InviteLinkConnection, InviteLinkEdge, toLinkConnection } from "./inviteLinkConnection.js";
import { InviteLinkRef, TagRef, TagTypeRef } from "./refs.js";

builder.node(TagRef, {
  description: "A tag of one channel, by which its links are sorted.",
  id: { resolve: ({ id }) => id, description: "Global id, unique in the whole graph." },
  loadManyWithoutCache: (ids, { loaders }) => Promise.all(ids.map((id) => loaders.tag.load(id))),
  fields: (t) => ({
    channelId: t.field({
      type: "TelegramID",
      description: "The Telegram chat id of its channel.",
      resolve: ({ chatId }) => chatId,
      extensions: PURE_FIELD,
    }),
    name: t.exposeString("name", { description: "Unique within channel and type, whatever its case." }),
    color: t.exposeString("color", { description: "#RRGGBB" }),
    type: t.field({
      type: TagTypeRef,
      description: "What kind of tag it is.",
      resolve: ({ typeId, typeName }) => ({ id: typeId, name: typeName }),
      extensions: PURE_FIELD,
    }),
    createdAt: t.field({
      type: "DateTime",
      description: "When it was made.",
      resolve: ({ createdAt }) => createdAt,
      extensions: PURE_FIELD,
    }),
    updatedAt: t.field({
      type: "DateTime",
      nullable: true,
      description: "When it was last changed; null for never.",
      resolve: ({ updatedAt }) => updatedAt,
      extensions: PURE_FIELD,
    }),
    inviteLinks: t.connection(
      {
        type: InviteLinkRef,
        description: "The links that carry it, the newest first.",
        complexity: pageComplexity,
        resolve: async (tag, args, { links }) => toLinkConnection(await links.pageOfTag(tag, args)),
      },
      InviteLinkConnection,
      InviteLinkEdge,
    ),
  }),
});

const TagEdge = builder.edgeObject({
  name: "TagEdge",
  type: TagRef,
  description: "A tag's place in a page.",
});

const TagConnection = builder.connectionObject(
  {
    name: "TagConnection",
    type: TagRef,
    description: "A page of tags.",
    fields: (t) => ({
      totalCount: t.int({
        description: "All tags that match, on every page. Computed only when asked for.",
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
    description: "A tag by its id; null where there is none, and where the token may not see it.",
    args: { id: t.arg.id({ required: true, description: "Global id, or the bare UUID." }) },
    resolve: (_root, { id }, { tags }) => tags.find(id),
  }),
  tags: t.connection(
    {
      type: TagRef,
      description: "The tags of a channel, by name.",
      args: {
        channelId: t.arg({ type: "TelegramID", required: true, description: "The Telegram chat id." }),
        name: t.arg.string({ description: "Only tags whose name contains this, folded as for links." }),
        typeId: t.arg.id({ description: "Only tags of this type: its global id, or the bare UUID." }),
      },
      complexity: (args) => {
        const { field, multiplier } = pageComplexity(args);
        return { field: field + (args.name ? SCAN_COST : 0), multiplier };
      },
      resolve: async (_root, { channelId: chatId, ...args }, { tags }) =>
        toConnection(await tags.page({ ...args, chatId })),
    },
    TagConnection,
    TagEdge,
  ),
}));

const CreateTagInput = builder.inputType("CreateTagInput", {
  description:
    "A tag to make, in a channel that is known: a granted one that was never connected is refused.",
  fields: (t) => ({
    channelId: t.field({
      type: "TelegramID",
      required: true,
      description: "The Telegram chat id of its channel.",
    }),
    name: t.string({
      required: true,
      description: "1 to 64 characters; unique within channel and type, whatever its case.",
    }),
    color: t.string({ required: true, description: "#RRGGBB" }),
    tagTypeId: t.id({ required: true, description: "Its type: the global id, or the bare UUID." }),
  }),
});

const CreateTagSuccess = builder.objectRef<{ tag: Tag }>("CreateTagSuccess").implement({
  description: "The tag is made.",
  fields: (t) => ({
    tag: t.field({ type: TagRef, description: "The new tag.", resolve: ({ tag }) => tag }),
  }),
});

const UpdateTagInput = builder.inputType("UpdateTagInput", {
  description: "What a tag becomes. A field left out keeps its value; null is a ValidationError.",
  fields: (t) => ({
    id: t.id({ required: true, description: "The tag's global id, or the bare UUID." }),
    name: t.string({ description: "1 to 64 characters; unique within channel and type, whatever its case." }),
    color: t.string({ description: "#RRGGBB" }),
    tagTypeId: t.id({ description: "Its type: the global id, or the bare UUID." }),
  }),
});

const UpdateTagSuccess = builder.objectRef<{ tag: Tag }>("UpdateTagSuccess").implement({
  description: "The tag is as was asked for, on every link that carries it.",
  fields: (t) => ({
    tag: t.field({ type: TagRef, description: "The tag.", resolve: ({ tag }) => tag }),
  }),
});

const DeleteTagInput = builder.inputType("DeleteTagInput", {
  description: "Which tag to delete. It is taken from every link that carries it.",
  fields: (t) => ({ id: t.id({ required: true, description: "Its global id, or the bare UUID." }) }),
});

const DeleteTagSuccess = builder.objectRef<{ id: string }>("DeleteTagSuccess").implement({
  description: "The tag is gone, and no link carries it any more.",
  fields: (t) => ({
    deletedTagId: t.id({
      description: "The global id that it had.",
      resolve: ({ id }) => globalId("Tag", id),
    }),
  }),
});

builder.mutationFields((t) => ({
  createTag: t.field({
    type: CreateTagSuccess,
    description: "Makes a tag in a channel. Takes the role EDITOR.",
    args: { input: t.arg({ type: CreateTagInput, required: true, description: "What to make." }) },
    errors: { types: [...COMMON_ERRORS], union: { name: "CreateTagResult" } },
    resolve: async (_root, { input: { channelId: chatId, ...input } }, context) => ({
      tag: await context.afresh().tagCommands.create({ ...input, chatId }),
    }),
  }),
  updateTag: t.field({
    type: UpdateTagSuccess,
    description: "Renames and recolors a tag and moves it to another type. Takes the role EDITOR.",
    args: { input: t.arg({ type: UpdateTagInput, required: true, description: "What it becomes." }) },
    errors: { types: [...COMMON_ERRORS, NotFoundError], union: { name: "UpdateTagResult" } },
    resolve: async (_root, { input }, context) => ({ tag: await context.afresh().tagCommands.update(input) }),
  }),
  deleteTag: t.field({
    type: DeleteTagSuccess,
    description: "Deletes a tag and takes it from every link that carries it. Takes the role EDITOR.",
    args: { input: t.arg({ type: DeleteTagInput, required: true, description: "Which one." }) },
    errors: { types: [...COMMON_ERRORS, NotFoundError], union: { name: "DeleteTagResult" } },
    resolve: async (_root, { input }, context) => ({ id: await context.afresh().tagCommands.delete(input) }),
  }),
}));
