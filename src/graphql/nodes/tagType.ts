import { NotFoundError } from "../../domain/shared/errors.js";
import { globalId } from "../../domain/shared/ids.js";
import type { TagType } from "../../domain/tags/tag.js";
import { builder } from "../builder/builder.js";
import { COMMON_ERRORS } from "./errors.js";
import { TagTypeRef } from "./refs.js";

builder.node(TagTypeRef, {
  description:
    "A kind of tag, such as platform, creative or buyer. Shared by the whole installation: made, renamed and deleted only by tokens without channel limits.",
  id: { resolve: ({ id }) => id, description: "Global id, unique in the whole graph." },
  loadManyWithoutCache: (ids, { loaders }) => Promise.all(ids.map((id) => loaders.tagType.load(id))),
  fields: (t) => ({
    name: t.exposeString("name", { description: "Unique, whatever its case." }),
  }),
});

builder.queryField("tagTypes", (t) =>
  t.field({
    type: [TagTypeRef],
    description: "All tag types, by name.",
    resolve: (_root, _args, { tagTypes }) => tagTypes.list(),
  }),
);

const CreateTagTypeInput = builder.inputType("CreateTagTypeInput", {
  description: "A tag type to make.",
  fields: (t) => ({
    name: t.string({ required: true, description: "1 to 64 characters; unique, whatever its case." }),
  }),
});

const CreateTagTypeSuccess = builder.objectRef<{ tagType: TagType }>("CreateTagTypeSuccess").implement({
  description: "The tag type is made.",
  fields: (t) => ({
    tagType: t.field({
      type: TagTypeRef,
      description: "The new tag type.",
      resolve: ({ tagType }) => tagType,
    }),
  }),
});

const UpdateTagTypeInput = builder.inputType("UpdateTagTypeInput", {
  description: "What a tag type is to be called.",
  fields: (t) => ({
    id: t.id({ required: true, description: "The type's global id, or the bare UUID." }),
    name: t.string({ required: true, description: "1 to 64 characters; unique, whatever its case." }),
  }),
});

const UpdateTagTypeSuccess = builder.objectRef<{ tagType: TagType }>("UpdateTagTypeSuccess").implement({
  description: "The tag type has the name.",
  fields: (t) => ({
    tagType: t.field({
      type: TagTypeRef,
      description: "The tag type.",
      resolve: ({ tagType }) => tagType,
    }),
  }),
});

const DeleteTagTypeInput = builder.inputType("DeleteTagTypeInput", {
  description:
    "Which tag type to delete. One that tags are of still, in any channel, is not deleted: a ValidationError says how many.",
  fields: (t) => ({ id: t.id({ required: true, description: "Its global id, or the bare UUID." }) }),
});

const DeleteTagTypeSuccess = builder.objectRef<{ id: string }>("DeleteTagTypeSuccess").implement({
  description: "The tag type is gone.",
  fields: (t) => ({
    deletedTagTypeId: t.id({
      description: "The global id that it had.",
      resolve: ({ id }) => globalId("TagType", id),
    }),
  }),
});

builder.mutationFields((t) => ({
  createTagType: t.field({
    type: CreateTagTypeSuccess,
    description: "Makes a tag type. Takes the role EDITOR and a token without channel limits.",
    args: { input: t.arg({ type: CreateTagTypeInput, required: true, description: "What to make." }) },
    errors: { types: [...COMMON_ERRORS], union: { name: "CreateTagTypeResult" } },
    resolve: async (_root, { input }, context) => ({
      tagType: await context.afresh().tagTypes.create(input),
    }),
  }),
  updateTagType: t.field({
    type: UpdateTagTypeSuccess,
    description: "Renames a tag type. Takes the role EDITOR and a token without channel limits.",
    args: { input: t.arg({ type: UpdateTagTypeInput, required: true, description: "Its new name." }) },
    errors: { types: [...COMMON_ERRORS, NotFoundError], union: { name: "UpdateTagTypeResult" } },
    resolve: async (_root, { input }, context) => ({
      tagType: await context.afresh().tagTypes.update(input),
    }),
  }),
  deleteTagType: t.field({
    type: DeleteTagTypeSuccess,
    description:
      "Deletes a tag type that no tag is of. Takes the role EDITOR and a token without channel limits.",
    args: { input: t.arg({ type: DeleteTagTypeInput, required: true, description: "Which one." }) },
    errors: { types: [...COMMON_ERRORS, NotFoundError], union: { name: "DeleteTagTypeResult" } },
    resolve: async (_root, { input }, context) => ({ id: await context.afresh().tagTypes.delete(input) }),
  }),
}));
