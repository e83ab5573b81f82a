import { z } from "zod";
import { readResult } from "../../../domain/links/persistResult.js";
import { NotFoundError } from "../../../domain/shared/errors.js";
import type { OpenRequest, RestEndpoint } from "../endpoint.js";
import { answers } from "../errors.js";
import {
  amount,
  flag,
  id,
  instant,
  integer,
  orderedFields,
  ordersOf,
  paging,
  telegramId,
} from "../fields.js";
import { sendPage, toNumbered } from "../page.js";
import { LinkPageShape, LinkShape, showLink } from "../shapes.js";
import { TWINS } from "../twins.js";

const chatId = telegramId("The Telegram chat id of the channel.");

const stats = flag("Whether each link has `stats`, the numbers of its members.");

const Filter = z
  .object({
    tags: z
      .array(
        z.object({
          tag_type_id: id("The tag type"),
          without_type: z.boolean().default(false).meta({
            description: "Also match links that carry no tag of this type.",
          }),
          tags: z.array(id("A tag of this type")),
        }),
      )
      .nullish()
      .meta({
        description:
          "A link must match every type in this list. It matches a type if it carries any of the type's tags in the list.",
      }),
    links_ids: z
      .array(id("A link"))
      .nullish()
      .meta({ description: "Only these links. An empty list, like null, does not restrict the links." }),
  })
  .nullish();

const NewLink = z.object({
  channel_id: chatId,
  name: z.string().meta({ description: "1 to 32 characters." }),
  creates_join_request: z.boolean().default(false),
  expire_date: instant("A time in the future; null for a link that does not expire.").nullish(),
  member_limit: integer({
    minimum: 1,
    maximum: 99_999,
    description: "Not allowed together with creates_join_request. Null means no limit.",
  }).nullish(),
  budget: amount("At most two fraction digits.").prefault(0),
  tags: z.array(id("A tag of the channel")).nullish(),
});

/** /invite_links */
export function addLinks(endpoint: RestEndpoint, openRequest: OpenRequest): void {
  endpoint.route({
    method: "GET",
    url: "/invite_links/:invite_link_id",
    schema: {
      operationId: "getInviteLink",
      summary: "Get an invite link by its id",
      tags: ["invite_links"],
      params: z.object({ invite_link_id: id("The link") }),
      querystring: z.object({ channel_id: chatId, stats }),
      response: answers(200, "The link.", LinkShape, 404),
    },
    handler: async (request, reply) => {
      const { channel_id: channelId, stats } = request.query;
      const { invite_link_id: linkId } = request.params;
      const { links, loaders, linkStatistics } = await openRequest(request, reply, {
        document: TWINS.getInviteLink,
        variables: { id: linkId, channelId, stats },
      });
      const link = await links.find(linkId, channelId);
      if (link === null) throw new NotFoundError("invite link");
      const counts = stats ? { stats: await linkStatistics.withCounts(link) } : {};
      return reply.send(showLink({ ...link, tags: await loaders.tagsOf(link), ...counts }));
    },
  });

  endpoint.route({
    method: "POST",
    url: "/invite_links/all",
    schema: {
      operationId: "listInviteLinks",
      summary: "List the invite links of a channel, filtered and paged",
      tags: ["invite_links"],
      querystring: z.object({
        ...paging,
        channel_id: chatId,
        name: z
          .string()
          .optional()
          .meta({ description: "Part of the name; upper and lower case are not distinguished." }),
        creator_id: telegramId("Only links that this Telegram user created.").optional(),
        ordered_fields: orderedFields("-created_at"),
        stats,
      }),
      body: Filter,
      response: answers(200, "A page of links.", LinkPageShape, 403, 408, 413, 415),
    },
    handler: async (request, reply) => {
      const {
        channel_id,
        name,
        creator_id,
        ordered_fields,
        stats: withStats,
        ...pageRequest
      } = request.query;
      const { tags, links_ids } = request.body ?? {};
      const filter = {
        name,
        creatorId: creator_id,
        tagGroups: tags?.map((group) => ({
          tagTypeId: group.tag_type_id,
          withoutType: group.without_type,
          tagIds: group.tags,
        })),
        ids: links_ids?.length ? links_ids : null,
      };
      const { links } = await openRequest(request, reply, {
        document: TWINS.listInviteLinks,
        variables: { channelId: channel_id, filter, stats: withStats },
        size: pageRequest.limit,
      });
      const found = await links.numberedPage({
        ...toNumbered(pageRequest),
        chatId: channel_id,
        withStats,
        orderBy: ordersOf(ordered_fields),
        filter,
      });
      return sendPage(reply, pageRequest, found, showLink);
    },
  });

  endpoint.route({
    method: "POST",
    url: "/invite_links",
    schema: {
      operationId: "createInviteLink",
      summary: "Create an invite link through the helper bot",
      tags: ["invite_links"],
      headers: z.looseObject({
        "idempotency-key": z.string().optional().meta({
          description:
            "A key of 1 to 255 characters that the caller chooses. A repeated call with the same key within 24 hours gives the first call's link.",
        }),
      }),
      body: NewLink,
      response: answers(201, "The new link.", LinkShape, 403, 408, 409, 413, 415, 502, 504),
    },
    handler: async (request, reply) => {
      const { body, headers } = request;
      const { linkCreator, loaders } = await openRequest(request, reply, {
        document: TWINS.createInviteLink,
        variables: { input: { channelId: body.channel_id, name: body.name } },
      });
      const link = await linkCreator.create({
        chatId: body.channel_id,
        name: body.name,
        createsJoinRequest: body.creates_join_request,
        expireDate: body.expire_date,
        memberLimit: body.member_limit,
        budget: body.budget,
        tagIds: body.tags ?? [],
        idempotencyKey: headers["idempotency-key"],
      });
      return reply.code(201).send(showLink({ ...link, tags: await readResult(() => loaders.tagsOf(link)) }));
    },
  });
}
