import type { UnitOfWork } from "../database/database.js";
import type { Prisma } from "../database/generated/prisma/client.js";
import type { Caller } from "./access/caller.js";
import { newId } from "./ids.js";

export interface Change {
  readonly action: string;
  readonly subjectId: string;
  readonly channelId?: string | null;
  readonly change: Prisma.InputJsonObject;
}

/** Who acts where nobody called. */
export const SERVER = { key: "server" } as const;

/** Notes who changed what, in the transaction that changes it. */
export async function audit(
  unit: UnitOfWork,
  caller: Pick<Caller, "key">,
  ...changes: readonly Change[]
): Promise<void> {
  const at = new Date();
  const entries = changes.map((change) => ({ id: newId(), at, caller: caller.key, ...change }));
  await unit.prisma.auditEntry.createMany({ data: entries });
}
