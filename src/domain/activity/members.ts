import type DataLoader from "dataloader";
import sql, { join, type Sql } from "sql-template-tag";
import type { Database } from "../../database/database.js";
import { statement } from "../../database/statement.js";
import { type PageArguments, readPageArguments } from "../paging/arguments.js";
import { type CountedPage, type ListStatements, readList } from "../paging/list.js";
import type { Ordering } from "../paging/ordering.js";
import { type Caller, requireChannel } from "../shared/caller.js";
import { Problems } from "../shared/errors.js";
import { parseIds } from "../shared/ids.js";
import { loaderById } from "./byId.js";
import { type MemberEvent, type MemberEventKind, memberEventColumns } from "./memberEvent.js";
import { type Membership, membershipColumns } from "./membership.js";

const MAX_LINKS = 1_000;

/** A property that is null or left out filters nothing. An empty list matches nothing. */
export interface MemberEventFilter {
  readonly kinds?: readonly MemberEventKind[] | null | undefined;
  /** Global ids or bare UUIDs. */
  readonly inviteLinkIds?: readonly string[] | null | undefined;
  readonly userId?: number | null | undefined;
  readonly occurredFrom?: Date | null | undefined;
  /** Exclusive. */
  readonly occurredTo?: Date | null | undefined;
}

export interface MemberEventArguments extends PageArguments {
  readonly chatId: number;
  readonly filter?: MemberEventFilter | null | undefined;
}

const LAST_STORED_FIRST: Ordering<MemberEvent> = [
  {
    key: {
      name: "sequence",
      column: sql`e.sequence`,
      type: "bigint",
      valueOf: ({ sequence }) => String(sequence),
    },
    direction: "DESC",
  },
];

/** A person's member events are found by the stays and requests that they tell of, which are indexed by person. */
const isAbout = (userId: number, channelId: Sql): Sql => sql`
  e.user_id = ${userId}::bigint and e.sequence = any(array(
    select unnest(array[m.join_sequence, m.leave_sequence]) from membership m
    where m.channel_id = ${channelId} and m.user_id = ${userId}::bigint
    union all
    select unnest(array[r.sequence, r.decline_sequence]) from join_request r
    where r.channel_id = ${channelId} and r.user_id = ${userId}::bigint))`;

function conditionsOf(filter: MemberEventFilter, channelId: Sql): Sql[] {
  const { kinds, inviteLinkIds, userId, occurredFrom, occurredTo } = filter;
  const problems = new Problems();
  const conditions: Sql[] = [];
  if (kinds != null) conditions.push(sql`e.kind = any(${kinds}::text[]::member_event_kind[])`);
  if (inviteLinkIds != null) {
    const ids = parseIds("InviteLink", inviteLinkIds, "filter.inviteLinkIds", problems, MAX_LINKS);
    conditions.push(
      ids.length === 1 ? sql`e.link_id = ${ids[0]}::uuid` : sql`e.link_id = any(${ids}::uuid[])`,
    );
  }
  if (userId != null) conditions.push(isAbout(userId, channelId));
  if (occurredFrom != null) conditions.push(sql`e.occurred_at >= ${occurredFrom.toISOString()}::timestamptz`);
  if (occurredTo != null) conditions.push(sql`e.occurred_at < ${occurredTo.toISOString()}::timestamptz`);
  problems.check();
  return conditions;
}

const STATEMENTS: ListStatements = {
  page: statement("member_events_page"),
  exists: statement("member_events_beyond"),
  count: statement("member_events_count"),
};

/** Member events and memberships, for one request. */
export class Members {
  readonly #database: Database;
  readonly #caller: Caller;
  readonly #events: DataLoader<string, MemberEvent | null>;
  readonly #memberships: DataLoader<string, Membership | null>;

  constructor(database: Database, caller: Caller) {
    this.#database = database;
    this.#caller = caller;
    this.#events = loaderById<MemberEvent>(database, caller, {
      statement: statement("member_events_by_id"),
      columns: memberEventColumns,
      table: sql`member_event`,
      alias: sql`e`,
    });
    this.#memberships = loaderById<Membership>(database, caller, {
      statement: statement("memberships_by_id"),
      columns: membershipColumns,
      table: sql`membership`,
      alias: sql`m`,
      // A stay whose join is unknown belongs to no link and is not shown.
      condition: sql`m.joined_at is not null`,
    });
  }

  /** Null for an event that does not exist or whose channel the caller may not see. */
  event(id: string): Promise<MemberEvent | null> {
    return this.#events.load(id);
  }

  /** Null for a membership that does not exist or whose channel the caller may not see. */
  membership(id: string): Promise<Membership | null> {
    return this.#memberships.load(id);
  }

  /**
   * A page of a chat's member events, the last stored first.
   * @throws ForbiddenError for a chat that the caller may not use, ValidationError for unacceptable arguments.
   */
  async page({ chatId, filter, ...args }: MemberEventArguments): Promise<CountedPage<MemberEvent>> {
    requireChannel(this.#caller, chatId);
    const request = readPageArguments(args);
    const channelId = sql`(select id from channel where chat_id = ${chatId}::bigint)`;
    const conditions = conditionsOf(filter ?? {}, channelId);
    const list = {
      statements: STATEMENTS,
      columns: memberEventColumns,
      table: sql`member_event e`,
      alias: sql`e`,
      joins: sql`join channel c on c.id = e.channel_id`,
      where: join([sql`e.channel_id = ${channelId}`, ...conditions], " and "),
      // The sequences of a channel begin with 1 and have no gaps.
      ...(conditions.length === 0 && {
        count: () => sql`select last_sequence as count from channel_activity where channel_id = ${channelId}`,
      }),
    };
    return readList(this.#database, list, LAST_STORED_FIRST, request);
  }
}
