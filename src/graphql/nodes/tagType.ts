import { builder } from "../builder/builder.js";
import { TagTypeRef } from "./refs.js";

builder.node(TagTypeRef, {
  description:
    "A kind of tag, such as platform, creative or buyer. All channels share the tag types. Only tokens for all channels can create, rename and delete them.",
  id: { resolve: ({ id }) => id, description: "Global id, unique in the whole schema." },
  loadManyWithoutCache: (ids, { loaders }) => Promise.all(ids.map((id) => loaders.tagType.load(id))),
  fields: (t) => ({
    name: t.exposeString("name", { description: "The name, unique regardless of case." }),
  }),
});

builder.queryField("tagTypes", (t) =>
  t.field({
    type: [TagTypeRef],
    description: "All tag types, ordered by name.",
    resolve: (_root, _args, { tagTypes }) => tagTypes.list(),
  }),
);
