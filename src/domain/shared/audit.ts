import sql from "sql-template-tag";
import type { UnitOfWork } from "../../database/database.js";
import type { DirectTransaction } from "../../database/directTransaction.js";
import type { Prisma } from "../../database/generated/prisma/client.js";
import type { Caller } from "./caller.js";
import { newId } from "./ids.js";

/** The record of one change. */
export interface AuditEntry {
  /** Such as "inviteLink.create". */
  readonly action: string;
  readonly subjectId: string;
  /** Left out or null for a subject that belongs to no channel. */
  readonly channelId?: string | null;
  readonly change: Prisma.InputJsonObject;
}

/** The caller of changes that the server makes by itself. */
export const SERVER = { key: "server" } as const;

/** The values that differ, each with its former and its new value, for an audit entry. */
export function differences<Field extends string>(
  was: Readonly<Record<NoInfer<Field>, string>>,
  became: Readonly<Record<Field, string>>,
): Record<string, { readonly from: string; readonly to: string }> {
  const fields = Object.keys(became) as Field[];
  return Object.fromEntries(
    fields
      .filter((field) => was[field] !== became[field])
      .map((field) => [field, { from: was[field], to: became[field] }]),
  );
}

/** Stores hundreds of audit entries in one statement. */
export async function auditMany(
  unit: Pick<UnitOfWork, "execute">,
  caller: Pick<Caller, "key">,
  entries: readonly AuditEntry[],
): Promise<void> {
  const rows = JSON.stringify(entries.map((entry) => ({ id: newId(), ...entry })));
  await unit.execute(sql`
    insert into audit_entry (id, at, caller, action, subject_id, channel_id, change)
    select id, now(), ${caller.key}, action, "subjectId", "channelId", change
    from json_to_recordset(${rows}::json)
      as entry (id uuid, action text, "subjectId" uuid, "channelId" uuid, change jsonb)`);
}

/** The same in a transaction of hand-written statements alone. */
export const auditDirectly = (
  transaction: DirectTransaction,
  caller: Pick<Caller, "key">,
  entries: readonly AuditEntry[],
): Promise<void> =>
  auditMany(
    { execute: async (statement) => (await transaction.queryOnce(statement)).length },
    caller,
    entries,
  );

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
