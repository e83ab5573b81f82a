import { statement } from "../../database/statement.js";
import { type DeciderServices, RequestDecider } from "../../domain/joinRequests/requestDecider.js";
import { guardedSending, UNRECORDED } from "../../domain/links/persistResult.js";
import { SERVER } from "../../domain/shared/audit.js";
import type { Logger } from "../../log.js";
import { TelegramCallError } from "../../telegram/failures.js";
import type { JoinRequestUpdate, ReceivedUpdate } from "../../telegram/updates.js";
import { within } from "./pause.js";

/** Telegram waits ten seconds for an answer. In milliseconds, from the arrival of the update. */
const ANSWER_MS = 9_000;
/** How long the storing of an update may take before its query is answered without knowing what was stored. */
const STORING_MS = 5_000;
const NEVER = new AbortController().signal;

interface Query extends JoinRequestUpdate {
  readonly updateId: number;
  readonly queryId: string;
}

const queriesOf = (updates: readonly ReceivedUpdate[]): Query[] =>
  updates.flatMap(({ updateId, content }) =>
    content.kind === "joinRequest" && content.queryId !== null
      ? [{ ...content, updateId, queryId: content.queryId }]
      : [],
  );

/**
 * Answers the requests to join that Telegram puts to the bot as queries: "approve" where the server approves at once,
 * otherwise "queue", so that the request waits for a decision like any other.
 */
export class RequestQueries {
  readonly #services: DeciderServices;
  readonly #log: Logger;

  constructor(services: DeciderServices, log: Logger) {
    this.#services = services;
    this.#log = log;
  }

  /**
   * Answers the queries of updates that have just arrived.
   * @param stored settles when the updates are stored, or could not be
   */
  answer(updates: readonly ReceivedUpdate[], stored: Promise<unknown>): void {
    const queries = queriesOf(updates);
    if (queries.length === 0) return;
    const arrivedAt = Date.now();
    const known = within(
      stored.then(
        () => true,
        () => false,
      ),
      STORING_MS,
      NEVER,
    );
    for (const query of queries)
      void this.#services.pendingWork.track(this.#answer(query, known, arrivedAt + ANSWER_MS));
  }

  async #answer(query: Query, known: Promise<boolean | "late">, at: number): Promise<void> {
    const { gateway, storageGuard } = this.#services;
    const deadline = { at };
    try {
      const approvedId = (await known) === true ? await this.#findApproved(query) : null;
      const result = approvedId === null ? "queue" : "approve";
      await gateway.answerJoinRequestQuery(
        query.queryId,
        result,
        deadline,
        // A request that is left in the queue changes nothing that would have to be stored.
        approvedId === null ? UNRECORDED : guardedSending(UNRECORDED, storageGuard, deadline),
      );
      if (approvedId !== null)
        await new RequestDecider(this.#services, { ...SERVER, chatIds: null }, this.#log).record(
          { id: approvedId, mark: null },
          "APPROVED",
        );
    } catch (error) {
      this.#failed(error, "a query about a request to join could not be answered");
    }
  }

  #failed(error: unknown, message: string): void {
    const cause = error instanceof TelegramCallError ? { failure: error.failure } : { err: error };
    this.#log.warn(cause, message);
  }

  /** The stored request of a query that the server approves at once; null for any other, and while nothing can be stored. */
  async #findApproved({ chat, userId, updateId }: Query): Promise<string | null> {
    const { database, storageGuard } = this.#services;
    try {
      storageGuard.requireWritable();
      const [found] = await database.query<{ id: string }>(statement("join_request_approved_at_once")`
        select r.id from channel c join join_request r on r.channel_id = c.id
        join join_request_policy p on p.link_id = r.link_id
        where c.chat_id = ${chat.id}::bigint and r.user_id = ${userId}::bigint and r.update_id = ${updateId}::bigint
          and p.approve_after_seconds = 0`);
      return found?.id ?? null;
    } catch (error) {
      storageGuard.recordFailure(error);
      this.#failed(error, "the request to join of a query could not be read, so it is put into the queue");
      return null;
    }
  }
}
