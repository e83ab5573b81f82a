import { NotFoundError } from "../../domain/shared/errors.js";
import { builder } from "../builder/builder.js";
import { COMMON_ERRORS } from "../nodes/errors.js";
import { TagRef } from "../nodes/refs.js";
import { deletionSuccess, nodeSuccess } from "./success.js";

const NAME = "1 to 64 characters. Unique within the channel and the tag type, regardless of case.";
const COLOR = "A color as #RRGGBB.";
const TAG_TYPE_ID = "The tag type: its global id or bare UUID.";

const CreateTagInput = builder.inputType("CreateTagInput", {
  description: "The tag to create. Its channel must be connected: a mere grant of the channel is not enough.",
  fields: (t) => ({
    channelId: t.field({
      type: "TelegramID",
      required: true,
      description: "The Telegram chat id of the tag's channel.",
    }),
    name: t.string({ required: true, description: NAME }),
    color: t.string({ required: true, description: COLOR }),
    tagTypeId: t.id({ required: true, description: TAG_TYPE_ID }),
  }),
});

const UpdateTagInput = builder.inputType("UpdateTagInput", {
  description: "The changes of a tag. An omitted field keeps its value; null is a ValidationError.",
  fields: (t) => ({
    id: t.id({ required: true, description: "The tag's global id or bare UUID." }),
    name: t.string({ description: NAME }),
    color: t.string({ description: COLOR }),
    tagTypeId: t.id({ description: TAG_TYPE_ID }),
  }),
});

const DeleteTagInput = builder.inputType("DeleteTagInput", {
  description: "The tag to delete. All links that carry the tag lose it.",
  fields: (t) => ({ id: t.id({ required: true, description: "The tag's global id or bare UUID." }) }),
});

const CreateTagSuccess = nodeSuccess("CreateTagSuccess", "The tag was created.", TagRef, {
  name: "tag",
  description: "The new tag.",
});

const UpdateTagSuccess = nodeSuccess(
  "UpdateTagSuccess",
  "The tag was changed, on every link that carries it.",
  TagRef,
  { name: "tag", description: "The updated tag." },
);

const DeleteTagSuccess = deletionSuccess(
  "DeleteTagSuccess",
  "The tag was deleted, and no link carries it any more.",
  "Tag",
  "deletedTagId",
);

builder.mutationFields((t) => ({
  createTag: t.field({
    type: CreateTagSuccess,
    description: "Creates a tag in a channel. Requires the role EDITOR.",
    args: { input: t.arg({ type: CreateTagInput, required: true, description: "The tag to create." }) },
    errors: { types: [...COMMON_ERRORS], union: { name: "CreateTagResult" } },
    resolve: async (_root, { input: { channelId: chatId, ...input } }, { tagCommands }) => ({
      tag: await tagCommands.create({ ...input, chatId }),
    }),
  }),
  updateTag: t.field({
    type: UpdateTagSuccess,
    description: "Changes the name, the color or the type of a tag. Requires the role EDITOR.",
    args: { input: t.arg({ type: UpdateTagInput, required: true, description: "The tag and its changes." }) },
    errors: { types: [...COMMON_ERRORS, NotFoundError], union: { name: "UpdateTagResult" } },
    resolve: async (_root, { input }, { tagCommands }) => ({ tag: await tagCommands.update(input) }),
  }),
  deleteTag: t.field({
    type: DeleteTagSuccess,
    description: "Deletes a tag and removes it from every link that carries it. Requires the role EDITOR.",
    args: { input: t.arg({ type: DeleteTagInput, required: true, description: "The tag to delete." }) },
    errors: { types: [...COMMON_ERRORS, NotFoundError], union: { name: "DeleteTagResult" } },
    resolve: async (_root, { input }, { tagCommands }) => ({ id: await tagCommands.delete(input) }),
  }),
}));
