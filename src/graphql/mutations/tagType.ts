import { NotFoundError } from "../../domain/shared/errors.js";
import { builder } from "../builder/builder.js";
import { COMMON_ERRORS } from "../nodes/errors.js";
import { TagTypeRef } from "../nodes/refs.js";
import { deletionSuccess, nodeSuccess } from "./success.js";

const NAME = "1 to 64 characters. Unique, regardless of case.";

const CreateTagTypeInput = builder.inputType("CreateTagTypeInput", {
  description: "The tag type to create.",
  fields: (t) => ({ name: t.string({ required: true, description: NAME }) }),
});

const UpdateTagTypeInput = builder.inputType("UpdateTagTypeInput", {
  description: "The new name of a tag type.",
  fields: (t) => ({
    id: t.id({ required: true, description: "The tag type's global id or bare UUID." }),
    name: t.string({ required: true, description: NAME }),
  }),
});

const DeleteTagTypeInput = builder.inputType("DeleteTagTypeInput", {
  description:
    "The tag type to delete. A type that still has tags, in any channel, is not deleted: a ValidationError gives their number.",
  fields: (t) => ({
    id: t.id({ required: true, description: "The tag type's global id or bare UUID." }),
  }),
});

const CreateTagTypeSuccess = nodeSuccess("CreateTagTypeSuccess", "The tag type was created.", TagTypeRef, {
  name: "tagType",
  description: "The new tag type.",
});

const UpdateTagTypeSuccess = nodeSuccess("UpdateTagTypeSuccess", "The tag type has the name.", TagTypeRef, {
  name: "tagType",
  description: "The updated tag type.",
});

const DeleteTagTypeSuccess = deletionSuccess(
  "DeleteTagTypeSuccess",
  "The tag type was deleted.",
  "TagType",
  "deletedTagTypeId",
);

builder.mutationFields((t) => ({
  createTagType: t.field({
    type: CreateTagTypeSuccess,
    description: "Creates a tag type. Requires the role EDITOR and a token for all channels.",
    args: {
      input: t.arg({ type: CreateTagTypeInput, required: true, description: "The tag type to create." }),
    },
    errors: { types: [...COMMON_ERRORS], union: { name: "CreateTagTypeResult" } },
    resolve: async (_root, { input }, { tagTypes }) => ({ tagType: await tagTypes.create(input) }),
  }),
  updateTagType: t.field({
    type: UpdateTagTypeSuccess,
    description: "Renames a tag type. Requires the role EDITOR and a token for all channels.",
    args: {
      input: t.arg({
        type: UpdateTagTypeInput,
        required: true,
        description: "The tag type and its new name.",
      }),
    },
    errors: { types: [...COMMON_ERRORS, NotFoundError], union: { name: "UpdateTagTypeResult" } },
    resolve: async (_root, { input }, { tagTypes }) => ({ tagType: await tagTypes.update(input) }),
  }),
  deleteTagType: t.field({
    type: DeleteTagTypeSuccess,
    description:
      "Deletes a tag type that has no tags. Requires the role EDITOR and a token for all channels.",
    args: {
      input: t.arg({ type: DeleteTagTypeInput, required: true, description: "The tag type to delete." }),
    },
    errors: { types: [...COMMON_ERRORS, NotFoundError], union: { name: "DeleteTagTypeResult" } },
    resolve: async (_root, { input }, { tagTypes }) => ({ id: await tagTypes.delete(input) }),
  }),
}));
