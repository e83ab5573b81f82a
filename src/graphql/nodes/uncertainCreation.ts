import { linkSpecOf } from "../../domain/links/create/uncertainCreations.js";
import { NotFoundError } from "../../domain/shared/errors.js";
import { builder } from "../builder/builder.js";
import { COMMON_ERRORS } from "./errors.js";
import { ChannelRef, InviteLinkRef } from "./refs.js";

const planSelection = { arguments: true } as const;

builder.prismaNode("LinkCreation", {
  name: "UncertainCreation",
  description:
    "A link that was asked for, and of which nobody knows whether Telegram made it: its answer was lost. Look it up among the bot's links in Telegram, and resolve it.",
  nullable: true,
  id: { field: "id", description: "Global id, unique in the whole graph." },
  findUnique: (id, { uncertainCreations }) => ({ id, AND: [uncertainCreations.visible] }),
  fields: (t) => ({
    channel: t.field({
      type: ChannelRef,
      description: "In which channel.",
      select: { channelId: true },
      resolve: async ({ channelId }, _args, { loaders }) => {
        const channel = await loaders.channel.load(channelId);
        if (channel === null) throw new Error(`The channel ${channelId} of a creation is not there.`);
        return channel;
      },
    }),
    name: t.string({
      description: "Under which name the link would stand in Telegram.",
      select: planSelection,
      resolve: (creation) => linkSpecOf(creation).settings.name ?? "",
    }),
    budget: t.field({
      type: "Decimal",
      description: "What was paid for the placement, in the channel's currency.",
      select: planSelection,
      resolve: (creation) => linkSpecOf(creation).budget,
    }),
    idempotencyKey: t.exposeString("idempotencyKey", {
      nullable: true,
      description:
        "The key it was asked for with: repeating it gives the same answer until this is resolved.",
    }),
    reason: t.exposeString("failure", { nullable: true, description: "Why nobody knows, for a person." }),
    createdAt: t.field({
      type: "DateTime",
      description: "When it was asked for.",
      select: { createdAt: true },
      resolve: ({ createdAt }) => createdAt,
    }),
  }),
});

builder.queryField("uncertainCreations", (t) =>
  t.prismaField({
    type: ["LinkCreation"],
    description:
      "Links of which nobody knows whether Telegram made them, the oldest first, at most 1000. Takes the role ADMIN.",
    resolve: async (query, _root, _args, { prisma, uncertainCreations }) =>
      prisma.linkCreation.findMany({
        ...query,
        where: await uncertainCreations.listed(),
        orderBy: { id: "asc" },
        take: 1000,
      }),
  }),
);

const ResolveCreationInput = builder.inputType("ResolveCreationInput", {
  description:
    "What became of a creation, as someone found out in Telegram: either its link's address, or that none was made.",
  fields: (t) => ({
    id: t.id({ required: true, description: "The UncertainCreation's global id, or the bare UUID." }),
    url: t.field({ type: "URL", description: "The link that Telegram made." }),
    notMade: t.boolean({
      required: true,
      defaultValue: false,
      description: "True: Telegram made none, and the key is free for another try.",
    }),
  }),
});

const ResolveCreationSuccess = builder
  .objectRef<{ linkId: string | null }>("ResolveCreationSuccess")
  .implement({
    description: "The doubt is over.",
    fields: (t) => ({
      inviteLink: t.field({
        type: InviteLinkRef,
        nullable: true,
        description: "The link as it was asked for, stored now; null where none was made.",
        resolve: ({ linkId }, _args, { loaders }) =>
          linkId === null ? null : loaders.inviteLink.load(linkId),
      }),
    }),
  });

builder.mutationField("resolveCreation", (t) =>
  t.field({
    type: ResolveCreationSuccess,
    description:
      "Ends the doubt about a creation: its link is stored as it was asked for, and its idempotency key gives it from now on; or the key is free again. Takes the role ADMIN.",
    args: {
      input: t.arg({
        type: ResolveCreationInput,
        required: true,
        description: "Which one, and what became of it.",
      }),
    },
    errors: { types: [...COMMON_ERRORS, NotFoundError], union: { name: "ResolveCreationResult" } },
    resolve: async (_root, { input }, context) => ({
      linkId: await context.afresh().uncertainCreations.resolve(input),
    }),
  }),
);
