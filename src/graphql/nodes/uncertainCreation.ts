import { linkSpecOf } from "../../domain/links/create/uncertainCreations.js";
import { builder } from "../builder/builder.js";
import { ChannelRef } from "./refs.js";

const planSelection = { arguments: true } as const;

builder.prismaNode("LinkCreation", {
  name: "UncertainCreation",
  description:
    "The creation of a link for which Telegram's answer was lost, so that it is unknown whether the link exists. Look for the link among the bot's links in Telegram, then call resolveCreation.",
  nullable: true,
  id: { field: "id", description: "Global id, unique in the whole schema." },
  findUnique: (id, { uncertainCreations }) => ({ id, AND: [uncertainCreations.visible] }),
  fields: (t) => ({
    channel: t.field({
      type: ChannelRef,
      description: "The channel of the link.",
      select: { channelId: true },
      resolve: async ({ channelId }, _args, { loaders }) => {
        const channel = await loaders.channel.load(channelId);
        if (channel === null) throw new Error(`The channel ${channelId} of a creation does not exist.`);
        return channel;
      },
    }),
    name: t.string({
      description: "The name that the link has in Telegram, if it exists.",
      select: planSelection,
      resolve: (creation) => linkSpecOf(creation).settings.name ?? "",
    }),
    budget: t.field({
      type: "Decimal",
      description: "The price of the placement in the channel's currency.",
      select: planSelection,
      resolve: (creation) => linkSpecOf(creation).budget,
    }),
    idempotencyKey: t.exposeString("idempotencyKey", {
      nullable: true,
      description:
        "The idempotency key of the creation; null if there was none. A repeated call with the key fails in the same way until the creation is resolved.",
    }),
    reason: t.exposeString("failure", {
      nullable: true,
      description: "Why the outcome is unknown, as a text for people.",
    }),
    createdAt: t.expose("createdAt", { type: "DateTime", description: "The time of the request." }),
  }),
});

builder.queryField("uncertainCreations", (t) =>
  t.prismaField({
    type: ["LinkCreation"],
    description:
      "Creations of links with an unknown outcome, the oldest first, at most 1000. Requires the role ADMIN.",
    resolve: async (query, _root, _args, { prisma, uncertainCreations }) =>
      prisma.linkCreation.findMany({
        ...query,
        where: await uncertainCreations.listed(),
        orderBy: { id: "asc" },
        take: 1000,
      }),
  }),
);
