import type { FailedUpdate } from "../../domain/members/failedUpdates.js";
import { builder } from "../builder/builder.js";
import { pageComplexity, selectsRows, toConnection } from "../builder/connection.js";

const FailedUpdateRef = builder.objectRef<FailedUpdate>("FailedUpdate");

builder.node(FailedUpdateRef, {
  description: "An update of Telegram's that could not be understood or stored.",
  id: { resolve: ({ id }) => id, description: "Global id, unique in the whole schema." },
  loadManyWithoutCache: (ids, { failedUpdates }) => Promise.all(ids.map((id) => failedUpdates.find(id))),
  fields: (t) => ({
    updateId: t.exposeFloat("updateId", { description: "Telegram's id of the update." }),
    receivedAt: t.expose("receivedAt", {
      type: "DateTime",
      description: "The time at which the update came.",
    }),
    reason: t.exposeString("reason", {
      description: "Why the update was set aside, as a text for people. It contains no values of the update.",
    }),
    body: t.expose("body", {
      type: "JSON",
      description: "The update as Telegram sent it, its persons reduced to their ids.",
    }),
  }),
});

const FailedUpdateEdge = builder.edgeObject({
  name: "FailedUpdateEdge",
  type: FailedUpdateRef,
  description: "A failed update on a page, with its cursor.",
});

const FailedUpdateConnection = builder.connectionObject(
  {
    name: "FailedUpdateConnection",
    type: FailedUpdateRef,
    description: "A page of failed updates.",
    fields: (t) => ({
      totalCount: t.int({
        description: "The number of updates that are set aside. Computed only if selected.",
        resolve: ({ totalCount }) => totalCount(),
      }),
    }),
  },
  FailedUpdateEdge,
);

builder.queryField("failedUpdates", (t) =>
  t.connection(
    {
      type: FailedUpdateRef,
      description:
        "The updates that could not be understood or stored, the oldest first. They are set aside, so that later updates are not held up. Requires the role ADMIN and a token for all channels.",
      complexity: pageComplexity,
      resolve: async (_root, args, { failedUpdates }, info) =>
        toConnection(await failedUpdates.page({ withRows: selectsRows(info), ...args })),
    },
    FailedUpdateConnection,
    FailedUpdateEdge,
  ),
);
