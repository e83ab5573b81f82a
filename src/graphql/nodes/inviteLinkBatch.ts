import {
  errorOfItem,
  type LinkBatch,
  type LinkBatchItem,
  type LinkBatchItemState,
  type LinkBatchState,
} from "../../domain/links/batches/linkBatch.js";
import { builder } from "../builder/builder.js";
import { COUNTING_COST, pageComplexity, selectsRows, toConnection } from "../builder/connection.js";
import { errorValue, UserErrorRef } from "./errors.js";
import { InviteLinkRef } from "./refs.js";

const STATES: Record<LinkBatchState, { description: string }> = {
  RUNNING: { description: "Links are being created, or wait." },
  DONE: { description: "No link waits any more." },
  CANCELLED: {
    description:
      "The batch was cancelled. finishedAt is null as long as the link that was being created is not finished.",
  },
};

const ITEM_STATES: Record<LinkBatchItemState, { description: string }> = {
  WAITING: { description: "The link is not created yet." },
  MADE: { description: "The link was created." },
  FAILED: { description: "The link was not created; see error." },
  UNCERTAIN: {
    description:
      "Nobody knows whether Telegram created the link: see uncertainCreations. When an administrator settles the creation, the item becomes MADE or FAILED.",
  },
  CANCELLED: { description: "The batch was cancelled before the link was created." },
};

const StateType = builder.enumType("InviteLinkBatchState", {
  description: "How far a batch of links is.",
  values: STATES,
});

const ItemStateType = builder.enumType("InviteLinkBatchItemState", {
  description: "What became of a link of a batch.",
  values: ITEM_STATES,
});

const ItemRef = builder.objectRef<LinkBatchItem>("InviteLinkBatchItem").implement({
  description: "A link of a batch.",
  fields: (t) => ({
    index: t.exposeInt("index", { description: "The position in the input, from 0." }),
    name: t.exposeString("name", { description: "The name as it was given." }),
    externalId: t.exposeString("externalId", {
      nullable: true,
      description: "The caller's own id of the link; null for none.",
    }),
    state: t.expose("state", { type: ItemStateType, description: "What became of the link." }),
    inviteLink: t.field({
      type: InviteLinkRef,
      nullable: true,
      description: "The link; null unless the item is MADE.",
      resolve: ({ linkId }, _args, { loaders }) => (linkId === null ? null : loaders.inviteLink.load(linkId)),
    }),
    error: t.field({
      type: UserErrorRef,
      nullable: true,
      description: "Why the link was not created, or is uncertain; null unless FAILED or UNCERTAIN.",
      resolve: (item) => {
        const error = errorOfItem(item);
        return error && errorValue(error);
      },
    }),
  }),
});

const ItemEdge = builder.edgeObject({
  name: "InviteLinkBatchItemEdge",
  type: ItemRef,
  description: "A link of a batch on a page, with its cursor.",
});

const ItemConnection = builder.connectionObject(
  {
    name: "InviteLinkBatchItemConnection",
    type: ItemRef,
    description: "A page of the links of a batch.",
    fields: (t) => ({
      totalCount: t.int({
        description: "The number of matching items on all pages. Computed only if selected.",
        complexity: COUNTING_COST,
        resolve: ({ totalCount }) => totalCount(),
      }),
    }),
  },
  ItemEdge,
);

export const InviteLinkBatchRef = builder.objectRef<LinkBatch>("InviteLinkBatch");

builder.node(InviteLinkBatchRef, {
  description: "Links of one channel that are created one after another in the background.",
  id: { resolve: ({ id }) => id, description: "Global id, unique in the whole schema." },
  loadManyWithoutCache: (ids, { linkBatches }) => Promise.all(ids.map((id) => linkBatches.find(id))),
  fields: (t) => ({
    channelId: t.expose("chatId", {
      type: "TelegramID",
      description: "The Telegram chat id of the channel.",
    }),
    state: t.expose("state", { type: StateType, description: "How far the batch is." }),
    totalCount: t.exposeInt("totalCount", { description: "The number of links in the batch." }),
    madeCount: t.exposeInt("madeCount", { description: "The number of links that were created." }),
    failedCount: t.exposeInt("failedCount", { description: "The number of links that were not created." }),
    uncertainCount: t.exposeInt("uncertainCount", {
      description: "The number of links of which nobody knows whether Telegram created them.",
    }),
    createdAt: t.expose("createdAt", { type: "DateTime", description: "The time of the request." }),
    finishedAt: t.expose("finishedAt", {
      type: "DateTime",
      nullable: true,
      description: "When the batch ended; null as long as a link waits or is being created.",
    }),
    waitingUntil: t.expose("waitingUntil", {
      type: "DateTime",
      nullable: true,
      description: "Until when Telegram asked to wait (429); null if it does not ask.",
    }),
    items: t.connection(
      {
        type: ItemRef,
        description: "The links in the order of the input. At most 100 a page.",
        args: {
          states: t.arg({
            type: [ItemStateType],
            description: "Only links in these states; null for all. An empty list matches nothing.",
          }),
        },
        complexity: (args) => pageComplexity(args),
        resolve: async (batch, args, { linkBatches }, info) =>
          toConnection(await linkBatches.items(batch, { withRows: selectsRows(info), ...args })),
      },
      ItemConnection,
      ItemEdge,
    ),
  }),
});

const BatchEdge = builder.edgeObject({
  name: "InviteLinkBatchEdge",
  type: InviteLinkBatchRef,
  description: "A batch on a page, with its cursor.",
});

const BatchConnection = builder.connectionObject(
  {
    name: "InviteLinkBatchConnection",
    type: InviteLinkBatchRef,
    description: "A page of batches.",
    fields: (t) => ({
      totalCount: t.int({
        description: "The number of batches on all pages. Computed only if selected.",
        complexity: COUNTING_COST,
        resolve: ({ totalCount }) => totalCount(),
      }),
    }),
  },
  BatchEdge,
);

builder.queryField("inviteLinkBatches", (t) =>
  t.connection(
    {
      type: InviteLinkBatchRef,
      description: "The batches of links of a channel, the latest first. At most 100 a page.",
      args: {
        channelId: t.arg({
          type: "TelegramID",
          required: true,
          description: "The Telegram chat id of the channel.",
        }),
      },
      complexity: (args) => pageComplexity(args),
      resolve: async (_root, { channelId: chatId, ...args }, { linkBatches }, info) =>
        toConnection(await linkBatches.page({ chatId, withRows: selectsRows(info), ...args })),
    },
    BatchConnection,
    BatchEdge,
  ),
);
