import type { StoredEntry } from "../../domain/audit/auditEntries.js";
import { SUBJECT_KINDS } from "../../domain/shared/audit.js";
import { globalId, type IdKind } from "../../domain/shared/ids.js";
import { builder } from "../builder/builder.js";
import { COUNTING_COST, pageComplexity, selectsRows, toConnection } from "../builder/connection.js";
import { auditFilterCost } from "./filterCost.js";

const AuditEntryRef = builder.objectRef<StoredEntry>("AuditEntry");

/** The kind of node that an entry is about; null for none. */
const kindOf = ({ action }: StoredEntry): IdKind | null => {
  const noun = action.slice(0, action.indexOf("."));
  return (SUBJECT_KINDS as Record<string, IdKind | null>)[noun] ?? null;
};

builder.node(AuditEntryRef, {
  description: "The record of one change: who changed what, and what it was before and after.",
  id: { resolve: ({ id }) => id, description: "Global id, unique in the whole schema." },
  loadManyWithoutCache: (ids, { auditEntries }) => Promise.all(ids.map((id) => auditEntries.find(id))),
  fields: (t) => ({
    at: t.expose("at", { type: "DateTime", description: "The time of the change." }),
    caller: t.exposeString("caller", {
      description:
        "Who made the change: `token:` and the UUID of the API token, `admin` for ADMIN_TOKEN, `cli` for the command line, `server` for what the server did by itself.",
    }),
    callerName: t.exposeString("callerName", {
      nullable: true,
      description: "The name of the caller, such as the token's; null for the server itself.",
    }),
    action: t.exposeString("action", {
      description: "What was done, as `noun.verb`, such as `inviteLink.create`.",
    }),
    subjectId: t.id({
      nullable: true,
      description:
        "The global id of what was changed, also after it was deleted; null for something that has no id, such as a person who was erased.",
      resolve: (entry) => {
        const kind = kindOf(entry);
        return kind && globalId(kind, entry.subjectId);
      },
    }),
    channelId: t.expose("chatId", {
      type: "TelegramID",
      nullable: true,
      description: "The Telegram chat id of the channel; null for what belongs to no channel.",
    }),
    change: t.expose("change", {
      type: "JSON",
      description:
        "What was changed. A value that was there before is `{from, to}`. Ids in it are bare UUIDs. It contains no secret.",
    }),
  }),
});

const AuditEntryEdge = builder.edgeObject({
  name: "AuditEntryEdge",
  type: AuditEntryRef,
  description: "An audit entry on a page, with its cursor.",
});

const AuditEntryConnection = builder.connectionObject(
  {
    name: "AuditEntryConnection",
    type: AuditEntryRef,
    description: "A page of audit entries.",
    fields: (t) => ({
      totalCount: t.int({
        description: "The number of matching entries on all pages. Computed only if selected.",
        complexity: COUNTING_COST,
        resolve: ({ totalCount }) => totalCount(),
      }),
    }),
  },
  AuditEntryEdge,
);

const AuditFilterInput = builder.inputType("AuditFilter", {
  description: "Conditions on audit entries. An entry must meet all of them.",
  fields: (t) => ({
    channelId: t.field({
      type: "TelegramID",
      description: "Only entries of the channel with this Telegram chat id.",
    }),
    subjectId: t.id({
      description:
        "Only entries about this link, tag or other subject: a global id or a bare UUID. Required unless the role is ADMIN.",
    }),
    caller: t.string({ description: "Only entries of this caller, as AuditEntry.caller has it." }),
    actions: t.stringList({
      description: "Only entries of these actions, at most 100. An empty list matches no entry.",
    }),
    from: t.field({ type: "DateTime", description: "Only entries from this time on." }),
    to: t.field({ type: "DateTime", description: "Only entries before this time (exclusive)." }),
  }),
});

builder.queryField("auditEntries", (t) =>
  t.connection(
    {
      type: AuditEntryRef,
      description:
        "Who changed what, the latest first, at most 100 entries a page. Requires the role ADMIN or, in the filter, the subjectId of a link or tag that the token may see. A token limited to some channels sees the entries of these channels only.",
      args: {
        filter: t.arg({
          type: AuditFilterInput,
          description: "The conditions that the entries must meet; null for all entries.",
        }),
      },
      complexity: (args) => {
        const { field, multiplier } = pageComplexity(args);
        return { field: field + auditFilterCost(args.filter), multiplier };
      },
      resolve: async (_root, args, { auditEntries }, info) =>
        toConnection(await auditEntries.page({ withRows: selectsRows(info), ...args })),
    },
    AuditEntryConnection,
    AuditEntryEdge,
  ),
);
