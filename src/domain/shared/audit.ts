import type { UnitOfWork } from "../../database/database.js";
import type { Prisma } from "../../database/generated/prisma/client.js";
import { statement } from "../../database/statement.js";
import type { Caller } from "./caller.js";
import { type IdKind, newId } from "./ids.js";

/** The nouns of actions, each with the kind of node that the subject's id is of; null for a subject that is no node. */
export const SUBJECT_KINDS = {
  apiToken: "ApiToken",
  channel: "Channel",
  counter: null,
  failedUpdate: "FailedUpdate",
  inviteLink: "InviteLink",
  inviteLinkBatch: "InviteLinkBatch",
  joinRequest: "JoinRequest",
  joinRequestPolicy: "InviteLink",
  linkCreation: "UncertainCreation",
  member: null,
  tag: "Tag",
  tagType: "TagType",
  webhook: "Webhook",
} as const satisfies Record<string, IdKind | null>;

export type AuditAction = `${keyof typeof SUBJECT_KINDS}.${string}`;

/** The record of one change. */
export interface AuditEntry {
  /** Such as "inviteLink.create". */
  readonly action: AuditAction;
  readonly subjectId: string;
  /** Left out or null for a subject that belongs to no channel. */
  readonly channelId?: string | null;
  readonly change: Prisma.InputJsonObject;
}

/** The caller of changes that the server makes by itself. */
export const SERVER = { key: "server" } as const;

/** A value as an audit entry shows it. */
export type Scalar = string | number | boolean | null;

/** The values that differ, each with its former and its new value, for an audit entry. */
export function differences<Field extends string>(
  was: Readonly<Record<NoInfer<Field>, Scalar>>,
  became: Readonly<Record<Field, Scalar>>,
): Record<string, { readonly from: Scalar; readonly to: Scalar }> {
  const fields = Object.keys(became) as Field[];
  return Object.fromEntries(
    fields
      .filter((field) => was[field] !== became[field])
      .map((field) => [field, { from: was[field], to: became[field] }]),
  );
}

/** Stores hundreds of audit entries in one statement, in a transaction of either kind. */
export async function auditMany(
  unit: Pick<UnitOfWork, "query">,
  caller: Pick<Caller, "key">,
  entries: readonly AuditEntry[],
): Promise<void> {
  const rows = JSON.stringify(entries.map((entry) => ({ id: newId(), ...entry })));
  await unit.query(statement("audit_entries_insert")`
    insert into audit_entry (id, at, caller, action, subject_id, channel_id, change)
    select id, now(), ${caller.key}, action, "subjectId", "channelId", change
    from json_to_recordset(${rows}::json)
      as entry (id uuid, action text, "subjectId" uuid, "channelId" uuid, change jsonb)`);
}

/** Stores audit entries, in the transaction of the change itself. */
export async function audit(
  unit: UnitOfWork,
  caller: Pick<Caller, "key">,
  ...entries: readonly AuditEntry[]
): Promise<void> {
  const at = new Date();
  const rows = entries.map((entry) => ({ id: newId(), at, caller: caller.key, ...entry }));
  await unit.prisma.auditEntry.createMany({ data: rows });
}
