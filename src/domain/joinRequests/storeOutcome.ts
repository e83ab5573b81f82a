import type { DirectTransaction } from "../../database/directTransaction.js";
import type { Instant } from "../../database/instant.js";
import { statement } from "../../database/statement.js";
import { ChannelGoneError } from "../channels/channelGoneError.js";
import { writeChanges } from "../members/writeChanges.js";
import { type AuditEntry, auditMany } from "../shared/audit.js";
import type { Caller } from "../shared/caller.js";
import { changeHistory, requestChanges } from "../stays/changes.js";
import type { RequestOutcome } from "../stays/history.js";
import { readHistories } from "../stays/rows.js";

/** A request, wherever a chat migration has moved it. */
interface Located {
  readonly channelId: string;
  readonly userId: number;
}

async function locate(transaction: DirectTransaction, requestId: string): Promise<Located | undefined> {
  const [found] = await transaction.queryOnce<Located>(statement("join_request_locate")`
    select r.channel_id as "channelId", r.user_id as "userId" from channel c cross join lateral (
      select r.channel_id, r.user_id from join_request r where r.channel_id = c.id and r.id = ${requestId}::uuid offset 0
    ) r`);
  return found;
}

/** @returns the last sequence of the channel's events @throws ChannelGoneError */
async function lockChannel(transaction: DirectTransaction, channelId: string): Promise<number> {
  const [row] = await transaction.queryOnce<{ lastSequence: number }>(statement("join_request_lock_channel")`
    select last_sequence as "lastSequence" from channel_activity where channel_id = ${channelId}::uuid
    for no key update`);
  if (!row) throw new ChannelGoneError();
  return row.lastSequence;
}

const ACTIONS = {
  APPROVED: "joinRequest.approve",
  DECLINED: "joinRequest.decline",
  GONE: "joinRequest.lose",
} as const;

/** What Telegram's answer says of a request. UNKNOWN: Telegram knows no request of the person. */
export type Answer = RequestOutcome["outcome"] | "UNKNOWN";

export interface ToldAnswer {
  readonly requestId: string;
  readonly answer: Answer;
  /** As OpenRequest.mark. */
  readonly mark: string | null;
}

/**
 * Why Telegram knows no request any more: because it carried out an earlier decline whose answer was lost or is still to
 * be stored, or for a reason that it does not tell.
 */
async function outcomeOfUnknown(
  transaction: DirectTransaction,
  channelId: string,
  { requestId, mark }: ToldAnswer,
): Promise<"DECLINED" | "GONE"> {
  const asked = await transaction.queryOnce(statement("join_request_decline_changed")`
    select from join_request where channel_id = ${channelId}::uuid and id = ${requestId}::uuid
      and asked_decision = 'DECLINE' and xmin::text is distinct from ${mark}::text`);
  return asked.length > 0 ? "DECLINED" : "GONE";
}

/**
 * Stores how Telegram answered a decision: the request's state, the member event of a decline, the counters and the audit
 * entry.
 * @returns the channel in which something changed; null if the answer changed nothing, because the request has ended
 */
export async function storeOutcome(
  transaction: DirectTransaction,
  caller: Pick<Caller, "key">,
  told: ToldAnswer,
  at: Instant,
): Promise<string | null> {
  const { requestId, answer } = told;
  const found = await locate(transaction, requestId);
  if (!found) return null;
  const { channelId } = found;
  const lastSequence = await lockChannel(transaction, channelId);
  const [history] = await readHistories(transaction, [found]);
  if (!history) return null;
  const outcome = answer === "UNKNOWN" ? await outcomeOfUnknown(transaction, channelId, told) : answer;
  const news = { transitions: [], requests: [], outcomes: [{ requestId, outcome, at }] };
  const change = changeHistory(history, news);
  const changed = requestChanges(change).come.find(({ id }) => id === requestId);
  await transaction.queryOnce(statement("join_request_clear_decision")`
    update join_request set asked_decision = null where channel_id = ${channelId}::uuid and id = ${requestId}::uuid`);
  if (!changed) return null;
  await writeChanges(transaction, [change], new Map([[channelId, lastSequence]]), null);
  const before = history.requests.find(({ id }) => id === requestId)?.state ?? "PENDING";
  // The update of the join that an approval led to may have been stored first.
  const from = before === changed.state ? "PENDING" : before;
  const entry: AuditEntry = {
    action: ACTIONS[outcome],
    subjectId: requestId,
    channelId,
    change: { state: { from, to: changed.state } },
  };
  await auditMany(transaction, caller, [entry]);
  return channelId;
}
