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
export async function audit(unit: UnitOfWork, caller: Pick<Caller, "key">, change: Change): Promise<void> {
  const { action, subjectId, channelId = null } = change;
  await unit.prisma.auditEntry.create({
    data: {
      id: newId(),
      at: new Date(),
      caller: caller.key,
      action,
      subjectId,
      channelId,
      change: change.change,
    },
  });
}
