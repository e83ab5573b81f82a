import DataLoader from "dataloader";
import sql, { join, type Sql } from "sql-template-tag";
import type { Database } from "../../database/database.js";
import { statement } from "../../database/statement.js";
import { loaderById } from "../activity/byId.js";
import { type PageArguments, readPageArguments } from "../paging/arguments.js";
import { inKeyOrder } from "../paging/batchLoading.js";
import { type CountedPage, type ListStatements, readList } from "../paging/list.js";
import type { Ordering } from "../paging/ordering.js";
import { type Caller, requireChannel } from "../shared/caller.js";
import { Problems } from "../shared/errors.js";
import { parseIds } from "../shared/ids.js";
import { type JoinRequest, type JoinRequestState, joinRequestColumns } from "./joinRequest.js";

const MAX_LINKS = 1_000;

/** A property that is null or left out filters nothing. An empty list matches nothing. */
export interface JoinRequestFilter {
  readonly states?: readonly JoinRequestState[] | null | undefined;
  /** Global ids or bare UUIDs. */
  readonly inviteLinkIds?: readonly string[] | null | undefined;
  readonly requestedFrom?: Date | null | undefined;
  /** Exclusive. */
  readonly requestedTo?: Date | null | undefined;
}

export interface JoinRequestArguments extends PageArguments {
  readonly chatId: number;
  readonly filter?: JoinRequestFilter | null | undefined;
}

const LATEST_FIRST: Ordering<JoinRequest> = [
  {
    key: {
      name: "requestedAt",
      column: sql`r.requested_at`,
      type: "timestamptz",
      valueOf: ({ requestedAt }) => requestedAt,
    },
    direction: "DESC",
  },
  { key: { name: "id", column: sql`r.id`, type: "uuid", valueOf: ({ id }) => id }, direction: "DESC" },
];

function conditionsOf(filter: JoinRequestFilter): Sql[] {
  const { states, inviteLinkIds, requestedFrom, requestedTo } = filter;
  const problems = new Problems();
  const conditions: Sql[] = [];
  if (states != null) {
    // The index of pending requests, by which the list is read most often, needs the state in the text.
    const isPending = states.length === 1 && states[0] === "PENDING";
    conditions.push(
      isPending ? sql`r.state = 'PENDING'` : sql`r.state = any(${states}::text[]::join_request_state[])`,
    );
  }
  if (inviteLinkIds != null) {
    const ids = parseIds("InviteLink", inviteLinkIds, "filter.inviteLinkIds", problems, MAX_LINKS);
    conditions.push(sql`r.link_id = any(${ids}::uuid[])`);
  }
  if (requestedFrom != null)
    conditions.push(sql`r.requested_at >= ${requestedFrom.toISOString()}::timestamptz`);
  if (requestedTo != null) conditions.push(sql`r.requested_at < ${requestedTo.toISOString()}::timestamptz`);
  problems.check();
  return conditions;
}

const STATEMENTS: ListStatements = {
  page: statement("join_requests_page"),
  exists: statement("join_requests_beyond"),
  count: statement("join_requests_count"),
};

/** Requests to join, and how links have them decided, for one request. */
export class JoinRequests {
  readonly #database: Database;
  readonly #caller: Caller;
  readonly #byId: DataLoader<string, JoinRequest | null>;
  readonly #approveAfter: DataLoader<string, number | null>;

  constructor(database: Database, caller: Caller) {
    this.#database = database;
    this.#caller = caller;
    this.#byId = loaderById(database, caller, {
      statement: statement("join_requests_by_id"),
      columns: joinRequestColumns,
      table: sql`join_request`,
      alias: sql`r`,
    });
    this.#approveAfter = new DataLoader(async (linkIds) => {
      const rows = await database.query<{ linkId: string; seconds: number }>(statement(
        "join_request_policies_by_link",
      )`
        select link_id as "linkId", approve_after_seconds as seconds from join_request_policy
        where link_id = any(${linkIds}::uuid[])`);
      return inKeyOrder(linkIds, rows, ({ linkId }) => linkId).map((row) => row?.seconds ?? null);
    });
  }

  /** Null for a request that does not exist or whose channel the caller may not see. */
  find(id: string): Promise<JoinRequest | null> {
    return this.#byId.load(id);
  }

  /** After how many seconds the server approves the requests of a link; null if it leaves them to people. */
  approveAfter(linkId: string): Promise<number | null> {
    return this.#approveAfter.load(linkId);
  }

  /** Reads anew what has changed. */
  forget(ids: readonly string[]): void {
    for (const id of ids) this.#byId.clear(id);
  }

  /**
   * A page of the requests to join a chat, the latest first.
   * @throws ForbiddenError for a chat that the caller may not use, ValidationError for unacceptable arguments.
   */
  async page({ chatId, filter, ...args }: JoinRequestArguments): Promise<CountedPage<JoinRequest>> {
    requireChannel(this.#caller, chatId);
    const request = readPageArguments(args);
    const channelId = sql`(select id from channel where chat_id = ${chatId}::bigint)`;
    const list = {
      statements: STATEMENTS,
      columns: joinRequestColumns,
      table: sql`join_request r`,
      alias: sql`r`,
      joins: sql`join channel c on c.id = r.channel_id`,
      where: join([sql`r.channel_id = ${channelId}`, ...conditionsOf(filter ?? {})], " and "),
    };
    return readList(this.#database, list, LATEST_FIRST, request);
  }
}
