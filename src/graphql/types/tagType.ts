import type { TagType } from "../../domain/tags/tag.js";
import { builder } from "../builder.js";
import { COMMON_ERRORS } from "./errors.js";
import { TagTypeRef } from "./refs.js";

builder.node(TagTypeRef, {
  description:
    "A kind of tag, such as platform, creative or buyer. Shared by the whole installation: made, renamed and deleted only by tokens without channel limits.",
  id: { resolve: ({ id }) => id, description: "Global id, unique in the whole graph." },
  loadMany: (ids, { loaders }) => ids.map((id) => loaders.tagType.load(id)),
  fields: (t) => ({
    name: t.exposeString("name", { description: "Unique, whatever its case." }),
  }),
});

builder.queryField("tagTypes", (t) =>
  t.field({
    type: [TagTypeRef],
    description: "All tag types, by name.",
    resolve: (_root, _args, { tags }) => tags.types(),
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

builder.mutationField("createTagType", (t) =>
  t.field({
    type: CreateTagTypeSuccess,
    description: "Makes a tag type. Takes the role EDITOR and a token without channel limits.",
    args: { input: t.arg({ type: CreateTagTypeInput, required: true, description: "What to make." }) },
    errors: { types: [...COMMON_ERRORS], union: { name: "CreateTagTypeResult" } },
    resolve: async (_root, { input }, context) => ({
      tagType: await context.afresh().tags.createType(input),
    }),
  }),
);
