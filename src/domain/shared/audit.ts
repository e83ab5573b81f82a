import sql from "sql-template-tag";
import type { UnitOfWork } from "../../database/database.js";
import type { Prisma } from "../../database/generated/prisma/client.js";
import type { Caller } from "./caller.js";
import { newId } from "./ids.js";

export interface AuditEntry {
  readonly action: string;
  readonly subjectId: string;
  readonly channelId?: string | null;
  readonly change: Prisma.InputJsonObject;
}

/** Who acts where nobody called. */
export const SERVER = { key: "server" } as const;

/** What a change is to note of values that are others now: what each was, and what it became. */
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

/** As audit, for hundreds of changes at once. */
export async function auditMany(
  unit: UnitOfWork,
  caller: Pick<Caller, "key">,
  changes: readonly AuditEntry[],
): Promise<void> {
  const entries = JSON.stringify(changes.map((change) => ({ id: newId(), ...change })));
  await unit.execute(sql`
    insert into audit_entry (id, at, caller, action, subject_id, channel_id, change)
    select id, now(), ${caller.key}, action, "subjectId", "channelId", change
    from json_to_recordset(${entries}::json)
      as entry (id uuid, action text, "subjectId" uuid, "channelId" uuid, change jsonb)`);
}

/** Notes who changed what, in the transaction that changes it. */
export async function audit(
  unit: UnitOfWork,
  caller: Pick<Caller, "key">,
  ...changes: readonly AuditEntry[]
): Promise<void> {
  const at = new Date();
  const entries = changes.map((change) => ({ id: newId(), at, caller: caller.key, ...change }));
  await unit.prisma.auditEntry.createMany({ data: entries });
}
