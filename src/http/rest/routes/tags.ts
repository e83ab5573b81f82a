import { z } from "zod";
import { NotFoundError } from "../../../domain/shared/errors.js";
import type { TagWithLinks } from "../../../domain/tags/tag.js";
import type { OpenRequest, RestEndpoint } from "../endpoint.js";
import { answers } from "../errors.js";
import { id, orderedFields, ordersOf, paging, telegramId } from "../fields.js";
import { sendPage, toNumbered } from "../page.js";
import { showTag, showType, TagPageShape, TagShape, TypesShape } from "../shapes.js";
import { TWINS } from "../twins.js";

const chatId = telegramId("The Telegram chat id of the channel.");
const name = z.string().meta({ description: "1 to 64 characters, unique in its channel and type." });
const color = z.string().meta({ description: "A color as #RRGGBB." });
const TagPath = z.object({ tag_id: id("The tag") });

function found(tag: TagWithLinks | null): TagWithLinks {
  if (tag === null) throw new NotFoundError("tag");
  return tag;
}

/** /tags */
export function addTags(endpoint: RestEndpoint, openRequest: OpenRequest): void {
  endpoint.route({
    method: "GET",
    url: "/tags",
    schema: {
      operationId: "listTags",
      summary: "List the tags of a channel, filtered and paged",
      tags: ["tags"],
      querystring: z.object({
        ...paging,
        channel_id: chatId,
        name: z
          .string()
          .optional()
          .meta({ description: "Part of the name; upper and lower case are not distinguished." }),
        type_id: id("The type of the tags").optional(),
        ordered_fields: orderedFields("name"),
      }),
      response: answers(200, "A page of tags.", TagPageShape, 403),
    },
    handler: async (request, reply) => {
      const { channel_id, name, type_id, ordered_fields, ...pageRequest } = request.query;
      const { tags } = await openRequest(request, reply, {
        document: TWINS.listTags,
        variables: { channelId: channel_id, name, typeId: type_id },
        size: pageRequest.limit,
      });
      const page = await tags.numberedPage({
        ...toNumbered(pageRequest),
        chatId: channel_id,
        orderBy: ordersOf(ordered_fields),
        name,
        typeId: type_id,
      });
      return sendPage(reply, pageRequest, page, showTag);
    },
  });

  endpoint.route({
    method: "POST",
    url: "/tags",
    schema: {
      operationId: "createTag",
      summary: "Create a tag in a channel",
      tags: ["tags"],
      body: z.object({ channel_id: chatId, name, color, tag_type_id: id("The tag's type") }),
      response: answers(201, "The new tag.", TagShape, 403, 408, 413, 415),
    },
    handler: async (request, reply) => {
      const { channel_id: chatId, name, color, tag_type_id: tagTypeId } = request.body;
      const { tagCommands } = await openRequest(request, reply, {
        document: TWINS.createTag,
        variables: { input: { channelId: chatId, name, color, tagTypeId } },
      });
      const tag = await tagCommands.create({ chatId, name, color, tagTypeId });
      return reply.code(201).send(showTag({ ...tag, links: [] }));
    },
  });

  endpoint.route({
    method: "GET",
    url: "/tags/types",
    schema: {
      operationId: "listTagTypes",
      summary: "List all tag types, ordered by name",
      tags: ["tags"],
      response: answers(200, "The types.", TypesShape),
    },
    handler: async (request, reply) => {
      const twin = { document: TWINS.listTagTypes, variables: {} };
      const { tagTypes } = await openRequest(request, reply, twin);
      const types = await tagTypes.list();
      return reply.send(types.map(showType));
    },
  });

  endpoint.route({
    method: "GET",
    url: "/tags/:tag_id",
    schema: {
      operationId: "getTag",
      summary: "Get a tag by its id",
      tags: ["tags"],
      params: TagPath,
      response: answers(200, "The tag.", TagShape, 404),
    },
    handler: async (request, reply) => {
      const { tag_id: id } = request.params;
      const { tags } = await openRequest(request, reply, { document: TWINS.getTag, variables: { id } });
      return reply.send(showTag(found(await tags.findWithLinks(id))));
    },
  });

  endpoint.route({
    method: "PATCH",
    url: "/tags/:tag_id",
    schema: {
      operationId: "updateTag",
      summary: "Change the name, the color and the type of a tag",
      tags: ["tags"],
      params: TagPath,
      querystring: z.object({ channel_id: chatId, name, color, type_id: id("The tag's type") }),
      response: answers(200, "The tag.", TagShape, 403, 404, 408, 413, 415),
    },
    handler: async (request, reply) => {
      const { channel_id, name, color, type_id } = request.query;
      const { tagCommands, tags } = await openRequest(request, reply, {
        document: TWINS.updateTag,
        variables: { input: { id: request.params.tag_id, name, color, tagTypeId: type_id } },
      });
      const { id } = await tagCommands.update({
        id: request.params.tag_id,
        chatId: channel_id,
        name,
        color,
        tagTypeId: type_id,
      });
      return reply.send(showTag(found(await tags.findWithLinks(id))));
    },
  });
}
