import sql from "sql-template-tag";
import type { Database } from "../../database/database.js";
import { type DeciderServices, RequestDecider } from "../../domain/joinRequests/requestDecider.js";
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

interface Asked {
  readonly requestId: string;
  /** Null: people decide. */
  readonly approveAfterSeconds: number | null;
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
    const { gateway, database } = this.#services;
    try {
      const asked = (await known) === true ? await this.#find(database, query) : null;
      const isApproved = asked?.approveAfterSeconds === 0;
      await gateway.answerJoinRequestQuery(query.queryId, isApproved ? "approve" : "queue", { at });
      if (isApproved)
        await new RequestDecider(this.#services, { ...SERVER, chatIds: null }, this.#log).record(
          asked.requestId,
          "APPROVED",
        );
    } catch (error) {
      const cause = error instanceof TelegramCallError ? { failure: error.failure } : { err: error };
      this.#log.warn(cause, "a query about a request to join could not be answered");
    }
  }

  async #find(database: Database, { chat, userId, updateId }: Query): Promise<Asked | null> {
    const [found] = await database.query<Asked>(sql`
      select r.id as "requestId", p.approve_after_seconds as "approveAfterSeconds"
      from channel c join join_request r on r.channel_id = c.id
      left join join_request_policy p on p.link_id = r.link_id
      where c.chat_id = ${chat.id}::bigint and r.user_id = ${userId}::bigint and r.update_id = ${updateId}::bigint`);
    return found ?? null;
  }
}
